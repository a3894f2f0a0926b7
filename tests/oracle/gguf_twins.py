# SPDX-License-Identifier: Apache-2.0
"""Tiny twins of the published GGUF files: the same mix of tensor types, and what the reference computes from them.

    python gguf_twins.py twins.json long.json         (gguf, torch and transformers of PyPI)

A twin's bytes come from a counter (SplitMix64, seeded by the FNV-1a hash of the tensor's name), so that no file is kept: the test writes
the same one. Only the scales of a block are set, so that weights have a spread of 1/16. Rules of llama.cpp for the types: as of
llama-quant.cpp, with an importance matrix, as data below. Row lengths that are no multiple of 256 fall back, as in every 9B file.
"""
import json
import sys

import gguf
import numpy as np
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType as T
from transformers import Glm4Config, Glm4ForCausalLM, GlmConfig, GlmForCausalLM

LAYERS = 16 # of a twin; the rules below count in them
SHAPE = {"layers": LAYERS, "hidden": 256, "heads": 8, "kv_heads": 2, "head": 32, "vocabulary": 288}
LONG_SHAPE = {"layers": 2, "hidden": 64, "heads": 2, "kv_heads": 1, "head": 32, "vocabulary": 288}
LONG_POSITIONS = [511, 4095, 16383, 32767]
PROMPT, GREEDY, STORED_LOGITS, CANDIDATES, CLEAR, SPREAD = 12, 32, 48, 32, 0.01, 1 / 16

EIGHTH = LAYERS // 8
ALL = lambda i: True
FIRST_EIGHTH = lambda i: i < EIGHTH
MIDDLE = lambda i: EIGHTH <= i < 7 * LAYERS // 8
MORE = lambda i: i < EIGHTH or i >= 7 * LAYERS // 8 or (i - EIGHTH) % 3 == 2
FIRST = lambda n: lambda i: i < n

# file type: (base, {role: type, or (where, type) pairs of which the first that holds counts})
RULES = {
    "Q2_K": ("Q2_K", {"output": "Q6_K", "v": "Q4_K", "o": "Q3_K", "down": "Q3_K"}),
    "Q3_K_S": ("Q3_K", {"output": "Q6_K"}),
    "Q3_K_M": ("Q3_K", {"output": "Q6_K", "v": [(FIRST(2), "Q5_K"), (ALL, "Q4_K")], "o": "Q4_K", "qkv": "Q4_K",
                        "down": [(FIRST(LAYERS // 16), "Q5_K"), (ALL, "Q4_K")]}),
    "Q3_K_L": ("Q3_K", {"output": "Q6_K", "v": "Q5_K", "o": "Q5_K", "qkv": "Q4_K", "down": "Q5_K"}),
    "Q4_0": ("Q4_0", {"output": "Q6_K", "down": [(FIRST_EIGHTH, "Q4_1")]}),
    "Q4_1": ("Q4_1", {"output": "Q6_K"}),
    "Q4_K_S": ("Q4_K", {"output": "Q6_K", "v": [(FIRST(4), "Q5_K")], "down": [(FIRST_EIGHTH, "Q5_K")]}),
    "Q4_K_M": ("Q4_K", {"output": "Q6_K", "v": [(MORE, "Q6_K")], "down": [(MORE, "Q6_K")], "qkv": "Q5_K"}),
    "Q5_K_S": ("Q5_K", {"output": "Q6_K"}),
    "Q5_K_M": ("Q5_K", {"output": "Q6_K", "v": [(MORE, "Q6_K")], "down": [(MORE, "Q6_K")], "qkv": "Q6_K"}),
    "Q6_K": ("Q6_K", {}),
    "Q8_0": ("Q8_0", {}),
    "IQ2_XS": ("IQ2_XS", {"output": "Q5_K", "embed": "Q2_K", "v": "Q4_K", "down": [(FIRST_EIGHTH, "Q2_K")]}),
    "IQ2_S": ("IQ2_XS", {"output": "Q5_K", "embed": "IQ3_S", "v": "Q4_K", "o": "IQ3_S", "down": [(FIRST_EIGHTH, "IQ3_S")]}),
    "IQ2_M": ("IQ2_S", {"output": "Q5_K", "embed": "IQ3_S", "v": "Q4_K", "o": "IQ3_S", "down": [(FIRST_EIGHTH, "IQ3_S")]}),
    "IQ3_XXS": ("IQ3_XXS", {"output": "Q5_K", "embed": "IQ3_S", "v": "Q4_K", "q": "IQ2_S", "k": "IQ2_S", "o": "IQ3_S"}),
    "IQ3_XS": ("IQ3_S", {"output": "Q6_K", "v": "Q4_K", "q": "IQ3_XXS", "k": "IQ3_XXS", "up": [(MIDDLE, "IQ3_XXS")]}),
    "IQ3_S": ("IQ3_S", {"output": "Q6_K", "v": "Q4_K"}),
    "IQ3_M": ("IQ3_S", {"output": "Q6_K", "v": "Q4_K", "o": "Q4_K", "qkv": "Q4_K", "down": [(FIRST_EIGHTH, "Q4_K")]}),
    "IQ4_NL": ("IQ4_NL", {"output": "Q6_K", "v": "Q5_K"}),
    "IQ4_XS": ("IQ4_XS", {"output": "Q6_K", "v": "Q5_K"}),
    "F16": ("F16", {}),
    "BF16": ("BF16", {}),
}
for large, plain in (("Q2_K_L", "Q2_K"), ("Q3_K_XL", "Q3_K_L"), ("Q4_K_L", "Q4_K_M"), ("Q5_K_L", "Q5_K_M"), ("Q6_K_L", "Q6_K")):
    RULES[large] = (RULES[plain][0], {**RULES[plain][1], "embed": "Q8_0", "output": "Q8_0"})
FALLBACK = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}

# The names that the model pages use.
ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "FP16": "F16", "bf16": "BF16"}
FAMILIES = {
    "chat-1m": {"arch": "chatglm", "ffn": 288, "eps": 1.5625e-07, "theta": 1e8, "files":
                "Q2_K IQ3_XS IQ3_S IQ3_M Q3_K_S Q3_K_L Q3_K IQ4_XS IQ4_NL Q4_K_S Q4_K Q5_K_S Q5_K Q6_K Q8_0 BF16 FP16"},
    "0414-9b": {"arch": "glm4", "ffn": 288, "eps": 1e-05, "theta": 10000.0, "files":
                "IQ2_M IQ3_M IQ3_XS IQ3_XXS IQ4_NL IQ4_XS Q2_K Q2_K_L Q3_K_L Q3_K_M Q3_K_S Q3_K_XL Q4_0 Q4_1 Q4_K_L Q4_K_M Q4_K_S "
                "Q5_K_L Q5_K_M Q5_K_S Q6_K Q6_K_L Q8_0 bf16"},
    "0414-32b": {"arch": "glm4", "ffn": 512, "eps": 1e-05, "theta": 10000.0, "files":
                 "IQ2_M IQ2_S IQ2_XS IQ3_M IQ3_XS IQ3_XXS IQ4_NL IQ4_XS Q2_K Q2_K_L Q3_K_L Q3_K_M Q3_K_S Q3_K_XL Q4_0 Q4_1 Q4_K_L "
                 "Q4_K_M Q4_K_S Q5_K_L Q5_K_M Q5_K_S Q6_K Q6_K_L Q8_0"},
}
# Where the f16 scale of a block stands, and the one of its minimum.
SCALES = {"Q4_0": (0, None), "Q4_1": (0, 2), "Q5_0": (0, None), "Q5_1": (0, 2), "Q8_0": (0, None), "IQ4_NL": (0, None),
          "Q2_K": (80, 82), "Q3_K": (108, None), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208, None), "IQ4_XS": (0, None),
          "IQ2_XXS": (0, None), "IQ2_XS": (0, None), "IQ2_S": (0, None), "IQ3_XXS": (0, None), "IQ3_S": (0, None)}
# Sign and mantissa as they come, one of four exponents.
SIXTEEN_BITS = {"F16": (0x83FF, 10, 8), "BF16": (0x807F, 7, 120)}


def words(name, count):
    """The first `count` outputs of SplitMix64 from the hash of `name`."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def random_bytes(name, count):
    return words(name, (count + 7) // 8).astype("<u8").tobytes()[:count]


def f16_bits(value):
    return int(np.float16(value).view(np.uint16))


def with_scales(raw, kind, scale, minimum):
    at, minimum_at = SCALES[kind]
    block = GGML_QUANT_SIZES[T[kind]][1]
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, block).copy()
    blocks[:, at:at + 2] = np.frombuffer(np.uint16(scale).tobytes(), np.uint8)
    if minimum_at is not None:
        blocks[:, minimum_at:minimum_at + 2] = np.frombuffer(np.uint16(minimum).tobytes(), np.uint8)
    return blocks


def scale_bits(kind):
    """The bits of a block's scale and minimum for which its weights have no mean and a spread of SPREAD."""
    raw = random_bytes("scales of " + kind, 4096 * GGML_QUANT_SIZES[T[kind]][1])
    one = f16_bits(1.0)
    plain = gguf.quants.dequantize(with_scales(raw, kind, one, 0), T[kind])
    minimum = 0.0
    if SCALES[kind][1] is not None:
        lowered = gguf.quants.dequantize(with_scales(raw, kind, 0, one), T[kind])
        minimum = -plain.mean() / lowered.mean()
        plain = plain + minimum * lowered
    factor = SPREAD / plain.std()
    return f16_bits(factor), f16_bits(minimum * factor)


SCALE_BITS = {kind: scale_bits(kind) for kind in SCALES}


def weight(name, kind, rows, columns):
    """float32 [rows, columns] of what the test writes under this name and type."""
    elements, block = GGML_QUANT_SIZES[T[kind]]
    raw = random_bytes(name, rows * columns // elements * block)
    if kind in SIXTEEN_BITS:
        keep, shift, exponent = SIXTEEN_BITS[kind]
        bits = np.frombuffer(raw, "<u2")
        bits = (bits & keep) | ((exponent + (bits >> shift & 3)) << shift).astype(np.uint16)
        values = bits.view(np.float16).astype(np.float32) if kind == "F16" else (bits.astype(np.uint32) << 16).view(np.float32)
    else:
        values = gguf.quants.dequantize(with_scales(raw, kind, *SCALE_BITS[kind]), T[kind])
    return torch.from_numpy(np.ascontiguousarray(values.reshape(rows, columns)))


def vector(name, count):
    """Norm weights in 0.5 to 1.5, biases in -0.25 to 0.25."""
    unit = (words(name, count) >> np.uint64(40)).astype(np.float64) / 2**24
    return torch.from_numpy((unit * 0.5 - 0.25 if name.endswith("bias") else unit + 0.5).astype(np.float32))


def type_of(file_type, arch, role, columns, layer):
    base, rules = RULES[file_type]
    # Fused rows of q, k and v: the rule of the releases that the published files were made with.
    wanted = rules.get(role, base) if arch != "chatglm" or role != "v" else base
    if isinstance(wanted, list):
        wanted = next((kind for where, kind in wanted if where(layer)), base)
    if GGML_QUANT_SIZES[T[wanted]][0] == 256 and columns % 256:
        wanted = FALLBACK.get(wanted, "IQ4_NL")
    return wanted


def tensors_of(shape, family, file_type):
    """name: (type, rows, columns), and vectors (None, count, 1), in the order of the file."""
    arch, ffn, hidden, vocabulary = family["arch"], family["ffn"], shape["hidden"], shape["vocabulary"]
    q, kv = shape["heads"] * shape["head"], shape["kv_heads"] * shape["head"]
    out = {}

    def matrix(name, role, rows, columns, layer=0):
        out[name] = (type_of(file_type, arch, role, columns, layer), rows, columns)

    matrix("token_embd.weight", "embed", vocabulary, hidden)
    out["output_norm.weight"] = (None, hidden, 1)
    matrix("output.weight", "output", vocabulary, hidden)
    for i in range(shape["layers"]):
        p = f"blk.{i}."
        out[p + "attn_norm.weight"] = (None, hidden, 1)
        if arch == "chatglm":
            matrix(p + "attn_qkv.weight", "qkv", q + 2 * kv, hidden, i)
            out[p + "attn_qkv.bias"] = (None, q + 2 * kv, 1)
        else:
            for role, rows in (("q", q), ("k", kv), ("v", kv)):
                matrix(f"{p}attn_{role}.weight", role, rows, hidden, i)
            out[p + "post_attention_norm.weight"] = (None, hidden, 1)
            out[p + "post_ffw_norm.weight"] = (None, hidden, 1)
        matrix(p + "attn_output.weight", "o", hidden, q, i)
        out[p + "ffn_norm.weight"] = (None, hidden, 1)
        matrix(p + "ffn_up.weight", "up", 2 * ffn, hidden, i)
        matrix(p + "ffn_down.weight", "down", hidden, ffn, i)
    return out


def reference(shape, family, tensors):
    config = dict(num_hidden_layers=shape["layers"], hidden_size=shape["hidden"], intermediate_size=family["ffn"],
                  num_attention_heads=shape["heads"], num_key_value_heads=shape["kv_heads"], head_dim=shape["head"],
                  vocab_size=shape["vocabulary"], rms_norm_eps=family["eps"], tie_word_embeddings=False, max_position_embeddings=2**20,
                  pad_token_id=None, eos_token_id=None,
                  rope_parameters={"rope_type": "default", "rope_theta": family["theta"], "partial_rotary_factor": 0.5})
    fused = family["arch"] == "chatglm"
    model = (GlmForCausalLM(GlmConfig(attention_bias=True, **config)) if fused else Glm4ForCausalLM(Glm4Config(attention_bias=False, **config)))
    value = {n: vector(n, rows) if kind is None else weight(n, kind, rows, columns) for n, (kind, rows, columns) in tensors.items()}
    state = {"model.embed_tokens.weight": value["token_embd.weight"], "model.norm.weight": value["output_norm.weight"],
             "lm_head.weight": value["output.weight"]}
    q, kv = shape["heads"] * shape["head"], shape["kv_heads"] * shape["head"]
    for i in range(shape["layers"]):
        ours, theirs = f"blk.{i}.", f"model.layers.{i}."
        if fused:
            for what in ("weight", "bias"):
                for part, rows in zip("qkv", value[f"{ours}attn_qkv.{what}"].split([q, kv, kv])):
                    state[f"{theirs}self_attn.{part}_proj.{what}"] = rows
            state[theirs + "post_attention_layernorm.weight"] = value[ours + "ffn_norm.weight"]
        else:
            for part in "qkv":
                state[f"{theirs}self_attn.{part}_proj.weight"] = value[f"{ours}attn_{part}.weight"]
            state[theirs + "post_attention_layernorm.weight"] = value[ours + "ffn_norm.weight"]
            state[theirs + "post_self_attn_layernorm.weight"] = value[ours + "post_attention_norm.weight"]
            state[theirs + "post_mlp_layernorm.weight"] = value[ours + "post_ffw_norm.weight"]
        state[theirs + "input_layernorm.weight"] = value[ours + "attn_norm.weight"]
        state[theirs + "self_attn.o_proj.weight"] = value[ours + "attn_output.weight"]
        state[theirs + "mlp.gate_up_proj.weight"] = value[ours + "ffn_up.weight"]
        state[theirs + "mlp.down_proj.weight"] = value[ours + "ffn_down.weight"]
    model.load_state_dict(state)
    return model.float().eval()


def continuation(model):
    """Of CANDIDATES prompts with a clear greedy path the one with the most different ids: prompt, next ids, logits between, smallest lead."""
    prompts = torch.from_numpy((words("prompts", CANDIDATES * PROMPT) % np.uint64(256)).astype(np.int64).reshape(CANDIDATES, PROMPT))
    ids, first, leads = prompts, None, torch.full((CANDIDATES,), float("inf"))
    cache, fed = None, prompts
    with torch.no_grad():
        for _ in range(GREEDY):
            step = model(fed, past_key_values=cache, use_cache=True)
            cache, logits = step.past_key_values, step.logits[:, -1].float()
            first = logits if first is None else first
            two = logits.topk(2).values
            leads = torch.minimum(leads, two[:, 0] - two[:, 1])
            fed = logits.argmax(-1, keepdim=True)
            ids = torch.cat([ids, fed], 1)
    distinct = [len(set(row[PROMPT:].tolist())) if lead >= CLEAR else 0 for row, lead in zip(ids, leads)]
    best = int(np.argmax(distinct))
    assert leads[best] >= CLEAR
    return ids[best, :PROMPT].tolist(), ids[best, PROMPT:].tolist(), first[best], float(leads[best])


def runs(tensors):
    """The types of each role over the layers, as runs."""
    out = {}
    for name, (kind, _, _) in tensors.items():
        if kind is None:
            continue
        role = name.split(".")[2] if name.startswith("blk.") else name.split(".")[0]
        row = out.setdefault(role, [])
        if row and row[-1][0] == kind:
            row[-1][1] += 1
        else:
            row.append([kind, 1])
    return out


def main():
    torch.set_num_threads(1)
    document = {
        "reference": f"transformers {__import__('transformers').__version__}, torch {torch.__version__.split('+')[0]} on the CPU in float32, weights "
                     "dequantised by gguf of PyPI",
        "twins": [],
        "types": {kind: {"id": int(T[kind]), "elements": GGML_QUANT_SIZES[T[kind]][0], "bytes": GGML_QUANT_SIZES[T[kind]][1],
                         "scale_at": SCALES[kind][0], "scale": SCALE_BITS[kind][0], "minimum_at": SCALES[kind][1], "minimum": SCALE_BITS[kind][1]}
                  for kind in SCALES} |
                 {kind: {"id": int(T[kind]), "elements": 1, "bytes": 2, "keep": keep, "shift": shift, "exponent": exponent}
                  for kind, (keep, shift, exponent) in SIXTEEN_BITS.items()},
    }
    for name, family in FAMILIES.items():
        for file_type in family["files"].split():
            tensors = tensors_of(SHAPE, family, ALIASES.get(file_type, file_type))
            prompt, greedy, logits, lead = continuation(reference(SHAPE, family, tensors))
            document["twins"].append({
                "name": f"{name} {file_type}", **SHAPE, "arch": family["arch"], "ffn": family["ffn"], "eps": family["eps"], "theta": family["theta"],
                "types": runs(tensors), "prompt": prompt, "greedy": greedy, "smallest_lead": round(lead, 4),
                "logits": [round(float(v), 5) for v in logits[:STORED_LOGITS]]})
            print(f"{name} {file_type}: spread of the logits {logits.std():.2f}, smallest lead {lead:.4f}, {len(set(greedy))} different ids", flush=True)
    return document


def long_context():
    """A prompt as long as a chat-1m model takes, with its rotary base: logits at some positions."""
    family = {**FAMILIES["chat-1m"], "ffn": 96}
    tensors = tensors_of(LONG_SHAPE, family, "BF16")
    model = reference(LONG_SHAPE, family, tensors)
    model.set_attn_implementation("sdpa") # no matrix of all positions by all
    ids = torch.from_numpy((words("long prompt", LONG_POSITIONS[-1] + 1) % np.uint64(256)).astype(np.int64))[None]
    with torch.no_grad():
        logits = model(ids, logits_to_keep=torch.tensor(LONG_POSITIONS)).logits[0].float()
    return {**LONG_SHAPE, "arch": family["arch"], "ffn": family["ffn"], "eps": family["eps"], "theta": family["theta"], "types": runs(tensors),
            "positions": LONG_POSITIONS, "logits": [[round(float(v), 5) for v in row[:STORED_LOGITS]] for row in logits]}


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, separators=(",", ":"))
        file.write("\n")


write(sys.argv[2], long_context())
write(sys.argv[1], main())
