"""One kernel for look-up and decoder (Triton, NVIDIA and AMD GPUs). Imported only where it is going to run.

The decoder's first layer is linear and so is bilinear interpolation, so the layer is applied to the *texels* once
(``fold``) and the kernel interpolates its result: 120 x 64 products a point less. Activations stay in registers;
products are half precision with float32 accumulation. A program handles ``BLOCK`` points; weights come from cache.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

BLOCK = 64
WARPS = 4
FAST = torch.version.hip is None and os.environ.get("TRITON_INTERPRET") != "1"
"""One-instruction tanh of NVIDIA (relative error 2^-11, below half's own rounding): 1.9 times the points a second."""
TritonError: type[Exception] = getattr(triton, "TritonError", RuntimeError)
"""What Triton raises for a kernel that it cannot build (older releases: RuntimeError)."""


class Folded(NamedTuple):
    """planes: [3, H, W, K] half, the first layer applied; hidden: [L, K, K] half as [in, out]; the rest float32."""

    planes: Tensor
    first: Tensor
    hidden: Tensor
    hidden_bias: Tensor
    last: Tensor
    last_bias: Tensor


def fold(planes: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor], half: torch.dtype) -> Folded:
    """planes: [3, C, H, W]; weights, biases: the decoder's, in order."""
    device, channels, width = planes.device, planes.shape[1], len(biases[0])

    def there(tensor: Tensor) -> Tensor:
        return tensor.to(device, torch.float32)

    first = there(weights[0]).view(width, 3, channels)
    folded = torch.einsum("pchw,kpc->phwk", planes.float(), first).to(half).contiguous()
    inner = [there(w).t() for w in weights[1:-1]]
    hidden = torch.stack(inner) if inner else torch.zeros(0, width, width, device=device)
    bias = torch.stack([there(b) for b in biases[1:-1]]) if inner else torch.zeros(0, width, device=device)
    return Folded(
        folded,
        there(biases[0]).contiguous(),
        hidden.to(half).contiguous(),
        bias.contiguous(),
        there(weights[-1]).contiguous(),
        there(biases[-1]).contiguous(),
    )


def query(folded: Folded, points: Tensor, channels: int) -> Tensor:
    """[N, channels] float32; points: [N, 3] float32, contiguous, the volume is [-1, 1]^3."""
    out = torch.empty((len(points), channels), dtype=torch.float32, device=points.device)
    if len(points) == 0:
        return out
    _, height, wide, width = folded.planes.shape
    _query[(triton.cdiv(len(points), BLOCK),)](
        points,
        *folded,
        out,
        len(points),
        height,
        wide,
        features=width,
        layers=len(folded.hidden),
        channels=channels,
        block=BLOCK,
        fast=FAST,
        num_warps=WARPS,
    )
    return out


@triton.jit
def _silu(x, fast: tl.constexpr):  # type: ignore[no-untyped-def]
    """x * sigmoid(x) = x / 2 * (1 + tanh(x / 2))."""
    if fast:
        half = x * 0.5
        tanh = tl.inline_asm_elementwise(
            "tanh.approx.f32 $0, $1;", "=f,f", [half], dtype=tl.float32, is_pure=True, pack=1
        )
        return half + half * tanh
    return x / (1.0 + tl.exp(-x))


@triton.jit
def _texel(planes, base, ix, iy, height, wide, weight, column, features: tl.constexpr):  # type: ignore[no-untyped-def]
    """One corner's features [block, features] times its weight; zero outside the plane."""
    inside = (ix >= 0) & (ix < wide) & (iy >= 0) & (iy < height)
    address = (base + iy * wide + ix) * features
    texel = tl.load(planes + address[:, None] + column[None, :], mask=inside[:, None], other=0.0)
    return texel.to(tl.float32) * weight[:, None]


@triton.jit
def _plane(planes, number, u, v, height, wide, column, features: tl.constexpr):  # type: ignore[no-untyped-def]
    """Bilinear features of one plane; u runs along columns, v along rows, half-pixel centres."""
    x = (u + 1.0) * 0.5 * wide - 0.5
    y = (v + 1.0) * 0.5 * height - 0.5
    # far-away points must not overflow the integer; everything beyond one texel outside is zero anyway
    x = tl.minimum(tl.maximum(x, -2.0), wide + 1.0)
    y = tl.minimum(tl.maximum(y, -2.0), height + 1.0)
    x0, y0 = tl.floor(x), tl.floor(y)
    fx, fy = x - x0, y - y0
    ix, iy = x0.to(tl.int32), y0.to(tl.int32)
    base = number * height * wide
    out = _texel(planes, base, ix, iy, height, wide, (1 - fx) * (1 - fy), column, features)
    out += _texel(planes, base, ix + 1, iy, height, wide, fx * (1 - fy), column, features)
    out += _texel(planes, base, ix, iy + 1, height, wide, (1 - fx) * fy, column, features)
    out += _texel(planes, base, ix + 1, iy + 1, height, wide, fx * fy, column, features)
    return out


@triton.jit
def _query(  # type: ignore[no-untyped-def]
    points,
    planes,
    first,
    hidden,
    hidden_bias,
    last,
    last_bias,
    out,
    count,
    height,
    wide,
    features: tl.constexpr,
    layers: tl.constexpr,
    channels: tl.constexpr,
    block: tl.constexpr,
    fast: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    live = row < count
    x = tl.load(points + row * 3, mask=live, other=0.0)
    y = tl.load(points + row * 3 + 1, mask=live, other=0.0)
    z = tl.load(points + row * 3 + 2, mask=live, other=0.0)
    column = tl.arange(0, features)
    total = tl.zeros([block, features], dtype=tl.float32) + tl.load(first + column)[None, :]
    total += _plane(planes, 0, x, y, height, wide, column, features)
    total += _plane(planes, 1, x, z, height, wide, column, features)
    total += _plane(planes, 2, y, z, height, wide, column, features)
    value = _silu(total, fast)
    square = tl.arange(0, features)[:, None] * features + column[None, :]
    for layer in tl.static_range(layers):
        weight = tl.load(hidden + layer * features * features + square)
        bias = tl.load(hidden_bias + layer * features + column)
        value = _silu(tl.dot(value.to(weight.dtype), weight) + bias[None, :], fast)
    for channel in tl.static_range(channels):
        weight = tl.load(last + channel * features + column)
        answer = tl.sum(value * weight[None, :], axis=1) + tl.load(last_bias + channel)
        tl.store(out + row * channels + channel, answer, mask=live)
