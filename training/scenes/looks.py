"""Random cameras and lights, framed as ``maquette.image.prepare`` frames: longer side = .85 of the picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import layout as at
from .native import Renderer

FILL = 0.85


def _range(low: float, high: float, n: int, g: torch.Generator) -> Tensor:
    return torch.rand(n, generator=g, device=g.device) * (high - low) + low


def random_looks(n: int, g: torch.Generator, stretch: float = 0.25) -> Tensor:
    """[n, LOOK]: camera on a sphere around the origin, light, stretch of the object; not framed yet."""
    dev = g.device
    yaw = _range(0, 2 * math.pi, n, g)
    usual = torch.rand(n, generator=g, device=dev) < 0.5  # pictures are mostly taken from the front quarter
    yaw = torch.where(usual, _range(-1.1, 1.1, n, g), yaw)
    level = torch.rand(n, generator=g, device=dev) < 0.25
    pitch = torch.where(level, _range(-0.03, 0.03, n, g), _range(-10, 40, n, g).deg2rad())
    odd = torch.rand(n, generator=g, device=dev) < 0.1  # lying, from far above or below
    pitch = torch.where(odd, _range(-60, 80, n, g).deg2rad(), pitch)
    fov = _range(15, 60, n, g).deg2rad()
    back = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    right = torch.stack([yaw.cos(), torch.zeros_like(yaw), -yaw.sin()], -1)
    up = torch.linalg.cross(back, right)
    roll = torch.randn(n, 1, generator=g, device=dev) * 0.03
    roll = torch.where(odd[:, None], _range(-3.1, 3.1, n, g)[:, None], roll)
    right, up = right * roll.cos() + up * roll.sin(), up * roll.cos() - right * roll.sin()
    looks = torch.zeros(n, at.LOOK, device=dev)
    scale = 1.0 + stretch * (2 * torch.rand(n, 3, generator=g, device=dev) - 1)
    looks[:, at.STRETCH] = scale
    looks[:, at.STRETCH_STEP] = scale.amin(1)
    reach = scale.amax(1) * 1.02
    looks[:, at.ORIGIN] = back * (reach / (fov / 2).sin())[:, None]
    looks[:, at.RIGHT], looks[:, at.UP], looks[:, at.FORWARD] = right, up, -back
    looks[:, at.HALF_WIDTH] = (fov / 2).tan()
    _lights(looks, back, right, up, g)
    return looks


def _lights(looks: Tensor, back: Tensor, right: Tensor, up: Tensor, g: torch.Generator) -> None:
    n, dev = len(looks), g.device
    offset = right * torch.randn(n, 1, generator=g, device=dev) + up * (
        0.7 + 0.7 * torch.randn(n, 1, generator=g, device=dev)
    )
    looks[:, at.LIGHT] = torch.nn.functional.normalize(back * _range(-0.2, 1.2, n, g)[:, None] + offset, dim=1)
    tint = lambda spread: 1.0 + spread * torch.randn(n, 3, generator=g, device=dev)  # noqa: E731
    key, ambient = _range(0.2, 1.3, n, g)[:, None], _range(0.15, 0.9, n, g)[:, None]
    looks[:, at.LIGHT_COLOR] = key * tint(0.08).clamp(0.6, 1.4)
    looks[:, at.SKY] = ambient * tint(0.12).clamp(0.5, 1.5)
    looks[:, at.GROUND] = ambient * _range(0.2, 1.0, n, g)[:, None] * tint(0.12).clamp(0.5, 1.5)
    looks[:, at.SHADOW] = _range(0, 1, n, g) * (torch.rand(n, generator=g, device=dev) < 0.5)
    looks[:, at.SPECULAR] = _range(0, 1.2, n, g)
    looks[:, at.CLAY] = (torch.rand(n, generator=g, device=dev) < 0.12).float()
    looks[:, at.CLAY_COLOR] = _range(0.1, 0.8, n, g)[:, None] * tint(0.05)
    looks[:, at.RIM] = _range(0, 0.6, n, g) * (torch.rand(n, generator=g, device=dev) < 0.4)


def frame(looks: Tensor, box: Tensor, size: int, fill: float | Tensor = FILL) -> tuple[Tensor, Tensor]:
    """Turn and zoom every camera so that the silhouette ``box`` [B, 4] is centred and fills ``fill``; [B] valid."""
    low, high = box[:, :2].float(), box[:, 2:].float() + 1
    valid = (high > low + 2).all(1)
    t = looks[:, at.HALF_WIDTH]
    centre = ((low + high) / size - 1.0) * t[:, None]
    forward, right, up = looks[:, at.FORWARD], looks[:, at.RIGHT], looks[:, at.UP]
    aim = torch.nn.functional.normalize(forward + right * centre[:, :1] - up * centre[:, 1:], dim=1)
    side = torch.nn.functional.normalize(torch.linalg.cross(aim, up), dim=1)
    out = looks.clone()
    out[:, at.FORWARD], out[:, at.RIGHT], out[:, at.UP] = aim, side, torch.linalg.cross(side, aim)
    half = (high - low).amax(1) / size * t
    out[:, at.HALF_WIDTH] = half / fill
    return torch.where(valid[:, None], out, looks), valid


def framed_looks(
    renderer: Renderer, heads: Tensor, prims: Tensor, g: torch.Generator, stretch: float = 0.25
) -> tuple[Tensor, Tensor]:
    """Random cameras and lights for these scenes, framed; [B] False where nothing was seen."""
    looks = random_looks(len(heads), g, stretch)
    return frame(looks, renderer.bounds(heads, prims, looks, 96), 96)
