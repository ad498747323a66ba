"""``_photo_maps`` on a device: distances to edges in a picture, and its colours drawn out over the edge.

The host's search goes as far as the picture; here it ends where a longer distance would change nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..geometry.nearest_pixel import bounded_distance, nearest_on_device


def extended_on_device(rgb: Tensor, mask: Tensor) -> Tensor:
    """As ``_photo_maps.extended``: rgb [H, W, 3] and mask [H, W] on one device, both sides at most ``WIDEST``."""
    rim = max(1.0, 0.003 * max(mask.shape))
    inside = bounded_distance(mask > 0.5, 2 * rim + 1)  # half of that is more than the rim
    safe = inside > (0.5 * _local_width(inside, rim)).clamp(max=rim)
    if not bool(safe.any()):
        safe = mask >= mask.max()
    empty, source = nearest_on_device(safe, slice(0, len(safe)))
    out = rgb.to(torch.float32).clone()
    flat = out.view(-1, 3)
    flat[empty] = flat[source]
    return out


def clear_on_device(mask: Tensor, depth: Tensor, jump: float, feather: tuple[float, float]) -> Tensor:
    """As ``_photo_maps._clear``: mask [H, W], depth [h, w] -> [H, W, 2] float32; feather: as shares of the side."""
    side = max(mask.shape)
    low, high = feather[0] * side, feather[1] * side
    limit = max(4 * low, high / 0.75) + 1  # from here on a part is wide and a pixel well inside it
    scale = side / max(depth.shape)
    outside, jumps = _edges(depth, jump)
    between = _resized_nearest(bounded_distance(~jumps, limit / scale) * scale, mask.shape)
    around = _resized_nearest(bounded_distance(~outside, limit / scale) * scale, mask.shape)
    inside = torch.minimum(bounded_distance(mask > 0.5, limit), around)
    return torch.stack([_feathered(torch.minimum(inside, between), low, high), _feathered(between, low, high)], dim=2)


def _feathered(distance: Tensor, low: float, high: float) -> Tensor:
    width = _local_width(distance, high)
    start, end = (0.25 * width).clamp(max=low), (0.75 * width).clamp(max=high)
    t = ((distance - start) / (end - start).clamp(min=1e-6)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def _edges(depth: Tensor, least: float) -> tuple[Tensor, Tensor]:
    solid = torch.isfinite(depth)
    filled = torch.where(solid, depth, 0.0)
    jumps = torch.zeros_like(solid)
    for axis in (0, 1):
        count = depth.shape[axis] - 1
        one, two = (lambda t, i=i, axis=axis, n=count: t.narrow(axis, i, n) for i in (0, 1))
        jump = ((one(filled) - two(filled)).abs() > least) & one(solid) & two(solid)
        one(jumps).logical_or_(jump)
        two(jumps).logical_or_(jump)
    return ~solid, jumps


def _local_width(inside: Tensor, reach: float) -> Tensor:
    size = 2 * math.ceil(reach) + 1
    for shape in ((size, 1), (1, size)):
        padding = (shape[0] // 2, shape[1] // 2)
        inside = torch.nn.functional.max_pool2d(inside[None], shape, stride=1, padding=padding)[0]
    return inside


def _resized_nearest(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    rows, columns = (
        (torch.arange(new, device=values.device) * old // new).clamp(0, old - 1)
        for new, old in zip(shape, values.shape, strict=True)
    )
    return values[rows[:, None], columns[None, :]]
