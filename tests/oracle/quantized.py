# SPDX-License-Identifier: Apache-2.0
"""Reads what `handeye models quantize IN OUT` wrote with compressed-tensors' own code, and compares it with IN.

    python quantized.py IN OUT

Says the relative error of the packed matrices, that every other tensor is the same, and that the config is one that
compressed-tensors takes and that names exactly the matrices that are not packed.
"""
import json
import sys
from pathlib import Path

import torch
from compressed_tensors.compressors import unpack_from_int32
from compressed_tensors.quantization import QuantizationConfig
from safetensors.torch import load_file


def tensors_of(folder):
    tensors = {}
    for shard in sorted(folder.glob("model*.safetensors")):
        tensors.update(load_file(shard))
    return tensors


def main():
    before, after = tensors_of(Path(sys.argv[1])), tensors_of(Path(sys.argv[2]))
    config = QuantizationConfig.model_validate(json.loads((Path(sys.argv[2]) / "config.json").read_text())["quantization_config"])
    groups = list(config.config_groups.values())
    error = power = 0.0
    packed = [n.removesuffix(".weight_packed") for n in after if n.endswith(".weight_packed")]
    for module in packed:
        codes, scale = after.pop(module + ".weight_packed"), after.pop(module + ".weight_scale").float()
        shape = torch.Size(after.pop(module + ".weight_shape").tolist())
        weight = before.pop(module + ".weight").float()
        assert weight.shape == shape and module not in config.ignore
        group = shape[1] // scale.shape[1]
        scheme = [g for g in groups if g.targets == ["Linear"] or module in g.targets]
        assert len(scheme) == 1 and scheme[0].weights.group_size == group
        back = unpack_from_int32(codes, scheme[0].weights.num_bits, shape).float() * scale.repeat_interleave(group, dim=1)
        error += (back - weight).pow(2).sum().item()
        power += weight.pow(2).sum().item()
    assert before.keys() == after.keys() and all(torch.equal(before[n], after[n]) for n in before)
    print(f"{len(packed)} matrices of {groups[0].weights.num_bits} bits, relative squared error {error / power:.2e}; {len(after)} other tensors are the same")


main()
