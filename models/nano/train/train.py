#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains nano on rendered pictures, on a CPU or a GPU.

train.py --init CHECKPOINT --data DIR [DIR ...] --held DIR [DIR ...] --out DIR --minutes M     starts from a checkpoint
train.py --resume --data ... --held ... --out DIR --minutes M                               goes on, M minutes in all

--workers processes of one thread each train on their own batches, and every --sync steps their weights become the mean of all: cores that
are shared with other work are then waited for seldom. On a GPU there is one worker. Shards that appear in the folders while it runs
are taken in. With --slice S it ends after S minutes of wall time, saved: --resume goes on.

Every --every minutes it saves OUT/state.pt, measures the running average of the weights on the held-out states (whole answers
right, the argmax at each place, the click inside the widget) and, only if they are the best so far, writes them to OUT/best, a complete
checkpoint; the newest are in OUT/newest. OUT/log.jsonl and OUT/curve.svg tell how it went. An empty file OUT/stop ends it early.
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
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import Glm4vForConditionalGeneration

import curve
import data
import net
import objective
from muon import Muon


FIRST = ["read"] * 11 + ["blind"]               # kinds of steps, again and again
THEN = ["whole", "blind", "whole", "read", "whole", "blind", "whole", "read"]


class Trainer:
    def __init__(self, a, rank):
        self.a, self.rank = a, rank
        self.reference = Glm4vForConditionalGeneration.from_pretrained(a.out + "/base", dtype=torch.float32).to(a.device)
        self.net = net.Net(self.reference).to(a.device)
        self.encode = data.Encoder(Tokenizer.from_file(a.out + "/base/tokenizer.json"))
        self.objective = objective.Objective(self.net, self.encode.numbers).to(a.device)
        self.named = {n: p for n, p in self.objective.named_parameters()}
        self.average = {n: p.detach().clone() for n, p in self.reference.named_parameters()}
        see, say = [], []
        for name, p in self.named.items():
            table = any(s in name for s in ("embed_tokens", "lm_head", "position_embedding", "tell"))
            (see if "visual" in name or "embed_tokens" in name else say).append((p, p.ndim >= 2 and not table))
        self.groups = {key: (Muon([p for p, m in members if m]), torch.optim.AdamW([p for p, m in members if not m], betas=(0.9, 0.98), weight_decay=0.0))
                       for key, members in (("see", see), ("say", say))}
        if a.compile:
            self.net.vision, self.net.text = torch.compile(self.net.vision, dynamic=False), torch.compile(self.net.text, dynamic=True)
        self.step, self.spent, self.best, self.log, self.pages = 0, 0.0, -1.0, [], []
        if a.resume:
            self.load()
        self.random = random.Random("%d %d %d" % (a.seed, rank, self.step))

    # ------------------------------------------------------------ batches
    def batch(self, shards, pictures, each, r, learning=True):
        """`each` samples of every picture. -> pictures, states, Batch, geometry"""
        images, states, samples = [], [], []
        for _ in range(pictures):
            state = shards.draw(r)
            image = data.picture(state)
            if learning and r.random() < self.a.blank:
                image, state = data.blank(image, state, r)
            images.append(image)
            states.append(state)
            for k in range(each):
                samples.append(data.Sample(state, r, other=(self.a.others if k else 0.1) if learning else 0.2, missing=self.a.missing))
        geometry = self.net.geometry(*states[0]["size"], self.a.device)
        return torch.from_numpy(np.stack(images)).to(self.a.device), states, objective.Batch(samples, self.encode, geometry.tokens, self.a.device), geometry

    def blind(self, shards, r):
        """Tasks without pictures, whose next words stand in the task."""
        samples = []
        while len(samples) < self.a.blind:
            s = data.Sample(r.choice(shards).draw(r), r)
            if s.source >= 0 or s.verb == "done":
                samples.append(s)
        return objective.Batch(samples, self.encode, 0, self.a.device)

    def cast(self):
        return torch.autocast(self.a.device, dtype=torch.bfloat16, enabled=self.a.bf16)

    # ------------------------------------------------------------ measuring
    @torch.no_grad()
    @torch.compiler.set_stance("force_eager")
    def measure(self, shards):
        """Whole answers right, the argmax at every place (the answer so far given), the point inside the widget. -> dict"""
        r, kinds = random.Random(99), {}
        own = {n: p.detach().clone() for n, p in self.reference.named_parameters()}
        self.set_weights(self.average)
        for source in shards:
            for _ in range(self.a.measure // 32):
                images, states, batch, geometry = self.batch(source, 32, 1, r, False)
                with self.cast():
                    _, hidden, _, _ = self.objective(images, batch, 1, geometry)
                    scores, want = self.objective.logits(batch, hidden)
                self.judge(batch, scores.cpu(), want.cpu(), kinds, os.path.basename(source.folder))
        self.set_weights(own)
        return {k: [round(float(x), 3) for x in np.mean(v, 0)] + [len(v)] for k, v in sorted(kinds.items())}

    def judge(self, batch, scores, want, kinds, source):
        said = scores.argmax(-1)
        for i, (e, s) in enumerate(zip(batch.rows, batch.samples)):
            low, high = batch.first[i], batch.first[i + 1]
            same = said[low:high] == want[low:high]
            inside, (w, h) = True, s.state["size"]
            for n, (pos, value) in enumerate(e["coordinates"]):
                at = pos - e["begin"]
                told = scores[low + at][self.encode.numbers].argmax().item()
                same[at] = True
                size = (w, h)[n % 2]
                if n < 2 and s.target:
                    inside &= s.target["box"][n] - 2 < told / 1000 * size < s.target["box"][n + 2] + 2
                else:
                    inside &= abs(told - value) < 25
            exact = same.all().item()
            for key in ("all", source, source + " " + s.verb, "page " + s.state["kind"]):
                kinds.setdefault(key, []).append((exact and inside, exact))

    # ------------------------------------------------------------ weights and state
    @torch.no_grad()
    def set_weights(self, weights):
        for n, p in self.reference.named_parameters():
            p.copy_(weights[n])

    @torch.no_grad()
    def follow(self):
        """The running average takes a step towards the weights."""
        keep = min(self.a.keep, (1 + self.step) / (10 + self.step)) ** self.a.sync
        for n, p in self.reference.named_parameters():
            self.average[n].lerp_(p, 1 - keep)

    def write(self, folder):
        """The average as a complete checkpoint in bfloat16."""
        shutil.copytree(self.a.out + "/base", folder, dirs_exist_ok=True)
        tensors = {n: v.to("cpu", torch.bfloat16).contiguous() for n, v in self.average.items()}
        save_file(tensors, folder + "/model.safetensors.new", metadata={"format": "pt"})
        os.replace(folder + "/model.safetensors.new", folder + "/model.safetensors")

    def save(self):
        state = dict(weights=self.objective.state_dict(), average=self.average, step=self.step, spent=self.spent, best=self.best,
                     log=self.log, optimisers={k: [o.state_dict() for o in v] for k, v in self.groups.items()})
        torch.save(state, self.a.out + "/state.tmp")
        os.replace(self.a.out + "/state.tmp", self.a.out + "/state.pt")

    def load(self):
        state = torch.load(self.a.out + "/state.pt", weights_only=False, map_location=self.a.device)
        self.objective.load_state_dict(state["weights"])
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
        self.write(self.a.out + "/newest")
        if figures["all"][0] > self.best:
            self.best = figures["all"][0]
            self.write(self.a.out + "/best")
        self.save()

    # ------------------------------------------------------------ learning
    def learn(self, shards):
        """One step: of pictures of one source and tasks about them, of pictures only read, or of tasks alone. -> what it was like"""
        kind = FIRST[self.step % len(FIRST)] if self.spent < self.a.first * 60 else THEN[self.step % len(THEN)]
        source = self.random.choices(shards, self.a.shares)[0]
        with self.cast():
            if kind == "blind":
                total, info = self.objective.losses(None, [], self.blind(shards, self.random), 1, None, self.random)
                info = {"blind " + k: v for k, v in info.items()}
            elif kind == "read":
                total, info = self.only_read(self.random.choice(self.pages) if self.pages and self.random.random() < 0.75 else source)
            else:
                images, states, batch, geometry = self.batch(source, self.a.pictures, self.a.each, self.random)
                total, info = self.objective.losses(images, states, batch, self.a.each, geometry, self.random,
                                                     0.0 if self.spent < self.a.frozen * 60 else self.a.back)
        total.backward()
        for opts in self.groups.values():
            if all(p.grad is None for g in opts[0].param_groups for p in g["params"]):
                continue
            torch.nn.utils.clip_grad_norm_([p for g in opts[1].param_groups for p in g["params"] if p.grad is not None], 1.0)
            for o in opts:
                o.step()
        for p in self.named.values():
            p.grad = None
        self.step += 1
        return info

    def only_read(self, source):
        """Pictures, of pages full of words where there are such, to be read and nothing else."""
        states = [source.draw(self.random) for _ in range(self.a.pictures)]
        geometry = self.net.geometry(*states[0]["size"], self.a.device)
        images = torch.from_numpy(np.stack([data.picture(s) for s in states])).to(self.a.device)
        image = self.net.vision(geometry.patches(images), geometry)
        parts, right = self.objective.read(image, images, states, geometry)
        return sum(objective.WEIGHTS[k] * v for k, v in parts.items()), dict({k: v.item() for k, v in parts.items()}, read_right=right)

    @torch.no_grad()
    def meet(self, stop):
        """All workers' weights become their mean, and the first worker's clock everybody's. -> whether to stop"""
        if self.a.workers > 1:
            flat = torch.cat([p.flatten() for p in self.named.values()])
            dist.all_reduce(flat)
            at = 0
            for p in self.named.values():
                p.copy_(flat[at:at + p.numel()].view_as(p) / self.a.workers)
                at += p.numel()
            clock = torch.tensor([self.spent, float(stop)], dtype=torch.float64)
            dist.broadcast(clock, 0)
            self.spent, stop = clock[0].item(), bool(clock[1])
        self.follow()
        return stop

    def run(self):
        shards, held = [data.Shards(d) for d in self.a.data], [data.Shards(d) for d in self.a.held]
        data.OTHERS = data.labels(shards)
        self.pages = [data.Shards(d) for d in self.a.pages]
        end, smooth, begun = self.a.minutes * 60, {}, time.time()
        last = since = begun
        while True:
            self.rates(self.spent / end)
            for k, v in self.learn(shards).items():
                smooth[k] = smooth.get(k, v) * 0.95 + v * 0.05
            now = time.time()
            self.spent, last = self.spent + now - last, now
            if self.step % self.a.sync:
                continue
            if self.meet(self.spent >= end or now - begun > self.a.slice * 60 or os.path.exists(self.a.out + "/stop")):
                break
            if self.step % 60 == 0 and self.rank == 0:
                print("%5d %.1f min" % (self.step, self.spent / 60), {k: round(v, 3) for k, v in sorted(smooth.items())}, flush=True)
            if self.rank == 0 and now - since > self.a.every * 60:
                self.checkpoint(held)
                since = time.time()
            if self.step % 300 == 0:
                for source in shards + self.pages:
                    source.look()
            last = time.time()
        if self.rank == 0:
            with open(self.a.out + "/losses.json", "w") as f:
                json.dump(smooth, f)
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
    ap.add_argument("--data", required=True, nargs="+", help="folders of shards written by pages.py and render.py")
    ap.add_argument("--pages", nargs="*", default=[], help="folders of pages full of words, only to be read")
    ap.add_argument("--shares", type=float, nargs="+", help="how often each folder's turn comes")
    ap.add_argument("--held", required=True, nargs="+", help="folders of shards, of another seed, to measure on")
    ap.add_argument("--out", required=True)
    ap.add_argument("--minutes", type=float, required=True, help="training time, measuring not counted")
    ap.add_argument("--slice", type=float, default=1e9, help="end after so many minutes of wall time, to be resumed")
    ap.add_argument("--every", type=float, default=8, help="minutes between measurements")
    ap.add_argument("--measure", type=int, default=256, help="held-out states of each folder")
    ap.add_argument("--first", type=float, default=0, help="minutes at the beginning in which pictures are only read, and tasks only spoken of")
    ap.add_argument("--frozen", type=float, default=0, help="minutes from the beginning in which what is said teaches nothing to what sees")
    ap.add_argument("--back", type=float, default=1.0, help="after them: how much of it goes back to what sees; reading suffers from much of it")
    ap.add_argument("--pictures", type=int, default=8, help="pictures in a worker's step")
    ap.add_argument("--each", type=int, default=2, help="tasks asked about each picture")
    ap.add_argument("--others", type=float, default=0.7, help="share of the second tasks that ask for anything that can be clicked")
    ap.add_argument("--missing", type=float, default=0.06, help="share of tasks that name what is not there")
    ap.add_argument("--blank", type=float, default=0.02, help="share of pictures that show nothing")
    ap.add_argument("--blind", type=int, default=16, help="tasks without pictures in a worker's step")
    ap.add_argument("--rate", type=float, default=0.5, help="learning rate, as a multiple of Muon 0.02 and AdamW 0.002")
    ap.add_argument("--see-rate", type=float, default=0.7, help="the vision's rate, as a multiple of that")
    ap.add_argument("--fall", type=float, default=0.4, help="share of the time in which the rate falls")
    ap.add_argument("--keep", type=float, default=0.99, help="of the running average, per step")
    ap.add_argument("--bf16", action=argparse.BooleanOptionalAction, default=True, help="autocast to bfloat16")
    ap.add_argument("--compile", action="store_true", help="a quarter faster on a CPU, after two minutes of a C++ compiler's work")
    ap.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    ap.add_argument("--workers", type=int, help="default: 2 on a CPU, 1 on a GPU")
    ap.add_argument("--threads", type=int, default=1, help="threads of a worker")
    ap.add_argument("--sync", type=int, default=10, help="steps between two meetings of the workers")
    ap.add_argument("--seed", type=int, default=1)
    a = ap.parse_args()
    a.workers = a.workers or (2 if a.device == "cpu" else 1)
    a.shares = a.shares or [1.0] * len(a.data)
    if not a.init and not a.resume:
        ap.error("give --init or --resume")
    os.makedirs(a.out, exist_ok=True)
    for left in ("stop", "meeting"):
        if os.path.exists(a.out + "/" + left):
            os.remove(a.out + "/" + left)
    if not a.resume:
        shutil.copytree(a.init, a.out + "/base", dirs_exist_ok=True, ignore=shutil.ignore_patterns("train", "eval", "*.md", "SHA256SUMS"))
    if a.workers == 1:
        return work(0, a)
    torch.multiprocessing.spawn(work, (a,), a.workers)


if __name__ == "__main__":
    main()
