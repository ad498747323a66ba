"""Where the lattice lines of one direction pierce the triangles of a mesh: exact inside tests and edge crossings.

All coordinates are lattice units: lattice points are integers. A line that meets an edge or a corner exactly is
decided by a symbolic shift (Edelsbrunner and Muecke, "Simulation of simplicity", 1990), so a closed mesh has no
cracks.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

PAIRS = 1 << 20
"""Triangle-line pairs tested at once: bounds the temporaries."""


class Columns:
    """Crossings of the lines along ``axis`` with triangles [F, 3, 3] (lattice units, float64).

    column: number of the line, sorted; along: where on the line, sorted within it; sign: +1 where the triangle looks
    towards +axis.
    """

    def __init__(self, corners: Tensor, axis: int, shape: tuple[int, int, int]) -> None:
        self.axis, self.shape = axis, shape
        self.u, self.v = (axis + 1) % 3, (axis + 2) % 3
        self.width = shape[self.v]
        hits = []
        for face, at_u, at_v in _batches(corners, self):
            hit, along, sign = pierced(corners[face], at_u, at_v, self.u, self.v)
            hits.append((at_u[hit] * self.width + at_v[hit], along, sign))
        column, along, sign = (torch.cat(parts) for parts in zip(*hits, strict=True)) if hits else _nothing(corners)
        self.low = float(along.min()) - 1.0 if len(along) else 0.0
        self.span = (float(along.max()) - self.low + 1.0) if len(along) else 1.0
        self.keys, order = torch.sort(self._key(column, along))
        self.column, self.along, self.sign = column[order], along[order], sign[order]
        self.sums = torch.cat([sign.new_zeros(1), torch.cumsum(self.sign, dim=0)])

    def _key(self, column: Tensor, along: Tensor) -> Tensor:
        """One float64 that orders by line, then by place; 2^-30 of the mesh's length is resolved with 4 million
        lines.
        """
        return column.double() + ((along.double() - self.low) / self.span).clamp(0.0, 1.0 - 1e-9)

    def _find(self, column: Tensor, along: Tensor) -> Tensor:
        """How many crossings come before (line, place)."""
        return torch.searchsorted(self.keys, self._key(column, along), right=True)

    def _column(self, points: Tensor) -> Tensor:
        return points[:, self.u].long() * self.width + points[:, self.v].long()

    def winding(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed crossings on the two sides of lattice points [N, 3]: (towards +axis, towards -axis), equal if
        closed.
        """
        column = self._column(points)
        first, last = (torch.searchsorted(self.keys, (column + k).double()) for k in (0, 1))
        here = torch.minimum(torch.maximum(self._find(column, points[:, self.axis]), first), last)
        return self.sums[last] - self.sums[here], self.sums[first] - self.sums[here]

    def share(self, low: Tensor, entering: Tensor) -> Tensor:
        """Where on lattice edges [N, 3] -> +axis the solid begins (``entering``) or ends, [N] in [0, 1]; NaN:
        nowhere.
        """
        column, start = self._column(low), low[:, self.axis]
        first, end = self._find(column, start), self._find(column, start + 1)
        if len(self.along) == 0:
            return torch.full((len(low),), torch.nan, device=low.device)
        pick = torch.where(entering, first, end - 1).clamp(0, len(self.along) - 1)
        share = self.along[pick] - start
        return torch.where(end > first, share, torch.nan).float()

    def edges(self) -> Tensor:
        """[M, 3] int64 lower ends of the lattice edges that hold a crossing (with repeats)."""
        out = torch.empty((len(self.along), 3), dtype=torch.int64, device=self.along.device)
        out[:, self.u], out[:, self.v] = self.column // self.width, self.column % self.width
        out[:, self.axis] = self.along.floor().long()
        return out


def _nothing(corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    whole = torch.zeros(0, dtype=torch.int64, device=corners.device)
    return whole, corners.new_zeros(0), whole


def _batches(corners: Tensor, columns: Columns) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Pairs (triangle, u, v) of triangles and the lines through their bounding boxes, in bounded batches."""
    boxes = []
    for axis in (columns.u, columns.v):
        low = corners[:, :, axis].amin(dim=1).ceil().clamp(min=0).long()
        high = corners[:, :, axis].amax(dim=1).floor().clamp(max=columns.shape[axis] - 1).long()
        boxes.append((low, (high - low + 1).clamp(min=0)))
    (low_u, wide_u), (low_v, wide_v) = boxes
    counts = wide_u * wide_v
    ends = torch.cumsum(counts, dim=0)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, PAIRS):
        number = torch.arange(start, min(start + PAIRS, total), device=corners.device)
        face = torch.searchsorted(ends, number, right=True)
        within = number - (ends[face] - counts[face])
        tall = wide_v[face]
        yield face, low_u[face] + within // tall, low_v[face] + within % tall


def pierced(triangle: Tensor, at_u: Tensor, at_v: Tensor, u: int, v: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which of triangles [n, 3, 3] the lines at (at_u, at_v) [n] along the third axis meet, and where.

    Returns their rows, the place along the line, and +1 where the triangle looks towards + of that axis, else -1.
    """
    axis = 3 - u - v
    sides = [_side(triangle[:, k], triangle[:, (k + 1) % 3], at_u, at_v, u, v) for k in range(3)]
    left = sides[0][0] & sides[1][0] & sides[2][0]
    right = ~(sides[0][0] | sides[1][0] | sides[2][0])
    areas = torch.stack([sides[k][1] for k in (1, 2, 0)], dim=1)  # the edge opposite to each corner
    # a face that the line sees as one single point lies on no side of its edges, which all look alike
    hit = torch.nonzero((left | right) & (areas.sum(dim=1) != 0)).squeeze(1)
    weights, heights = areas[hit], triangle[hit][:, :, axis]
    along = (weights * heights).sum(dim=1) / weights.sum(dim=1)
    along = torch.minimum(torch.maximum(along, heights.amin(dim=1)), heights.amax(dim=1))
    return hit, along, torch.where(left[hit], 1, -1)


def _side(a: Tensor, b: Tensor, at_u: Tensor, at_v: Tensor, u: int, v: int) -> tuple[Tensor, Tensor]:
    """Is the line left of a -> b, and twice the area it spans with it; both faces of an edge get one number."""
    swap = (a[:, u] > b[:, u]) | ((a[:, u] == b[:, u]) & (a[:, v] > b[:, v]))
    low, high = torch.where(swap.unsqueeze(1), b, a), torch.where(swap.unsqueeze(1), a, b)
    area = (high[:, u] - low[:, u]) * (at_v - low[:, v]) - (high[:, v] - low[:, v]) * (at_u - low[:, u])
    return (area >= 0) ^ swap, torch.where(swap, -area, area)
