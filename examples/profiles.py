"""Turned and bent shapes from smooth curves, read from a finely sampled table of distances.

A polygon fine enough to look smooth would be slow to measure at every point of every ray; a table of its distance,
computed once, is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .solids import Points, Values, polygon, smooth_path

CELLS = 400
"""Table cells along the longer side."""
MARGIN = 0.15
"""Room around the curve, as a share of its longer side; beyond it the distance is bounded from below."""


@dataclass(frozen=True, eq=False)
class Table:
    """Values on a plane lattice, linear in between. low: [2] first node; cell: spacing; values: [K, A, B]."""

    low: npt.NDArray[np.float64]
    cell: float
    values: npt.NDArray[np.float32]

    def __call__(self, a: Values, b: Values) -> tuple[npt.NDArray[np.float32], Values]:
        """Values [K, N] at plane positions (a, b), and how far [N] each lies outside of the table."""
        high = self.low + self.cell * (np.array(self.values.shape[1:]) - 1)
        u, v = np.clip(a, self.low[0], high[0]), np.clip(b, self.low[1], high[1])
        outside = np.sqrt((a - u) ** 2 + (b - v) ** 2).astype(np.float32)
        s, t = (u - self.low[0]) / self.cell, (v - self.low[1]) / self.cell
        i = np.minimum(s.astype(np.int32), self.values.shape[1] - 2)
        j = np.minimum(t.astype(np.int32), self.values.shape[2] - 2)
        s, t = (s - i).astype(np.float32), (t - j).astype(np.float32)
        width = self.values.shape[2]
        flat = self.values.reshape(len(self.values), -1)
        at = i * width + j
        lower = flat[:, at] * (1 - t) + flat[:, at + 1] * t
        upper = flat[:, at + width] * (1 - t) + flat[:, at + width + 1] * t
        return lower * (1 - s) + upper * s, outside


def _lattice(curve: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], float, tuple[int, int], Points]:
    low, high = curve.min(axis=0), curve.max(axis=0)
    room = MARGIN * float((high - low).max())
    low, high = low - room, high + room
    cell = float((high - low).max()) / CELLS
    shape = tuple(int(n) for n in np.ceil((high - low) / cell).astype(int) + 1)
    a, b = (low[k] + cell * np.arange(shape[k]) for k in (0, 1))
    nodes = np.stack([x.ravel() for x in np.meshgrid(a, b, indexing="ij")]).astype(np.float32)
    return low, cell, (shape[0], shape[1]), nodes


@dataclass(frozen=True, eq=False)
class Lathe:
    """A closed outline (radius, height) [K, 2] turned about the y axis; ``rounding`` is added all around."""

    outline: npt.NDArray[np.float64]
    rounding: float = 0.0

    @cached_property
    def table(self) -> Table:
        """Distance to the outline, mirrored at the axis."""
        outline = np.asarray(self.outline, float)
        both = np.concatenate([outline, outline * (-1, 1)])
        low, cell, shape, nodes = _lattice(both)
        right, left = polygon(nodes, outline), polygon(nodes, outline * (-1, 1))
        return Table(low, cell, np.minimum(right, left).reshape(1, *shape))

    def __call__(self, p: Points) -> Values:
        """Signed distance [N]."""
        (near,), outside = self.table(np.sqrt(p[0] ** 2 + p[2] ** 2), p[1])
        return np.where(outside > 0, np.sqrt(near**2 + outside**2), near) - np.float32(self.rounding)


@dataclass(frozen=True, eq=False)
class Wire:
    """A round rod along a smooth curve through ``nodes`` [K, 2] (x, y) in the plane z = 0, a radius at each node."""

    nodes: npt.NDArray[np.float64]
    radii: npt.NDArray[np.float64]

    @cached_property
    def table(self) -> Table:
        """Distance to the curve, and the radius there."""
        nodes = np.asarray(self.nodes, float)
        curve = smooth_path(np.concatenate([nodes, np.broadcast_to(self.radii, len(nodes))[:, None]], axis=1), 12)
        low, cell, shape, q = _lattice(curve[:, :2])
        best, width = np.full(q.shape[1], np.inf), np.zeros(q.shape[1])
        for a, b in pairwise(curve):
            edge = b[:2] - a[:2]
            along = np.clip(((q - a[:2, None]) * edge[:, None]).sum(axis=0) / float(edge @ edge), 0, 1)
            gap = ((q - a[:2, None] - edge[:, None] * along) ** 2).sum(axis=0)
            closer = gap < best
            best[closer], width[closer] = gap[closer], (a[2] + along * (b[2] - a[2]))[closer]
        return Table(low, cell, np.stack([best.astype(np.float32), width.astype(np.float32)]).reshape(2, *shape))

    def __call__(self, p: Points) -> Values:
        """Signed distance [N]."""
        (square, width), outside = self.table(p[0], p[1])
        return np.sqrt(np.maximum(square, 0) + outside**2 + p[2] ** 2) - width
