"""Marching cubes in pure PyTorch (CPU and CUDA): the twin of the compiled kernels and the default where none is built.

A grid point *owns* the up to three crossed edges that leave it towards +x, +y and +z, so vertices are numbered by
(point, axis): welded by construction, without sorting. Only cells with a crossing are ever gathered.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .table import EDGES, MAX_TRIANGLES, TRIANGLES

MARGIN = 1e-3
"""Vertices stay this share of an edge away from its ends: values exactly at the level make no empty triangle."""


def marching_cubes(
    values: Tensor,  # [X, Y, Z]
    level: float,
) -> tuple[Tensor, Tensor]:
    """Surface between values > level (inside) and the rest.

    Returns vertices [V, 3] float32 in index units (x, y, z; sample (0, 0, 0) at the origin) and faces [F, 3] int64,
    counter-clockwise seen from outside; ordered by cell.
    """
    shape = values.shape
    codes = _codes(values > level)
    points = _active(codes)
    codes = codes[points]
    where = torch.empty(values.numel(), dtype=torch.int32, device=values.device)
    where[points] = torch.arange(len(points), dtype=torch.int32, device=values.device)

    strides = (shape[1] * shape[2], shape[2], 1)
    xyz = torch.stack([points // strides[0], points // shape[2] % shape[1], points % shape[2]], dim=1)
    owned = owned_axes(codes)
    flat = values.reshape(-1)
    vertices = torch.cat([_edge_points(flat, points, xyz, owned, axis, strides[axis], level) for axis in range(3)])
    numbers = number_vertices(owned)

    inner = (xyz < torch.tensor(shape, device=values.device) - 1).all(dim=1)
    cells = torch.nonzero(inner).squeeze(1)
    cell, low, axis = cell_triangles(codes[cells])
    offsets = sum((low >> a & 1) * strides[a] for a in range(3))
    owner = where[(points[cells][cell]).unsqueeze(1) + offsets].long()
    return vertices, numbers[owner, axis]


def _codes(inside: Tensor) -> Tensor:
    """Case of the cell above each point, flat uint8; beyond the last sample it is repeated (no crossing)."""
    codes = inside.view(torch.uint8)
    for axis in range(3):
        count, folded = codes.shape[axis], torch.empty_like(codes)
        lower, upper = codes.narrow(axis, 0, count - 1), codes.narrow(axis, 1, count - 1)
        torch.add(lower, upper, alpha=1 << (1 << axis), out=folded.narrow(axis, 0, count - 1))
        last = codes.narrow(axis, count - 1, 1)
        torch.add(last, last, alpha=1 << (1 << axis), out=folded.narrow(axis, count - 1, 1))
        codes = folded
    return codes.reshape(-1)


def _active(codes: Tensor) -> Tensor:
    """Numbers of the points whose cell is neither all inside nor all outside; eight cells are tested at once."""
    whole = codes.numel() // 8 * 8
    words = codes[:whole].view(torch.int64)
    busy = torch.nonzero((words != 0) & (words != -1)).squeeze(1)
    candidates = (busy.unsqueeze(1) * 8 + torch.arange(8, device=codes.device)).reshape(-1)
    candidates = torch.cat([candidates, torch.arange(whole, codes.numel(), device=codes.device)])
    found = codes[candidates]
    return candidates[(found != 0) & (found != 255)]


def owned_axes(codes: Tensor) -> Tensor:
    """[n, 3] bool: which of the three edges that leave the cell's lowest corner are crossed."""
    corners = torch.tensor([1, 2, 4], device=codes.device)
    wide = codes.long().unsqueeze(1)
    return (wide >> corners & 1) != (wide & 1)


def number_vertices(owned: Tensor) -> Tensor:
    """[n, 3] int64: vertex number of each owned edge, all along x first, then y, then z; nonsense where not owned."""
    by_axis = owned.t().contiguous()
    return (torch.cumsum(by_axis.reshape(-1), dim=0) - 1).view(3, -1).t()


def crossing(lower: Tensor, upper: Tensor, level: float) -> Tensor:
    """Share of the way from the lower to the upper sample at which the level is crossed; NaN stays NaN."""
    lower, upper = (side.float().clamp(-1e30, 1e30) for side in (lower, upper))
    return ((level - lower) / (upper - lower)).clamp(MARGIN, 1.0 - MARGIN)


def _edge_points(
    flat: Tensor, points: Tensor, xyz: Tensor, owned: Tensor, axis: int, stride: int, level: float
) -> Tensor:
    rows = torch.nonzero(owned[:, axis]).squeeze(1)
    lower = points[rows]
    out = xyz[rows].float()
    out[:, axis] += crossing(flat[lower], flat[lower + stride], level)
    return out


def cell_triangles(codes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles of the given cells: cell row [F]; per triangle corner the owner's corner bits and axis, [F, 3] each."""
    device = codes.device
    padded = [[*triangles, *[(0, 0, 0)] * (MAX_TRIANGLES - len(triangles))] for triangles in TRIANGLES]
    table = torch.tensor(padded, dtype=torch.int64).to(device)
    counts = torch.tensor([len(triangles) for triangles in TRIANGLES]).to(device)
    corners = torch.tensor([low for low, _ in EDGES]).to(device)
    wide = codes.long()
    wanted = torch.arange(MAX_TRIANGLES, device=device) < counts[wide].unsqueeze(1)
    cell, place = torch.nonzero(wanted, as_tuple=True)
    edges = table[wide[cell], place]
    return cell, corners[edges], edges // 4
