#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/agent/stuck_traces.json: stuck_traces.py OUT

Forty traces as a person would label them, made without running the detector: twenty that go in circles, twenty that are
slow but get somewhere. A screen is a list of things that are shown on it; "|caret" is a text cursor that blinks."""
import json
import random
import sys

rng = random.Random(20261121)


def click(x, y, name="", jitter=0):
    dx, dy = rng.randint(-jitter, jitter), rng.randint(-jitter, jitter)
    return {"verb": "click", "x": x + dx, "y": y + dy, "units": "thousandths", "element_info": name}


def type_(text):
    return {"verb": "type", "text": text}


def key(*keys):
    return {"verb": "key", "keys": list(keys)}


def scroll(direction="down"):
    return {"verb": "scroll", "x": 500, "y": 500, "units": "thousandths", "direction": direction, "amount": 5}


WAIT = {"verb": "wait"}


def step(action, *screen, error=""):
    return {"action": action, "screen": list(screen), "error": error}


def blinking(index):
    return ["|caret"] if index % 2 else []


traces = []


def trace(name, stuck, steps=None, answer=None):
    traces.append({"name": name, "stuck": stuck, **({"steps": steps} if steps else {}), **({"answer": answer} if answer else {})})


# --- twenty that go in circles ---
trace("clicks a dead button", True, [step(click(500, 600, "OK"), "dialog") for _ in range(5)])
trace("clicks a dead button, aim wandering a little", True, [step(click(500, 600, "OK", 4), "dialog") for _ in range(5)])
trace("clicks a field again and again while its caret blinks", True, [step(click(400, 200, "Name", 3), "form", *blinking(i)) for i in range(6)])
trace("presses Return on a list that ignores it", True, [step(key("Return"), "list", "row 3 selected") for _ in range(5)])
trace("scrolls at the end of the page", True, [step(scroll(), "page", "p%d" % min(i, 3)) for i in range(9)])
trace("types into a field that takes nothing", True, [step(type_("Ada"), "form") for _ in range(5)])
trace("opens an app that is not installed", True, [step({"verb": "open_app", "app": "Pages"}, "desktop", error="there is no application Pages") for _ in range(4)])
trace("aims outside the picture", True, [step(click(999, 999, "", 1), "page", error="outside") for _ in range(4)])
trace("names a key that does not exist", True, [step(click(10, 10), "editor"), *[step(key("Insert"), "editor", error="unknown key hyper") for _ in range(3)]])
trace("opens and closes a menu", True, [step(click(50, 20, "File"), "editor", "menu") if i % 2 == 0 else step(key("Escape"), "editor") for i in range(8)])
trace("ticks and unticks a box", True, [step(click(300, 300, "Agree", 2), "form", *(["tick"] if i % 2 == 0 else [])) for i in range(9)])
trace("goes back and forth between two pages", True, [step(click(100, 100, "Next"), "page two") if i % 2 == 0 else step({"verb": "back"}, "page one") for i in range(8)])
trace("two windows, nothing carried over", True, [step(click(200, 20, "Mail"), "mail window") if i % 2 == 0 else step(click(800, 20, "Notes"), "notes window") for i in range(9)])
trace("tries everything on a frozen screen", True, [step(a, "frozen") for a in (click(100, 100), key("Return"), click(500, 200), type_("hello"), click(700, 700), key("Tab"), scroll(), click(300, 300))])
trace("clicks all over a modal that eats input", True, [step(click(90 * i + 40, 777 - 80 * i), "modal", *blinking(i)) for i in range(9)])
trace("different texts into a read-only field", True, [step(type_(w), "form") for w in ("Ada", "Ada Lovelace", "ada", "A. Lovelace", "Lovelace", "Countess", "Ada L.")])
trace("waits for ever", True, [step(WAIT, "loading") for _ in range(10)])
trace("repeats one sentence", True, answer=[["I need to find the search field, so I will look at the top of the page where it usually is, and then click on it. ", 12]])
trace("repeats a paragraph after a good start", True, answer=[["The page shows a table of orders. The newest is on top. ", 1], ["Wait, the user wants the order of March. Let me look at the dates again. The first row says February, the second row says January, so I should scroll. ", 9]])
trace("repeats a list of coordinates", True, answer=[["The boxes are ", 1], ["[12,34,56,78], [90,12,34,56], ", 30]])

# --- twenty that are slow but get somewhere ---
fields = ["Name", "Street", "Town", "Post code", "Country", "Phone", "Mail", "Company", "VAT number", "Note"]
steps, shown = [], []
for i, f in enumerate(fields):
    steps.append(step(click(300, 80 * i + 60, f, 3), "form", *shown, "focus " + f))
    shown.append("text in " + f)
    steps.append(step(type_("value " + f), "form", *shown, "|caret"))
trace("fills a form of ten fields", False, steps)
trace("reads a long page", False, [step(scroll(), "page", "lines %d" % i, "scrollbar %d" % i) for i in range(15)])
trace("the same Next button through a wizard", False, [step(click(850, 930, "Next", 2), "wizard", "page %d" % i) for i in range(12)])
trace("waits while a bar fills", False, [step(WAIT, "loading", *["bar %d" % k for k in range(i)]) for i in range(12)])
trace("waits seven times on a still screen, then it opens", False, [*[step(WAIT, "loading") for _ in range(7)], step(click(100, 100), "app")])
trace("fails twice, then hits", False, [step(click(500, 600, "OK", 3), "dialog"), step(click(500, 600, "OK", 3), "dialog"), step(click(500, 640, "OK"), "done")])
trace("two errors in a row, then another way", False, [step(key("Insert"), "editor", error="unknown key"), step(key("Insert"), "editor", error="unknown key"), step(key("super"), "launcher")])
trace("three errors of three kinds", False, [step(key("Insert"), "e", error="unknown key"), step(click(1, 1), "e", error="outside"), step({"verb": "open_app", "app": "X"}, "e", error="none"), step(key("super"), "launcher")])
steps = []
for i in range(8):
    steps.append(step(click(200, 60 * i + 50, "row"), "sheet", *["copied %d" % k for k in range(i)], "row %d" % i))
    steps.append(step(click(800, 60 * i + 50, "cell"), "sheet", *["copied %d" % k for k in range(i + 1)]))
trace("copies rows from one window to another", False, steps)
trace("presses plus ten times", False, [step(click(600, 300, "+", 2), "counter", "value %d" % i) for i in range(10)])
trace("types a word letter by letter", False, [step(key(c), "editor", *["letter %d" % k for k in range(i + 1)]) for i, c in enumerate("progressive")])
trace("tabs through the fields", False, [step(key("Tab"), "form", "focus ring %d" % i) for i in range(12)])
trace("opens one mail after another", False, [step(click(300, 100 + 50 * (i // 2), "mail"), "mail %d" % (i // 2)) if i % 2 == 0 else step({"verb": "back"}, "inbox", *["read %d" % k for k in range(i // 2 + 1)]) for i in range(12)])
trace("presses Down along a list", False, [step(key("Down"), "list", "selected %d" % i) for i in range(14)])
trace("zooms a map in steps", False, [step(scroll("up"), "map level %d" % i) for i in range(8)])
trace("toggles three different boxes", False, [step(click(300, 300 + 40 * i, "box %d" % i), "form", *["tick %d" % k for k in range(i + 1)]) for i in range(5)])
trace("five invisible key presses, then the window opens", False, [*[step(key("ctrl", c), "terminal") for c in "acvxz"], step(key("F10"), "terminal", "menu")])
trace("thinks long but of different things", False, answer=[["Row %d holds %s. " % (i, w), 1] for i, w in enumerate(rng.choices(fields, k=80))])
trace("writes a memory of similar lines", False, answer=[['{"order": %d, "total": "%d EUR", "state": "shipped", "address": "Main Street 1, 12345 Town"}, ' % (1000 + i, 7 * i + 3), 1] for i in range(40)])
trace("says a short thing twice", False, answer=[["I will click on the button that is called Save because it stores the form and then I will check the message below it. ", 2], ["Done.", 1]])

assert len(traces) == 40 and sum(t["stuck"] for t in traces) == 20
with open(sys.argv[1], "w") as out:
    out.write('{"traces": [\n' + ",\n".join(json.dumps(t) for t in traces) + "\n]}\n")
