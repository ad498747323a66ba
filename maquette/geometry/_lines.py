"""Signed crossings of the axis-parallel lines through any points with the triangles of a mesh."""

from __future__ import annotations

import torch
from torch import Tensor

from ._columns import pierced

POINTS = 1 << 16
"""Points handled at once: bounds the temporaries."""


class Lines:
    """Lines along ``axis`` against triangles [F, 3, 3] float64, found through bins of the plane across the axis.

    Exact for closed meshes when all coordinates are multiples of one step and span at most 2^26 of them.
    """

    def __init__(self, corners: Tensor, axis: int) -> None:
        self.corners, self.axis = corners, axis
        self.u, self.v = (axis + 1) % 3, (axis + 2) % 3
        plane = corners[:, :, [self.u, self.v]]
        self.low = plane.amin(dim=(0, 1))
        self.count = min(max(int(len(corners) ** 0.5), 1), 1024)
        self.size = float((plane.amax(dim=(0, 1)) - self.low).amax()) / self.count or 1.0
        first, last = (self._bin(edge) for edge in (plane.amin(dim=1), plane.amax(dim=1)))
        wide = last - first + 1
        counts = wide[:, 0] * wide[:, 1]
        face = torch.repeat_interleave(torch.arange(len(corners), device=corners.device), counts)
        within = torch.arange(len(face), device=corners.device) - (torch.cumsum(counts, 0) - counts)[face]
        at = first[face] + torch.stack([within // wide[face, 1], within % wide[face, 1]], dim=1)
        bins, order = torch.sort(at[:, 0] * self.count + at[:, 1], stable=True)
        self.faces = face[order]
        self.starts = torch.searchsorted(bins, torch.arange(self.count**2 + 1, device=corners.device))

    def _bin(self, plane: Tensor) -> Tensor:
        return ((plane - self.low) / self.size).floor().clamp(0, self.count - 1).long()

    def winding(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Signed crossings [N] on the + and on the - side of points [N, 3] float64; equal where the mesh is closed."""
        both = [self._block(part) for part in points.split(POINTS)]
        above, below = (torch.cat(side) for side in zip(*both, strict=True))
        return above, below

    def _block(self, points: Tensor) -> tuple[Tensor, Tensor]:
        place = self._bin(points[:, [self.u, self.v]])
        number = place[:, 0] * self.count + place[:, 1]
        counts = self.starts[number + 1] - self.starts[number]
        who = torch.repeat_interleave(torch.arange(len(points), device=points.device), counts)
        within = torch.arange(len(who), device=points.device) - (torch.cumsum(counts, 0) - counts)[who]
        face = self.faces[self.starts[number[who]] + within]
        hit, along, sign = pierced(self.corners[face], points[who, self.u], points[who, self.v], self.u, self.v)
        who = who[hit]
        later = along > points[who, self.axis]
        out = torch.zeros((2, len(points)), dtype=torch.int64, device=points.device)
        out[0].index_add_(0, who[later], sign[later])
        out[1].index_add_(0, who[~later], -sign[~later])
        return out[0], out[1]
