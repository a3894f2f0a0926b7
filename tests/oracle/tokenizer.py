# SPDX-License-Identifier: Apache-2.0
# Writes tests/golden/tokenizer/hashes.json: SHA-256 over the ids of random strings, one hash per 1,000 strings.
# The strings come from strings() below, which tests/engine/random_text.h repeats in C++.
# Run: python tests/oracle/tokenizer.py PATH/tokenizer.model   (the GLM-4 vocabulary; needs tiktoken and tokenizers)
import base64
import hashlib
import json
import pathlib
import struct
import sys

import tiktoken
from tokenizers import Tokenizer

PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GOLDEN = pathlib.Path(__file__).parent.parent / "golden" / "tokenizer"
MASK = (1 << 64) - 1

# Ranges of code points, both ends included; a class is drawn from its ranges evenly.
ALPHABETS = [
    [(0x20, 0x7E)],
    [(0x61, 0x7A), (0x61, 0x7A), (0x41, 0x5A), (0xE4, 0xE4), (0xF6, 0xF6), (0xFC, 0xFC), (0xDF, 0xDF), (0xC4, 0xC4), (0x20, 0x20)],
    [(0x4E00, 0x9FA5), (0x4E00, 0x9FA5), (0x4E00, 0x9FA5), (0x3001, 0x3002), (0xFF01, 0xFF1F)],
    [(0x1F300, 0x1F5FF), (0x1F600, 0x1F64F), (0x200D, 0x200D), (0xFE0F, 0xFE0F)],
    [(0x61, 0x7A), (0x300, 0x36F)],
    [(0x00, 0x1F), (0x7F, 0x9F)],
    [(0x20, 0x20), (0x20, 0x20), (0x0A, 0x0A), (0x0D, 0x0D), (0x09, 0x09), (0xA0, 0xA0), (0x3000, 0x3000), (0x2028, 0x2029),
     (0x2000, 0x200A), (0x0B, 0x0C), (0x61, 0x61), (0x180E, 0x180E), (0x200B, 0x200B)],
    [(0x30, 0x39), (0x30, 0x39), (0x660, 0x669), (0xBC, 0xBE), (0x2160, 0x2180), (0xB2, 0xB3)],
    [(0x27, 0x27), (0x27, 0x27), (0x73, 0x74), (0x53, 0x54), (0x6C, 0x6D), (0x4C, 0x4D), (0x64, 0x65), (0x44, 0x45), (0x72, 0x72),
     (0x76, 0x76), (0x20, 0x20)],
]
MARKS = ["<|user|>", "<|image|>", "<think>", "</answer>", "[gMASK]", "<sop>", "<|endoftext|>", "<|use", "<|", "|>"]


class Random:
    """xorshift64*, upper 32 bits."""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 + 1) & MASK

    def below(self, count):
        self.state ^= self.state >> 12
        self.state ^= (self.state << 25) & MASK
        self.state ^= self.state >> 27
        return (((self.state * 0x2545F4914F6CDD1D) & MASK) >> 32) % count


def strings(chunk):
    random = Random(chunk + 1)
    for _ in range(1000):
        kind = random.below(11)
        text = ""
        for _ in range(1 + random.below(48)):
            alphabet = kind if kind < 9 else random.below(9)
            if kind == 10 and random.below(8) == 0:
                text += MARKS[random.below(len(MARKS))]
                continue
            low, high = ALPHABETS[alphabet][random.below(len(ALPHABETS[alphabet]))]
            text += chr(low + random.below(high - low + 1))
        yield text


def hash_of(chunk, encode):
    digest = hashlib.sha256()
    for text in strings(chunk):
        ids = encode(text)
        digest.update(struct.pack(f"<{len(ids) + 1}i", *ids, -1))
    return digest.hexdigest()


def ranks(path):
    lines = (line.split() for line in pathlib.Path(path).read_bytes().splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def main():
    real = tiktoken.Encoding("glm4", pat_str=PATTERN, mergeable_ranks=ranks(sys.argv[1]), special_tokens={})
    source = (GOLDEN / "small_tokenizer.json").read_text()
    merging = source.replace('"ignore_merges": true', '"ignore_merges": false')
    assert merging != source
    small, small_merging = Tokenizer.from_str(source), Tokenizer.from_str(merging)
    out = {"real": [hash_of(chunk, real.encode_ordinary) for chunk in range(100)]}
    for name, tokenizer in (("small", small), ("small_merging", small_merging)):
        out[name] = [hash_of(chunk, lambda text, t=tokenizer: t.encode(text, add_special_tokens=False).ids) for chunk in range(3)]
    (GOLDEN / "hashes.json").write_text(json.dumps(out, indent=1) + "\n")


if __name__ == "__main__":
    main()
