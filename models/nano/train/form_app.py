#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A real GTK 3 dialog from one task of a task file; writes what was done to it to a file.

form_app.py TASK.json OUT.json

TASK: {"title", "widgets": [["field", "Name"], ["check", "Agree"], ["button", "Save"]]} and, optional, "size" [336, 224], "font" "DejaVu Sans",
"font_px" 13, "spacing" 6, "border" 10, "buttons" "end" or "start", "window_colour", "text_colour", "widget_colour" "#rrggbb". OUT, rewritten on every change: {"fields": {}, "checks": {}, "clicked": []}.
"""
import json
import os
import sys

import gi
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk


class Form:
    def __init__(self, task, out):
        self.out, self.entries, self.checks, self.clicked = out, {}, {}, []
        width, height = task.get("size", [336, 224])
        window = Gtk.Window(title=task["title"])
        window.set_default_size(width, height)
        window.set_size_request(width, height)
        window.set_decorated(False)
        root = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=task.get("spacing", 6))
        root.set_border_width(task.get("border", 10))
        title = Gtk.Label(label=task["title"])
        title.set_xalign(0)
        root.pack_start(title, False, False, 0)
        grid = Gtk.Grid(row_spacing=4, column_spacing=8)
        root.pack_start(grid, False, False, 0)
        bar = Gtk.Box(spacing=6)
        pack = bar.pack_start if task.get("buttons") == "start" else bar.pack_end
        for kind, name in task["widgets"]:
            if kind == "field":
                label = Gtk.Label(label=name + ":")
                label.set_xalign(0)
                entry = self.entries[name] = Gtk.Entry()
                entry.set_hexpand(True)
                entry.connect("changed", self.write)
                grid.attach(label, 0, len(self.entries) - 1, 1, 1)
                grid.attach(entry, 1, len(self.entries) - 1, 1, 1)
            elif kind == "check":
                check = self.checks[name] = Gtk.CheckButton(label=name)
                check.connect("toggled", self.write)
                root.pack_start(check, False, False, 0)
            else:
                button = Gtk.Button(label=name)
                button.connect("clicked", self.click, name)
                pack(button, False, False, 0)
        root.pack_end(bar, False, False, 0)
        window.add(root)
        rules = "* {font-family: '%s'; font-size: %dpx;}" % (task.get("font", "DejaVu Sans"), task.get("font_px", 13))
        for key, rule in (("window_colour", " window, box, grid {background-color: %s;}"), ("text_colour", " label, checkbutton, entry {color: %s;}"),
                          ("widget_colour", " button, entry {background-image: none; background-color: %s;}"),
                          ("widget_colour", " button:hover {background-color: shade(%s, 1.08);}"), ("widget_colour", " button:active {background-color: shade(%s, 0.85);}")):
            rules += rule % task[key] if key in task else ""
        css = Gtk.CssProvider()
        css.load_from_data(rules.encode())
        Gtk.StyleContext.add_provider_for_screen(Gdk.Screen.get_default(), css, 800)
        window.connect("destroy", Gtk.main_quit)
        window.show_all()
        window.move(0, 0)
        window.present()
        self.write()

    def click(self, button, name):
        self.clicked.append(name)
        self.write()

    def write(self, *_):
        state = dict(fields={n: e.get_text() for n, e in self.entries.items()},
                     checks={n: c.get_active() for n, c in self.checks.items()}, clicked=self.clicked)
        with open(self.out + ".tmp", "w") as f:
            json.dump(state, f)
        os.replace(self.out + ".tmp", self.out)


def main():
    with open(sys.argv[1]) as f:
        task = json.load(f)
    Form(task, sys.argv[2])
    Gtk.main()


if __name__ == "__main__":
    main()
