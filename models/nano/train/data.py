# SPDX-License-Identifier: Apache-2.0
"""Rendered shards to training samples: which task, which history, which answer, and where each part of it comes from."""
import glob
import json
import random

import numpy as np

import net
import tasks
import words

W, H = tasks.WIDTH, tasks.HEIGHT
SPECIALS = ["[gMASK]", "<sop>", "<|user|>", "<|begin_of_image|>", "<|image|>", "<|end_of_image|>", "<|assistant|>"]


class Shards:
    """All pictures of a folder."""

    def __init__(self, folder):
        self.states, self.pictures, self.by_length = [], [], {}
        for path in sorted(glob.glob(folder + "/*.jsonl")):
            pixels = np.memmap(path[:-5] + "rgb", np.uint8, "r").reshape(-1, H, W, 3)
            for i, line in enumerate(open(path)):
                state = json.loads(line)
                steps = sum(2 if g[0] == "set" else 1 for g in state["done"]) + (state["half"] is not None)
                self.by_length.setdefault(steps, []).append(len(self.states))
                self.states.append(state)
                self.pictures.append((pixels, i))

    def index(self, r):
        """A state's, every length of history alike, but few in which all is done."""
        while True:
            i = r.choice(self.by_length[r.choice(list(self.by_length))])
            done = self.states[i]["done"]
            if not (done and done[-1][0] == "click" and r.random() < 0.6):
                return i

    def draw_state(self, r):
        return self.states[self.index(r)]

    def draw(self, r):
        """-> picture, state"""
        i = self.index(r)
        pixels, k = self.pictures[i]
        return np.array(pixels[k]), self.states[i]


def shift(picture, state, r):
    """The whole picture moved by up to half an image token, the window's colour filling in."""
    dx, dy = r.randint(-14, 14), r.randint(-14, 14)
    out = np.empty_like(picture)
    out[:] = picture[-1, -1]
    out[max(0, dy):min(H, H + dy), max(0, dx):min(W, W + dx)] = picture[max(0, -dy):min(H, H - dy), max(0, -dx):min(W, W - dx)]
    move = lambda b: [b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy]
    clip = lambda b: [max(0, b[0]), max(0, b[1]), min(W, b[2]), min(H, b[3])]
    return out, dict(state, words=[w[:1] + move(w[1:]) for w in state["words"]],
                     widgets=[dict(w, box=clip(move(w["box"]))) for w in state["widgets"]])


def name_box(widget, drawn):
    """Box of the word that names a widget: left of a field, inside a button, right of a check box."""
    x0, y0, x1, y1 = widget["box"]
    for word, a, b, c, d in drawn:
        cx, cy = (a + c) / 2, (b + d) / 2
        inside = cx < x0 if widget["kind"] == "field" else x0 <= cx <= x1
        if word.rstrip(":") == widget["label"] and y0 - 4 <= cy <= y1 + 4 and inside:
            return a, b, c, d
    return x0, y0, x1, y1


def aim(widget, name):
    """Where to click, in pixels: a fixed way from the word that names the widget, inside the widget."""
    x0, y0, x1, y1 = widget["box"]
    cx, cy = (name[0] + name[2]) / 2, (name[1] + name[3]) / 2
    if widget["kind"] == "field":
        cx = min(max(cx + 110, x0 + 10), x1 - 10)
    return cx, min(max(cy, y0 + 4), y1 - 4)


def remaining(state, r):
    """Goals for what the state leaves to do, in an order that people write tasks in (mostly)."""
    touched = {g[1] for g in state["done"]}
    free = [w for w in state["widgets"] if w["label"] not in touched and w["label"] != state["half"]]
    kinds = {k: [w for w in free if w["kind"] == k and not (k == "field" and w["value"])] for k in ("field", "check", "button")}
    clicked = any(g[0] == "click" for g in state["done"])
    if state["done"] and state["half"] is None and r.random() < (0.8 if clicked else 0.15):
        return []
    whole = r.random() < 0.6
    fields = kinds["field"] if whole else r.sample(kinds["field"], r.randint(0, len(kinds["field"])))
    checks = r.sample(kinds["check"], r.randint(0, len(kinds["check"])))
    chosen = fields + checks
    if r.random() < 0.5:
        r.shuffle(chosen)
        if r.random() < 0.7:
            chosen.sort(key=lambda w: w["kind"] != "field")
    room = 5 - len(state["done"]) - (state["half"] is not None)
    chosen = chosen[:max(0, room - 1)]
    if kinds["button"] and (r.random() < 0.85 or not chosen) and (chosen or not state["half"] or r.random() < 0.7):
        chosen.append(r.choice(kinds["button"]))
    if state["half"]:
        chosen.insert(0, next(w for w in state["widgets"] if w["label"] == state["half"]))
    goals = []
    for w in chosen:
        if w["kind"] == "field":
            goals.append(("set", w["label"], tasks.value(r)))
        elif w["kind"] == "check":
            goals.append(("untick" if w["value"] else "tick", w["label"]))
        else:
            goals.append(("click", w["label"]))
    return goals


class Sample:
    """One prompt and answer on one state.

    prompt, answer: texts. done, goals: how many goals are finished, all goals. at: places of labels and values in the prompt.
    target: None or dict(name box, widget box, point in thousandths). said: the word or value that the answer takes from the task.
    """

    def __init__(self, state, r, missing=0.02):
        todo = remaining(state, r)
        done = [tuple(g) for g in state["done"]]
        if not done and not todo:
            todo = [("click", next(w["label"] for w in state["widgets"] if w["kind"] == "button"))]
        half = state["half"] is not None
        self.goals, self.done, self.half, self.target, self.said = done + todo, len(done), half, None, None
        missing = bool(todo) and not half and r.random() < missing
        if missing:
            have = {w["label"] for w in state["widgets"]}
            other = r.choice([x for x in words.BUTTONS + words.FIELDS + words.CHECKS if x not in have])
            self.goals[len(done)] = todo[0][:1] + (other,) + todo[0][2:]
        task, at = tasks.sentence(self.goals, r)
        self.steps = tasks.history(self.goals, len(done), half)
        self.prompt = tasks.prompt(task, self.steps)
        lead = len("# Task\n")
        self.at = [(a + lead, None if b is None else b + lead) for a, b in at]
        if not todo:
            self.answer = tasks.answer("All done.", "DONE()")
            return
        goal = self.goals[len(done)]
        if missing:
            self.answer = tasks.answer("%s is missing." % goal[1], "FAIL()")
        elif half:
            self.said = goal[2]
            self.answer = tasks.answer("Type %s." % goal[2], "type(content='%s')" % goal[2])
        else:
            self.said = goal[1]
            widget = next(w for w in state["widgets"] if w["label"] == goal[1])
            name = name_box(widget, state["words"])
            action, point = tasks.click(goal[1], *aim(widget, name))
            self.target = dict(name=name, box=widget["box"], point=point)
            self.answer = tasks.answer("Click %s." % goal[1], action)


class Encoder:
    """Samples to token ids and to the places that the losses speak of."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.id = {s: tokenizer.token_to_id(s) for s in SPECIALS}
        newline = self.ids("\n")
        self.head = [self.id["[gMASK]"], self.id["<sop>"], self.id["<|user|>"]] + newline
        self.image = ([self.id["<|begin_of_image|>"]] + [self.id["<|image|>"]] * net.TOKENS
                      + [self.id["<|end_of_image|>"], self.id["<|assistant|>"]] + newline)
        self.numbers = [self.ids(str(i))[0] for i in range(1000)]
        self.vocabulary = {w: self.ids(" " + w)[0] for w in words.ALL if len(self.ids(" " + w)) == 1}

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def __call__(self, sample, blind=False):
        """blind: without the image's tokens and only as far as the thought. -> dict(ids, start of the image, begin and end of the answer, decisive positions, coordinates [(position, thousandths)],
        name position or None, copies/chain/last/naming: [(query position, key position)])"""
        p = self.tokenizer.encode(sample.prompt, add_special_tokens=False)
        o = self.tokenizer.encode(sample.answer, add_special_tokens=False)
        thought_end = sample.answer.index("</think>")
        if blind:
            image = [i for i in self.image if i != self.id["<|image|>"]]
            said = o.ids[:1 + next(i for i, (a, b) in enumerate(o.offsets) if a == thought_end)]
        else:
            image, said = self.image, o.ids + [self.id["<|user|>"]]
        ids = self.head + p.ids + image + said
        begin = len(self.head) + len(p.ids) + len(image)
        asked = lambda c: len(self.head) + next(i for i, (a, b) in enumerate(p.offsets) if a <= c < b)
        out = dict(ids=ids, start=len(self.head) + len(p.ids) + 1, begin=begin, end=len(ids), coordinates=[], name=None,
                   decisive=[], copies=[], chain=[], last=[], naming=[])
        out["decisive"] = [begin + i for i, (a, b) in enumerate(o.offsets) if 7 <= a < thought_end]
        if sample.said:
            label_at, value_at = sample.at[sample.done]
            source = value_at if sample.half else label_at
            at = sample.answer.find(sample.said)
            while at >= 0:
                stop = at + len(sample.said)
                for i, (a, b) in enumerate(o.offsets):
                    if a < stop and b > at and i < len(said):
                        out["copies"].append((begin + i - 1, asked(source + max(0, a - at))))
                        if sample.target and out["name"] is None:
                            out["name"] = begin + i
                at = sample.answer.find(sample.said, stop)
        for before, (label_at, value_at) in zip(sample.at, sample.at[1:]):
            out["chain"] += [(asked(c), asked(before[0])) for c in (label_at, value_at) if c is not None and c > before[0]]
        lines = sample.prompt.index("# Steps done\n") + len("# Steps done\n")
        if sample.done:
            seen = sample.prompt.rindex("left_click " + sample.goals[sample.done - 1][1]) + len("left_click ")
        else:
            seen = lines
        out["last"] = [(q - 1, asked(seen)) for q in out["decisive"][:3 if sample.half else 2]]
        if sample.target and not blind:
            x, y = (self.numbers[v] for v in sample.target["point"])
            i = next(i for i in range(begin, len(ids) - 2) if ids[i] == x and ids[i + 2] == y)
            out["coordinates"] = list(zip((i, i + 2), sample.target["point"]))
            out["naming"] = [(i - 1, out["name"]), (i + 1, out["name"])]
        return out

    def reading(self, states):
        """Which image tokens hold enough of which word; in a dialog its widgets' names weigh most. -> lists: picture, token, word, weight"""
        found = []
        for n, state in enumerate(states):
            names = {w["label"] for w in state["widgets"]}
            for word, x0, y0, x1, y1 in state["words"]:
                i = self.vocabulary.get(word.rstrip(":?"))
                if i is None:
                    continue
                due = 1.0 if not names or word.rstrip(":") in names else 0.3
                for ty in range(max(0, y0 // net.CELL), min(net.ROWS - 1, (y1 - 1) // net.CELL) + 1):
                    for tx in range(max(0, x0 // net.CELL), min(net.COLS - 1, (x1 - 1) // net.CELL) + 1):
                        wide = min(x1, tx * net.CELL + net.CELL) - max(x0, tx * net.CELL)
                        high = min(y1, ty * net.CELL + net.CELL) - max(y0, ty * net.CELL)
                        share = max(0, wide) * max(0, high) / max(1, (x1 - x0) * (y1 - y0))
                        if share > 0.2 and wide * high > 60:
                            found.append((n, ty * net.COLS + tx, i, due * min(1.0, share * 2)))
        return zip(*found)
