#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes each guard of mutations.json out of a copy of this tree and sees its test fail.

A test that passes with and without the code that it guards proves nothing. For every entry the rig changes one file of the
copy, builds the entry's program, runs its test and wants a failure; before any change the same test must pass. --check builds
nothing: it only looks whether each entry still fits the tree, and whether every row of the checklist has one or a reason.

mutations.json: {"mutations": [ENTRY...], "without": {ROW: REASON}}. An ENTRY is {"row", "name", "file", "find", "replace",
"target", "test"}: `find` stands once in `file`; `target` is the test program and `test` its GoogleTest filter. Where the test is
no GoogleTest program, `command` stands in place of `test`: its words with {bin} and {root} filled in, run after building `target`.
"""

import argparse
import collections
import fnmatch
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIST = pathlib.Path(__file__).with_name("mutations.json")
ROWS = [f"S{n}" for n in [*range(1, 13), *range(16, 29)]]
KEYS = {"row", "name", "file", "find", "replace", "target"}
SKIPPED = 77


def load():
    content = json.loads(LIST.read_text())
    return content["mutations"], content["without"]


def tests_of_tree():
    """Suite.Name of every test that stands in the sources."""
    pattern = re.compile(r"^(?:TYPED_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)
    return {".".join(found) for path in (ROOT / "tests").rglob("*.cpp") for found in pattern.findall(path.read_text())}


def targets_of_tree():
    """Names of programs; one that a loop makes, x11_${part}_test, as the pattern x11_*_test."""
    pattern = re.compile(r"^\s*(?:handeye_test|add_executable)\((\S+)", re.M)
    pages = [path.read_text() for path in ROOT.rglob("CMakeLists.txt") if "build" not in path.relative_to(ROOT).parts]
    return {re.sub(r"\$\{\w+\}", "*", name) for page in pages for name in pattern.findall(page)}


def names_a_test(pattern, tests):
    """A filter may name a parameter of a test, Instance/Suite.Name/Case: the sources know the middle only."""
    middle = re.sub(r"^[^./]*/|/[^./]*$", "", pattern)
    return any(fnmatch.fnmatchcase(test, middle) for test in tests)


def faults_of(entry, tests, targets):
    if missing := KEYS - entry.keys():
        return [f"lacks {', '.join(sorted(missing))}"]
    faults = []
    if ("test" in entry) == ("command" in entry):
        faults.append("needs either test or command")
    path = ROOT / entry["file"]
    count = path.read_text().count(entry["find"]) if path.is_file() else 0
    if count != 1:
        faults.append(f"its text stands {count} times in {entry['file']}, not once")
    if entry["find"] == entry["replace"]:
        faults.append("changes nothing")
    if not any(fnmatch.fnmatchcase(entry["target"], target) for target in targets):
        faults.append(f"there is no target {entry['target']}")
    for pattern in entry.get("test", "").split("-")[0].split(":"):
        if pattern and not names_a_test(pattern, tests):
            faults.append(f"there is no test {pattern}")
    for word in entry.get("command", []):
        if word.startswith("{root}/") and not (ROOT / word.removeprefix("{root}/")).exists():
            faults.append(f"there is no {word}")
    return faults


def check(entries, without):
    tests, targets = tests_of_tree(), targets_of_tree()
    faults = [f"{entry.get('row')} {entry.get('name')}: {fault}" for entry in entries for fault in faults_of(entry, tests, targets)]
    names = collections.Counter((entry.get("row"), entry.get("name")) for entry in entries)
    faults += [f"{row} {name}: stands {count} times" for (row, name), count in names.items() if count > 1]
    covered = {entry.get("row") for entry in entries} | {row for row, reason in without.items() if len(reason) >= 20}
    faults += [f"{row}: no entry, and no reason why" for row in ROWS if row not in covered]
    print("\n".join(faults) or f"{len(entries)} entries for {len({e['row'] for e in entries})} rows fit this tree")
    return 1 if faults else 0


class Copy:
    """The tracked files of this tree, as they are now, in a folder of their own, and a build of them."""

    def __init__(self, folder, jobs):
        self.root = pathlib.Path(folder).resolve()
        if self.root == ROOT or ROOT.is_relative_to(self.root):
            raise SystemExit(f"{self.root} holds this tree: the copy needs a folder of its own")
        self.build = self.root / "build" / "mutants"
        self.jobs = jobs
        # Objects are found again in ccache wherever the copy lies.
        self.environment = {"CCACHE_BASEDIR": str(self.root), "CCACHE_NOHASHDIR": "1", **os.environ}

    def refresh(self):
        names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
        for name in filter(None, names):
            source, copy = ROOT / name, self.root / name
            if not source.is_file():
                continue
            content = source.read_bytes()
            if not copy.is_file() or copy.read_bytes() != content:  # what has not changed is not built again
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(content)
                shutil.copymode(source, copy)
        code, output = self.run(["cmake", "--preset", "dev", "-B", str(self.build)], 600)
        if code != 0:
            raise SystemExit("cmake failed" + tail(output, 40))

    def run(self, words, seconds):
        """(exit code, output); the code is "hung" when it took longer."""
        process = subprocess.Popen(words, cwd=self.root, env=self.environment, text=True, errors="replace", start_new_session=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            output, _ = process.communicate(timeout=seconds)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return "hung", process.communicate()[0]

    def make(self, targets):
        return self.run(["ninja", "-C", str(self.build), "-j", str(self.jobs), *sorted(targets)], 3600)

    def test(self, entry, seconds):
        if "command" in entry:
            return self.run([word.format(bin=self.build / "bin", root=self.root) for word in entry["command"]], seconds)
        code, output = self.run([str(self.build / "bin" / entry["target"]), f"--gtest_filter={entry['test']}"], seconds)
        if code == 0 and "[  PASSED  ] 0 tests" in output:
            return (SKIPPED if "[  SKIPPED ]" in output else "no such test"), output
        return code, output


def show(verdict, entry, seconds, note=""):
    print(f"| {entry['row']} | {entry['name']} | `{entry.get('test', entry['target'])}` | {verdict} | {seconds:.0f} s |{note}", flush=True)


def tail(output, lines=12):
    return "\n" + "\n".join("    " + line for line in output.splitlines()[-lines:])


def try_one(copy, entry, seconds):
    """How the test ended without the guard: "failed" is what we want."""
    path = copy.root / entry["file"]
    text = path.read_text()
    path.write_text(text.replace(entry["find"], entry["replace"], 1))
    try:
        code, output = copy.make([entry["target"]])
        if code != 0:
            return "DOES NOT BUILD", output
        code, output = copy.test(entry, seconds)
    finally:
        path.write_text(text)
    if code == 0:
        return "STILL PASSES", output
    return {"hung": "failed (hung)", SKIPPED: "SKIPPED", "no such test": "NO SUCH TEST"}.get(code, "failed"), output


def what_runs(entry):
    return entry["target"], str(entry.get("test", entry.get("command")))


def run_all(entries, options):
    folder = options.keep or tempfile.mkdtemp(prefix="handeye-mutants-")
    try:
        copy = Copy(folder, options.jobs)
        copy.refresh()
        code, output = copy.make({entry["target"] for entry in entries})
        if code != 0:
            raise SystemExit("the tree does not build as it is" + tail(output, 40))
        before = {}  # every test on the tree as it is, before a changed program lies in the copy
        for entry in entries:
            if what_runs(entry) not in before:
                before[what_runs(entry)] = copy.test(entry, options.seconds)
        print("| row | without | test | verdict | time |\n|---|---|---|---|---|", flush=True)
        verdicts = collections.Counter()
        for entry in entries:
            begin = time.monotonic()
            code, output = before[what_runs(entry)]
            if code == SKIPPED:
                verdict = "skipped"
            elif code != 0:
                verdict = "FAILS WITH IT TOO"
            else:
                verdict, output = try_one(copy, entry, options.seconds)
            is_fine = verdict.startswith(("failed", "skipped"))
            verdicts[verdict] += 1
            show(verdict, entry, time.monotonic() - begin, "" if is_fine else tail(output))
        print("\n" + ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()) + f" of {len(entries)}")
        return 0 if all(verdict.startswith(("failed", "skipped")) for verdict in verdicts) else 1
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only look whether the entries fit the tree")
    parser.add_argument("--row", action="append", help="only entries of this row; may be repeated")
    parser.add_argument("--name", action="append", help="only the entry of this name; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="compilations at a time")
    parser.add_argument("--keep", metavar="FOLDER", help="keep the copy here, and build on what it holds")
    parser.add_argument("--seconds", type=int, default=300, help="for each run of a test")
    options = parser.parse_args()
    entries, without = load()
    if options.check:
        return check(entries, without)
    if options.row:
        entries = [entry for entry in entries if entry["row"] in options.row]
    if options.name:
        entries = [entry for entry in entries if entry["name"] in options.name]
    if not entries:
        raise SystemExit(f"no entry for {options.row or ''} {options.name or ''}")
    return run_all(entries, options)


if __name__ == "__main__":
    sys.exit(main())
