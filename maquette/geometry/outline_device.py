"""``inflate.outline_distance`` on a device: the outline's segments of all cells at once, the nearest of them by trying
all, or in a large picture by jump flooding.

Jump flooding (Rong and Tan 2006) hands the nearest segment on from pixel to pixel over halving distances; two more
rounds over one pixel make the surroundings of the outline exact. Twice as much work as the search tree of the host, but
all of it in some two hundred calls, whatever the picture's size.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from .inflate import BINARY, SIGMA, thin_axis
from .signed_distance import LEVEL

ALL, AT_ONCE = 1 << 26, 1 << 23
"""Up to so many pairs of a pixel and a segment all are tried, so many at a time (32 MB a number)."""
FAR = 1e6
"""Pixels; where the segment that stands for none lies."""


def outline_distance_on_device(mask: Tensor, least: float) -> Tensor:
    """As ``outline_distance``, for a mask [H, W] float32, where it lies.

    Beyond four pixels from the outline the host measures to the middles of segments, and outside to whole pixels; here
    it is to the segments everywhere. So there the two differ, by up to some .2 pixels inside and one outside.
    """
    distance = contour_distance(_anti_aliased(mask))
    inside, core = mask >= LEVEL, distance >= least
    beyond = [inside & ~_grown(core, reach) for reach in (least, 2 * least)]
    whole = torch.stack([inside, *beyond]).cpu().numpy()  # one transfer
    thin = thin_axis(*whole)
    return torch.maximum(distance, least - distance_from_pixels(thin, mask)) if thin.any() else distance


def distance_from_pixels(thin: npt.NDArray[np.bool_], like: Tensor, most: int = ALL) -> Tensor:
    """[H, W] distance of every pixel to the nearest of ``thin`` [H, W], where ``like`` [H, W] lies.

    most: pairs of a pixel and one of ``thin`` beyond which the host looks for it.
    """
    places = np.argwhere(thin)
    if len(places) * thin.size > most:
        from scipy.ndimage import distance_transform_edt

        return torch.from_numpy(distance_transform_edt(~thin)).to(like)
    points = torch.from_numpy(places).to(like)
    return _tried(like, torch.cat([points, torch.zeros_like(points)], 1)).sqrt()


def contour_distance(mask: Tensor, most: int = ALL) -> Tensor:
    """[H, W] distance in pixels to the 0.5 contour of ``mask`` [H, W], positive inside.

    most: pairs of a pixel and a segment beyond which the nearest segment is found by flooding.
    """
    table, named = _segments(mask)
    if len(table) == 1:
        return torch.full_like(mask, -math.hypot(*mask.shape))
    gap = (_tried(mask, table[:-1]) if mask.numel() * (len(table) - 1) <= most else _flooded(mask, table, named)).sqrt()
    return torch.where(mask >= LEVEL, gap, -gap)


def _tried(mask: Tensor, table: Tensor) -> Tensor:
    """[H, W] squared distance to the nearest of all segments ``table`` [M, 4]."""
    height, width = mask.shape
    y0, x0, dy, dx = table.T
    inverse = 1 / (dy * dy + dx * dx).clamp(min=1e-12)
    row, column = (torch.arange(n, device=mask.device, dtype=mask.dtype)[:, None] for n in (height, width))
    right = column - x0  # [W, M]
    across = right * (dx * inverse)
    found = []
    for down in (row - y0).split(max(AT_ONCE // (width * len(table)), 1)):  # [some, M]
        share = ((down * (dy * inverse))[:, None] + across).clamp_(0, 1)
        gap = torch.addcmul(down[:, None], share, dy, value=-1).square_()
        share = torch.addcmul(right, share, dx, value=-1)
        found.append(gap.addcmul_(share, share).amin(-1))
    return torch.cat(found)


def _flooded(mask: Tensor, table: Tensor, named: Tensor) -> Tensor:
    """[H, W] squared distance to the nearest segment that flooding finds."""
    height, width = mask.shape
    row, column = (torch.arange(n, device=mask.device, dtype=mask.dtype) for n in (height, width))
    at = torch.stack(torch.meshgrid(row, column, indexing="ij"), -1)
    corners = [named[:, y : y + height, x : x + width] for y in (0, 1) for x in (0, 1)]
    best, gap = _nearest(torch.cat(corners), at, table)
    step = 1 << max(max(height, width) - 1, 1).bit_length() - 1
    while step:
        best, gap = _nearest(_around(best, step, len(table) - 1), at, table)
        step //= 2
    for _ in range(2):
        best, gap = _nearest(_around(best, 1, len(table) - 1), at, table)
    return gap


def _around(best: Tensor, step: int, none: int) -> Tensor:
    """[9, H, W] what is written at each pixel and at the eight ``step`` away."""
    height, width = best.shape
    wide = functional.pad(best, (step, step, step, step), value=none)
    places = ((y, x) for y in (0, step, 2 * step) for x in (0, step, 2 * step))
    return torch.stack([wide[y : y + height, x : x + width] for y, x in places])


def _nearest(names: Tensor, at: Tensor, table: Tensor) -> tuple[Tensor, Tensor]:
    """Of the segments ``names`` [K, H, W] the nearest to each pixel, [H, W], and its squared distance."""
    start, along = table[names].split(2, dim=-1)
    gap = at - start
    share = ((gap * along).sum(-1) / (along * along).sum(-1).clamp(min=1e-12)).clamp(0, 1)
    gap = gap - share[..., None] * along
    least, which = (gap * gap).sum(-1).min(dim=0)
    return names.gather(0, which[None])[0], least


def _segments(mask: Tensor) -> tuple[Tensor, Tensor]:
    """[M + 1, 4] start and extent (row, column) of the contour's segments, the last one far away, and [2, H + 1, W + 1]
    the numbers of those in each cell between pixels, M = none.

    Marching squares with linear interpolation; where opposite corners are inside, they stay apart.
    """
    padded = functional.pad(mask, (1, 1, 1, 1))
    a, b, c, d = padded[:-1, :-1], padded[:-1, 1:], padded[1:, 1:], padded[1:, :-1]
    inside = [value > LEVEL for value in (a, b, c, d)]
    ends = ((a, b), (b, c), (d, c), (a, d))
    share = [(LEVEL - v) / torch.where(w == v, 1.0, w - v) for v, w in ends]
    zero = torch.zeros_like(a)
    one = zero + 1
    points = [(zero, share[0]), (share[1], one), (one, share[2]), (share[3], zero)]
    place = torch.stack([torch.stack(p, -1) for p in points])  # [4, H + 1, W + 1, 2] in the cell: top, right, ...
    crossed = torch.stack([inside[0] ^ inside[1], inside[1] ^ inside[2], inside[3] ^ inside[2], inside[0] ^ inside[3]])
    saddle = crossed.all(0)
    turned = saddle & inside[1]  # the upper right and the lower left corner are inside
    number = crossed.to(torch.uint8)
    first, last = number.argmax(0), 3 - number.flip(0).argmax(0)
    last = torch.where(turned, 1, last)
    sides = torch.stack([first, torch.where(turned, 3, 1)]), torch.stack([last, torch.full_like(last, 2)])
    there = torch.stack([crossed.any(0), saddle])
    where = there.nonzero()
    slot, row, column = where.unbind(1)
    corner = where[:, 1:].to(mask.dtype) - 1
    start, stop = (corner + place[side[slot, row, column], row, column] for side in sides)
    none = mask.new_tensor([[FAR, FAR, 0.0, 0.0]])
    table = torch.cat([torch.cat([start, stop - start], 1), none])
    named = torch.full(there.shape, len(where), dtype=torch.int64, device=mask.device)
    named[slot, row, column] = torch.arange(len(where), device=mask.device)
    return table, named


def _grown(inside: Tensor, radius: float) -> Tensor:
    """[H, W] pixels within ``radius`` of one of ``inside``."""
    reach = int(radius)
    step = torch.arange(-reach, reach + 1, device=inside.device, dtype=torch.float32)
    disc = (step[:, None] ** 2 + step**2 <= radius * radius).float()
    return functional.conv2d(inside.float()[None, None], disc[None, None], padding=reach)[0, 0] > 0.5


def _anti_aliased(mask: Tensor) -> Tensor:
    """As in ``inflate``; both answers are computed, because to wait for the choice takes longer."""
    inside = mask >= LEVEL
    flat = inside.float()[None, None]
    most, least = (functional.max_pool2d(sign * flat, 3, stride=1, padding=1)[0, 0] for sign in (1, -1))
    rim = most != -least
    hard = ((mask < 0.02) | (mask > 0.98)) & rim
    reach = int(4 * SIGMA + 0.5)
    weight = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=mask.device) / SIGMA) ** 2)
    weight = weight / weight.sum()
    blurred = functional.pad(mask[None, None], (reach,) * 4, mode="replicate")
    blurred = functional.conv2d(functional.conv2d(blurred, weight[None, None, None]), weight[None, None, :, None])[0, 0]
    blurred = torch.where(inside, blurred.clamp(min=LEVEL + 0.05), blurred)
    return torch.where(hard.sum() >= BINARY * rim.sum().clamp(min=1), blurred, mask)
