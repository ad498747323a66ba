"""The network: one masked picture -> depth of the first surface and what lies behind it, for every pixel.

Frustum frame: u, v in [-1, 1] across the square picture (v down); depth is measured from the mean visible surface and
in half picture widths *there*, positive away from the camera. So nothing depends on the distance of the camera.

A column is divided into ``BINS`` bins **behind the first visible surface**, fine near it and coarse far away. The mask
says that every subject pixel has a first surface, so a thin part cannot vanish: it is material at distance zero behind
a depth of which only the value is uncertain.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

BINS = 80
DEEPEST = 2.8
"""Reach of a column behind the first surface, in half picture widths."""


def bin_edges() -> Tensor:
    """[BINS + 1] distances behind the first surface, growing with the power 1.4."""
    return DEEPEST * (torch.arange(BINS + 1, dtype=torch.float32) / BINS) ** 1.4


@dataclass(frozen=True)
class Shape:
    """Sizes of the network: channels at 1/2, 1/4, 1/8 of the input, and the transformer at 1/16."""

    widths: tuple[int, int, int] = (64, 128, 256)
    blocks: tuple[int, int, int] = (2, 2, 2)
    dim: int = 384
    layers: int = 8
    heads: int = 6
    size: int = 256
    """Pixels a side of the input; the output has half as many."""


@dataclass(frozen=True)
class Columns:
    """What the network says, all [B, ., S / 2, S / 2]: depth of the first surface (mean 0 over the mask), log of its
    expected error, logits of the BINS bins behind it, sRGB in [0, 1] of the farthest surface."""

    depth: Tensor
    log_error: Tensor
    logits: Tensor
    back: Tensor


class ChannelNorm(nn.Module):
    """Root-mean-square norm over the channels of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.rsqrt(x.float().square().mean(1, keepdim=True) + 1e-5)
        return x * scale.to(x.dtype) * self.weight.to(x.dtype)[:, None, None]


class Block(nn.Module):
    """Two 3 x 3 convolutions around a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(functional.silu(self.first(self.norm(x))))


class Layer(nn.Module):
    """A transformer layer over the 16 x 16 tokens."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.up, self.down = nn.Linear(dim, 4 * dim), nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c)
        x = x + self.out(mixed)
        return x + self.down(functional.gelu(self.up(self.norm2(x)), approximate="tanh"))


class NanoNet(nn.Module):
    """A U-Net with a transformer at its bottom; about 21 M parameters."""

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or Shape()
        a, b, c = shape.widths
        self.stem = nn.Conv2d(6 * 4, a, 3, padding=1)
        self.encode = nn.ModuleList(
            nn.Sequential(*(Block(w) for _ in range(n))) for w, n in zip(shape.widths, shape.blocks, strict=True)
        )
        self.shrink = nn.ModuleList(nn.Conv2d(i, o, 2, stride=2) for i, o in ((a, b), (b, c), (c, shape.dim)))
        self.place = nn.Parameter(torch.randn(1, (shape.size // 16) ** 2, shape.dim) * 0.02)
        self.layers = nn.ModuleList(Layer(shape.dim, shape.heads) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.dim)
        self.grow = nn.ModuleList(nn.Conv2d(i, 4 * o, 1) for i, o in ((b, a), (c, b), (shape.dim, c)))
        self.decode = nn.ModuleList(
            nn.Sequential(*(Block(w) for _ in range(n))) for w, n in zip(shape.widths, shape.blocks, strict=True)
        )
        self.last = ChannelNorm(a)
        self.wide = nn.Conv2d(a, 2 * a, 3, padding=1)
        self.head = nn.Conv2d(2 * a, 2 + BINS + 3, 1)
        for block in self.modules():
            if isinstance(block, Block):
                nn.init.zeros_(block.second.weight)
            if isinstance(block, Layer):
                nn.init.zeros_(block.out.weight)
                nn.init.zeros_(block.down.weight)

    def forward(self, picture: Tensor) -> Tensor:
        """picture: [B, 4, S, S], sRGB (grey outside the mask) and mask in [0, 1]. The raw head: [B, 85, S/2, S/2]."""
        s = picture.shape[-1]
        line = torch.linspace(-1, 1, s, device=picture.device, dtype=picture.dtype)
        grid = torch.stack(torch.meshgrid(line, line, indexing="xy")).expand(len(picture), 2, s, s)
        x = self.stem(functional.pixel_unshuffle(torch.cat([picture * 2 - 1, grid], 1), 2))
        skips = []
        for encode, shrink in zip(self.encode, self.shrink, strict=True):
            x = encode(x)
            skips.append(x)
            x = shrink(x)
        b, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2) + self.place
        for layer in self.layers:
            tokens = layer(tokens)
        x = self.norm(tokens).transpose(1, 2).reshape(b, c, h, w)
        for i in (2, 1, 0):
            x = self.decode[i](functional.pixel_shuffle(self.grow[i](x), 2) + skips[i])
        return self.head(functional.silu(self.wide(self.last(x))))


def columns(raw: Tensor, mask: Tensor) -> Columns:
    """Names the channels of the raw head; the depth gets mean 0 over ``mask`` [B, S/2, S/2] (True = subject)."""
    raw = raw.float()
    weight = mask.to(raw.dtype)
    mean = (raw[:, 0] * weight).sum((1, 2)) / weight.sum((1, 2)).clamp(min=1.0)
    depth = raw[:, 0] - mean[:, None, None]
    return Columns(depth, raw[:, 1], raw[:, 2 : 2 + BINS], torch.sigmoid(raw[:, 2 + BINS :]))
