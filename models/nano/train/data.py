# SPDX-License-Identifier: Apache-2.0
"""Rendered shards to training samples: which task, which history, which answer, and where each part of it comes from."""
import glob
import json
import random
import re
import zlib

import numpy as np

import dialogs
import net
import spelling
import tasks

SPECIALS = ["[gMASK]", "<sop>", "<|user|>", "<|begin_of_image|>", "<|image|>", "<|end_of_image|>", "<|assistant|>"]


class Shards:
    """All pictures of some folders, packed in memory. Each folder is one source; all its pictures have one size."""

    def __init__(self, folder):
        self.states, self.kinds, self.folder, self.read = [], {}, folder, set()
        self.look()

    def look(self):
        """Takes in what was rendered since."""
        for path in sorted(glob.glob(self.folder + "/*.jsonl")):
            if path in self.read:
                continue
            self.read.add(path)
            with open(path[:-5] + "zrgb", "rb") as f:
                packed = f.read()
            for line in open(path):
                state = json.loads(line)
                at, size = state.pop("at")
                state["packed"] = packed[at:at + size]
                self.kinds.setdefault(state["kind"], []).append(len(self.states))
                self.states.append(state)
        self.names = sorted(self.kinds)

    def draw(self, r):
        """A state: every kind of page alike, a little by their number."""
        if r.random() < 0.3:
            return r.choice(self.states)
        return self.states[r.choice(self.kinds[r.choice(self.names)])]


def picture(state):
    w, h = state["size"]
    return np.frombuffer(zlib.decompress(state["packed"]), np.uint8).reshape(h, w, 3)


def blank(image, state, r):
    """A picture of nothing, and the state of which nothing is to be seen."""
    empty = np.empty_like(image)
    empty[:] = [r.choice([0, 255, r.randint(0, 255)])] * 3
    return empty, dict(state, words=[], clickable=[], lost=True)


def strip(word):
    return re.sub(r"^\W+|\W+$", "", word)


def find(text, part, after=0):
    """Where a whole part stands in a text: not inside a word, if it can be. -> index or -1"""
    if not part:
        return -1
    match = re.search(r"(?<!\w)%s(?!\w)" % re.escape(part), text[after:])
    if match:
        return after + match.start()
    return text.find(part, after)


class Sample:
    """One prompt and answer about a state.

    said: what the answer names or types; wanted: what it looked for in vain before; end: what names the place where a drag ends; sources: where
    these stand in the prompt, or -1; earlier: where the step before has its words in the task, or -1; target: None or
    dict(place: box in pixels where the guided head looks, box: the widget's, end: that where a drag ends, or None); points: [(x, y)] in thousandths.
    """

    def __init__(self, state, r, other=None, missing=0.0):
        self.state, self.target, self.said, self.points = state, None, None, []
        self.wanted = self.end = None
        if "lost" in state:
            self.nothing(state)
        elif other is not None and r.random() < other:
            self.ask_other(state, r, missing)
        elif "widgets" in state:
            self.dialog(state, r, missing)
        else:
            self.own(state)
        self.place()

    # ------------------------------------------------------------ what is asked
    def own(self, state):
        """The page's own task."""
        self.goal, self.steps = state["goal"], state["history"]
        self.label, self.typed = state.get("label"), state.get("text")
        self.thought, self.verb = state["thought"], state["verb"]
        boxes = [state.get("aim"), state.get("to")]
        named = state.get("named")
        self.boxes = [b for b in boxes if b]
        if self.boxes:
            self.target = dict(place=named or state["aim"], box=state["box"], end=state.get("to"))
        self.wanted, self.end = state.get("wanted"), state.get("end")
        self.extra = dict(direction=state.get("direction"), amount=state.get("amount"))

    def nothing(self, state):
        """The page's own task, where the page is not to be seen."""
        self.goal = state.get("goal") or "Click %s." % state["widgets"][-1]["label"]
        self.steps, self.label, self.typed, self.extra, self.boxes = state.get("history", []), None, None, {}, []
        self.thought, self.verb = "Nothing is shown.", "fail"

    def ask_other(self, state, r, missing):
        """One click on something that is there, or is not."""
        drawn = {strip(w[0]).lower() for w in state["words"]}
        there = [c for c in state.get("clickable", []) if c[1].strip()]
        lost = r.random() < 2 * missing
        if not there and not lost:
            return self.dialog(state, r, missing) if "widgets" in state else self.own(state)
        self.steps, self.typed, self.extra, self.boxes, self.verb = [], None, {}, [], "left_click"
        if lost:
            label = next(x for x in iter(lambda: r.choice(OTHERS), None) if x.lower() not in drawn)
            self.goal, self.label, self.said = self.click_goal(label, r.choice(["button", "link", "checkbox", ""]), r), None, label
            self.thought, self.verb = LOST % label, "fail"
            return
        what, label, box, aim = r.choice(there)
        self.goal, self.label = self.click_goal(label, what, r), label
        self.thought = "Click %s." % label
        self.boxes, self.target = [aim], dict(place=aim, box=box, end=None)

    def click_goal(self, label, what, r):
        forms = ["Click {0}.", "Click on {0}", 'Click on "{0}".', "Press {0}.", "click {0}"]
        forms += {"button": ['Click on the "{0}" button.', "Click the {0} button.", "press the {0} button"], "link": ['Click on the link "{0}".', "Follow {0}."],
                  "checkbox": ["Tick {0}.", "check the {0} box", "Select {0}."], "radio": ["Select {0}.", "Choose {0}."]}.get(what, [])
        return r.choice(forms).format(label)

    def dialog(self, state, r, missing):
        """One of the many tasks that a state of a dialog can be a part of."""
        todo = dialogs.remaining(state, r)
        done = [tuple(g) for g in state["done"]]
        if not done and not todo:
            todo = [("click", next(w["label"] for w in state["widgets"] if w["kind"] == "button"))]
        half = state["half"] is not None
        goals = done + todo
        self.extra, self.boxes, self.typed, self.label = {}, [], None, None
        lost = bool(todo) and not half and r.random() < missing
        if lost:
            have = {w["label"].lower() for w in state["widgets"]}
            label = next(x for x in iter(lambda: r.choice(OTHERS), None) if x.lower() not in have)
            goals[len(done)] = todo[0][:1] + (label,) + todo[0][2:]
        self.goal, self.at = tasks.sentence(goals, r)
        self.steps = tasks.history(goals, len(done), half)
        if not todo:
            self.thought, self.verb = "All done.", "done"
            return
        goal = goals[len(done)]
        if lost:
            self.said, self.thought, self.verb = goal[1], LOST % goal[1], "fail"
        elif half:
            self.typed, self.thought, self.verb = goal[2], "Type %s." % goal[2], "type"
        else:
            widget = next(w for w in state["widgets"] if w["label"] == goal[1])
            name = dialogs.name_box(widget, state["words"])
            self.label, self.thought, self.verb = goal[1], "Click %s." % goal[1], "left_click"
            x, y = dialogs.aim(widget, name)
            self.boxes, self.target = [[x, y, x, y]], dict(place=name, box=widget["box"], end=None)

    # ------------------------------------------------------------ texts
    def place(self):
        """Prompt, answer, and where the answer's words come from."""
        w, h = self.state["size"]
        self.prompt = tasks.prompt(self.goal, self.steps)
        self.said = self.said or self.typed or self.label
        self.points = [tasks.thousandths((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, w, h) for b in self.boxes]
        self.answer = tasks.answer(self.thought, tasks.action(self.verb, self.points, self.label, self.typed, **self.extra))
        lead, end = len("# Task\n"), len("# Task\n") + len(self.goal)
        before = self.steps[-1].split(" ", 1)[1] if self.steps and " " in self.steps[-1] else None
        self.earlier = find(self.prompt[:end], before, lead) if before else -1
        after = self.earlier + len(before) if self.earlier >= 0 else lead

        def source(text):
            at = find(self.prompt[:end], text, after) if text else -1
            return at if at >= 0 or not text else find(self.prompt[:end], text, lead)

        self.source, self.sources = source(self.said), [(text, source(text)) for text in (self.said, self.wanted, self.end)]
        self.last = self.prompt.rindex("# Screen") - 1 - len(before) if before else self.prompt.index("# Steps done\n") + len("# Steps done\n")


LOST = "Click %s. It is missing."                 # whether it is there is known only when its name has been said
OTHERS = ["Nothing"]                             # labels, most of which are not on a picture: set by the trainer


def labels(sources):
    """Of all that can be clicked on the pictures."""
    found = set()
    for source in sources:
        for state in source.states:
            found.update(c[1] for c in state.get("clickable", []) if c[1].strip())
            found.update(w["label"] for w in state.get("widgets", []))
    return sorted(found)


class Encoder:
    """Samples to token ids and to the places that the losses speak of."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.id = {s: tokenizer.token_to_id(s) for s in SPECIALS}
        newline = self.ids("\n")
        self.head = [self.id["[gMASK]"], self.id["<sop>"], self.id["<|user|>"]] + newline
        self.tail = [self.id["<|assistant|>"]] + newline
        self.numbers = [self.ids(str(i))[0] for i in range(1000)]
        self.known = {}

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def __call__(self, sample, tokens):
        """tokens: of the picture; 0: without it, only as far as the thought. -> dict(ids, start of the image, begin and end of the answer, decisive
        positions, coordinates [(position, thousandths)], copies/chain/last/naming: [(query position, key position)], name, ending: positions of
        the last tokens, in the thought, of the label and of what names a drag's end, or None, spelt: [(position, word)])"""
        p = self.tokenizer.encode(sample.prompt, add_special_tokens=False)
        o = self.tokenizer.encode(sample.answer, add_special_tokens=False)
        thought_end = sample.answer.index("</think>")
        image = [self.id["<|begin_of_image|>"]] + [self.id["<|image|>"]] * tokens + [self.id["<|end_of_image|>"]] + self.tail
        said = o.ids + [self.id["<|user|>"]] if tokens else o.ids[:1 + next(i for i, (a, b) in enumerate(o.offsets) if a == thought_end)]
        ids = self.head + p.ids + image + said
        lead, begin = len(self.head), len(self.head) + len(p.ids) + len(image)
        starts = {}
        for i, (a, b) in enumerate(p.offsets):
            for c in range(a, b):
                starts[c] = lead + i
        out = dict(ids=ids, start=lead + len(p.ids) + 1, begin=begin, end=len(ids), coordinates=[], name=None, ending=None, copies=[], chain=[], last=[], naming=[], spelt=[], sees=[])
        out["decisive"] = [begin + i for i, (a, b) in enumerate(o.offsets) if 7 <= a < thought_end and i < len(said)]
        for match in re.finditer(r"[^\W_]{2,}", sample.prompt):
            out["spelt"].append((starts[match.end() - 1], match[0]))
        argument = max(sample.answer.find("info='"), sample.answer.find("content='"))
        for text, source in sample.sources:
            at, last = find(sample.answer, text, 7) if text else -1, None
            while at >= 0:
                stop = at + len(text)
                for i, (a, b) in enumerate(o.offsets):
                    if a < stop and b > at and i < len(said) and (a < thought_end or a > argument >= 0):
                        if source >= 0 and source + max(0, a - at) in starts:
                            out["copies"].append((begin + i - 1, starts[source + max(0, a - at)]))
                        elif a < thought_end and text == sample.said and source < 0:
                            out["sees"].append(begin + i - 1)
                        if a < thought_end:
                            last = begin + i
                at = find(sample.answer, text, stop)
            if last and text == sample.said:
                out["name"] = last
                out["spelt"].append((last, strip(text.split()[-1]) or text))
            elif last and text == sample.end:
                out["ending"] = last
        if sample.earlier >= 0 and sample.source > sample.earlier:
            out["chain"] = [(starts[sample.source], starts[sample.earlier])]
        if sample.last in starts and sample.verb not in ("done", "fail"):
            out["last"] = [(q - 1, starts[sample.last]) for q in out["decisive"][:2]]
        if sample.points and tokens:
            values = [v for point in sample.points for v in point]
            where = sample.answer.index("_box='[")
            i = next(i for i, (a, b) in enumerate(o.offsets) if a >= where)
            for v in values:
                while ids[begin + i] != self.numbers[v]:
                    i += 1
                out["coordinates"].append((begin + i, v))
                i += 1
            if out["name"] is None:
                out["name"] = begin + next(i for i, (a, b) in enumerate(o.offsets) if b >= thought_end)
            out["naming"] = [(i - 1, out["name"] if n < 2 else out["ending"]) for n, (i, _) in enumerate(out["coordinates"]) if n < 2 or out["ending"]]
        return out


def cells(box, geometry):
    """How much of a box lies in which image token. -> {token: pixels}"""
    x0, y0, x1, y1 = box
    x0, x1 = sorted((max(0, x0), min(geometry.cols * net.CELL - 1, x1)))
    y0, y1 = sorted((max(0, y0), min(geometry.rows * net.CELL - 1, y1)))
    found = {}
    for ty in range(int(y0) // net.CELL, int(y1) // net.CELL + 1):
        for tx in range(int(x0) // net.CELL, int(x1) // net.CELL + 1):
            wide = min(x1, (tx + 1) * net.CELL) - max(x0, tx * net.CELL)
            high = min(y1, (ty + 1) * net.CELL) - max(y0, ty * net.CELL)
            found[ty * geometry.cols + tx] = max(wide, 1) * max(high, 1)
    return found


def reading(states, geometry):
    """The word of which each image token shows most. -> picture numbers, tokens, spellings, letters in the token's halves, how many
    sides of a token the word's middle lies right of and below the token's, weights"""
    numbers, tokens, spelt, halves, middles, weights = [], [], [], [], [], []
    for n, state in enumerate(states):
        best = {}
        for word, *box in state["words"]:
            if not strip(word):
                continue
            for cell, pixels in cells(box, geometry).items():
                if pixels > best.get(cell, (60,))[0]:
                    best[cell] = (pixels, word, box)
        for cell, (pixels, word, (x0, y0, x1, y1)) in best.items():
            left, wide = cell % geometry.cols * net.CELL, max(1, x1 - x0)
            numbers.append(n), tokens.append(cell), weights.append(min(1.0, pixels / 300))
            spelt.append(spelling.spell(strip(word)))
            middles.append(np.array([(x0 + x1) / 2 / net.CELL - cell % geometry.cols - 0.5, (y0 + y1) / 2 / net.CELL - cell // geometry.cols - 0.5], np.float32))
            halves.append(spelling.halves(word, (left - x0) / wide, (left + net.CELL - x0) / wide))
    stack = lambda rows, size: np.stack(rows) if rows else np.zeros((0, size), np.float32)
    return numbers, tokens, stack(spelt, spelling.LENGTH), stack(halves, spelling.HALVES), stack(middles, 2), weights
