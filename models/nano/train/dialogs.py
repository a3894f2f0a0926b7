# SPDX-License-Identifier: Apache-2.0
"""What can be asked about a state of a dialog, and where to click then."""
import lexicon

LEXICON = lexicon.Lexicon()


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
            goals.append(("set", w["label"], LEXICON.value(r)))
        elif w["kind"] == "check":
            goals.append(("untick" if w["value"] else "tick", w["label"]))
        else:
            goals.append(("click", w["label"]))
    return goals


