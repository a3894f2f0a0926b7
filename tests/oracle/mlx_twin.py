# SPDX-License-Identifier: Apache-2.0
"""Quantises a text goldens folder of 16 or 32 bits with mlx-lm, and writes what transformers computes from the result.

    python mlx_twin.py FROM TO BITS GROUP CASE [CASE ...]

The folder is mlx-lm's own (`mlx_lm convert -q`), dequantised by mlx's own code; transformers runs those weights in float32.
"""
import shutil
import sys
from pathlib import Path

import mlx.core as mx
import numpy as np
import torch
from mlx_lm import convert

from cases import model_of, write_cases, write_document


def dequantised(folder, bits, group):
    tensors = mx.load(str(folder / "model.safetensors"))
    weights = {}
    for name, tensor in tensors.items():
        module, _, kind = name.rpartition(".")
        if kind in ("scales", "biases"):
            continue
        if kind == "weight" and module + ".scales" in tensors:
            scales, biases = tensors[module + ".scales"].astype(mx.float32), tensors[module + ".biases"].astype(mx.float32)
            tensor = mx.dequantize(tensor, scales, biases, group_size=group, bits=bits)
        weights[name] = torch.from_numpy(np.array(tensor.astype(mx.float32)))
    return weights


def main():
    source, target, bits, group, wanted = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
    convert(hf_path=str(source), mlx_path=str(target), quantize=True, q_bits=bits, q_group_size=group)
    (target / "README.md").unlink()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copyfile(source / name, target / name)
    document = write_cases(model_of(source, dequantised(target, bits, group)), source, target, wanted, 2e-4)
    document |= {"weight_format": f"mlx-{bits}bit", "reference": "transformers, float32, eager attention, weights dequantised by mlx"}
    write_document(target, document)


main()
