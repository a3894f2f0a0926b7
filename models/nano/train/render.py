#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Pictures of GTK 3 dialogs, taken at every step of made-up tasks, from real windows.

render.py OUT_DIR SEED SHARDS [--size 2000] [--pages] [--held]

Needs an X display of its own (Xvfb), and gi with GTK 3; no window manager. Writes OUT_DIR/SHARD.zrgb (zlib of 3
bytes a pixel) and then OUT_DIR/SHARD.jsonl, a line for each picture: the widgets (kind, label, box in pixels, value), the drawn words with their
boxes, the goals already done in their order, and the field that is clicked but still empty ("half", or null). With --pages the
pictures are pages full of words in widgets of all kinds, to learn reading from; they have no widgets and no goals.
"""
import argparse
import json
import os
import random
import time
import zlib

import gi
gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk, Pango

import lexicon
import tasks
import words

W, H = tasks.WIDTH, tasks.HEIGHT
# fields, checks, buttons of the plain forms
FORMS = [(1, 0, 1), (1, 0, 2), (2, 0, 1), (2, 0, 2), (2, 1, 2), (2, 2, 1), (3, 0, 2), (3, 0, 1), (3, 1, 2), (0, 3, 2), (1, 2, 2),
         (1, 1, 2), (0, 0, 3), (0, 2, 1), (1, 3, 1), (2, 1, 1), (3, 0, 3), (0, 0, 4), (0, 4, 2)]


LEXICON = lexicon.Lexicon()


def colour(r, low, high):
    return "#%02x%02x%02x" % tuple(r.randint(low, high) for _ in range(3))


class Layout:
    """How a dialog looks: form_app.py's construction, and in most dialogs something different."""

    def __init__(self, r):
        plain = r.random() < 0.35
        vary = (lambda usual, others: usual) if plain else (lambda usual, others: r.choice(others))
        self.font = vary("DejaVu Sans", LEXICON.fonts)
        self.font_px = vary(13, [12, 13, 13, 14, 15])
        self.border = vary(10, range(4, 17))
        self.spacing = vary(6, range(2, 11))
        self.row_spacing = vary(4, range(2, 9))
        self.column_spacing = vary(8, range(4, 13))
        self.colon = vary(":", ["", ":", ":"])
        self.label_align = vary(0.0, [0.0, 1.0])
        self.title_align = vary(0.0, [0.0, 0.5])
        self.titled = vary(True, [True, True, False])
        self.buttons_end = vary(True, [True, False])
        self.bar_bottom = vary(True, [True, True, False])
        self.caret = r.random() < 0.5
        self.colours = vary(None, [None, "pale", "pale", "dark"])
        self.css = self.theme(r)

    def theme(self, r):
        """The colours, as CSS."""
        if not self.colours:
            return ""
        low, high, ink = ((205, 255), (235, 255), colour(r, 0, 90)) if self.colours == "pale" else ((10, 70), (40, 90), colour(r, 190, 255))
        css = " window, box, grid {background-color: %s;} label, checkbutton {color: %s;}" % (colour(r, *low), ink)
        if self.colours == "dark" or r.random() < 0.7:
            css += " button, button label {background-image: none; background-color: %s; color: %s;}" % (colour(r, *high), ink)
            css += " entry {background-color: %s; color: %s;}" % (colour(r, *high), ink)
        if r.random() < 0.3:
            css += " button, entry {border-radius: %dpx;}" % r.choice([0, 2, 9])
        return css


class Window:
    """One real window on the display, undecorated, at 0,0."""

    def __init__(self, r):
        self.r, self.painted = r, False
        self.window = Gtk.Window()
        self.window.set_default_size(W, H)
        self.window.set_size_request(W, H)
        self.window.set_decorated(False)

    def show(self, root, look):
        self.window.add(root)
        css = "* {font-family: '%s'; font-size: %dpx;}" % (look.font, look.font_px)
        css += look.css
        if not look.caret:
            css += " entry {caret-color: transparent;}"
        self.css = Gtk.CssProvider()
        self.css.load_from_data(css.encode())
        Gtk.StyleContext.add_provider_for_screen(Gdk.Screen.get_default(), self.css, 800)
        away = self.r.choice([(W + 20, 5), (W // 2, H // 2)])
        self.point(*(away if self.r.random() < 0.2 else (self.r.randrange(W), self.r.randrange(H))))
        self.window.show_all()
        self.window.get_frame_clock().connect("after-paint", self.on_paint)
        self.window.move(0, 0)
        self.window.present()

    def on_paint(self, *_):
        self.painted = True

    def point(self, x, y):
        """Put the pointer at a pixel of the screen."""
        Gdk.Display.get_default().get_default_seat().get_pointer().warp(Gdk.Screen.get_default(), int(x), int(y))

    def settle(self):
        """Run the main loop until what was changed is on the screen."""
        self.painted = False
        self.window.queue_draw()
        end = time.time() + 0.5
        while not self.painted and time.time() < end:
            Gtk.main_iteration_do(False) or time.sleep(0.0005)
        while Gtk.events_pending():
            Gtk.main_iteration_do(False)

    def picture(self):
        self.settle()
        pixels = Gdk.pixbuf_get_from_window(self.window.get_window(), 0, 0, W, H)
        assert pixels.get_rowstride() == 3 * W, "the window has an alpha channel"
        return pixels.get_pixels()[:3 * W * H]

    def words(self):
        """Every word drawn: [word, x0, y0, x1, y1]."""
        found = []

        def add(layout, ox, oy):
            at = 0
            for word in layout.get_text().encode().split(b" "):
                if word:
                    p, q = layout.index_to_pos(at), layout.index_to_pos(at + len(word) - 1)
                    s = Pango.SCALE
                    found.append([word.decode(), ox + p.x // s, oy + p.y // s, ox + (q.x + q.width) // s, oy + (q.y + q.height) // s])
                at += len(word) + 1

        def walk(widget):
            if isinstance(widget, Gtk.Label):
                lx, ly = widget.get_layout_offsets()
                x, y = widget.translate_coordinates(self.window, 0, 0)
                add(widget.get_layout(), x + lx - widget.get_allocation().x, y + ly - widget.get_allocation().y)
            elif isinstance(widget, Gtk.Entry):
                if widget.get_text():
                    lx, ly = widget.get_layout_offsets()
                    x, y = widget.translate_coordinates(self.window, 0, 0)
                    add(widget.get_layout(), x + lx, y + ly)
            elif isinstance(widget, Gtk.Container):
                for child in widget.get_children():
                    walk(child)

        walk(self.window)
        return found

    def close(self):
        Gtk.StyleContext.remove_provider_for_screen(Gdk.Screen.get_default(), self.css)
        self.window.destroy()
        while Gtk.events_pending():
            Gtk.main_iteration_do(False)


class Dialog(Window):
    """A form."""

    def __init__(self, r):
        look = Layout(r)
        super().__init__(r)
        root = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=look.spacing)
        root.set_border_width(look.border)
        if look.titled:
            title = Gtk.Label(label=(r.choice(words.TITLES) if r.random() < 0.6 else LEXICON.label(r) + " " + LEXICON.label(r).lower()))
            title.set_xalign(look.title_align)
            root.pack_start(title, False, False, 0)
        fields, checks, buttons = r.choice(FORMS)
        self.widgets = []                       # [kind, label, Gtk widget]
        grid = Gtk.Grid(row_spacing=look.row_spacing, column_spacing=look.column_spacing)
        root.pack_start(grid, False, False, 0)
        names = LEXICON.labels(r, fields + checks + buttons)
        for row, name in enumerate(names[:fields]):
            label = Gtk.Label(label=name + look.colon)
            label.set_xalign(look.label_align)
            entry = Gtk.Entry()
            entry.set_hexpand(True)
            grid.attach(label, 0, row, 1, 1)
            grid.attach(entry, 1, row, 1, 1)
            self.widgets.append(["field", name, entry])
        for name in names[fields:fields + checks]:
            check = Gtk.CheckButton(label=name)
            check.set_active(r.random() < 0.1)
            root.pack_start(check, False, False, 0)
            self.widgets.append(["check", name, check])
        bar = Gtk.Box(spacing=look.spacing)
        for name in names[fields + checks:]:
            button = Gtk.Button(label=name)
            (bar.pack_end if look.buttons_end else bar.pack_start)(button, False, False, 0)
            self.widgets.append(["button", name, button])
        (root.pack_end if look.bar_bottom else root.pack_start)(bar, False, False, 0)
        self.show(root, look)

    def box(self, widget):
        x, y = widget.translate_coordinates(self.window, 0, 0)
        return [x, y, x + widget.get_allocated_width(), y + widget.get_allocated_height()]

    def act(self, kind, label):
        """Do what a click on the widget does, the pointer left on it."""
        widget = next(w[2] for w in self.widgets if w[1] == label)
        x0, y0, x1, y1 = self.box(widget)
        self.point(self.r.randint(x0 + 4, x1 - 5) if kind == "field" else x0 + 30, (y0 + y1) // 2)
        if kind == "field":
            widget.grab_focus_without_selecting()
            widget.set_position(-1)
        else:
            widget.grab_focus()
            if kind == "check":
                widget.set_active(not widget.get_active())

    def type(self, label, text):
        widget = next(w[2] for w in self.widgets if w[1] == label)
        widget.set_text(text)
        widget.set_position(-1)

    def describe(self):
        """The widgets with boxes and values."""
        value = {"field": lambda w: w.get_text(), "check": lambda w: w.get_active(), "button": lambda w: ""}
        return [dict(kind=k, label=n, box=self.box(w), value=value[k](w)) for k, n, w in self.widgets]


class Page(Window):
    """Words from edge to edge."""

    def __init__(self, r):
        look = Layout(r)
        super().__init__(r)
        fixed, y = Gtk.Fixed(), r.randint(0, 10)
        self.show(fixed, look)                  # at first: sizes are known once the fonts are
        while y < H - 24:
            x, high = r.randint(0, 14), 18
            while True:
                widget, tall = self.word(LEXICON.label(r))
                wide = widget.get_preferred_width()[1]
                if x + wide > W:
                    widget.destroy()
                    break
                high = max(high, tall)
                fixed.put(widget, x, y)
                x += wide + r.randint(3, 16)
            y += high + r.randint(0, 4)

    def word(self, word):
        """-> widget, its height"""
        u = self.r.random()
        if u < 0.35:
            widget, high = Gtk.Label(label=word + self.r.choice(["", ":"])), 18
        elif u < 0.7:
            widget, high = Gtk.Button(label=word), 34
        elif u < 0.9:
            widget, high = Gtk.CheckButton(label=word), 22
            widget.set_active(self.r.random() < 0.4)
        else:
            widget, high = Gtk.Entry(text=word, width_chars=len(word)), 34
        widget.show()
        return widget, high


def plan(dialog, r):
    """Goals for a walk through the dialog: usually fields, then checks, then a button, as people write tasks."""
    fields = [w for w in dialog.widgets if w[0] == "field"]
    checks = [w for w in dialog.widgets if w[0] == "check"]
    buttons = [w for w in dialog.widgets if w[0] == "button"]
    chosen = r.sample(fields, r.choice([len(fields), len(fields), r.randint(0, len(fields))]))
    chosen += r.sample(checks, r.randint(0, len(checks)))
    if r.random() < 0.5:
        chosen.sort(key=dialog.widgets.index)
    if r.random() < 0.2:
        r.shuffle(chosen)
    if r.random() < 0.8 or not chosen:
        chosen.append(r.choice(buttons))
    goals = []
    for kind, label, widget in chosen[:5] if len(chosen) > 5 else chosen:
        if kind == "field":
            goals.append(("set", label, LEXICON.value(r)))
        elif kind == "check":
            goals.append(("untick" if widget.get_active() else "tick", label))
        else:
            goals.append(("click", label))
    return goals


def walk(r):
    """One dialog at every step of one task. -> yields picture, description"""
    dialog = Dialog(r)
    dialog.settle()
    goals = plan(dialog, r)

    def state(done, half):
        picture = dialog.picture()
        return picture, dict(widgets=dialog.describe(), words=dialog.words(), done=goals[:done], half=half)

    if dialog.window.get_size() == (W, H):     # else the form did not fit
        yield state(0, None)
        for i, goal in enumerate(goals):
            kind = {"set": "field", "tick": "check", "untick": "check", "click": "button"}[goal[0]]
            dialog.act(kind, goal[1])
            if kind == "field":
                yield state(i, goal[1])
                dialog.type(goal[1], goal[2])
            yield state(i + 1, None)
    dialog.close()


def page(r):
    """-> yields picture, description"""
    shown = Page(r)
    shown.settle()
    picture = shown.picture()
    if shown.window.get_size() == (W, H):
        yield picture, dict(widgets=[], words=shown.words(), done=[], half=None)
    shown.close()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("seed", type=int)
    ap.add_argument("shards", type=int)
    ap.add_argument("--size", type=int, default=2000, help="pictures in a shard")
    ap.add_argument("--pages", action="store_true", help="pages of words instead of dialogs")
    ap.add_argument("--held", action="store_true", help="words and fonts that are kept for evaluation")
    a = ap.parse_args()
    LEXICON.__init__(a.held)
    os.makedirs(a.out, exist_ok=True)
    Gtk.Settings.get_default().set_property("gtk-enable-animations", False)
    Gtk.Settings.get_default().set_property("gtk-cursor-blink", False)
    r = random.Random(a.seed)
    for shard in range(a.shards):
        base, at, lines = "%s/%d-%03d" % (a.out, a.seed, shard), 0, []
        with open(base + ".zrgb", "wb") as f:
            while len(lines) < a.size:
                for picture, state in (page if a.pages else walk)(r):
                    packed = zlib.compress(picture, 1)
                    f.write(packed)
                    lines.append(json.dumps(dict(state, kind="page" if a.pages else "dialog", size=[W, H], at=[at, len(packed)])))
                    at += len(packed)
        with open(base + ".jsonl", "w") as f:
            f.write("\n".join(lines) + "\n")
        print(base, flush=True)


if __name__ == "__main__":
    main()
