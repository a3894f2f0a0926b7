#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what follows from docs/protocol.schema.json: the tables of docs/protocol.md and docs/routes.md, the console's client
server/console/protocol.js, and the file's own layout. --check compares instead, says what differs and exits with 1."""

import argparse
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import tables  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = "docs/protocol.schema.json"
PAGE = "docs/protocol.md"
ROUTES = "docs/routes.md"
CLIENT = "server/console/protocol.js"
CLIENT_SOURCE = "tools/protocol/client.js"
LINE_MAX = 118


def refuse_duplicates(pairs):
    keys = [key for key, _ in pairs]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise ValueError(f"{SCHEMA}: twice in one object: {', '.join(sorted(twice))}")
    return dict(pairs)


def layout(value, indent=0):
    """JSON text: an object on one line where it fits, else one member a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict) or len(flat) + indent <= LINE_MAX:
        return flat
    pad = " " * indent
    members = (f"{pad}  {json.dumps(key)}: {layout(inner, indent + 2)}" for key, inner in value.items())
    return "{\n" + ",\n".join(members) + "\n" + pad + "}"


def in_order(schema):
    """Methods, notifications and events by name; the other parts keep the order of the program's own tables."""
    for part in ("methods", "notifications", "events"):
        schema[part] = dict(sorted(schema[part].items()))
    return schema


def fill(page, blocks):
    """The page with the text between each pair of markers replaced."""
    for name, text in blocks.items():
        begin, end = f"<!-- generated: {name} -->", f"<!-- end: {name} -->"
        head, found, rest = page.partition(begin)
        old, ended, tail = rest.partition(end)
        if not found or not ended:
            raise ValueError(f"{PAGE}: the markers of {name} are missing")
        page = f"{head}{begin}\n{text}\n{end}{tail}"
    return page


def outputs(read):
    schema = in_order(json.loads(read(SCHEMA), object_pairs_hook=refuse_duplicates))
    return {
        SCHEMA: layout(schema) + "\n",
        PAGE: fill(read(PAGE), tables.page_blocks(schema)),
        ROUTES: tables.routes_page(schema),
        CLIENT: tables.client_tables(schema) + read(CLIENT_SOURCE).split("// --- client ---\n", 1)[1],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="the source tree")
    arguments = parser.parse_args()

    def read(name):
        return (arguments.root / name).read_text(encoding="utf-8")

    stale = []
    for name, text in outputs(read).items():
        path = arguments.root / name
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name}: {'differs, run tools/protocol/make.py' if arguments.check else 'written'}")
    return 1 if stale and arguments.check else 0


if __name__ == "__main__":
    sys.exit(main())
