"""Marching cubes over a dense volume: compiled where it was built, the PyTorch twin otherwise."""

from __future__ import annotations

import torch
from torch import Tensor

from .reference import marching_cubes as _twin


def marching_cubes(
    values: Tensor,  # [X, Y, Z] floating point
    level: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Surface between values > level (inside) and the rest, welded, closed except at the border of the volume.

    Returns vertices [V, 3] float32 in index units and faces [F, 3] int64, counter-clockwise seen from outside, on the
    device of ``values``. Raises ValueError for a wrong shape, a wrong type, or NaN next to the surface.
    """
    if values.ndim != 3 or min(values.shape) < 2:
        raise ValueError(f"values must be [X, Y, Z] with at least 2 samples an axis, got {list(values.shape)}")
    if not values.is_floating_point():
        raise ValueError(f"values must be floating point, got {values.dtype}")
    vertices, faces = _twin(values.detach().contiguous(), float(level))
    if not bool(torch.isfinite(vertices).all()):
        raise ValueError("the field holds NaN next to the surface; what computed it is broken (overflow?)")
    return vertices, faces
