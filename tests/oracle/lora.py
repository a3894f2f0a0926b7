# SPDX-License-Identifier: Apache-2.0
"""Writes a LoRA adapter with peft for a goldens folder, and what peft then computes for some of its cases.

    python lora.py FROM TO SEED RSLORA(0|1) PATTERN CASE [CASE ...]

PATTERN is the regular expression of the target modules. FROM holds plain or compressed-tensors weights; packed ones are
dequantised with compressed-tensors' own functions. TO gets adapter_config.json, adapter_model.safetensors, cases.json,
expected.safetensors and the pictures; the model itself stays in FROM.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoImageProcessor, AutoModelForCausalLM, AutoModelForImageTextToText


def weights_of(folder):
    tensors = {}
    for shard in sorted(folder.glob("model*.safetensors")):
        tensors.update(load_file(shard))
    for name in [n for n in tensors if n.endswith(".weight_packed")]:
        from compressed_tensors.compressors import unpack_from_int32
        module = name.removesuffix(".weight_packed")
        packed, scale = tensors.pop(name), tensors.pop(module + ".weight_scale").float()
        rows, cols = tensors.pop(module + ".weight_shape").tolist()
        assert module + ".weight_zero_point" not in tensors, "only symmetric files"
        bits = 32 * packed.shape[1] // cols
        codes = unpack_from_int32(packed, bits, torch.Size([rows, cols])).float()
        tensors[module + ".weight"] = codes * scale.repeat_interleave(cols // scale.shape[1], dim=1)
    return {name: tensor.float() for name, tensor in tensors.items()}


def open_base(folder):
    config = json.loads((folder / "config.json").read_text())
    config.pop("quantization_config", None)
    kind = AutoModelForImageTextToText if "vision_config" in config else AutoModelForCausalLM
    scratch = Path("/tmp") / f"lora-base-{folder.name}"
    scratch.mkdir(exist_ok=True)
    (scratch / "config.json").write_text(json.dumps(config))
    save_file({n: t.contiguous() for n, t in weights_of(folder).items()}, scratch / "model.safetensors", {"format": "pt"})
    model = kind.from_pretrained(scratch, config=AutoConfig.from_pretrained(scratch), dtype=torch.float32, attn_implementation="eager")
    shutil.rmtree(scratch)
    return model.eval()


def with_adapter(base, seed, rslora, pattern):
    config = LoraConfig(r=4, lora_alpha=6, target_modules=pattern, use_rslora=rslora, rank_pattern={r"layers\.1\.mlp\.down_proj": 3, "o_proj": 2},
                        alpha_pattern={"o_proj": 5}, bias="none", init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.1)
    return model.eval()


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
        embeds = model.get_base_model().model.get_image_features(pictures["pixel_values"], pictures["image_grid_thw"])
        embeds = getattr(embeds, "pooler_output", embeds)
        out["image_embeds"] = torch.cat(list(embeds)) if isinstance(embeds, (list, tuple)) else embeds
    with torch.no_grad():
        logits = model(attention_mask=torch.ones_like(ids), use_cache=False, **inputs).logits[0]
        found, lead = answer(model, inputs, case["greedy_tokens"])
    out["logits"] = logits[out["logits_positions"]]
    out["greedy_ids"] = torch.tensor(found)
    change = (out["logits"] - expected[f"{name}/logits"]).abs().max().item()
    print(f"{name}: the adapter changes logits by {change:.3f}, least lead {lead:.4f}")
    assert change > 0.05 and lead > 0.002
    return {f"{name}/{k}": v.detach().contiguous() for k, v in out.items()}, lead


def main():
    source, target, seed, rslora, pattern, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1", sys.argv[5], sys.argv[6:]
    document = json.loads((source / "cases.json").read_text())
    document["cases"] = [c for c in document["cases"] if c["name"] in wanted]
    document["tokenizer_cases"] = []
    expected = load_file(source / "expected.safetensors")
    model = with_adapter(open_base(source), seed, rslora, pattern)
    model.save_pretrained(target)
    for stray in target.glob("README.md"):
        stray.unlink()
    config = json.loads((target / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None  # a scratch folder of this script
    (target / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    results = {}
    with torch.no_grad():
        for case in document["cases"]:
            result, case["greedy_min_margin"] = run_case(model, source, expected, case)
            case["tolerance"]["max_abs_logit_error"] = 1e-4
            results.update(result)
            for message in case["messages"]:
                for part in message["content"] if isinstance(message["content"], list) else []:
                    if "path" in part:
                        (target / part["path"]).parent.mkdir(parents=True, exist_ok=True)
                        shutil.copyfile(source / part["path"], target / part["path"])
    save_file(results, target / "expected.safetensors")
    (target / "cases.json").write_text(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


main()
