#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tasks to measure on: dialogs, sentences and what must be so at the end, as JSON (../eval/README.md tells the fields).

make_tasks.py SEED [--count 40] [--absent DIR ...] [--new] > TASKS.json

--absent: no dialog whose widgets are those of a rendered training state in DIR.
--new: every word is one of the dictionary that is kept from training, and two of three dialogs have fonts and colours that are kept from it.
"""
import argparse
import glob
import json
import random

import lexicon
import tasks
import words

# fields, checks, buttons
FORMS = [(1, 0, 2), (2, 0, 2), (2, 1, 2), (0, 3, 2), (1, 2, 2), (0, 0, 3), (3, 0, 2)]


def trained_on(folders):
    """The widget sets of the rendered states."""
    seen = set()
    for folder in folders:
        for path in glob.glob(folder + "/*.jsonl"):
            with open(path) as f:
                seen.update(frozenset((w["kind"], w["label"]) for w in json.loads(line).get("widgets", [])) for line in f)
    return seen


def kept_look(r):
    """Fonts that no training picture has; colours brighter than its dark ones and darker than its pale ones."""
    tint = lambda low, high: "#%02x%02x%02x" % tuple(r.randint(low, high) for _ in range(3))
    return dict(font=r.choice(lexicon.HELD_FONTS), font_px=r.choice([13, 14]), window_colour=tint(150, 204), text_colour=tint(0, 60), widget_colour=tint(185, 225))


class Kept:
    """The words of words.py's places, from those that are kept."""

    def __init__(self, r):
        self.lexicon, self.r = lexicon.Lexicon(held=True), r
        pool = [w for w in self.lexicon.page["words"] if 3 <= len(w) <= 9]
        capital = sorted({w.capitalize() for w in pool})
        r.shuffle(capital)
        self.BUTTONS, self.FIELDS, self.CHECKS = capital[:600], capital[600:1200], capital[1200:1800]
        self.VALUES, self.TITLES = pool, ["%s %s" % (a, b) for a, b in zip(capital[1800:1900], pool)]


def make(number, r, words, new):
    fields, checks, buttons = r.choice(FORMS)
    layout = {}
    if r.random() < 0.4:
        layout = dict(font_px=r.choice([13, 14]), spacing=r.randint(4, 8), border=r.randint(6, 14), buttons=r.choice(["end", "start"]))
    if new and number % 3:
        layout.update(kept_look(r))
    while True:                                # three long buttons do not fit in the width
        bar = r.sample(words.BUTTONS, buttons)
        if sum(map(len, bar)) <= 20:
            break
    form = ([["field", n] for n in r.sample(words.FIELDS, fields)]
            + [["check", n] for n in r.sample([c for c in words.CHECKS if c not in bar], checks)] + [["button", n] for n in bar])
    goals = [("set", n, r.choice(words.VALUES)) for k, n in form if k == "field"]
    goals += [("tick", n) for k, n in form if k == "check" and r.random() < 0.6]
    goals.append(("click", r.choice(bar)))
    want = dict(fields={g[1]: g[2] for g in goals if g[0] == "set"},
                checks={n: ("tick", n) in goals for k, n in form if k == "check"}, clicked=[goals[-1][1]])
    return dict(id="form-%02d" % number, title=r.choice(words.TITLES), widgets=form, task=tasks.sentence(goals, r)[0], want=want,
                size=[tasks.WIDTH, tasks.HEIGHT], **layout)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("seed", type=int)
    ap.add_argument("--count", type=int, default=40)
    ap.add_argument("--absent", nargs="*", default=[])
    ap.add_argument("--new", action="store_true")
    a = ap.parse_args()
    r, seen, made = random.Random(a.seed), trained_on(a.absent), []
    known = Kept(r) if a.new else words
    while len(made) < a.count:
        task = make(len(made) + 1, r, known, a.new)
        if frozenset(map(tuple, task["widgets"])) not in seen:
            made.append(task)
    print("[\n" + ",\n".join(json.dumps(t) for t in made) + "\n]")


if __name__ == "__main__":
    main()
