# SPDX-License-Identifier: Apache-2.0
"""The computation of Glm4vForConditionalGeneration on its own parameters, batched: the pictures of a batch have one size."""
import functools
import math

import torch
import torch.nn.functional as F

PATCH = 14
CELL = 2 * PATCH                               # pixels of an image token's side: 2x2 patches
PLACE = 16                                     # numbers that tell where an image token is
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
STD = torch.tensor([0.26862954, 0.26130258, 0.27577711])


def place_code(at, size):
    """Shares of the picture's sides (N, 2) -> sines and cosines of both (N, size), each wave half as long as the one before it"""
    angle = math.pi * at[:, :, None] * 2.0 ** torch.arange(size // 4, device=at.device)
    return torch.cat([angle.sin(), angle.cos()], -1).flatten(1)


class Geometry:
    """What follows from the size of a picture: positions of its patches and image tokens."""

    def __init__(self, width, height, vision):
        self.rows, self.cols = height // CELL, width // CELL
        self.tokens = self.rows * self.cols
        block = torch.arange(self.tokens)
        ys = ((block // self.cols * 2)[:, None] + torch.tensor([0, 0, 1, 1])).flatten()
        xs = ((block % self.cols * 2)[:, None] + torch.tensor([0, 1, 0, 1])).flatten()
        half = vision.hidden_size // vision.num_heads // 2
        inv = 10000.0 ** (-torch.arange(0, half, 2).float() / half)
        angle = torch.cat([ys[:, None] * inv, xs[:, None] * inv], -1).repeat(1, 2)
        self.cos, self.sin = angle.cos(), angle.sin()
        side = vision.image_size // PATCH
        eye = torch.eye(side * side).view(side, side, -1).permute(2, 0, 1)[None]
        at = torch.stack([(xs + .5) / (2 * self.cols) * 2 - 1, (ys + .5) / (2 * self.rows) * 2 - 1], -1)[None, :, None]
        learnt = F.grid_sample(eye, at, mode="bicubic", align_corners=False, padding_mode="border")[0, :, :, 0]
        self.places = place_code(torch.stack([(block % self.cols + .5) / self.cols, (block // self.cols + .5) / self.rows], -1), PLACE)
        self.position_mix = learnt.T.contiguous()         # (4 * tokens, learnt positions)

    def to(self, device):
        for name in ("cos", "sin", "position_mix", "places"):
            setattr(self, name, getattr(self, name).to(device))
        return self

    def patches(self, pictures):
        """uint8 (B, H, W, 3) -> float (B, 4 * tokens, 588): the four patches of a token beside each other"""
        x = (pictures.float().div(255) - MEAN.to(pictures.device)) / STD.to(pictures.device)
        x = x.view(-1, self.rows, 2, PATCH, self.cols, 2, PATCH, 3).permute(0, 1, 4, 2, 5, 7, 3, 6)
        return x.reshape(x.shape[0], 4 * self.tokens, 3 * PATCH * PATCH)


def rms(x, weight):
    return F.rms_norm(x, (x.shape[-1],), None, 1e-5) * weight.to(x.dtype)


def attend(q, k, v, mask=None):
    """Plain attention: on a CPU, in bfloat16, a third of the time of the fused one. q (B, H, T, 64), k, v (B, H or 1, S, 64)"""
    b, h, t, size = q.shape
    if k.shape[1] == 1:                        # one head of keys for all queries: the heads are more rows
        score = torch.bmm(q.reshape(b, h * t, size) / size ** 0.5, k[:, 0].transpose(1, 2)).view(b, h, t, -1)
    else:
        score = (q / size ** 0.5) @ k.transpose(2, 3)
    if mask is not None:
        score = score + mask
    p = score.softmax(-1).to(v.dtype)
    if v.shape[1] == 1:
        return torch.bmm(p.view(b, h * t, -1), v[:, 0]).view(b, h, t, size)
    return p @ v


class Net(torch.nn.Module):
    def __init__(self, reference):
        super().__init__()
        self.reference = reference
        self.tc, self.vc = reference.config.text_config, reference.config.vision_config
        self.geometry = functools.lru_cache(lambda w, h, device="cpu": Geometry(w, h, self.vc).to(device))
        self.register_buffer("text_inv", 10000.0 ** (-torch.arange(0, 32, 2).float() / 32))
        self.register_buffer("axis", torch.repeat_interleave(torch.arange(3), torch.tensor([4, 6, 6])))

    def vision(self, x, g):
        """Patches (B, 4 * tokens, 588) -> image tokens (B, tokens, hidden). Both frames of the temporal patch are this picture."""
        v = self.reference.model.visual
        h = F.linear(x, v.patch_embed.proj.weight.sum(2).flatten(1), v.patch_embed.proj.bias)
        h = rms(h, v.post_conv_layernorm.weight)
        h = h + (g.position_mix @ v.embeddings.position_embedding.weight)[None].to(h.dtype)
        b, n, c = h.shape
        cos, sin = g.cos.to(h.dtype), g.sin.to(h.dtype)

        def rotate(q):
            left, right = q.chunk(2, -1)
            return q * cos + torch.cat([-right, left], -1) * sin

        for block in v.blocks:
            y = F.linear(rms(h, block.norm1.weight), block.attn.qkv.weight)
            q, k, value = y.view(b, n, 3, self.vc.num_heads, -1).permute(2, 0, 3, 1, 4)
            o = attend(rotate(q), rotate(k), value)
            h = h + F.linear(o.transpose(1, 2).reshape(b, n, c), block.attn.proj.weight)
            h = h + gated(rms(h, block.norm2.weight), block.mlp)
        h = rms(h, v.post_layernorm.weight).view(b, g.tokens, 4 * c)
        h = F.linear(h, v.downsample.weight.permute(0, 2, 3, 1).flatten(1), v.downsample.bias)
        m = v.merger
        h = F.linear(h, m.proj.weight)
        h = F.gelu(F.layer_norm(h, (h.shape[-1],), m.post_projection_norm.weight, m.post_projection_norm.bias))
        return gated(h, m)

    def positions(self, starts, length, g):
        """The three rotary positions (3, B, T): an image takes as many as its longer side. g: None where there is no picture."""
        t = torch.arange(length, device=starts.device).expand(len(starts), length)
        if g is None:
            return t.repeat(3, 1, 1)
        pos = torch.where(t >= starts[:, None] + g.tokens, t - g.tokens + max(g.rows, g.cols), t).repeat(3, 1, 1)
        block = torch.arange(g.tokens, device=starts.device)
        at = starts[:, None] + block
        for axis, offset in enumerate((torch.zeros_like(block), block // g.cols, block % g.cols)):
            pos[axis].scatter_(1, at, starts[:, None] + offset)
        return pos

    def text(self, ids, image, starts, asked, g, keep=()):
        """ids (B, T) with the image tokens (B, tokens, hidden) from `starts` (B) on, or without them (None); the last layer
        only at `asked` (B, A) positions.
        -> hidden (B, A, hidden), [(q (B, heads, T or A, 64), k (B, 1, T, 64))] of each layer, {layer: what goes into it} of the layers in `keep`"""
        lm = self.reference.model.language_model
        b, t = ids.shape
        h = F.embedding(ids, lm.embed_tokens.weight)
        kind = torch.get_autocast_dtype(h.device.type) if torch.is_autocast_enabled(h.device.type) else h.dtype
        if image is not None:
            at = starts[:, None] + torch.arange(g.tokens, device=ids.device)
            h = h.scatter(1, at[..., None].expand(-1, -1, h.shape[-1]), image.to(h.dtype))
        angle = self.positions(starts, t, g if image is not None else None)[self.axis].permute(1, 2, 0).float() * self.text_inv
        cos = angle.cos().repeat_interleave(2, -1).to(kind)
        sin = angle.sin().repeat_interleave(2, -1).to(kind)
        heads, size = self.tc.num_attention_heads, self.tc.hidden_size // self.tc.num_attention_heads

        def rotate(q, cos, sin):
            turned, passed = q[..., :32], q[..., 32:]
            other = torch.stack([-turned[..., 1::2], turned[..., 0::2]], -1).flatten(-2)
            return torch.cat([turned * cos[:, None] + other * sin[:, None], passed], -1)

        pick = lambda x: x.gather(1, asked[..., None].expand(-1, -1, x.shape[-1]))
        hide = lambda positions: torch.where(torch.arange(t, device=ids.device) > positions[..., None], -1e9, 0.0).to(kind)
        mask, seen, kept = hide(torch.arange(t, device=ids.device)), [], {}
        for number, layer in enumerate(lm.layers):
            if number in keep:
                kept[number] = h
            a = layer.self_attn
            y = rms(h, layer.input_layernorm.weight)
            k = F.linear(y, a.k_proj.weight, a.k_proj.bias).view(b, t, -1, size).transpose(1, 2)
            k = rotate(k, cos, sin)
            value = F.linear(y, a.v_proj.weight, a.v_proj.bias).view(b, t, -1, size).transpose(1, 2)
            if layer is lm.layers[-1]:
                h, y, cos, sin, mask = pick(h), pick(y), pick(cos), pick(sin), hide(asked)[:, None]
            q = F.linear(y, a.q_proj.weight, a.q_proj.bias).view(b, y.shape[1], heads, size).transpose(1, 2)
            q = rotate(q, cos, sin)
            seen.append((q, k))
            o = attend(q, k, value, mask)
            o = F.linear(o.transpose(1, 2).flatten(2), a.o_proj.weight)
            h = h + rms(o, layer.post_self_attn_layernorm.weight)
            gate, up = F.linear(rms(h, layer.post_attention_layernorm.weight), layer.mlp.gate_up_proj.weight).chunk(2, -1)
            h = h + rms(F.linear(F.silu(gate) * up, layer.mlp.down_proj.weight), layer.post_mlp_layernorm.weight)
        return rms(h, lm.norm.weight), seen, kept


def gated(x, m):
    return F.linear(F.silu(F.linear(x, m.gate_proj.weight)) * F.linear(x, m.up_proj.weight), m.down_proj.weight)
