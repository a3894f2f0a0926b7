# SPDX-License-Identifier: Apache-2.0
"""Many clients on one daemon, by `handeye bench control` (R13, R17). What they may cost in memory holds on any machine and at any
number. Times need a machine that does nothing else: they count with HANDEYE_FULL, at the full numbers, in the best of three runs.

Arguments: handeye. Skipped (77) without Xvfb or openbox: the screen that one client is sent and never reads.
"""
import json
import os
import shutil
import subprocess
import sys

IS_FULL = bool(os.environ.get("HANDEYE_FULL"))
NUMBERS = ["--idle", "1000", "--active", "200", "--seconds", "20"] if IS_FULL else ["--idle", "200", "--active", "20", "--seconds", "1"]


def run(program):
    done = subprocess.run([program, "bench", "control", *NUMBERS, "--json"], stdout=subprocess.PIPE, text=True, timeout=600, check=False)
    results = json.loads(done.stdout)["results"]
    assert done.returncode == (0 if all(one["kept"] for one in results) else 1), done
    print(*(f"{one['name']}: {one['value']:.2f} {one['unit']} (limit {one['limit']})" for one in results), sep="\n", flush=True)
    return results


def main(program):
    runs = [run(program) for _ in range(3 if IS_FULL else 1)]
    missed = []
    for rows in zip(*runs):
        is_memory = rows[0]["unit"] == "MiB"
        good = all(row["kept"] for row in rows) if is_memory else any(row["kept"] for row in rows)
        if not good and (is_memory or IS_FULL):
            missed.append(rows[0]["name"])
    print("missed: " + ", ".join(missed) if missed else "kept")
    return 1 if missed else 0


if __name__ == "__main__":
    for needed in ("Xvfb", "openbox"):
        if not shutil.which(needed):
            print(f"skipped: no {needed}")
            sys.exit(77)
    sys.exit(main(sys.argv[1]))
