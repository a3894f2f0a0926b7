#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the reference answers, greedily, to many screens: kept so that engines can be compared with it, token by token.

agree.py CHECKPOINT OUT_DIR DIR=COUNT ...        (DIR: a folder of rendered states)

Writes OUT_DIR/NNN.png and OUT_DIR/answers.jsonl: {"picture", "prompt" (text of the user's message), "ids" (of the answer, to its end), "margin" (the
least difference, over the answer's tokens, between the logits of the token said and the next one)}.
"""
import json
import os
import random
import sys

import torch
from PIL import Image

import data
import reference


@torch.no_grad()
def answer(model, image, prompt):
    """-> ids of the answer, least margin"""
    content = [{"type": "text", "text": prompt}, {"type": "image", "image": image}]
    x = model.processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")
    told = model.model.generate(**x, max_new_tokens=96, do_sample=False, return_dict_in_generate=True, output_logits=True)
    best = torch.cat(told.logits).topk(2, -1).values
    return told.sequences[0, x["input_ids"].shape[1]:].tolist(), (best[:, 0] - best[:, 1]).min().item()


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    checkpoint, out, sources = sys.argv[1], sys.argv[2], [s.rsplit("=", 1) for s in sys.argv[3:]]
    os.makedirs(out, exist_ok=True)
    model, r, number = reference.Reference(checkpoint), random.Random(200), 0
    with open(out + "/answers.jsonl", "w") as f:
        for folder, count in sources:
            shards = data.Shards(folder)
            for _ in range(int(count)):
                state = shards.draw(r)
                image = Image.fromarray(data.picture(state)).quantize(32).convert("RGB")     # few colours: small files
                sample = data.Sample(state, r, other=0.2)
                ids, margin = answer(model, image, sample.prompt)
                name = "%03d.png" % number
                image.quantize(32).save("%s/%s" % (out, name), optimize=True)
                assert Image.open("%s/%s" % (out, name)).convert("RGB").tobytes() == image.tobytes()
                f.write(json.dumps(dict(picture=name, prompt=sample.prompt, ids=ids, margin=round(margin, 4))) + "\n")
                number += 1
                print(number, model.processor.tokenizer.decode(ids), flush=True)


if __name__ == "__main__":
    main()
