# SPDX-License-Identifier: Apache-2.0
"""What the network is made to do: say the answer, read what image tokens show, and look where the answer comes from."""
import numpy as np
import torch
import torch.nn.functional as F

import data
import spelling
import net as network

# Attention heads that are shown where to look: (layer, head).
GUIDES = dict(
    chain=(1, 4),        # a goal's words in the task -> the words of the goal before it
    last=(2, 1),         # the answer's first words -> the words of the last step in the history
    copies=(3, 1),       # a word about to be said -> the same word in the task
    sees=(3, 2),         # a word about to be said that the task does not hold -> where it is drawn
    name=(4, 0),         # the end of the words that name the target -> the place where they are drawn
    naming=(5, 0),       # a coordinate about to be said -> the end of those words
    again=(5, 2),        # as copies: there it is known which of several words with the same beginning is being said
)
SPELT_INTO = 3           # the layer before which the end of a word in the prompt must know the word's letters
AIMED_INTO = 5           # the layer before which the end of the words that name the target must know where it is
AIM = 24                 # numbers that tell that
LOOK = 4                 # by so many parts a side, each of its mean colour, an image token tells how it looks
WEIGHTS = dict(aim=20.0, text=1.0, point=1.0, read=3.0, letters=2.0, where=2.0, looks=4.0, middle=1.0, spelt=1.0, name=0.3, naming=0.3, copies=0.3, again=0.3, sees=0.2, chain=0.3, last=0.1)


def looks(images, geometry):
    """images (B, H, W, 3) uint8 -> (B, tokens, LOOK * LOOK * 3): mean colours of the parts of each image token, -1 to 1."""
    side = network.CELL // LOOK
    parts = images.view(len(images), geometry.rows, LOOK, side, geometry.cols, LOOK, side, 3).float().mean((3, 6))
    return parts.permute(0, 1, 3, 2, 4, 5).flatten(3).flatten(1, 2) / 127.5 - 1


class Batch:
    """Samples as tensors. tokens: of each picture, 0 for none."""

    def __init__(self, samples, encode, tokens, device):
        self.samples, self.device = samples, device
        self.rows = [encode(s, tokens) for s in samples]
        longest = max(len(e["ids"]) for e in self.rows)
        fill = encode.id["<|user|>"]
        self.ids = torch.tensor([e["ids"] + [fill] * (longest - len(e["ids"])) for e in self.rows], device=device)
        self.starts = torch.tensor([e["start"] for e in self.rows], device=device)
        begin, end = (torch.tensor([e[k] for e in self.rows]) for k in ("begin", "end"))
        self.begin = begin
        self.asked = (torch.minimum(begin[:, None] + torch.arange(int((end - begin).max())), end[:, None] - 1) - 1).to(device)
        # every token of every answer: row, place, id; how much it counts; its thousandths, or -1
        self.row = torch.cat([torch.full((e["end"] - e["begin"],), i) for i, e in enumerate(self.rows)])
        self.at = torch.cat([torch.arange(e["begin"], e["end"]) for e in self.rows])
        self.first = np.cumsum([0] + [e["end"] - e["begin"] for e in self.rows])
        weight, value = torch.ones(len(self.row)), torch.full((len(self.row),), -1)
        for i, e in enumerate(self.rows):
            for pos in e["decisive"]:
                weight[self.first[i] + pos - e["begin"]] = 3.0
            for pos, v in e["coordinates"]:
                value[self.first[i] + pos - e["begin"]] = v
        self.weight, self.value = weight.to(device), value.to(device)


class Objective(torch.nn.Module):
    """Losses; holds the layers that tell spellings, which are no part of the model."""

    def __init__(self, net, numbers):
        super().__init__()
        self.net, self.numbers = net, torch.tensor(numbers)
        self.tell = torch.nn.Linear(net.tc.hidden_size, spelling.LENGTH)
        self.tell_halves = torch.nn.Linear(net.tc.hidden_size, spelling.HALVES)
        for layer in (self.tell, self.tell_halves):
            torch.nn.init.normal_(layer.weight, std=0.02)
            torch.nn.init.constant_(layer.bias, -2.5)
        self.tell_where = torch.nn.Linear(net.tc.hidden_size, network.PLACE)
        self.tell_middle = torch.nn.Linear(net.tc.hidden_size, 2)
        self.tell_looks = torch.nn.Linear(net.tc.hidden_size, LOOK * LOOK * 3)
        self.tell_aim = torch.nn.Linear(net.tc.hidden_size, AIM)

    def forward(self, images, batch, each, geometry, back=1.0):
        """images (B, H, W, 3) uint8, those asked about first; None: blind; back: how much of what saying
        it learns goes back to what sees, 0 to 1. -> image tokens, hidden before each answer token, attention parts, kept"""
        image = about = None
        if images is not None:
            image = self.net.vision(geometry.patches(images), geometry)
            about = image[:len(batch.rows) // each].repeat_interleave(each, 0)
            about = back * about + (1 - back) * about.detach()
        hidden, seen, kept = self.net.text(batch.ids, about, batch.starts, batch.asked, geometry, (SPELT_INTO, AIMED_INTO))
        return image, hidden, seen, kept

    def logits(self, batch, hidden):
        picked = hidden[batch.row.to(batch.device), (batch.at - batch.begin[batch.row]).to(batch.device)]
        return F.linear(picked, self.net.reference.lm_head.weight).float(), batch.ids[batch.row, batch.at]

    def guide(self, batch, seen, which, b, query):
        """Log attention (N, T) of a guided head from the query positions."""
        layer, head = GUIDES[which]
        q, k = seen[layer]
        first = batch.begin - 1 if layer == len(seen) - 1 else torch.zeros(len(batch.rows), dtype=torch.long)
        score = (k[b, 0].float() @ q[b, head, query - first[b]].float()[:, :, None])[..., 0] / 8
        later = torch.arange(k.shape[2], device=score.device) > query.to(score.device)[:, None]
        return score.masked_fill(later, -1e9).log_softmax(-1)

    def pairs(self, batch, seen, which, those=None):
        """Loss of a guided head whose targets are (query, key) pairs: `those` of the rows, or the ones that are called like the head."""
        found = [(i, q, k) for i, e in enumerate(batch.rows) for q, k in e[those or which]]
        if not found:
            return None
        b, q, k = torch.tensor(found).T
        return -self.guide(batch, seen, which, b, q).gather(1, k.to(batch.device)[:, None]).mean()

    def places(self, batch, seen, which, geometry):
        """Loss of a guided head whose targets are places on the picture."""
        queries = []
        for i, (e, s) in enumerate(zip(batch.rows, batch.samples)):
            if which == "name" and s.target:
                queries += [(i, at, e["start"], box) for at, box in ((e["name"], s.target["place"]), (e["ending"], s.target["end"])) if at is not None and box]
            elif which == "sees" and e["sees"]:
                box = next((w[1:] for w in s.state["words"] if data.strip(w[0]) == data.strip(s.said)), None)
                if box:
                    queries += [(i, q, e["start"], box) for q in e["sees"]]
        if not queries:
            return None
        where = torch.zeros(len(queries), geometry.tokens)
        for n, (_, _, _, box) in enumerate(queries):
            for cell, pixels in data.cells(box, geometry).items():
                where[n, cell] = pixels
        where = (where / where.sum(-1, keepdim=True)).to(batch.device)
        b, q, start = torch.tensor([x[:3] for x in queries]).T
        at = (start[:, None] + torch.arange(geometry.tokens)).to(batch.device)
        return -(where * self.guide(batch, seen, which, b, q).gather(1, at)).sum(-1).mean()

    def read(self, image, images, states, geometry):
        """Image tokens must tell where they are and how they look; and of the word that is drawn there its spelling, which of its letters are
        in their own halves, and where its middle is. -> losses, share of tokens whose word's first letters and last are right"""
        token = image.float()
        parts = dict(where=F.mse_loss(self.tell_where(token), geometry.places.expand(len(image), -1, -1)),
                     looks=F.mse_loss(self.tell_looks(token), looks(images, geometry)))
        n, at, want, halves, middles, weight = data.reading(states, geometry)
        if not len(n):
            return parts, 0.0
        device = image.device
        token = image[torch.tensor(n, device=device), torch.tensor(at, device=device)].float()
        told, want, weight = self.tell(token), torch.from_numpy(want).to(device), torch.tensor(weight, device=device)
        mean = lambda each: (each * weight).sum() / weight.sum()
        parts["read"] = mean(self.misspelt(told, want))
        parts["letters"] = mean(F.binary_cross_entropy_with_logits(self.tell_halves(token), torch.from_numpy(halves).to(device), reduction="none").mean(-1))
        parts["middle"] = mean(F.smooth_l1_loss(self.tell_middle(token), torch.from_numpy(middles).to(device), reduction="none").mean(-1))
        return parts, self.share_right(told, want)

    @staticmethod
    def ends(told):
        """First, second and last letter: (N, ENDS, SIZE)"""
        return told[:, -spelling.ENDS * spelling.SIZE:].view(-1, spelling.ENDS, spelling.SIZE)

    def share_right(self, told, want):
        return (self.ends(told).argmax(-1) == self.ends(want).argmax(-1)).all(-1).float().mean().item()

    def misspelt(self, told, want):
        """Loss of each row: whether each letter is in each part; and which is the first, the second and the last, of all letters."""
        which = F.cross_entropy(self.ends(told).transpose(1, 2), self.ends(want).argmax(-1), reduction="none").mean(-1)
        return F.binary_cross_entropy_with_logits(told, want, reduction="none").mean(-1) + 0.1 * which

    def spelt(self, batch, kept, r, most=400):
        """Where a word of the prompt ends, its spelling must be known."""
        found = [(i, at, word) for i, e in enumerate(batch.rows) for at, word in e["spelt"]]
        found = found if len(found) <= most else r.sample(found, most)
        b, at = torch.tensor([x[:2] for x in found]).T
        told = self.tell(kept[SPELT_INTO][b, at].float())
        want = torch.from_numpy(np.stack([spelling.spell(x[2]) for x in found])).to(batch.device)
        return self.misspelt(told, want).mean(), self.share_right(told, want)

    def aim(self, batch, kept):
        """Where the words that name the target end, it must be known where the target is; and so for the end of a drag."""
        found = [(i, at, *point) for i, (e, s) in enumerate(zip(batch.rows, batch.samples)) for at, point in zip((e["name"], e["ending"]), s.points) if at is not None]
        if not found:
            return None
        b, at, x, y = torch.tensor(found, device=batch.device).T
        return F.mse_loss(self.tell_aim(kept[AIMED_INTO][b, at].float()), network.place_code(torch.stack([x, y], -1) / 1000, AIM))

    def point(self, batch, scores):
        """Coordinates: near is nearly right."""
        value = batch.value[batch.value >= 0]
        soft = torch.exp(-0.5 * ((torch.arange(1000., device=scores.device) - value[:, None].float()) / 6) ** 2)
        soft = soft / soft.sum(-1, keepdim=True)
        told = F.log_softmax(scores[batch.value >= 0], -1)[:, self.numbers.to(scores.device)]
        far = (told.argmax(-1) - value).abs().float()
        return -(soft * told).sum(-1).mean(), far.median().item()

    def losses(self, images, states, batch, each, geometry, r, back=1.0):
        """-> total loss, what there is to say about it"""
        image, hidden, seen, kept = self.forward(images, batch, each, geometry, back)
        scores, want = self.logits(batch, hidden)
        plain = batch.value < 0
        ce = F.cross_entropy(scores[plain], want[plain], reduction="none")
        weight = batch.weight[plain]
        parts, info = dict(text=(ce * weight).sum() / weight.sum()), dict(right=(scores.argmax(-1) == want)[plain].float().mean().item())
        parts["spelt"], info["spelt_right"] = self.spelt(batch, kept, r)
        if image is not None:
            told, info["read_right"] = self.read(image, images, states, geometry)
            parts.update(told)
            parts["name"], parts["sees"] = (self.places(batch, seen, which, geometry) for which in ("name", "sees"))
        if not plain.all():
            parts["point"], info["far"] = self.point(batch, scores)
            parts["aim"] = self.aim(batch, kept)
        for which in ("chain", "last", "copies", "naming"):
            parts[which] = self.pairs(batch, seen, which)
        parts["again"] = self.pairs(batch, seen, "again", "copies")
        parts = {k: v for k, v in parts.items() if v is not None}
        info.update({k: v.item() for k, v in parts.items()})
        return sum(WEIGHTS[k] * v for k, v in parts.items()), info
