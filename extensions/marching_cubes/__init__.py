"""Marching cubes over a dense volume: compiled where it was built, the PyTorch twin otherwise."""

from __future__ import annotations

import torch
from torch import Tensor

from ..build import load
from . import reference

NATIVE = load("marching_cubes")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""

__all__ = ["NATIVE", "marching_cubes", "method", "reference"]


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "torch"."""
    key = "CUDA" if torch.device(device).type == "cuda" else "CPU"
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    fits = torch.device(device).type in ("cpu", "cuda")
    return "native" if NATIVE and fits and has_kernel("maquette::marching_cubes", key) else "torch"


def marching_cubes(
    values: Tensor,  # [X, Y, Z] floating point
    level: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """Surface between values > level (inside) and the rest, welded, closed except at the border of the volume.

    Returns vertices [V, 3] float32 in index units and faces [F, 3] int64, counter-clockwise seen from outside, on the
    device of ``values``; both methods give the same rows in the same order. Half and double precision are compared as
    float32. Raises ValueError for a wrong shape, a wrong type, or NaN next to the surface.
    """
    if values.ndim != 3 or min(values.shape) < 2:
        raise ValueError(f"values must be [X, Y, Z] with at least 2 samples an axis, got {list(values.shape)}")
    if not values.is_floating_point():
        raise ValueError(f"values must be floating point, got {values.dtype}")
    volume = values.detach().float().contiguous()
    run = torch.ops.maquette.marching_cubes if method(values.device) == "native" else reference.marching_cubes
    vertices, faces = run(volume, float(level))
    if not bool(torch.isfinite(vertices).all()):
        raise ValueError("the field holds NaN next to the surface; what computed it is broken (overflow?)")
    return vertices, faces
