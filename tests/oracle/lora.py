# SPDX-License-Identifier: Apache-2.0
"""Writes a LoRA adapter with peft for a goldens folder, and what peft then computes for some of its cases.

    python lora.py FROM TO SEED RSLORA(0|1) PATTERN CASE [CASE ...]

PATTERN is the regular expression of the target modules. FROM holds plain or compressed-tensors weights; packed ones are
dequantised with compressed-tensors' own functions. TO gets adapter_config.json, adapter_model.safetensors, cases.json,
expected.safetensors and the pictures; the model itself stays in FROM.
"""
import json
import sys
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file

from cases import model_of, write_cases, write_document


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
    return tensors


def with_adapter(base, seed, rslora, pattern):
    config = LoraConfig(r=4, lora_alpha=6, target_modules=pattern, use_rslora=rslora, rank_pattern={r"layers\.1\.mlp\.down_proj": 3, "o_proj": 2},
                        alpha_pattern={"o_proj": 5}, bias="none", init_lora_weights=False, task_type="CAUSAL_LM")
    torch.manual_seed(seed)
    model = get_peft_model(base, config)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data.normal_(0, 0.1)
    return model.eval()


def main():
    source, target, seed, rslora, pattern, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1", sys.argv[5], sys.argv[6:]
    model = with_adapter(model_of(source, weights_of(source)), seed, rslora, pattern)
    model.save_pretrained(target)
    for stray in target.glob("README.md"):
        stray.unlink()
    config = json.loads((target / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = None  # a scratch folder of this script
    (target / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
    document = write_cases(model, source, target, wanted, 1e-4)
    document["tokenizer_cases"] = []
    write_document(target, document)


main()
