#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The screens that `handeye doctor` asks a model about: of many that it was not trained on, some that it clicks well within their boxes.

selfcheck.py PICTURES OUT_DIR [--handeye PROGRAM] [--model DIR] [--count 20] [--seed 1]

PICTURES is a folder as clicks.py writes it: pictures, and clicks.json, a list of {"image", "prompt", "label", "box"} with the box in pixels,
[x0, y0, x1, y1]; where "<image>" is not in a prompt, the picture comes behind it. Asks the model all of them by `handeye eval jsonl`, and
writes OUT_DIR/screens.jsonl and the chosen pictures: of each size of picture and kind of prompt as equally many as there are, and only
those whose click lies within the middle four fifths of the box, so that another order of summing on another CPU does not matter.
`handeye eval jsonl OUT_DIR/screens.jsonl --score click` asks them again.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile

INNER = 0.1  # of a box, left out on each side


def size_of(png):
    head = png.read_bytes()[:24]
    if head[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit(f"{png} is no PNG")
    return struct.unpack(">II", head[16:24])


def item_of(folder, row):
    """-> a line of `handeye eval jsonl`: the box in thousandths of the picture"""
    width, height = size_of(folder / row["image"])
    x0, y0, x1, y1 = row["box"]
    box = [round(v * 1000 / whole, 1) for v, whole in ((x0, width), (y0, height), (x1, width), (y1, height))]
    prompt = row["prompt"] if "<image>" in row["prompt"] else row["prompt"] + "<image>"
    return {"id": f"{pathlib.Path(row['image']).stem} {row['label']}", "prompt": prompt, "images": [row["image"]], "reference": [min(max(v, 0), 1000) for v in box]}


def is_well_inside(said, box):
    place = re.fullmatch(r"\((-?[0-9.]+), (-?[0-9.]+)\)", said)
    if place is None:
        return False
    x, y = map(float, place.groups())
    x0, y0, x1, y1 = box
    dx, dy = (x1 - x0) * INNER, (y1 - y0) * INNER
    return x0 + dx <= x <= x1 - dx and y0 + dy <= y <= y1 - dy


def asked(a, folder, items):
    """-> what the model clicked, by line"""
    with tempfile.TemporaryDirectory() as work:
        todo = pathlib.Path(work) / "screens.jsonl"
        todo.write_text("".join(json.dumps(item) + "\n" for item in items))
        command = [a.handeye, "eval", "jsonl", todo, "--media-dir", folder, "--out", todo.parent / "out", "--score", "click", "--max-new-tokens", "256", "--json"]
        done = subprocess.run(command + (["--model", a.model] if a.model else []), stdout=subprocess.PIPE, check=False)
        if done.returncode not in (0, 1):
            sys.exit(f"handeye eval jsonl ended with {done.returncode}")
        print(f"{json.loads(done.stdout)['right']} of {len(items)} are clicked right")
        lines = (todo.parent / "out" / "results.jsonl").read_text().splitlines()
        return {row["line"]: row["read"] for row in map(json.loads, lines)}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("pictures", type=pathlib.Path)
    ap.add_argument("out", type=pathlib.Path)
    ap.add_argument("--handeye", default="handeye")
    ap.add_argument("--model", default="")
    ap.add_argument("--count", type=int, default=20)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    items = [item_of(a.pictures, row) for row in json.loads((a.pictures / "clicks.json").read_text())]
    said = asked(a, a.pictures, items)
    good = [item for line, item in enumerate(items, 1) if is_well_inside(said.get(line, ""), item["reference"])]
    random.Random(a.seed).shuffle(good)
    kinds = {}
    for item in good:
        done = item["prompt"].split("# Steps done\n")[-1].split("\n")[0] != "none"
        kinds.setdefault((size_of(a.pictures / item["images"][0]), done), []).append(item)
    chosen = []
    while len(chosen) < a.count and any(kinds.values()):
        chosen += [rows.pop() for rows in kinds.values() if rows]
    chosen = sorted(chosen[:a.count], key=lambda item: item["id"])
    if len(chosen) < a.count:
        sys.exit(f"only {len(chosen)} of {len(items)} are clicked well within their boxes; {a.count} are wanted")
    os.makedirs(a.out, exist_ok=True)
    for old in [*a.out.glob("*.png"), a.out / "screens.jsonl"]:
        old.unlink(missing_ok=True)
    for item in chosen:
        shutil.copyfile(a.pictures / item["images"][0], a.out / item["images"][0])
    (a.out / "screens.jsonl").write_text("".join(json.dumps(item) + "\n" for item in chosen))
    print(f"{len(chosen)} screens in {a.out}")


if __name__ == "__main__":
    main()
