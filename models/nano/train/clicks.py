#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clicks to judge a model by: pictures of dialogs that no training saw, and for each one widget that the next action is to hit.

clicks.py OUT_DIR [--count 500] [--seed 4711]

Needs an X display of its own (Xvfb), and gi with GTK 3, as render.py. Writes OUT_DIR/NNN.png and OUT_DIR/clicks.json: a list of
{"image", "prompt", "label", "box"} with the box in pixels, [x0, y0, x1, y1].
"""
import argparse
import json
import os
import random

import gi
gi.require_version("Gtk", "3.0")
from gi.repository import GdkPixbuf, GLib, Gtk

import dialogs
import render
import tasks


def goal_of(widget, r):
    if widget["kind"] == "field":
        return ("set", widget["label"], dialogs.LEXICON.value(r))
    if widget["kind"] == "check":
        return ("untick" if widget["value"] else "tick", widget["label"])
    return ("click", widget["label"])


def draw(state, r):
    """-> prompt, widget; or None where nothing is left to be clicked"""
    touched = {g[1] for g in state["done"]}
    free = [w for w in state["widgets"] if w["label"] not in touched and not (w["kind"] == "field" and w["value"])]
    if not free or state["half"] or sum(w["label"] == free[0]["label"] for w in state["widgets"]) != 1:
        return None
    widget = r.choice(free)
    done = [tuple(g) for g in state["done"]]
    goals = done + [goal_of(widget, r)]
    if widget["kind"] != "button" and r.random() < 0.5:
        goals += [goal_of(w, r) for w in free if w["kind"] == "button"][:1]
    text, _ = tasks.sentence(goals, r)
    return tasks.prompt(text, tasks.history(goals, len(done), False)), widget


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--count", type=int, default=500)
    ap.add_argument("--seed", type=int, default=4711)
    a = ap.parse_args()
    os.makedirs(a.out, exist_ok=True)
    settings = Gtk.Settings.get_default()
    settings.set_property("gtk-enable-animations", False)
    settings.set_property("gtk-cursor-blink", False)
    r = random.Random(a.seed)
    rows = []
    while len(rows) < a.count:
        for picture, state in list(render.walk(r)):
            drawn = draw(state, r) if len(rows) < a.count and r.random() < 0.5 else None
            if drawn is None:
                continue
            name = "%03d.png" % len(rows)
            pixels = GdkPixbuf.Pixbuf.new_from_bytes(GLib.Bytes.new(bytes(picture)), GdkPixbuf.Colorspace.RGB, False, 8, tasks.WIDTH, tasks.HEIGHT, tasks.WIDTH * 3)
            pixels.savev(os.path.join(a.out, name), "png", [], [])
            rows.append(dict(image=name, prompt=drawn[0], label=drawn[1]["label"], box=drawn[1]["box"]))
    with open(os.path.join(a.out, "clicks.json"), "w") as f:
        json.dump(rows, f, indent=0)


if __name__ == "__main__":
    main()
