"""Marching cubes over a dense volume or sparse blocks: compiled where it was built, the PyTorch twin otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..build import load
from . import blocks, reference

NATIVE = load("marching_cubes")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""

__all__ = ["NATIVE", "blocks", "marching_cubes", "marching_cubes_blocks", "method", "reference"]


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
    return _sound(vertices), faces


def marching_cubes_blocks(
    values: Tensor,  # [B, n, n, n] floating point
    place: Tensor,  # [B, 3] integer
    level: float = 0.0,
    *,
    shape: Sequence[int] | None = None,
    cells: Tensor | None = None,  # [B, n, n, n] bool
) -> tuple[Tensor, Tensor]:
    """The same surface from the blocks near it alone, welded across them: the rows that the dense volume would give.

    values: n^3 samples a block, 2 <= n <= 32, the first at n * ``place`` on the common lattice, each sample in one
    block only; what no block holds does not exist, and a cell that lacks a corner is left open. shape: samples of the
    lattice along each axis (default: all of every block); cells: by their lowest sample, the only cells to mesh.
    Returns vertices [V, 3] float32 in index units of the lattice and faces [F, 3] int64, on the device of ``values``,
    in the order of the dense volume. Raises ValueError for wrong shapes or types, a block twice or outside, NaN beside
    the surface, and ``cells`` that leave out the owner (lower end) of a crossed edge of a cell.
    """
    volume, where, limits = _blocks(values, place, shape)
    if cells is not None:
        if cells.shape != values.shape or cells.dtype != torch.bool:
            raise ValueError(f"cells must be bool {list(values.shape)}, got {cells.dtype} {list(cells.shape)}")
        cells = cells.to(values.device).contiguous()
    if method(values.device) == "native":
        vertices, faces = torch.ops.maquette.marching_cubes_blocks(volume, *where, cells, limits, float(level))
    else:
        vertices, faces = blocks.marching_cubes_blocks(volume, where, cells, limits, float(level))
    if cells is not None and len(faces) and int(faces.min()) < 0:
        raise ValueError("cells leave out the owner of an edge that a cell crosses: name also the cells beside it")
    return _sound(vertices), faces


def _blocks(values: Tensor, place: Tensor, shape: Sequence[int] | None) -> tuple[Tensor, blocks.Layout, list[int]]:
    """float32 samples, neighbours and order of the blocks, samples of the lattice."""
    n = values.shape[1] if values.ndim == 4 else 0
    if not 2 <= n <= blocks.SIDE or values.shape[1:] != (n, n, n) or not values.is_floating_point():
        raise ValueError(
            f"values must be floating point [B, n, n, n], n 2 to {blocks.SIDE}, got {values.dtype} {list(values.shape)}"
        )
    if place.shape != (len(values), 3) or place.is_floating_point() or place.dtype == torch.bool:
        raise ValueError(f"place must be integers [{len(values)}, 3], got {place.dtype} {list(place.shape)}")
    at = place.to(values.device, torch.int64).contiguous()
    limits = [n * blocks.FAR] * 3 if shape is None else [int(side) for side in shape]
    if len(limits) != 3 or max(limits) > n * blocks.FAR:
        raise ValueError(f"shape must be three numbers of samples up to {n * blocks.FAR}, got {limits}")
    if len(at) and (int(at.min()) < 0 or bool((at * n >= torch.tensor(limits, device=at.device)).any())):
        raise ValueError("a block begins outside the lattice: places count from 0 and shape is its number of samples")
    return values.detach().float().contiguous(), blocks.layout(at, n), limits


def _sound(vertices: Tensor) -> Tensor:
    if not bool(torch.isfinite(vertices).all()):
        raise ValueError("the field holds NaN next to the surface; what computed it is broken (overflow?)")
    return vertices
