# SPDX-License-Identifier: Apache-2.0
"""Copies some cases of a goldens folder: the model whole, only the pictures and expected tensors those cases need.

    python subset_goldens.py FROM TO CASE [CASE ...]
"""
import json
import shutil
import struct
import sys
from pathlib import Path


def read_header(path):
    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(size)), 8 + size


def write_subset(source, target, cases):
    header, base = read_header(source)
    data = source.read_bytes()
    kept, blobs, at = {}, [], 0
    names = [n for n in header if n.split("/")[0] in cases]
    # Widest elements first keeps every tensor aligned.
    names.sort(key=lambda n: (header[n]["dtype"] != "I64", n))
    for name in names:
        begin, end = header[name]["data_offsets"]
        blobs.append(data[base + begin:base + end])
        kept[name] = {**header[name], "data_offsets": [at, at + end - begin]}
        at += end - begin
    text = json.dumps(kept).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def main():
    source, target, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    document = json.loads((source / "cases.json").read_text())
    document["cases"] = [c for c in document["cases"] if c["name"] in wanted]
    assert len(document["cases"]) == len(wanted), "a case is not there"
    target.mkdir(parents=True)
    for path in source.iterdir():
        if path.is_file() and path.name not in ("cases.json", "expected.safetensors"):
            shutil.copyfile(path, target / path.name)
    for case in document["cases"]:
        for message in case["messages"]:
            for part in message["content"] if isinstance(message["content"], list) else []:
                if "path" not in part or (target / part["path"]).exists():
                    continue
                (target / part["path"]).parent.mkdir(parents=True, exist_ok=True)
                copy = shutil.copytree if (source / part["path"]).is_dir() else shutil.copyfile
                copy(source / part["path"], target / part["path"])
    (target / "cases.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    write_subset(source / "expected.safetensors", target / "expected.safetensors", set(wanted))


main()
