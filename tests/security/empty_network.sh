#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs test programs in an empty network namespace, where only loopback exists. Exit code 77: not permitted here.
if ! unshare -rn true 2>/dev/null; then
    echo "skipped: a network namespace of one's own is not permitted here"
    exit 77
fi
for program in "$@"; do
    # As root of its own user namespace a test cannot become a second user; that test has its say elsewhere.
    unshare -rn sh -c 'ip link set lo up 2>/dev/null || ifconfig lo up; exec "$0" --gtest_brief=1 --gtest_filter=-*ASecondUser*' "$program" || exit 1
done
