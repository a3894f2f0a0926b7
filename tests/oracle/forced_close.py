# SPDX-License-Identifier: Apache-2.0
"""What the reference continues with after a thought was closed by force.

Round 1: greedy from the prompt of one case, `budget` new tokens. Then `</think><answer>` is appended and the reference
generates again from the whole sequence, the picture given again. Random weights never close a thought by themselves.

    python forced_close.py GOLDENS_DIR CASE BUDGET NEW_TOKENS > OUT.json
"""
import json
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file
from transformers import AutoImageProcessor, Glm4vForConditionalGeneration

folder, case, budget, new_tokens = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.manual_seed(0)
torch.set_num_threads(1)
model = Glm4vForConditionalGeneration.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").eval()
expected = load_file(folder / "expected.safetensors")
picture = next(p["path"] for c in json.loads((folder / "cases.json").read_text())["cases"] if c["name"] == case
               for m in c["messages"] for p in m["content"] if isinstance(p, dict) and p["type"] == "image")
pixels = AutoImageProcessor.from_pretrained(folder)(images=[Image.open(folder / picture)], return_tensors="pt")
added = {t["content"]: t["id"] for t in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]}
image_id = model.config.image_token_id
stops = set(json.loads((folder / "generation_config.json").read_text())["eos_token_id"])


def greedy(ids, count):
    """`count` greedy ids after `ids`, and the smallest lead of the best logit. Nothing ends it."""
    tokens = torch.tensor([ids])
    out = model.generate(
        input_ids=tokens, attention_mask=torch.ones_like(tokens),
        mm_token_type_ids=(tokens == image_id).long(), pixel_values=pixels["pixel_values"],
        image_grid_thw=pixels["image_grid_thw"], max_new_tokens=count, do_sample=False,
        temperature=None, top_p=None, top_k=None, eos_token_id=[-1], pad_token_id=0,
        output_logits=True, return_dict_in_generate=True)
    leads = [float((lambda t: t[0] - t[1])(torch.topk(step[0], 2).values)) for step in out.logits]
    return out.sequences[0, len(ids):].tolist(), min(leads)


with torch.no_grad():
    prompt = expected[f"{case}/input_ids"].tolist()
    thought, lead1 = greedy(prompt, budget)
    close = [added["</think>"], added["<answer>"]]
    answer, lead2 = greedy(prompt + thought + close, new_tokens)
met = sorted(stops & set(thought + answer))
print(json.dumps({"case": case, "budget": budget, "thought_tail": thought[-16:], "thought_sum": sum(thought),
                  "thought_distinct": len(set(thought)), "close": close, "answer": answer, "stop_ids_met": met,
                  "min_lead_thought": lead1, "min_lead_answer": lead2}))
