#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the pages of MiniWoB++ (MIT licence) from PyPI into build/miniwob: one wheel of a fixed version and sum, of which only the
# pages are unpacked. Nothing of it is run by Python. Does nothing where they are already.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=tools/common.sh
source "$root/tools/common.sh"

version=1.1.0
sum=297006e84219d56ad037e843527ed773a4a82509dc43b6031ec4a3ad3e3e61d9
goal=$root/build/miniwob

[[ $(cat "$goal/sum" 2>/dev/null) == "$sum" ]] && exit 0
mkdir -p "$root/build"
work=$(mktemp -d "$root/build/miniwob-XXXXXX")
trap 'rm -rf "$work"' EXIT

python3 -m pip --version >/dev/null 2>&1 || die "python3 -m pip is not here: apt-get install python3-pip"
# pip looks at the sum itself as well; the wheel's dependencies (a driver and its libraries) are not wanted.
printf 'miniwob==%s --hash=sha256:%s\n' "$version" "$sum" >"$work/wanted"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
    --dest "$work" --requirement "$work/wanted" >"$work/log" 2>&1 ||
    die "miniwob $version could not be fetched from PyPI: $(tail -1 "$work/log")"
wheel=$work/miniwob-$version-py3-none-any.whl
echo "$sum  $wheel" | sha256sum --check --status || die "$wheel has another sum than $sum"

mkdir "$work/ready"
python3 - "$wheel" "$work/ready" <<'PY'
import pathlib
import sys
import zipfile

wheel, goal = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for entry in wheel.infolist():
    if entry.filename.startswith("miniwob/html/"):
        entry.filename = entry.filename.removeprefix("miniwob/")
        wheel.extract(entry, goal)
    elif entry.filename.endswith("/LICENSE"):
        (goal / "LICENSE").write_bytes(wheel.read(entry))
PY
echo "$sum" >"$work/ready/sum"
# All or nothing: who comes second finds it done.
rm -rf "$goal.old"
[[ ! -e $goal ]] || mv "$goal" "$goal.old"
mv -T "$work/ready" "$goal" 2>/dev/null || [[ $(cat "$goal/sum" 2>/dev/null) == "$sum" ]] || die "$goal cannot be put in place"
rm -rf "$goal.old"
say "miniwob $version: $(find "$goal/html/miniwob" -name '*.html' | wc -l) pages in $goal"
