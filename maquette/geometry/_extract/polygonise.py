"""The mesh of crossed cells: vertices on crossed edges (welded by owner), refined on the true field if asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ...native import extension
from .lattice import Lattice
from .sampler import Sampler
from .walk import Cells, chunk


class Edges(NamedTuple):
    """Crossed lattice edges: lower end [n, 3] int32, axis [n], values at the lower and the upper end [n]."""

    low: Tensor
    axis: Tensor
    lower: Tensor
    upper: Tensor


Placing = Callable[[Edges], Tensor]
"""Crossed edges -> the share of each at which its vertex lies, [n] in [0, 1]."""


def refined(sampler: Sampler, level: float, refine: int) -> Placing | None:
    """``refine`` secant steps on the field, from where it crosses the level if it is linear; None: no steps."""
    return (lambda edges: _shares(edges, sampler, level, refine)) if refine else None


def polygonise(
    cells: Cells, lattice: Lattice, sampler: Sampler, level: float, placing: Placing | None = None
) -> tuple[Tensor, Tensor]:
    """World vertices [V, 3] float32 and faces [F, 3] int64 of crossed cells of width 1.

    placing: where on its edge a vertex lies; None: where the field, linear along it, crosses ``level``. The rows are
    those of marching cubes on the full lattice, in that order, compiled or not.
    """
    family = extension("marching_cubes")
    compiled = family.method(lattice.device) == "native" and lattice.block <= family.blocks.SIDE
    if compiled:
        points, faces = _compiled(lattice, level)
        if placing is None:
            return sampler.world(points), faces
    cells = _ordered(cells, lattice)
    if not compiled:
        faces = _faces(cells, lattice)
    reference = family.reference
    edges = _edges(cells, lattice, reference.owned_axes(cells.case))
    share = placing(edges) if placing is not None else reference.crossing(edges.lower, edges.upper, level)
    return sampler.world(_at(edges, share.clamp(reference.MARGIN, 1.0 - reference.MARGIN))), faces


def _compiled(lattice: Lattice, level: float) -> tuple[Tensor, Tensor]:
    """Lattice coordinates and faces of the visited cells, from the lattice's blocks as they lie."""
    count, side, grid = len(lattice.block_of), lattice.block, lattice.grid
    held, shape = slice(count * lattice.size), (count, side, side, side)
    number = lattice.block_of
    place = torch.stack([number // (grid[1] * grid[2]), number // grid[2] % grid[1], number % grid[2]], dim=1)
    found: tuple[Tensor, Tensor] = extension("marching_cubes").marching_cubes_blocks(
        lattice.values[held].view(shape),
        place,
        level,
        shape=lattice.shape,
        cells=(lattice.visited[held] == 1).view(shape),
    )
    return found


def _ordered(cells: Cells, lattice: Lattice) -> Cells:
    """Cells in the order of the full lattice."""
    low = cells.low.long()
    order = torch.argsort((low[:, 0] * lattice.shape[1] + low[:, 1]) * lattice.shape[2] + low[:, 2])
    return Cells(*(column[order] for column in cells))


def _faces(cells: Cells, lattice: Lattice) -> Tensor:
    reference = extension("marching_cubes.reference")
    where = torch.empty(len(lattice.values), dtype=torch.int32, device=lattice.device)
    where[cells.corners[:, 0].long()] = torch.arange(len(cells.low), dtype=torch.int32, device=lattice.device)
    numbers = reference.number_vertices(reference.owned_axes(cells.case)).int()
    last = torch.tensor(lattice.shape, device=lattice.device) - 1
    faces = []
    inner = torch.nonzero((cells.low < last).all(dim=1)).squeeze(1)
    for rows in inner.split(chunk(inner.device)):
        cell, corner, axis = reference.cell_triangles(cells.case[rows])
        addresses = cells.corners[rows[cell].unsqueeze(1), corner]
        faces.append(numbers[where[addresses].long(), axis].long())
    return torch.cat(faces) if faces else torch.empty((0, 3), dtype=torch.int64, device=lattice.device)


def _edges(cells: Cells, lattice: Lattice, owned: Tensor) -> Edges:
    parts = []
    for axis in range(3):
        rows = torch.nonzero(owned[:, axis]).squeeze(1)
        ends = [lattice.values[cells.corners[rows, corner].long()] for corner in (0, 1 << axis)]
        parts.append(Edges(cells.low[rows], torch.full_like(rows, axis), *ends))
    return Edges(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _shares(edges: Edges, sampler: Sampler, level: float, steps: int) -> Tensor:
    """Where along its edge each vertex lies: linear interpolation, then ``steps`` of regula falsi on the field."""
    reference = extension("marching_cubes.reference")
    lower, upper = edges.lower, edges.upper
    share = reference.crossing(lower, upper, level)
    begin, end = torch.zeros_like(share), torch.ones_like(share)
    for _ in range(steps):
        value = sampler(_at(edges, share))
        below = (value > level) == (lower > level)
        begin, lower = torch.where(below, share, begin), torch.where(below, value, lower)
        end, upper = torch.where(below, end, share), torch.where(below, upper, value)
        share = begin + (end - begin) * reference.crossing(lower, upper, level)
    return share


def _at(edges: Edges, share: Tensor) -> Tensor:
    """Lattice coordinates [n, 3] float32 of the points at ``share`` of the edges."""
    out = edges.low.float()
    return out.scatter_add_(1, edges.axis.unsqueeze(1), share.unsqueeze(1))
