#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A checkpoint that has learnt nothing: configuration, tokenizer, random weights.

start.py LIKE OUT --data DIR [DIR ...] [--vision] [--layers 6] [--seed 1]

LIKE is a checkpoint of the same family, from which the configuration and the other small files are taken (models/nano). The tokenizer, a
byte-level BPE, is trained on the texts of the rendered states. --vision: the weights that see are taken from LIKE as well.
"""
import argparse
import collections
import json
import os
import random
import re
import shutil

import torch
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, Glm4vForConditionalGeneration

import data
import spelling

SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def texts(folders, r, count=12000):
    """Prompts and answers, and all numbers."""
    for folder in folders:
        shards = data.Shards(folder)
        for _ in range(count // len(folders)):
            sample = data.Sample(shards.draw(r), r, other=0.3)
            yield sample.prompt + sample.answer
    for n in range(1000):
        for _ in range(150):
            yield "[%d,%d]" % (n, n)


def make_tokenizer(like, folders, r, spaced=160):
    """A tokenizer of the same number of entries and the same specials.

    A word is cut alike wherever it stands: the sign or space before it is a token of its own, but for the `spaced` words that tasks are
    most often made of. So a word of the task can be said again token by token.
    """
    old = json.load(open(like + "/tokenizer.json"))
    specials, size = [t["content"] for t in old["added_tokens"]], len(old["model"]["vocab"])
    split, bytes_of = pre_tokenizers.Split(Regex(SPLIT), "isolated", False), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.Split(Regex(r"\p{L}+"), "isolated", False), bytes_of])
    corpus = list(texts(folders, r))
    tok.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=size - spaced, min_frequency=1, show_progress=False,
                                                        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    assert tok.get_vocab_size() == size - spaced, "too few texts for the vocabulary"
    new = json.loads(tok.to_str())
    counts = collections.Counter(m for text in corpus for m in re.findall(r" ([A-Za-z]+)", text) if m in new["model"]["vocab"])
    for word, _ in counts.most_common(spaced):
        new["model"]["vocab"]["\u0120" + word] = len(new["model"]["vocab"])
        new["model"]["merges"].append(["\u0120", word])
    new["added_tokens"], new["decoder"] = old["added_tokens"], old["decoder"]
    tok = Tokenizer.from_str(json.dumps(new))
    tok.pre_tokenizer = pre_tokenizers.Sequence([split, bytes_of])
    assert [tok.token_to_id(s) for s in specials] == [t["id"] for t in old["added_tokens"]]
    missing = [n for n in range(1000) if len(tok.encode(str(n), add_special_tokens=False).ids) != 1]
    assert not missing, "numbers of several tokens: %s" % missing[:10]
    return tok


@torch.no_grad()
def prepare(model, tok):
    """Rows of the tables that say what is known about a token: its letters; of a number, its size."""
    table = model.model.language_model.embed_tokens.weight
    width = table.shape[1]
    letters = torch.randn(spelling.LENGTH, width) / 8
    count = tok.get_vocab_size()
    for i in range(count):
        text = tok.decode([i], skip_special_tokens=False)
        word = data.strip(text)
        table[i] = 0.3 * torch.randn(width) + (torch.from_numpy(spelling.spell(word)) @ letters if word else 0)
    table.mul_(1 / table[:count].std())
    waves = torch.randn(32, width) / 32 ** 0.5
    for n in range(1000):
        angle = torch.tensor([n / 1000 * torch.pi * (k + 1) for k in range(16)])
        wave = torch.cat([angle.cos(), angle.sin()]) / torch.arange(1, 17).repeat(2).sqrt()
        i = tok.encode(str(n), add_special_tokens=False).ids[0]
        model.lm_head.weight[i] = 0.05 * (wave @ waves)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("like")
    ap.add_argument("out")
    ap.add_argument("--data", nargs="+", required=True)
    ap.add_argument("--vision", action="store_true")
    ap.add_argument("--layers", type=int, default=6)
    ap.add_argument("--inner", type=int, default=704)
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    torch.manual_seed(a.seed)
    shutil.copytree(a.like, a.out, dirs_exist_ok=True, ignore=shutil.ignore_patterns("train", "eval", "*.md", "SHA256SUMS", "*.safetensors"))
    tok = make_tokenizer(a.like, a.data, random.Random(a.seed))
    tok.save(a.out + "/tokenizer.json")
    config = json.load(open(a.like + "/config.json"))
    config["text_config"].update(num_hidden_layers=a.layers, intermediate_size=a.inner)
    json.dump(config, open(a.out + "/config.json", "w"), indent=1)
    model = Glm4vForConditionalGeneration(AutoConfig.from_pretrained(a.out)).float()
    prepare(model, tok)
    if a.vision:
        old = Glm4vForConditionalGeneration.from_pretrained(a.like, dtype=torch.float32)
        model.model.visual.load_state_dict(old.model.visual.state_dict())
    save_file({n: p.detach().to(torch.bfloat16).contiguous() for n, p in model.named_parameters()}, a.out + "/model.safetensors", metadata={"format": "pt"})
    print("%d parameters, %d bytes in %s" % (sum(p.numel() for p in model.parameters()), os.path.getsize(a.out + "/model.safetensors"), a.out))


if __name__ == "__main__":
    main()
