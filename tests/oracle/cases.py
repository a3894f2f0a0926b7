# SPDX-License-Identifier: Apache-2.0
"""What a model of transformers computes for the cases of a goldens folder; for the scripts that make folders from folders."""
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText


def base_of(model):
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def model_of(source, weights):
    """A model of the shape of the folder `source` with `weights`, in 32 bits."""
    config = json.loads((source / "config.json").read_text())
    config.pop("quantization_config", None)
    kind = AutoModelForImageTextToText if "vision_config" in config else AutoModelForCausalLM
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "config.json").write_text(json.dumps(config))
        save_file({n: t.float().contiguous() for n, t in weights.items()}, Path(scratch) / "model.safetensors", {"format": "pt"})
        return kind.from_pretrained(scratch, dtype=torch.float32, attn_implementation="eager").eval()


def answer(model, inputs, count):
    ids = inputs["input_ids"]
    found, lead = [], float("inf")
    extra = {k: v for k, v in inputs.items() if k not in ("input_ids", "mm_token_type_ids")}
    for _ in range(count):
        more = {"mm_token_type_ids": torch.cat([inputs["mm_token_type_ids"], torch.zeros(1, len(found), dtype=torch.int32)], 1)} if "mm_token_type_ids" in inputs else {}
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), use_cache=False, **extra, **more).logits[0, -1]
        best, second = logits.topk(2).values.tolist()
        lead = min(lead, best - second)
        found.append(int(logits.argmax()))
        ids = torch.cat([ids, torch.tensor([[found[-1]]])], 1)
    return found, lead


def run_case(model, source, expected, case):
    name = case["name"]
    ids = expected[f"{name}/input_ids"][None]
    inputs = {"input_ids": ids}
    paths = [part["path"] for m in case["messages"] if isinstance(m["content"], list) for part in m["content"] if part["type"] == "image"]
    out = {k: expected[f"{name}/{k}"] for k in ("input_ids", "position_ids", "logits_positions", "image_grid_thw") if f"{name}/{k}" in expected}
    if paths:
        from PIL import Image
        processor = AutoImageProcessor.from_pretrained(source)
        pictures = processor(images=[Image.open(source / p).convert("RGB") for p in paths], return_tensors="pt")
        assert torch.equal(pictures["image_grid_thw"], expected[f"{name}/image_grid_thw"])
        token = json.loads((source / "config.json").read_text())["image_token_id"]
        inputs.update(pixel_values=pictures["pixel_values"], image_grid_thw=pictures["image_grid_thw"], mm_token_type_ids=(ids == token).int())
        embeds = base_of(model).model.get_image_features(pictures["pixel_values"], pictures["image_grid_thw"])
        embeds = getattr(embeds, "pooler_output", embeds)
        out["image_embeds"] = torch.cat(list(embeds)) if isinstance(embeds, (list, tuple)) else embeds
    with torch.no_grad():
        logits = model(attention_mask=torch.ones_like(ids), use_cache=False, **inputs).logits[0]
        found, lead = answer(model, inputs, case["greedy_tokens"])
    out["logits"] = logits[out["logits_positions"]]
    out["greedy_ids"] = torch.tensor(found)
    change = (out["logits"] - expected[f"{name}/logits"]).abs().max().item()
    print(f"{name}: logits are changed by {change:.3f}, least lead {lead:.4f}")
    assert change > 0.05 and lead > 0.002
    return {f"{name}/{k}": v.detach().contiguous() for k, v in out.items()}, lead


def write_cases(model, source, target, wanted, tolerance):
    """Runs the `wanted` cases of `source` through `model`; `target` gets cases.json, expected.safetensors and the pictures."""
    document = json.loads((source / "cases.json").read_text())
    document["cases"] = [c for c in document["cases"] if c["name"] in wanted]
    assert len(document["cases"]) == len(wanted), "a case is not there"
    expected = load_file(source / "expected.safetensors")
    results = {}
    with torch.no_grad():
        for case in document["cases"]:
            result, case["greedy_min_margin"] = run_case(model, source, expected, case)
            case["tolerance"]["max_abs_logit_error"] = tolerance
            results.update(result)
            for message in case["messages"]:
                for part in message["content"] if isinstance(message["content"], list) else []:
                    if "path" in part:
                        (target / part["path"]).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(source / part["path"], target / part["path"])
    save_file(results, target / "expected.safetensors")
    return document


def write_document(target, document):
    (target / "cases.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
