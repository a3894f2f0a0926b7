# SPDX-License-Identifier: Apache-2.0
"""Writes GLM-4.1V-9B with its real shapes and random weights, for measuring.

    python full_size.py gguf FOLDER    Q4_K_M as llama.cpp mixes it, and an mmproj in F16: 8 GB
    python full_size.py q8_0 FOLDER    the same with all matrices of the text model in Q8_0: 12 GB
    python full_size.py bf16_gguf FOLDER   and in BF16: 21 GB
    python full_size.py gptq FOLDER    int4, groups of 128, symmetric, version 1; the vision tower in BF16: 8.5 GB
    python full_size.py bf16 FOLDER    five shards: 20.6 GB
    python full_size.py small FOLDER   a text model of one billion parameters in Q8_0, with the same vocabulary: 1.1 GB (for `handeye bench serve`)
    python full_size.py check HANDEYE FOLDER    writes each below FOLDER, sees what is promised of it, and deletes it

What is promised: that `models plan` reckons the peak of gguf and gptq within 5 %, and that `models quantize` of bf16 takes no more
memory than its result and one shard. Only numpy is needed. Weights are random codes under scales that keep activations near
one; seed 20261122. The tokenizer is one of single bytes with the real control tokens at their real ids and 151,552 entries, so
that it takes the memory that the real one takes.
"""
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

HIDDEN, LAYERS, HEADS, KV, HEAD, FFN, VOCABULARY = 4096, 40, 32, 2, 128, 13696, 151552
VIT, DEPTH, VIT_MLP, MERGER = 1536, 24, 4096, 13696
RANDOM = np.random.default_rng(20261122)
POOL = RANDOM.integers(0, 256, 64 << 20, dtype=np.uint8)  # random bytes are cut from here: fast, and no two tensors alike
SPECIAL = {151329: "<|endoftext|>", 151330: "[MASK]", 151331: "[gMASK]", 151332: "[sMASK]", 151333: "<sop>", 151334: "<eop>", 151335: "<|system|>",
           151336: "<|user|>", 151337: "<|assistant|>", 151338: "<|observation|>", 151339: "<|begin_of_image|>", 151340: "<|end_of_image|>",
           151341: "<|begin_of_video|>", 151342: "<|end_of_video|>", 151343: "<|image|>", 151344: "<|video|>", 151345: "<think>", 151346: "</think>",
           151347: "<answer>", 151348: "</answer>"}
TEMPLATE = ("[gMASK]<sop>{% for m in messages %}<|{{ m.role }}|>\n{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}"
            "{% if c.type == 'image' %}<|begin_of_image|><|image|><|end_of_image|>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<|assistant|>\n{% endif %}")


def random_bytes(count):
    at = int(RANDOM.integers(0, len(POOL) // 2))
    parts = []
    while count > 0:
        part = POOL[at:at + count]
        parts.append(part)
        count -= len(part)
        at = 0
    return np.concatenate(parts) if len(parts) > 1 else parts[0].copy()


def byte_alphabet():
    plain = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    extra = [b for b in range(256) if b not in plain]
    return [chr(b) if b in plain else chr(256 + extra.index(b)) for b in range(256)]


def vocabulary():
    """256 bytes, pairs and triples of letters with the merges that make them, control tokens, padding."""
    tokens = byte_alphabet()
    merges = []
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    for a in letters:
        for b in letters:
            tokens.append(a + b)
            merges.append((a, b))
    for pair in tokens[256:256 + 52 * 52]:
        for c in letters:
            if len(tokens) < 140000:
                tokens.append(pair + c)
                merges.append((pair, c))
    while len(tokens) < 151329:
        tokens.append(f"[unused{len(tokens)}]")
    for i in range(151329, VOCABULARY):
        tokens.append(SPECIAL.get(i, f"[PAD{i}]"))
    return tokens, merges


# --- GGUF: name, dims fastest first, type id

F32, F16, BF16, Q4_K, Q5_0, Q6_K, Q8_0 = 0, 1, 30, 12, 6, 14, 8
PLAIN_BYTES = {F32: 4, F16: 2, BF16: 2}
BLOCKS = {Q4_K: (256, 144), Q5_0: (32, 22), Q6_K: (256, 210), Q8_0: (32, 34)}


def half(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def gguf_data(kind, rows, cols):
    if kind == F32:
        return (np.ones(rows * cols, np.float32)).tobytes()
    if kind == F16:
        return (np.float16(0.02) * RANDOM.standard_normal(rows * cols, np.float32)).astype(np.float16).tobytes()
    if kind == BF16:  # any sign and mantissa, magnitudes from 2^-7 to 2^-5
        return (random_bytes(rows * cols * 2).view(np.uint16) & 0x80FF | 0x3C00).tobytes()
    elements, size = BLOCKS[kind]
    blocks = random_bytes(rows * cols // elements * size).reshape(-1, size)
    spread = 1 / np.sqrt(cols)
    if kind == Q4_K:  # d * scale (6 bits) * code - dmin * min
        blocks[:, 0:2] = half(spread / 32 / 4)
        blocks[:, 2:4] = half(spread / 32 / 4 * 7.5)
        blocks[:, 8:12] = blocks[:, 4:8]  # the mins are the scales
    elif kind == Q6_K:
        blocks[:, 192:208] = 1
        blocks[:, 208:210] = half(spread / 18)
    else:
        blocks[:, 0:2] = half(spread / (9 if kind == Q5_0 else 74))
    return blocks.tobytes()


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def pair(key, value):
    if isinstance(value, bool):
        return text(key) + struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return text(key) + struct.pack("<II", 4, value)
    if isinstance(value, float):
        return text(key) + struct.pack("<If", 6, value)
    if isinstance(value, str):
        return text(key) + struct.pack("<I", 8) + text(value)
    if isinstance(value[0], str):
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(v) for v in value)
    if isinstance(value[0], float):
        return text(key) + struct.pack("<IIQ", 9, 6, len(value)) + struct.pack(f"<{len(value)}f", *value)
    return text(key) + struct.pack("<IIQ", 9, 5, len(value)) + struct.pack(f"<{len(value)}i", *value)


def write_gguf(path, metadata, tensors):
    infos, at = [], 0
    for name, dims, kind in tensors:
        count = int(np.prod(dims))
        size = count * PLAIN_BYTES[kind] if kind in PLAIN_BYTES else count // BLOCKS[kind][0] * BLOCKS[kind][1]
        infos.append(text(name) + struct.pack("<I", len(dims)) + struct.pack(f"<{len(dims)}Q", *dims) + struct.pack("<IQ", kind, at))
        at += (size + 31) // 32 * 32
    with open(path, "wb") as file:
        file.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata)) + b"".join(pair(k, v) for k, v in metadata.items()) + b"".join(infos))
        file.write(b"\0" * (-file.tell() % 32))
        for name, dims, kind in tensors:
            data = gguf_data(kind, int(np.prod(dims[1:])), dims[0])
            file.write(data + b"\0" * (-len(data) % 32))
            print(f"\r{path.name} {name:40}", end="", file=sys.stderr)


def better(layer):  # llama.cpp's use_more_bits
    return layer < LAYERS // 8 or layer >= 7 * LAYERS // 8 or (layer - LAYERS // 8) % 3 == 2


def gguf(folder, only=None):
    """`only`: the type of all matrices of the text model; none: those of Q4_K_M."""
    tokens, merges = vocabulary()
    metadata = {"general.architecture": "glm4", "general.name": "full size", "glm4.block_count": LAYERS, "glm4.context_length": 65536, "glm4.embedding_length": HIDDEN,
                "glm4.feed_forward_length": FFN, "glm4.attention.head_count": HEADS, "glm4.attention.head_count_kv": KV, "glm4.attention.key_length": HEAD,
                "glm4.attention.value_length": HEAD, "glm4.attention.layer_norm_rms_epsilon": 1e-5, "glm4.rope.freq_base": 10000.0, "glm4.rope.dimension_count": 64,
                "glm4.rope.dimension_sections": [8, 12, 12, 0], "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "glm4", "tokenizer.ggml.tokens": tokens,
                "tokenizer.ggml.token_type": [1 if i < 151329 else 3 if i in SPECIAL else 5 for i in range(VOCABULARY)],
                "tokenizer.ggml.merges": [f"{a} {b}" for a, b in merges], "tokenizer.ggml.eos_token_id": 151329, "tokenizer.chat_template": TEMPLATE}
    tensors = [("token_embd.weight", [HIDDEN, VOCABULARY], Q4_K), ("output_norm.weight", [HIDDEN], F32), ("output.weight", [HIDDEN, VOCABULARY], Q6_K)]
    for i in range(LAYERS):
        tensors += [(f"blk.{i}.{n}.weight", [HIDDEN], F32) for n in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")]
        tensors += [(f"blk.{i}.attn_q.weight", [HIDDEN, HEADS * HEAD], Q4_K), (f"blk.{i}.attn_k.weight", [HIDDEN, KV * HEAD], Q4_K),
                    (f"blk.{i}.attn_v.weight", [HIDDEN, KV * HEAD], Q6_K if better(i) else Q4_K), (f"blk.{i}.attn_output.weight", [HEADS * HEAD, HIDDEN], Q4_K),
                    (f"blk.{i}.ffn_up.weight", [HIDDEN, 2 * FFN], Q4_K), (f"blk.{i}.ffn_down.weight", [FFN, HIDDEN], Q8_0 if better(i) else Q5_0)]
        tensors += [(f"blk.{i}.attn_{n}.bias", [w], F32) for n, w in (("q", HEADS * HEAD), ("k", KV * HEAD), ("v", KV * HEAD))]
    if only is not None:
        tensors = [(name, dims, only if kind != F32 else kind) for name, dims, kind in tensors]
    write_gguf(folder / "model.gguf", metadata, tensors)
    metadata = {"general.architecture": "clip", "clip.projector_type": "glm4v", "clip.has_vision_encoder": True, "clip.use_silu": True, "clip.vision.embedding_length": VIT,
                "clip.vision.block_count": DEPTH, "clip.vision.attention.head_count": 12, "clip.vision.attention.layer_norm_epsilon": 1e-5, "clip.vision.image_size": 336,
                "clip.vision.patch_size": 14, "clip.vision.projection_dim": HIDDEN, "clip.vision.feed_forward_length": MERGER,
                "clip.vision.image_mean": [0.48145466, 0.4578275, 0.40821073], "clip.vision.image_std": [0.26862954, 0.26130258, 0.27577711]}
    tensors = [("v.patch_embd.weight", [14, 14, 3, VIT], F16), ("v.patch_embd.weight.1", [14, 14, 3, VIT], F16), ("v.patch_embd.bias", [VIT], F32), ("v.norm_embd.weight", [VIT], F32),
               ("v.position_embd.weight", [VIT, 576], F32), ("v.post_ln.weight", [VIT], F32), ("mm.patch_merger.weight", [2, 2, VIT, HIDDEN], F16), ("mm.patch_merger.bias", [HIDDEN], F32),
               ("mm.model.fc.weight", [HIDDEN, HIDDEN], F16), ("mm.post_norm.weight", [HIDDEN], F32), ("mm.post_norm.bias", [HIDDEN], F32), ("mm.gate.weight", [HIDDEN, MERGER], F16),
               ("mm.up.weight", [HIDDEN, MERGER], F16), ("mm.down.weight", [MERGER, HIDDEN], F16)]
    for i in range(DEPTH):
        tensors += [(f"v.blk.{i}.ln{n}.weight", [VIT], F32) for n in (1, 2)]
        tensors += [(f"v.blk.{i}.attn_qkv.weight", [VIT, 3 * VIT], F16), (f"v.blk.{i}.attn_out.weight", [VIT, VIT], F16), (f"v.blk.{i}.ffn_gate.weight", [VIT, VIT_MLP], F16),
                    (f"v.blk.{i}.ffn_up.weight", [VIT, VIT_MLP], F16), (f"v.blk.{i}.ffn_down.weight", [VIT_MLP, VIT], F16)]
    write_gguf(folder / "mmproj-F16.gguf", metadata, tensors)


def small(folder):
    hidden, layers, heads, ffn = 2048, 10, 16, 5632
    tokens, merges = vocabulary()
    metadata = {"general.architecture": "glm4", "general.name": "one billion", "glm4.block_count": layers, "glm4.context_length": 32768, "glm4.embedding_length": hidden,
                "glm4.feed_forward_length": ffn, "glm4.attention.head_count": heads, "glm4.attention.head_count_kv": KV, "glm4.attention.key_length": HEAD,
                "glm4.attention.value_length": HEAD, "glm4.attention.layer_norm_rms_epsilon": 1e-5, "glm4.rope.freq_base": 10000.0, "glm4.rope.dimension_count": 64,
                "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "glm4", "tokenizer.ggml.tokens": tokens,
                "tokenizer.ggml.token_type": [1 if i < 151329 else 3 if i in SPECIAL else 5 for i in range(VOCABULARY)],
                "tokenizer.ggml.merges": [f"{a} {b}" for a, b in merges], "tokenizer.ggml.eos_token_id": 151329, "tokenizer.chat_template": TEMPLATE}
    tensors = [("token_embd.weight", [hidden, VOCABULARY], Q8_0), ("output_norm.weight", [hidden], F32), ("output.weight", [hidden, VOCABULARY], Q8_0)]
    for i in range(layers):
        tensors += [(f"blk.{i}.{n}.weight", [hidden], F32) for n in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm")]
        tensors += [(f"blk.{i}.{n}.weight", [rows, cols], Q8_0) for n, rows, cols in (
            ("attn_q", hidden, heads * HEAD), ("attn_k", hidden, KV * HEAD), ("attn_v", hidden, KV * HEAD), ("attn_output", heads * HEAD, hidden),
            ("ffn_up", hidden, 2 * ffn), ("ffn_down", ffn, hidden))]
    write_gguf(folder / "model-Q8_0.gguf", metadata, tensors)


# --- GPTQ: name, dtype, shape

def bf16(values):
    return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes()


def hub_data(name, dtype, shape):
    count = int(np.prod(shape))
    if name.endswith("qweight"):
        return random_bytes(count * 4).tobytes()
    if name.endswith("qzeros"):
        return np.full(count, 0x77777777, np.uint32).tobytes()
    if name.endswith("g_idx"):
        return (np.arange(count, dtype=np.int32) // 128).tobytes()
    if name.endswith("scales"):
        return np.full(count, 1 / np.sqrt(shape[0] * 128) / 4.6, np.float16).tobytes()
    if "norm" in name:
        return bf16(np.zeros(count) if name.endswith("bias") else np.ones(count))
    if count > 1 << 22:  # any sign and mantissa, magnitudes from 2^-7 to 2^-5: as fast as bytes are cut
        return (random_bytes(count * 2).view(np.uint16) & 0x80FF | 0x3C00).tobytes()
    return bf16(np.float32(0.02) * RANDOM.standard_normal(count, np.float32))


def gptq_linear(name, rows, cols):
    return [(f"{name}.qweight", "I32", [cols // 8, rows]), (f"{name}.qzeros", "I32", [cols // 128, rows // 8]), (f"{name}.scales", "F16", [cols // 128, rows]), (f"{name}.g_idx", "I32", [cols])]


def write_shard(path, tensors):
    tensors = sorted(tensors, key=lambda t: (-{"I32": 4, "F16": 2, "BF16": 2}[t[1]], t[0]))
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, dtype, shape in tensors:
        size = int(np.prod(shape)) * (4 if dtype == "I32" else 2)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    data = json.dumps(header).encode()
    data += b" " * (-len(data) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(data)) + data)
        for tensor in tensors:
            file.write(hub_data(*tensor))
            print(f"\r{path.name} {tensor[0]:60}", end="", file=sys.stderr)


def plain_linear(name, rows, cols):
    return [(f"{name}.weight", "BF16", [rows, cols])]


def gptq(folder):
    write_hub(folder, gptq_linear, LAYERS, {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128, "sym": True, "desc_act": False, "checkpoint_format": "gptq"}})


def bf16_hub(folder):
    write_hub(folder, plain_linear, 10, {})


def write_hub(folder, linear, layers_of_a_shard, quantization):
    """Decoder shards of so many layers each, and one of the vision tower."""
    shards = LAYERS // layers_of_a_shard + 1
    lm, vis = "model.language_model.", "model.visual."
    tensors = [(lm + "embed_tokens.weight", "BF16", [VOCABULARY, HIDDEN]), (lm + "norm.weight", "BF16", [HIDDEN]), ("lm_head.weight", "BF16", [VOCABULARY, HIDDEN])]
    for i in range(LAYERS):
        if i > 0 and i % layers_of_a_shard == 0:
            write_shard(folder / f"model-{i // layers_of_a_shard:05}-of-{shards:05}.safetensors", tensors)
            tensors = []
        at = f"{lm}layers.{i}."
        tensors += [(at + n + ".weight", "BF16", [HIDDEN]) for n in ("input_layernorm", "post_self_attn_layernorm", "post_attention_layernorm", "post_mlp_layernorm")]
        for n, rows, cols in (("self_attn.q_proj", HEADS * HEAD, HIDDEN), ("self_attn.k_proj", KV * HEAD, HIDDEN), ("self_attn.v_proj", KV * HEAD, HIDDEN),
                              ("self_attn.o_proj", HIDDEN, HEADS * HEAD), ("mlp.gate_up_proj", 2 * FFN, HIDDEN), ("mlp.down_proj", HIDDEN, FFN)):
            tensors += linear(at + n, rows, cols)
            tensors += [(at + n + ".bias", "BF16", [rows])] if n[-6] in "qkv" else []
    vision = [(vis + "patch_embed.proj.weight", "BF16", [VIT, 3, 2, 14, 14]), (vis + "patch_embed.proj.bias", "BF16", [VIT]), (vis + "post_conv_layernorm.weight", "BF16", [VIT]),
              (vis + "embeddings.position_embedding.weight", "BF16", [576, VIT]), (vis + "post_layernorm.weight", "BF16", [VIT]), (vis + "downsample.weight", "BF16", [HIDDEN, VIT, 2, 2]),
              (vis + "downsample.bias", "BF16", [HIDDEN]), (vis + "merger.proj.weight", "BF16", [HIDDEN, HIDDEN]), (vis + "merger.post_projection_norm.weight", "BF16", [HIDDEN]),
              (vis + "merger.post_projection_norm.bias", "BF16", [HIDDEN]), (vis + "merger.gate_proj.weight", "BF16", [MERGER, HIDDEN]), (vis + "merger.up_proj.weight", "BF16", [MERGER, HIDDEN]),
              (vis + "merger.down_proj.weight", "BF16", [HIDDEN, MERGER])]
    for i in range(DEPTH):
        at = f"{vis}blocks.{i}."
        vision += [(at + n + ".weight", "BF16", s) for n, s in (("norm1", [VIT]), ("norm2", [VIT]), ("attn.qkv", [3 * VIT, VIT]), ("attn.proj", [VIT, VIT]), ("mlp.gate_proj", [VIT_MLP, VIT]),
                                                                 ("mlp.up_proj", [VIT_MLP, VIT]), ("mlp.down_proj", [VIT, VIT_MLP]))]
    write_shard(folder / f"model-{shards - 1:05}-of-{shards:05}.safetensors", tensors)
    write_shard(folder / f"model-{shards:05}-of-{shards:05}.safetensors", vision)
    config = {"model_type": "glm4v", "image_token_id": 151343, "video_token_id": 151344, "image_start_token_id": 151339, "image_end_token_id": 151340, "video_start_token_id": 151341,
              "video_end_token_id": 151342, "tie_word_embeddings": False,
              "text_config": {"vocab_size": VOCABULARY, "hidden_size": HIDDEN, "intermediate_size": FFN, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": KV,
                              "hidden_act": "silu", "max_position_embeddings": 65536, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "partial_rotary_factor": 0.5,
                              "rope_scaling": {"rope_type": "default", "mrope_section": [8, 12, 12]}, "eos_token_id": [151329, 151336, 151338, 151348], "attention_bias": True},
              "vision_config": {"hidden_size": VIT, "depth": DEPTH, "num_heads": 12, "intermediate_size": MERGER, "out_hidden_size": HIDDEN, "image_size": 336, "patch_size": 14,
                                "hidden_act": "silu", "rms_norm_eps": 1e-5, "spatial_merge_size": 2, "temporal_patch_size": 2}, **quantization}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    write_tokenizer(folder)


def write_tokenizer(folder):
    tokens, merges = vocabulary()
    split = {"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
             "behavior": "Isolated", "invert": False}
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": True,
             "vocab": {t: i for i, t in enumerate(tokens[:151329])}, "merges": [f"{a} {b}" for a, b in merges]}
    added = [{"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} for i, t in SPECIAL.items()]
    tokenizer = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
                 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, level]}, "post_processor": level, "decoder": {**level, "use_regex": True}, "model": model}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))


WRITERS = {"small": small, "gguf": gguf, "q8_0": lambda folder: gguf(folder, Q8_0), "bf16_gguf": lambda folder: gguf(folder, BF16), "gptq": gptq, "bf16": bf16_hub}


def write(kind, folder):
    folder.mkdir(parents=True)
    WRITERS[kind](folder)
    print(file=sys.stderr)


def peak_bytes(words):
    """Runs it and reads what the kernel says of the most memory that it had, mapped files included."""
    child = subprocess.Popen(words)
    _, status, used = os.wait4(child.pid, 0)
    if status != 0:
        raise SystemExit(f"{' '.join(map(str, words))}: status {status}")
    return used.ru_maxrss * 1024


def check(handeye, folder):
    for kind in ("gguf", "gptq"):
        write(kind, folder / kind)
        subprocess.run([handeye, "models", "plan", folder / kind, "--context", "300", "--image-size", "336x336", "--measure"], check=True)
        shutil.rmtree(folder / kind)
    write("bf16", folder / "bf16")
    shard = max(path.stat().st_size for path in (folder / "bf16").glob("*.safetensors"))
    for bits in ("4bit", "8bit"):
        peak = peak_bytes([handeye, "models", "quantize", folder / "bf16", folder / bits, "--to", bits])
        result = sum(path.stat().st_size for path in (folder / bits).glob("*.safetensors"))
        print(f"quantize --to {bits}: {peak / 1e9:.2f} GB at the peak; the result has {result / 1e9:.2f} GB, the largest shard {shard / 1e9:.2f} GB", flush=True)
        shutil.rmtree(folder / bits)
        if peak > result + shard:
            raise SystemExit("that is more than the result and one shard")
    shutil.rmtree(folder / "bf16")


def main():
    if sys.argv[1] == "check":
        check(Path(sys.argv[2]).absolute(), Path(sys.argv[3]))
    else:
        write(sys.argv[1], Path(sys.argv[2]))


main()
