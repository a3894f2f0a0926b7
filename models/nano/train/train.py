#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Go on training nano on rendered states of dialogs, on the CPU.

train.py --init CHECKPOINT --data DIR --held DIR --out DIR --minutes M       starts from a checkpoint
train.py --resume --data DIR --held DIR --out DIR --minutes M            goes on from OUT/state.pt, M minutes in all

--workers processes of one thread each train on their own batches, and every --sync steps their weights become the mean of all: cores that
are shared with other work are then waited for seldom.

Every --every minutes it saves OUT/state.pt, measures the running average of the weights on the held-out states (whole answers
right, by length of history) and, only if they are the best so far, writes them to OUT/best, a complete checkpoint. At the end the
same is done once more. OUT/curve.svg shows the measurements, OUT/log.jsonl holds them. Create OUT/stop to end early.
"""
import argparse
import json
import os
import random
import shutil
import time

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing
import torch.nn.functional as F
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import Glm4vForConditionalGeneration

import curve
import data
import net
import words
from muon import Muon

# Attention heads that are shown where to look: (layer, head).
GUIDES = dict(
    chain=(1, 4),        # a goal's words in the task -> the label of the goal before it
    last=(1, 1),         # the answer's first words -> the label of the last finished goal in the history
    copies=(2, 1),       # a word about to be said -> the same word in the task
    name=(2, 0),         # the word that names the target -> the place where it is drawn
    naming=(3, 0),       # a coordinate about to be said -> the word that names the target
)
WEIGHTS = dict(text=1.0, point=1.0, read=1.0, name=0.3, naming=0.3, copies=0.3, chain=0.1, last=0.1)


class Trainer:
    def __init__(self, a, rank):
        self.a, self.rank = a, rank
        source = a.out + "/base"
        self.reference = Glm4vForConditionalGeneration.from_pretrained(source, dtype=torch.float32)
        self.net = net.Net(self.reference)
        self.encode = data.Encoder(Tokenizer.from_file(source + "/tokenizer.json"))
        self.numbers = torch.tensor(self.encode.numbers)
        self.word_ids = torch.tensor(sorted(self.encode.vocabulary.values()))
        self.average = {n: p.detach().clone() for n, p in self.reference.named_parameters()}
        see, say = [], []
        for name, p in self.reference.named_parameters():
            table = any(s in name for s in ("embed_tokens", "lm_head", "position_embedding"))
            (see if "visual" in name or "embed_tokens" in name else say).append((p, p.ndim >= 2 and not table))
        self.groups = {}
        for key, members in (("see", see), ("say", say)):
            self.groups[key] = (Muon([p for p, m in members if m]),
                                torch.optim.AdamW([p for p, m in members if not m], betas=(0.9, 0.98), weight_decay=0.0))
        self.step, self.spent, self.best, self.log = 0, 0.0, -1.0, []
        if a.resume:
            self.load()
        self.random = random.Random("%d %d %d" % (a.seed, rank, self.step))

    # ------------------------------------------------------------ batches and losses
    def batch(self, shards, pictures, each, r, move):
        """-> pictures (B, H, W, 3), states, samples: `each` of every picture, in order"""
        images, states, samples = [], [], []
        for _ in range(pictures):
            image, state = shards.draw(r)
            if move and r.random() < self.a.shift:
                image, state = data.shift(image, state, r)
            images.append(image)
            states.append(state)
            samples += [data.Sample(state, r) for _ in range(each)]
        return np.stack(images), states, samples

    def forward(self, images, samples, each):
        """images: those that the samples ask about, then any number that are only read; None: the samples are blind.
        -> image tokens, encoded samples, ids (B, T), hidden (B, A, D) before each answer token, attention parts"""
        rows = [self.encode(s, images is None) for s in samples]
        ids = torch.full((len(rows), max(len(e["ids"]) for e in rows)), self.encode.id["<|user|>"])
        for row, e in zip(ids, rows):
            row[:len(e["ids"])] = torch.tensor(e["ids"])
        starts, begin, end = (torch.tensor([e[k] for e in rows]) for k in ("start", "begin", "end"))
        asked = torch.minimum(begin[:, None] + torch.arange((end - begin).max()), end[:, None] - 1) - 1
        image = asked_about = None
        if images is not None:
            image = self.net.vision(net.patches(images))
            asked_about = image[:len(rows) // each].repeat_interleave(each, 0)
        hidden, seen = self.net.text(ids, asked_about, starts, asked)
        return image, rows, ids, hidden, seen

    def logits(self, rows, ids, hidden):
        """-> (row, position) of every answer token, its logits, its id"""
        b = torch.cat([torch.full((e["end"] - e["begin"],), i) for i, e in enumerate(rows)])
        t = torch.cat([torch.arange(e["begin"], e["end"]) for e in rows])
        begin = torch.tensor([e["begin"] for e in rows])
        return b, t, F.linear(hidden[b, t - begin[b]], self.reference.lm_head.weight).float(), ids[b, t]

    def guide(self, rows, seen, which, b, query):
        """Log attention (N, T) of a guided head from the query positions."""
        layer, head = GUIDES[which]
        q, k = seen[layer]
        first = torch.tensor([e["begin"] - 1 for e in rows]) if layer == len(seen) - 1 else torch.zeros(len(rows), dtype=torch.long)
        score = (k[b, 0].float() @ q[b, head, query - first[b]].float()[:, :, None])[..., 0] / 8
        later = torch.arange(k.shape[2]) > query[:, None]
        return score.masked_fill(later, -1e9).log_softmax(-1)

    def pairs(self, rows, seen, which):
        """Loss of a guided head whose targets are (query, key) pairs."""
        found = [(i, q, k) for i, e in enumerate(rows) for q, k in e[which]]
        if not found:
            return torch.zeros(())
        b, q, k = torch.tensor(found).T
        return -self.guide(rows, seen, which, b, q).gather(1, k[:, None]).mean()

    def read_loss(self, image, states):
        """Image tokens must be nearest to the embedding of the word that is drawn there. -> loss, share right"""
        n, at, word, weight = (torch.tensor(x) for x in self.encode.reading(states))
        table = F.normalize(self.reference.model.language_model.embed_tokens.weight[self.word_ids].float(), dim=-1)
        scores = 20 * F.normalize(image[n, at].float(), dim=-1) @ table.T
        want = torch.searchsorted(self.word_ids, word)
        loss = (F.cross_entropy(scores, want, reduction="none") * weight).sum() / weight.sum()
        return loss, (((scores.argmax(-1) == want) * weight).sum() / weight.sum()).item()

    def point_losses(self, rows, samples, seen, scores, value):
        """Where the clicks go. scores (N, vocabulary), value (N): of the coordinates in order. -> dict of losses"""
        soft = torch.exp(-0.5 * ((torch.arange(1000.) - value[:, None].float()) / 8) ** 2)
        soft = soft / soft.sum(-1, keepdim=True)
        point = -(soft * F.log_softmax(scores, -1)[:, self.numbers]).sum(-1).mean()
        boxes = torch.tensor([s.target["name"] for s in samples if s.target]).float()
        b, query, start = torch.tensor([(i, e["name"], e["start"]) for i, e in enumerate(rows) if samples[i].target]).T
        cells = torch.arange(net.TOKENS)
        dx = (cells % net.COLS + .5) * net.CELL - (boxes[:, :1] + boxes[:, 2:3]) / 2
        dy = (cells // net.COLS + .5) * net.CELL - (boxes[:, 1:2] + boxes[:, 3:]) / 2
        place = torch.softmax(-0.5 * ((dx / 14) ** 2 + (dy / 10) ** 2), -1)
        name = -(place * self.guide(rows, seen, "name", b, query).gather(1, start[:, None] + cells)).sum(-1).mean()
        return dict(point=point, name=name)

    def losses(self, images, states, samples, each):
        """-> total loss, what there is to say about it"""
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.a.bf16):
            image, rows, ids, hidden, seen = self.forward(images, samples, each)
            b, t, scores, want = self.logits(rows, ids, hidden)
            weight, coordinate = torch.ones(len(b)), torch.full((len(b),), -1)
            first = np.cumsum([0] + [e["end"] - e["begin"] for e in rows])
            for i, e in enumerate(rows):
                for pos in e["decisive"]:
                    weight[first[i] + pos - e["begin"]] = 3.0
                for pos, value in e["coordinates"]:
                    coordinate[first[i] + pos - e["begin"]] = value
            plain = coordinate < 0
            ce = F.cross_entropy(scores[plain], want[plain], reduction="none")
            parts = dict(text=(ce * weight[plain]).sum() / weight[plain].sum())
            info = dict(right=(scores.argmax(-1) == want)[plain].float().mean().item())
            if image is not None:
                parts["read"], info["read_right"] = self.read_loss(image, states)
            if not plain.all():
                parts.update(self.point_losses(rows, samples, seen, scores[~plain], coordinate[~plain]))
            for which in ("chain", "last", "copies", "naming"):
                parts[which] = self.pairs(rows, seen, which)
            total = sum(WEIGHTS[k] * v for k, v in parts.items())
        info.update({k: v.item() for k, v in parts.items()})
        return total, info

    # ------------------------------------------------------------ measuring
    @torch.no_grad()
    def measure(self, shards, count=192):
        """Whole answers right, the argmax at every place (the answer so far given), the point inside the widget. -> dict"""
        r, kinds = random.Random(99), {}
        own = {n: p.detach().clone() for n, p in self.reference.named_parameters()}
        self.set_weights(self.average)
        for _ in range(count // 32):
            images, states, samples = self.batch(shards, 16, 2, r, False)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.a.bf16):
                _, rows, ids, hidden, _ = self.forward(images, samples, 2)
                b, t, scores, want = self.logits(rows, ids, hidden)
            said = scores.argmax(-1)
            first = np.cumsum([0] + [e["end"] - e["begin"] for e in rows])
            for i, (e, s) in enumerate(zip(rows, samples)):
                same = said[first[i]:first[i + 1]] == want[first[i]:first[i + 1]]
                inside = True
                for (pos, _), low, high, size in zip(e["coordinates"], (0, 1), (2, 3), (data.W, data.H)):
                    n = first[i] + pos - e["begin"]
                    v = scores[n][self.numbers].argmax().item() / 1000 * size
                    inside &= s.target["box"][low] < v < s.target["box"][high] - 1
                    same[pos - e["begin"]] = True
                fields = sum(g[0] == "set" for g in s.goals)
                known = s.half and set(s.said.split()) <= set(words.VALUES)
                what = "type" if known else "type unknown" if s.half else "click" if s.target else "done"
                words_right, whole = same.all().item(), same.all().item() and inside
                for key in ("all", "steps %d" % len(s.steps), "fields %d" % fields, what):
                    kinds.setdefault(key, []).append((whole, words_right))
        self.set_weights(own)
        return {k: [round(float(x), 3) for x in np.mean(v, 0)] + [len(v)] for k, v in sorted(kinds.items())}

    # ------------------------------------------------------------ weights and state
    @torch.no_grad()
    def set_weights(self, weights):
        for n, p in self.reference.named_parameters():
            p.copy_(weights[n])

    @torch.no_grad()
    def follow(self):
        """The running average takes a step towards the weights."""
        keep = min(0.99, (1 + self.step) / (10 + self.step)) ** self.a.sync
        for n, p in self.reference.named_parameters():
            self.average[n].lerp_(p, 1 - keep)

    def write(self, folder):
        """The average as a complete checkpoint in bfloat16."""
        shutil.copytree(self.a.out + "/base", folder, dirs_exist_ok=True)
        tensors = {n: v.to(torch.bfloat16).contiguous() for n, v in self.average.items()}
        save_file(tensors, folder + "/model.safetensors", metadata={"format": "pt"})

    def save(self):
        state = dict(weights=self.reference.state_dict(), average=self.average, step=self.step, spent=self.spent, best=self.best,
                     log=self.log, optimisers={k: [o.state_dict() for o in v] for k, v in self.groups.items()})
        torch.save(state, self.a.out + "/state.tmp")
        os.replace(self.a.out + "/state.tmp", self.a.out + "/state.pt")

    def load(self):
        state = torch.load(self.a.out + "/state.pt", weights_only=False)
        self.reference.load_state_dict(state["weights"])
        for k, opts in self.groups.items():
            for o, s in zip(opts, state["optimisers"][k]):
                o.load_state_dict(s)
        self.average, self.step, self.spent = state["average"], state["step"], state["spent"]
        self.best, self.log = state["best"], state["log"]

    def rates(self, share):
        """Learning rates at this share of the time: a short rise, level, then a straight fall to nothing."""
        k = self.a.rate * min(1, (self.step + 1) / 100) * min(1, max(0.01, (1 - share) / self.a.fall))
        for key, opts in self.groups.items():
            scale = k * (self.a.see_rate if key == "see" else 1)
            for o, base in zip(opts, (0.02, 2e-3)):
                for g in o.param_groups:
                    g["lr"] = base * scale

    def checkpoint(self, held):
        figures = self.measure(held)
        self.log.append(dict(minutes=round(self.spent / 60, 1), step=self.step, **figures))
        print("HELD OUT", json.dumps(self.log[-1]), flush=True)
        with open(self.a.out + "/log.jsonl", "a") as f:
            f.write(json.dumps(self.log[-1]) + "\n")
        curve.write(self.log, self.a.out + "/curve.svg")
        if figures["all"][0] > self.best:
            self.best = figures["all"][0]
            self.write(self.a.out + "/best")
        self.save()

    def learn(self, shards, pages):
        """One step: on even ones of pictures, on odd ones of tasks alone, up to the thought. -> what it was like"""
        if self.step % 2:
            samples = [data.Sample(shards.draw_state(self.random), self.random, 0) for _ in range(self.a.blind)]
            total, info = self.losses(None, [], samples, 1)
            info = {"blind " + k: v for k, v in info.items()}
        else:
            images, states, samples = self.batch(shards, self.a.pictures, self.a.each, self.random, True)
            if self.a.reading:
                more, told, _ = self.batch(pages, self.a.reading, 0, self.random, True)
                images, states = np.concatenate([images, more]), states + told
            total, info = self.losses(images, states, samples, self.a.each)
        total.backward()
        for opts in self.groups.values():
            torch.nn.utils.clip_grad_norm_([p for g in opts[1].param_groups for p in g["params"]], 1.0)
            for o in opts:
                o.step()
        for p in self.reference.parameters():
            p.grad = None
        self.step += 1
        return info

    @torch.no_grad()
    def meet(self, stop):
        """All workers' weights become their mean, and the first worker's clock everybody's. -> whether to stop"""
        if self.a.workers > 1:
            flat = torch.cat([p.flatten() for p in self.reference.parameters()])
            dist.all_reduce(flat)
            at = 0
            for p in self.reference.parameters():
                p.copy_(flat[at:at + p.numel()].view_as(p) / self.a.workers)
                at += p.numel()
            clock = torch.tensor([self.spent, float(stop)], dtype=torch.float64)
            dist.broadcast(clock, 0)
            self.spent, stop = clock[0].item(), bool(clock[1])
        self.follow()
        return stop

    def run(self):
        shards, held, pages = data.Shards(self.a.data), data.Shards(self.a.held), data.Shards(self.a.pages or "")
        end, smooth, last, since = self.a.minutes * 60, {}, time.time(), time.time()
        while True:
            self.rates(self.spent / end)
            for k, v in self.learn(shards, pages).items():
                smooth[k] = smooth.get(k, v) * 0.95 + v * 0.05
            now = time.time()
            self.spent, last = self.spent + now - last, now
            if self.step % self.a.sync:
                continue
            if self.meet(self.spent >= end or os.path.exists(self.a.out + "/stop")):
                break
            if self.step % 50 == 0 and self.rank == 0:
                print("%5d %.1f min" % (self.step, self.spent / 60), {k: round(v, 3) for k, v in smooth.items()}, flush=True)
            if self.rank == 0 and now - since > self.a.every * 60:
                self.checkpoint(held)
                since = last = time.time()
        if self.rank == 0:
            self.checkpoint(held)


def work(rank, a):
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    if a.workers > 1:
        dist.init_process_group("gloo", init_method="file://%s/meeting" % os.path.abspath(a.out), rank=rank, world_size=a.workers)
    Trainer(a, rank).run()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--init", help="checkpoint to start from")
    ap.add_argument("--resume", action="store_true", help="go on from OUT/state.pt")
    ap.add_argument("--data", required=True, help="folder of shards written by render.py")
    ap.add_argument("--held", required=True, help="folder of shards, of another seed, to measure on")
    ap.add_argument("--pages", help="folder of shards written by render.py --pages")
    ap.add_argument("--out", required=True)
    ap.add_argument("--minutes", type=float, required=True, help="training time, measuring not counted")
    ap.add_argument("--every", type=float, default=8, help="minutes between measurements")
    ap.add_argument("--pictures", type=int, default=6, help="pictures in a worker's step")
    ap.add_argument("--each", type=int, default=2, help="tasks asked about each picture")
    ap.add_argument("--shift", type=float, default=0.15, help="share of the pictures that are moved by some pixels")
    ap.add_argument("--blind", type=int, default=48, help="tasks without pictures in a worker's step")
    ap.add_argument("--reading", type=int, default=0, help="pages only to be read in a worker's step")
    ap.add_argument("--rate", type=float, default=0.4, help="learning rate, as a multiple of Muon 0.02 and AdamW 0.002")
    ap.add_argument("--see-rate", type=float, default=0.6, help="the vision's rate, as a multiple of that")
    ap.add_argument("--fall", type=float, default=0.4, help="share of the time in which the rate falls")
    ap.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="autocast to bfloat16")
    ap.add_argument("--workers", type=int, default=2)
    ap.add_argument("--threads", type=int, default=1, help="threads of a worker")
    ap.add_argument("--sync", type=int, default=10, help="steps between two meetings of the workers")
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    if a.reading and not a.pages:
        ap.error("--reading needs --pages")
    if not a.init and not a.resume:
        ap.error("give --init or --resume")
    os.makedirs(a.out, exist_ok=True)
    for left in ("stop", "meeting"):
        if os.path.exists(a.out + "/" + left):
            os.remove(a.out + "/" + left)
    if not a.resume:
        shutil.copytree(a.init, a.out + "/base", dirs_exist_ok=True, ignore=shutil.ignore_patterns("train", "eval", "*.md"))
    torch.multiprocessing.spawn(work, (a,), a.workers)


if __name__ == "__main__":
    main()
