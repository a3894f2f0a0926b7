#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Token ids of the approved prompt renderings: prompts.py [REPOSITORY]

Reads tests/golden/prompts/*.txt, puts each into its messages by the rules of GLM-4.1V's published chat template (written
out below, and checked against the checkpoint's own template in jinja2), encodes it with the tokenizers library and the
bundled model's tokenizer, and writes tests/golden/prompts/ids.json. Needs: tokenizers, jinja2."""
import hashlib, json, pathlib, re, struct, sys

import jinja2, tokenizers

root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__).resolve()
root = root if root.is_dir() else root.parents[2]
nano = root / "models/nano"
golden = root / "tests/golden/prompts"
tokenizer = tokenizers.Tokenizer.from_file(str(nano / "tokenizer.json"))
environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
template = environment.from_string((nano / "chat_template.jinja").read_text(encoding="utf-8"))
PICTURE = re.compile(r"<picture (\d+)x(\d+)>")


ROLE = re.compile(r"<\|(system|user|assistant)\|>\n")


def messages_of(text):
    """One message of the user, or a chat whose messages stand each after its role."""
    pieces = ROLE.split(text)
    return list(zip(pieces[1::2], pieces[2::2])) or [("user", text)]


def by_rules(messages):
    """[gMASK]<sop>, each turn after its role with each picture as its three tokens in place, the assistant's next turn opened."""
    turns = "".join("<|%s|>\n" % role + PICTURE.sub("<|begin_of_image|><|image|><|end_of_image|>", text) for role, text in messages)
    return "[gMASK]<sop>" + turns + "<|assistant|>\n"


def parts(text):
    at, out = 0, []
    for match in PICTURE.finditer(text):
        if match.start() > at:
            out.append({"type": "text", "text": text[at:match.start()]})
        out.append({"type": "image"})
        at = match.end()
    if at < len(text):
        out.append({"type": "text", "text": text[at:]})
    return out


result = {}
for path in sorted(golden.glob("*.txt")):
    text = path.read_text(encoding="utf-8").removesuffix("\n")  # the file's own last line break
    messages = messages_of(text)
    prompt = by_rules(messages)
    turns = [{"role": role, "content": parts(words) if role == "user" else words} for role, words in messages]
    rendered = template.render(messages=turns, add_generation_prompt=True)
    assert rendered == prompt, path.name
    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
    result[path.stem] = {
        "pictures": len(PICTURE.findall(text)),
        "count": len(ids),
        "first": ids[:8],
        "last": ids[-8:],
        "sha256": hashlib.sha256(struct.pack("<%di" % len(ids), *ids)).hexdigest(),
    }
(golden / "ids.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
print("%d prompts, tokenizers %s, jinja2 %s" % (len(result), tokenizers.__version__, jinja2.__version__))
