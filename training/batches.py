"""Scenes -> training pairs, on the GPU: rendered picture with a camera's faults, and the columns behind every pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from maquette.reconstruct._nano.network import bin_edges

from .scenes import layout as at
from .scenes.looks import WIDEST, framed_looks
from .scenes.native import Renderer


@dataclass(frozen=True)
class Batch:
    """picture: [B, 4, 256, 256]; depth: [B, 128, 128] (mean 0 over valid); solid: [B, 128, 128, BINS] uint8;
    valid: [B, 128, 128] bool, the ray meets the object; back: [B, 3, 128, 128] sRGB of the farthest surface;
    weight: [B] 0 for pictures in which nothing is seen; half_width: [B] tangent of half the field of view."""

    picture: Tensor
    depth: Tensor
    solid: Tensor
    valid: Tensor
    back: Tensor
    weight: Tensor
    half_width: Tensor
    spans: Tensor
    looks: Tensor


def make_batch(
    renderer: Renderer,
    heads: Tensor,
    prims: Tensor,
    g: torch.Generator,
    spoil: bool = True,
    stretch: float = WIDEST,
    size: int = 256,
) -> Batch:
    """Random views of the scenes. spoil: add exposure, noise, blur, JPEG and mask faults."""
    looks, seen = framed_looks(renderer, heads, prims, g, stretch)
    rgba = renderer.picture(heads, prims, looks, size).permute(0, 3, 1, 2)
    spans, back = renderer.spans(heads, prims, looks, size // 2)
    valid = spans[..., 0] > 0
    count = valid.sum((1, 2)).clamp(min=1)
    middle = (spans[..., 0] * valid).sum((1, 2)) / count
    unit = (middle * looks[:, at.HALF_WIDTH]).clamp(min=1e-3)
    frames = torch.stack([middle, unit], 1).contiguous()
    solid, depth = renderer.columns(spans, frames, bin_edges().to(spans.device))
    depth = torch.where(valid, depth, 0.0)
    level = looks[:, at.SKY] * 0.7 + looks[:, at.LIGHT_COLOR] * 0.3
    back = back[..., :3].permute(0, 3, 1, 2) * level[:, :, None, None]
    rgb, back, mask = _develop(rgba[:, :3], back, rgba[:, 3:], g)
    if spoil:
        rgb, mask = _spoil(rgb, mask, g)
    picture = torch.cat([rgb * mask + 0.5 * (1 - mask), mask], 1)
    weight = (seen & (valid.sum((1, 2)) > 40)).float()
    return Batch(picture, depth, solid, valid, back, weight, looks[:, at.HALF_WIDTH], spans, looks)


def _uniform(n: int, low: float, high: float, g: torch.Generator) -> Tensor:
    return (torch.rand(n, generator=g, device=g.device) * (high - low) + low)[:, None, None, None]


def _develop(rgb: Tensor, back: Tensor, mask: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Linear light -> sRGB with a random exposure, white balance, saturation and hue; the same for both sides."""
    n = len(rgb)
    mean = (rgb * mask).mean((1, 2, 3), keepdim=True) / mask.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    aim = 10 ** _uniform(n, -1.3, -0.25, g)
    gain = torch.where(_uniform(n, 0, 1, g) < 0.6, aim / mean.clamp(min=1e-3), torch.ones_like(mean))
    balance = 1 + 0.08 * torch.randn(n, 3, 1, 1, generator=g, device=g.device)
    angle, colour = _uniform(n, 0, 2 * math.pi, g), _uniform(n, 0.2, 1.3, g)
    gray = torch.full((3, 3), 1 / 3, device=rgb.device)
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=rgb.device) / math.sqrt(3)
    turn = gray + colour * (angle.cos() * (torch.eye(3, device=rgb.device) - gray) + angle.sin() * cross)
    gamma = 1 / _uniform(n, 1.8, 2.6, g)

    def one(x: Tensor) -> Tensor:
        x = torch.einsum("nij,njhw->nihw", turn[:, 0], x * gain * balance)
        return x.clamp(1e-4, 1).pow(gamma)

    return one(rgb), one(back), mask


def _spoil(rgb: Tensor, mask: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor]:
    """Blur, noise, JPEG blocks; edges of the mask soft, too wide or too tight, sometimes bitten."""
    n, dev = len(rgb), rgb.device
    wide, tight = F.max_pool2d(mask, 3, 1, 1), -F.max_pool2d(-mask, 3, 1, 1)
    inside = F.avg_pool2d(mask, 3, 1, 1)
    filled = F.avg_pool2d(rgb * mask, 3, 1, 1) / inside.clamp(min=1e-3)
    rgb = rgb * mask + filled * (1 - mask)
    which = _uniform(n, 0, 1, g)
    mask = torch.where(which < 0.15, wide, torch.where(which > 0.95, tight, mask))
    mask = torch.where(_uniform(n, 0, 1, g) < 0.7, F.avg_pool2d(mask, 3, 1, 1), mask)
    soft = F.avg_pool2d(rgb, 3, 1, 1)
    amount = _uniform(n, -0.5, 1.2, g)  # below 0: sharpened
    rgb = rgb + (soft - rgb) * torch.where(amount.abs() < 0.3, torch.zeros_like(amount), amount)
    coarse = F.interpolate(F.avg_pool2d(rgb, 2), scale_factor=2.0, mode="bilinear")
    rgb = torch.where(_uniform(n, 0, 1, g) < 0.15, coarse, rgb)
    noise = torch.randn(rgb.shape, generator=g, device=dev) * (_uniform(n, -0.03, 0.05, g).clamp(min=0))
    rgb = (rgb + noise).clamp(0, 1)
    return _jpeg(rgb, _uniform(n, -0.08, 0.08, g).clamp(min=0)).clamp(0, 1), mask


def _jpeg(rgb: Tensor, step: Tensor) -> Tensor:
    """Quantised 8 x 8 cosine blocks, coarser towards high frequencies; step 0 = untouched."""
    k = torch.arange(8.0, device=rgb.device)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) * 0.5
    basis[0] = math.sqrt(1 / 8)
    n, c, h, w = rgb.shape
    blocks = rgb.view(n, c, h // 8, 8, w // 8, 8).permute(0, 1, 2, 4, 3, 5)
    freq = basis @ blocks @ basis.T
    scale = (step[..., None, None].clamp(min=1e-4) * (1 + k[:, None] + k[None])).expand_as(freq)
    freq = torch.round(freq / scale) * scale
    back = (basis.T @ freq @ basis).permute(0, 1, 2, 4, 3, 5).reshape(n, c, h, w)
    return torch.where(step > 0, back, rgb)
