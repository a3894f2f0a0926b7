#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The closed loop on real windows with the reference implementation: pixels in, clicks and keys out.

loop.py CHECKPOINT TASKS.json [--out RESULT.json] [--gtk-python PYTHON]

Needs Xvfb, xdotool, mss, and a Python that has gi with GTK 3. Prints a line for each task and a table; --out keeps every action.
"""
import argparse
import collections
import json
import re

import torch

import reference
import tasks

CLICK = re.compile(r"<\|begin_of_box\|>left_click\(start_box='\[(\d+),(\d+)\]', element_info='([^']*)'\)<\|end_of_box\|>")
TYPE = re.compile(r"<\|begin_of_box\|>type\(content='([^']*)'\)<\|end_of_box\|>")
MOST = 14                                       # actions in a task


def attempt(model, task, python):
    """One task from the first frame to the last. -> result"""
    steps, actions = [], []
    with reference.Window(task, python) as window:
        for _ in range(MOST + 1):
            said, _, _ = model.ask(window.frame(), task["task"], steps)
            box = said.partition("<|begin_of_box|>")[2].partition("<|end_of_box|>")[0]
            actions.append(box or said)
            click, typed = CLICK.search(said), TYPE.search(said)
            if click:
                window.click(int(click[1]) * tasks.WIDTH // 1000, int(click[2]) * tasks.HEIGHT // 1000)
                steps.append("left_click " + click[3])
            elif typed:
                window.type(typed[1])
                steps.append("type " + typed[1])
            else:
                break
        state = window.state()
    done = actions[-1] == "DONE()"
    return dict(id=task["id"], ok=done and state == task["want"], kind=kind(task["want"], state, done), actions=actions, state=state)


def kind(want, state, done):
    """What went wrong first, in one word."""
    for part, word in (("fields", "field"), ("checks", "check"), ("clicked", "button")):
        if state[part] != want[part]:
            return word
    return "ok" if done else "end"


def table(todo, results):
    """Passed of all, by number of fields and of subgoals."""
    rows = collections.defaultdict(lambda: [0, 0])
    for task, result in zip(todo, results):
        want = task["want"]
        subgoals = len(want["fields"]) + sum(want["checks"].values()) + len(want["clicked"])
        for key in ("all", "fields %d" % len(want["fields"]), "subgoals %d" % subgoals):
            rows[key][0] += result["ok"]
            rows[key][1] += 1
    return {k: rows[k] for k in sorted(rows)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("checkpoint")
    ap.add_argument("tasks")
    ap.add_argument("--out")
    ap.add_argument("--gtk-python", default="/usr/bin/python3")
    ap.add_argument("--threads", type=int, default=2)
    a = ap.parse_args()
    torch.set_num_threads(a.threads)
    with open(a.tasks) as f:
        todo = json.load(f)
    model, results = reference.Reference(a.checkpoint), []
    with reference.Display():
        for task in todo:
            results.append(attempt(model, task, a.gtk_python))
            result = results[-1]
            print(result["id"], result["kind"], repr(task["task"]), "" if result["ok"] else result["actions"], flush=True)
    passed = table(todo, results)
    kinds = collections.Counter(r["kind"] for r in results if not r["ok"])
    for key, (good, count) in passed.items():
        print("%-12s %d of %d" % (key, good, count))
    print("failures:", dict(kinds))
    if a.out:
        with open(a.out, "w") as f:
            head = json.dumps(dict(passed=passed, failures=kinds))
            f.write(head[:-1] + ', "tasks": [\n' + ",\n".join(json.dumps(r) for r in results) + "\n]}\n")


if __name__ == "__main__":
    main()
