#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Gives the head that looks from a label to its place a start: what the end of a label and the picture of it have in common.

align.py OUT --data DIR [DIR ...]          (OUT: a stopped run of train.py, whose state.pt is changed)

The hidden states of both, where that head reads them, are compared by canonical correlation (Hotelling 1936); the directions that agree most become
rows of the head's queries and keys, in the half of the head that the rotary positions leave alone. It takes a minute and spares the training many.
"""
import argparse
import random

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import Glm4vForConditionalGeneration

import data
import net
import objective

ROTARY, HEAD = 32, 64


@torch.no_grad()
def pairs(trainer_net, encode, sources, layer, count, r):
    """-> hidden states of labels' ends and of their places (N, D), as the layer's attention reads them"""
    goal = objective.Objective(trainer_net, encode.numbers)
    lm = trainer_net.reference.model.language_model
    left, right = [], []
    while sum(map(len, left)) < count:
        source = r.choice(sources)
        states = [source.draw(r) for _ in range(8)]
        geometry = trainer_net.geometry(*states[0]["size"], "cpu")
        samples = [data.Sample(s, r, other=0.5) for s in states for _ in range(2)]
        batch = objective.Batch(samples, encode, geometry.tokens, "cpu")
        image = trainer_net.vision(geometry.patches(torch.from_numpy(np.stack([data.picture(s) for s in states]))), geometry)
        _, _, kept = trainer_net.text(batch.ids, image.repeat_interleave(2, 0), batch.starts, batch.asked, geometry, (layer,))
        hidden = net.rms(kept[layer], lm.layers[layer].input_layernorm.weight)
        for i, (e, s) in enumerate(zip(batch.rows, samples)):
            if not s.target or e["name"] is None or s.source < 0:
                continue
            cells = data.cells(s.target["place"], geometry)
            left.append(hidden[i, e["name"]][None])
            right.append(hidden[i, e["start"] + max(cells, key=cells.get)][None])
    return torch.cat(left).double(), torch.cat(right).double()


def canonical(x, y, rank, ridge=0.05):
    """-> projections (rank, D) of both, their correlations (rank)"""
    def whiten(z):
        z = z - z.mean(0)
        values, vectors = torch.linalg.eigh(z.T @ z / len(z))
        return vectors @ torch.diag((values.clamp(min=0) + ridge * values.mean()).rsqrt()) @ vectors.T, z
    wx, x0 = whiten(x)
    wy, y0 = whiten(y)
    u, s, v = torch.linalg.svd(wx @ (x0.T @ y0 / len(x)) @ wy)
    return (wx @ u[:, :rank]).T, (wy @ v[:rank].T).T, s[:rank]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--data", nargs="+", required=True)
    ap.add_argument("--count", type=int, default=3000)
    a = ap.parse_args()
    torch.set_num_threads(2)
    state = torch.load(a.out + "/state.pt", weights_only=False)
    reference = Glm4vForConditionalGeneration.from_pretrained(a.out + "/base", dtype=torch.float32)
    nano = net.Net(reference)
    whole = objective.Objective(nano, [])
    whole.load_state_dict(state["weights"])
    layer, head = objective.GUIDES["name"]
    x, y = pairs(nano, data.Encoder(Tokenizer.from_file(a.out + "/base/tokenizer.json")), [data.Shards(d) for d in a.data], layer, a.count, random.Random(7))
    held = len(x) // 5
    px, py, s = canonical(x[held:], y[held:], HEAD - ROTARY)
    q, k = (x[:held] - x.mean(0)) @ px.T * s.sqrt(), (y[:held] - y.mean(0)) @ py.T * s.sqrt()
    score = q @ k.T
    print("correlations", [round(v, 2) for v in s.tolist()][::4])
    print("label finds its place among %d of other pictures: %.2f" % (held, (score.argmax(-1) == torch.arange(held)).double().mean()))
    gain = (8 * 9 / score.diag().mean()) ** 0.5             # 9 nats for a match, before the division by 8 = sqrt(64)
    prefix = "net.reference.model.language_model.layers.%d.self_attn." % layer
    for name, p, mean, low in (("q_proj", px, x.mean(0), head * HEAD + ROTARY), ("k_proj", py, y.mean(0), ROTARY)):
        rows = (p * s.sqrt()[:, None] * gain).float()
        bias = (-rows.double() @ mean).float()
        for key in ("weights", "average"):
            names = (prefix if key == "weights" else prefix.removeprefix("net.reference.")) + name
            state[key][names + ".weight"][low:low + len(rows)] = rows
            state[key][names + ".bias"][low:low + len(rows)] = bias
    torch.save(state, a.out + "/state.pt")


if __name__ == "__main__":
    main()
