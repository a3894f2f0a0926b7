#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""From nothing to a stated loss in ten minutes, on a CPU: renders pages, makes a tokenizer and random weights, trains, and compares.

smoke.py OUT_DIR [--minutes 10]

Fails unless the mean loss of reading (objective.py) and that of the next token in tasks without pictures are below the bounds.
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BOUNDS = {"read": 0.5, "blind text": 2.5}      # at the start 1.1 and 7.7


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--minutes", type=float, default=10)
    a = ap.parse_args()
    run = lambda *words: subprocess.run([sys.executable, *map(str, words)], check=True)
    run(HERE + "/pages.py", a.out + "/pages", 1, 4)
    run(HERE + "/pages.py", a.out + "/held", 2, 1, "--size", 200, "--held")
    run(HERE + "/start.py", HERE + "/..", a.out + "/start", "--data", a.out + "/pages")
    run(HERE + "/train.py", "--init", a.out + "/start", "--data", a.out + "/pages", "--held", a.out + "/held", "--out", a.out + "/run", "--device", "cpu",
        "--minutes", a.minutes, "--first", a.minutes / 2, "--every", 1000, "--measure", 64)
    with open(a.out + "/run/losses.json") as f:
        losses = json.load(f)
    bad = 0
    for key, bound in BOUNDS.items():
        bad += not losses[key] < bound
        print("%s: %.3f, at most %.3f: %s" % (key, losses[key], bound, "ok" if losses[key] < bound else "NOT REACHED"))
    sys.exit(bad)


if __name__ == "__main__":
    main()
