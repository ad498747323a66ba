"""Looking up pictures, cubes and host arrays from surface points; every helper moves its inputs to one device itself.

Mission bugs 1, 2, 8 and 9 live here: mixed devices, the axis order of 3-D grids, coordinates exactly at the grid's end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInputError


def tensor(values: Any, like: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """A host array or a tensor from anywhere as ``dtype`` on the device of ``like``; never shares read-only memory."""
    if isinstance(values, Tensor):
        return values.to(like.device, dtype)
    return torch.tensor(np.asarray(values), dtype=dtype, device=like.device)


def bilinear(image: Tensor, xy: Tensor) -> Tensor:
    """``image`` [H, W, C] at ``xy`` [N, 2] (pixels, centres at .5; outside = the border's colour): [N, C]."""
    image = tensor(image, xy)
    height, width = image.shape[:2]
    cells, share = zip(*(_cell(xy[:, axis] - 0.5, size) for axis, size in ((0, width), (1, height))), strict=True)
    (x, y), (u, v) = cells, (share[0][:, None], share[1][:, None])
    right, below = (x + 1).clamp(max=width - 1), (y + 1).clamp(max=height - 1)
    upper = image[y, x] * (1 - u) + image[y, right] * u
    lower = image[below, x] * (1 - u) + image[below, right] * u
    return upper * (1 - v) + lower * v


def trilinear(volume: Tensor, points: Tensor) -> Tensor:
    """``volume`` [X, Y, Z, C] at ``points`` [N, 3] in grid units: (0, 0, 0) = first sample, order x, y, z: [N, C].

    A point exactly at (or beyond) the last sample gives the last sample.
    """
    volume = tensor(volume, points)
    if volume.ndim != 4 or points.ndim != 2 or points.shape[1] != 3:
        raise BadInputError(
            f"expected a volume [X, Y, Z, C] and points [N, 3], got {[*volume.shape]} and {[*points.shape]}"
        )
    cells, shares = zip(*(_cell(points[:, axis], volume.shape[axis]) for axis in range(3)), strict=True)
    total = torch.zeros((len(points), volume.shape[3]), dtype=volume.dtype, device=volume.device)
    for corner in range(8):
        weight, index = torch.ones_like(points[:, 0]), []
        for axis in range(3):
            step = corner >> axis & 1
            weight = weight * (shares[axis] if step else 1 - shares[axis])
            index.append((cells[axis] + step).clamp(max=volume.shape[axis] - 1))
        total += volume[index[0], index[1], index[2]] * weight[:, None]
    return total


def _cell(position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Index of the sample at or before ``position`` and the share of the next one; clamped into [0, size - 1]."""
    position = torch.nan_to_num(position).clamp(0, size - 1)
    cell = position.floor().clamp(max=max(size - 2, 0))
    return cell.to(torch.int64), position - cell
