# SPDX-License-Identifier: Apache-2.0
# GLM-4.1V-9B's decoder in its real size with random weights, in bf16 by transformers: prefill and decoding on the same card as ours, a JSON line for each figure.
import json
import time

import torch
from transformers import Glm4vConfig, Glm4vForConditionalGeneration

PROMPT = 2991
STEPS = 64


def seconds(function):
    torch.cuda.synchronize()
    begin = time.perf_counter()
    result = function()
    torch.cuda.synchronize()
    return time.perf_counter() - begin, result


def tell(name, value, unit):
    print(json.dumps({"device": torch.cuda.get_device_name(), "model": "transformers", "format": "bf16", "name": name, "value": value, "unit": unit}), flush=True)


def main():
    torch.manual_seed(0)
    config = Glm4vConfig()  # the published sizes are its defaults
    config._attn_implementation = "sdpa"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda"):
        model = Glm4vForConditionalGeneration(config).eval()
    ids = torch.randint(0, 1000, (1, PROMPT), device="cuda")
    with torch.inference_mode():
        model(input_ids=ids, use_cache=True)  # warms up
        took, out = seconds(lambda: model(input_ids=ids, use_cache=True, logits_to_keep=1))
        tell(f"prefill of {PROMPT}", took * 1e3, "ms")
        cache, token = out.past_key_values, out.logits[:, -1:].argmax(-1)

        def decode():
            nonlocal token
            for step in range(STEPS):
                at = torch.full((3, 1, 1), PROMPT + step, device="cuda")
                token = model(input_ids=token, past_key_values=cache, position_ids=at, use_cache=True).logits[:, -1:].argmax(-1)

        took, _ = seconds(decode)
        tell("decode at 3000", STEPS / took, "tokens/s")


main()
