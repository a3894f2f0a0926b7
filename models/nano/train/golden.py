#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the reference answers to the first frames of some tasks, kept for engines to be compared with.

golden.py CHECKPOINT TASKS.json OUT_DIR ID ...

Writes OUT_DIR/ID/: frame.png, prompt.txt (the text of the user's message), answer.txt (greedy, with special tokens), and ids: a line
of the prompt's token ids (image tokens as many as the engine must make) and a line of the answer's.
"""
import json
import os
import sys

import reference
import tasks


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    checkpoint, todo, out, names = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    with open(todo) as f:
        todo = [t for t in json.load(f) if t["id"] in names]
    model = reference.Reference(checkpoint)
    with reference.Display():
        for task in todo:
            with reference.Window(task, "/usr/bin/python3") as window:
                frame = window.frame()
            said, prompt, answer = model.ask(frame, task["task"], [])
            folder = out + "/" + task["id"]
            os.makedirs(folder, exist_ok=True)
            frame.save(folder + "/frame.png")
            texts = (("prompt.txt", tasks.prompt(task["task"], [])), ("answer.txt", said),
                     ("ids", " ".join(map(str, prompt)) + "\n" + " ".join(map(str, answer)) + "\n"))
            for name, text in texts:
                with open(folder + "/" + name, "w") as f:
                    f.write(text)
            print(task["id"], said, flush=True)


if __name__ == "__main__":
    main()
