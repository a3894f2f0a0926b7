#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the pictures of docs/console.md: the console in Chromium, at a real daemon with the bundled model.
#
# console_shots.sh BIN_DIR     needs chromium, xvfb, openbox and python3
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bin=$(cd "$1" && pwd)
shots=$(mktemp -d)
trap 'rm -rf "$shots"' EXIT
mkdir -p "$root/docs/img"
# shoot SCRIPT TEST PICTURE NAME
shoot() {
    HANDEYE_SHOTS=$shots /usr/bin/python3 "$root/tests/console/$1.py" "$bin" "$2"
    cp "$shots/$3.png" "$root/docs/img/console-$4.png"
}
shoot browser_test ConsoleTest.test_a_whole_task_with_approval_and_take_over_on_a_desktop approval desktop
shoot browser_test ConsoleTest.test_a_whole_task_with_approval_and_take_over_on_a_phone approval phone
shoot look_test LookTest.test_what_waits_is_told_everywhere_and_its_card_says_what_it_is_for approvals approvals
ls -l "$root/docs/img"
