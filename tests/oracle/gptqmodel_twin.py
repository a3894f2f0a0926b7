# SPDX-License-Identifier: Apache-2.0
"""Quantises a goldens folder of 16 or 32 bits with gptqmodel, and writes what transformers computes from the result.

    GPTQMODEL_CPU_WORKERS=4 python gptqmodel_twin.py FROM TO CASE [CASE ...]

The mix of GLM-4.1V-9B's published GPTQ files: 4 bits, and 8 bits in some modules (here a down_proj and one layer's attention).
The file is gptqmodel's own, read back and dequantised by gptqmodel's own code; transformers runs those weights in float32.
"""
import shutil
import sys
from pathlib import Path

import torch
from gptqmodel import BACKEND, GPTQModel, QuantizeConfig
from safetensors.torch import load_file

from cases import model_of, write_cases, write_document

EIGHT_BITS = {r"+:.*layers\.0\.mlp\.down_proj.*": {"bits": 8}, r"+:.*layers\.1\.self_attn\..*": {"bits": 8}}


def quantise(source, folder):
    config = QuantizeConfig(bits=4, group_size=32, desc_act=False, sym=True, dynamic=EIGHT_BITS)
    model = GPTQModel.load(str(source), config, device="cpu")
    generator = torch.Generator().manual_seed(7)
    samples = [{"input_ids": torch.randint(10, 590, (128,), generator=generator).tolist(), "attention_mask": [1] * 128} for _ in range(32)]
    model.quantize(samples, batch_size=1)
    model.save(str(folder))


def dequantised(source, folder):
    """A 32-bit model of `source`'s shape with the plain tensors of `folder` and, for each packed matrix, what gptqmodel reads out of it."""
    packed = GPTQModel.load(str(folder), device="cpu", backend=BACKEND.GPTQ_TORCH, dtype=torch.float16)
    weights = {n: t.float() for n, t in load_file(folder / "model.safetensors").items() if n.rpartition(".")[2] in ("weight", "bias")}
    counts = {}
    for name, module in packed.model.named_modules():
        if hasattr(module, "qweight"):
            module.scales = module.scales.float()  # 16 bits in the file: exact
            weights[name + ".weight"] = module.dequantize_weight().T.float().contiguous()
            counts[module.bits] = counts.get(module.bits, 0) + 1
    print("matrices by bits:", counts)
    return model_of(source, weights)


def main():
    source, target, wanted = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    quantise(source, target)
    for stray in ("quant_log.csv", "quantize_config.json"):  # the same stands in config.json
        (target / stray).unlink(missing_ok=True)
    for name in ("preprocessor_config.json", "video_preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(source / name, target / name)
    document = write_cases(dequantised(source, target), source, target, wanted, 2e-4)
    document |= {"weight_format": "gptq", "reference": "transformers, float32, eager attention, weights dequantised by gptqmodel"}
    write_document(target, document)


main()
