#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the `openai` client and `schemathesis` from PyPI, in the versions of tools/openai_client.txt, into build/openai-client.
# Nothing is installed anywhere else. Does nothing where they are already.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
source "$root/tools/common.sh"

python=${1:-python3}
wanted=$root/tools/openai_client.txt
goal=$root/build/openai-client
# What is compiled in the packages is for one version of Python.
mark="$("$python" -c 'import sys; print(sys.version)') $(sha256sum <"$wanted")"

[[ $(cat "$goal/mark" 2>/dev/null) == "$mark" ]] && exit 0
mkdir -p "$root/build"
work=$(mktemp -d "$root/build/openai-client-XXXXXX")
trap 'rm -rf "$work"' EXIT

"$python" -m pip --version >/dev/null 2>&1 || { say "skipped: $python -m pip is not here: apt-get install python3-pip"; exit 77; }
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --no-warn-script-location \
    --target "$work/ready" --requirement "$wanted" >"$work/log" 2>&1 ||
    { say "skipped: the packages of tools/openai_client.txt could not be fetched from PyPI: $(tail -1 "$work/log")"; exit 77; }
echo "$mark" >"$work/ready/mark"
# All or nothing: who comes second finds it done.
rm -rf "$goal.old"
[[ ! -e $goal ]] || mv "$goal" "$goal.old"
mv -T "$work/ready" "$goal" 2>/dev/null || [[ $(cat "$goal/mark" 2>/dev/null) == "$mark" ]] || die "$goal cannot be put in place"
rm -rf "$goal.old"
say "openai client: $(find "$goal" -maxdepth 1 -name '*.dist-info' | wc -l) packages in $goal"
