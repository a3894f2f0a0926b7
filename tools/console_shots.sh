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
shoot() {
    HANDEYE_SHOTS=$shots /usr/bin/python3 "$root/tests/console/browser_test.py" "$bin" \
        "ConsoleTest.test_a_whole_task_with_approval_and_take_over_on_a_$1"
    cp "$shots/approval.png" "$root/docs/img/console-$1.png"
}
shoot desktop
shoot phone
ls -l "$root/docs/img"
