"""Random cameras and lights, framed as ``maquette.image.prepare`` frames: longer side = .85 of the picture."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import layout as at
from .native import Renderer

FILL = 0.85
WIDEST = 0.6
"""Half of the scenes are stretched by up to 1 + this or its inverse along an axis, the others by +-40 % of it."""

CLAY_SHARE = 0.3


def _range(low: float, high: float, n: int, g: torch.Generator) -> Tensor:
    return torch.rand(n, generator=g, device=g.device) * (high - low) + low


def _stretches(n: int, g: torch.Generator, widest: float) -> Tensor:
    """[n, 3] scales of the axes: half of them mild, half log-uniform between 1 / (1 + widest) and 1 + widest."""
    u = 2 * torch.rand(n, 3, generator=g, device=g.device) - 1
    mild = torch.rand(n, 1, generator=g, device=g.device) < 0.5
    return torch.where(mild, 1.0 + 0.4 * widest * u, (1.0 + widest) ** u)


def _directions(anywhere: Tensor, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Yaw, pitch, roll [n] in radians; ``anywhere`` [n] bool: from all sides, a part of them lying or on the head."""
    n, dev = len(anywhere), g.device
    yaw = _range(0, 2 * math.pi, n, g)
    usual = torch.rand(n, generator=g, device=dev) < 0.5  # pictures are mostly taken from the front quarter
    yaw = torch.where(usual & ~anywhere, _range(-1.1, 1.1, n, g), yaw)
    level = torch.rand(n, generator=g, device=dev) < 0.25
    pitch = torch.where(level, _range(-0.03, 0.03, n, g), _range(-10, 40, n, g).deg2rad())
    below = torch.rand(n, generator=g, device=dev) < 0.2
    odd = torch.where(below, _range(-75, 85, n, g), _range(-40, 80, n, g)).deg2rad()
    roll = torch.randn(n, generator=g, device=dev) * 0.03
    kind = torch.rand(n, generator=g, device=dev)
    lying = torch.where(
        kind < 0.55, roll, torch.where(kind < 0.8, roll + math.pi / 2 * (2 * usual - 1.0), _range(-3.1, 3.1, n, g))
    )
    return yaw, torch.where(anywhere, odd, pitch), torch.where(anywhere, lying, roll)


def random_looks(n: int, g: torch.Generator, stretch: float = WIDEST, anywhere: Tensor | None = None) -> Tensor:
    """[n, LOOK]: camera on a sphere around the origin, light, stretch of the object; not framed yet.

    stretch: the largest, 0 = none; anywhere: [n] bool, which scenes are seen from any direction (None = no scene)."""
    dev = g.device
    yaw, pitch, roll = _directions(torch.zeros(n, dtype=torch.bool, device=dev) if anywhere is None else anywhere, g)
    fov = _range(15, 60, n, g).deg2rad()
    back = torch.stack([yaw.sin() * pitch.cos(), pitch.sin(), yaw.cos() * pitch.cos()], -1)
    right = torch.stack([yaw.cos(), torch.zeros_like(yaw), -yaw.sin()], -1)
    up = torch.linalg.cross(back, right)
    turn, side = roll.cos()[:, None], roll.sin()[:, None]
    right, up = right * turn + up * side, up * turn - right * side
    looks = torch.zeros(n, at.LOOK, device=dev)
    scale = _stretches(n, g, stretch)
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
    looks[:, at.CLAY] = (torch.rand(n, generator=g, device=dev) < CLAY_SHARE).float()
    looks[:, at.CLAY_COLOR] = _range(0.06, 0.9, n, g)[:, None] * tint(0.05)
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
    renderer: Renderer, heads: Tensor, prims: Tensor, g: torch.Generator, stretch: float = WIDEST
) -> tuple[Tensor, Tensor]:
    """Random cameras and lights for these scenes, framed; [B] False where nothing was seen."""
    looks = random_looks(len(heads), g, stretch, heads[:, at.ANYWHERE] > 0)
    return frame(looks, renderer.bounds(heads, prims, looks, 96), 96)
