# SPDX-License-Identifier: Apache-2.0
"""The task grammar: goals to sentences, histories, prompts and answers. Pure functions; randomness comes in as `r`.

A goal is ("set", label, value), ("tick", label), ("untick", label) or ("click", label).
"""
WIDTH, HEIGHT = 336, 224          # pixels of a dialog's picture


SAYINGS = {
    "click": ["click {0}", "click {0}", "press {0}", "click the {0} button", "press the {0} button"],
    "tick": ["tick {0}", "tick {0}", "check {0}", "check the {0} box"],
    "untick": ["untick {0}", "uncheck {0}"],
    "set": ["set {0} to {1}", "set {0} to {1}", "type {1} into {0}", "enter {1} in {0}", "type {1} in the {0} field"],
}


def say(goal, r):
    """One goal as a clause. -> text, where its label starts, where its value starts (or None)"""
    form = r.choice(SAYINGS[goal[0]])
    text = form.format(*goal[1:])
    label_at, value_at = form.index("{0}"), form.find("{1}")
    if value_at < 0:
        return text, label_at, None
    if value_at < label_at:
        return text, label_at + len(goal[2]) - 3, value_at
    return text, label_at, value_at + len(goal[1]) - 3


def sentence(goals, r):
    """All goals as one sentence. -> text, [(where the label starts, where the value starts or None)] of the goals"""
    between, last = r.choice([(", ", ", "), (", ", " and "), (" and ", " and "), (", ", ", then ")])
    text, at = "", []
    for i, goal in enumerate(goals):
        if i:
            text += last if i == len(goals) - 1 else between
        clause, label_at, value_at = say(goal, r)
        at.append((len(text) + label_at, None if value_at is None else len(text) + value_at))
        text += clause
    if r.random() < 0.7:
        text = text[0].upper() + text[1:]
    if r.random() < 0.7:
        text += "."
    return text, at


def history(goals, done, half):
    """The steps that finish the first `done` goals; half: the next goal's field is clicked as well. -> list of lines"""
    steps = []
    for goal in goals[:done]:
        steps.append("left_click " + goal[1])
        if goal[0] == "set":
            steps.append("type " + goal[2])
    if half:
        steps.append("left_click " + goals[done][1])
    return steps


def prompt(task, steps):
    lines = "\n".join("%d %s" % (i + 1, s) for i, s in enumerate(steps)) if steps else "none"
    return "# Task\n%s\n# Steps done\n%s\n# Screen\n" % (task, lines)


def answer(thought, action):
    return "<think>%s</think><answer><|begin_of_box|>%s<|end_of_box|></answer>" % (thought, action)


def thousandths(x, y, width, height):
    """A picture's pixel as the model says it."""
    return tuple(min(999, max(0, int(v * 1000 / of))) for v, of in ((x, width), (y, height)))


def quote(text):
    return text.replace("\\", "\\\\").replace("'", "\\'")


def action(verb, points, label=None, text=None, direction=None, amount=None):
    """The call, in the desktop action space. points: in thousandths."""
    box = ["'[%d,%d]'" % p for p in points]
    info = ", element_info='%s'" % quote(label) if label else ""
    return {"type": lambda: "type(content='%s')" % quote(text), "key": lambda: "key(keys='%s')" % text, "done": lambda: "DONE()", "fail": lambda: "FAIL()",
            "scroll": lambda: "scroll(start_box=%s, direction='%s', step=%d)" % (box[0], direction, amount),
            "left_drag": lambda: "left_drag(start_box=%s, end_box=%s%s)" % (box[0], box[1], info)}.get(verb, lambda: "%s(start_box=%s%s)" % (verb, box[0], info))()

