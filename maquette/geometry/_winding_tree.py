"""Fast generalised winding numbers: a tree of dipoles over the triangles of any mesh, closed or not.

Barill, Dickson, Schmidt, Levin, Jacobson, "Fast Winding Numbers for Soups and Clouds", 2018: far groups of triangles
act like one dipole (here with the second-order term), near triangles give their exact solid angle (van Oosterom and
Strackee, 1983).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

FAN = 8
"""Triangles a leaf, and children a node."""


class Level(NamedTuple):
    """One level of the tree, leaves first: centre [n, 3], radius [n], area vector [n, 3], first moment [n, 3, 3]."""

    center: Tensor
    radius: Tensor
    dipole: Tensor
    moment: Tensor


class WindingTree:
    """The tree of one mesh; all tensors float32 on one device. corners: [F, 3, 3]; beta: accuracy. A group acts as one
    dipole beyond ``beta`` of its radii: 2.5 is right to about 0.02, 1.3 to 0.06 in a third of the time.
    """

    def __init__(self, corners: Tensor, beta: float = 2.0) -> None:
        self.beta = beta
        corners = corners.float()
        count = max(1, -(-len(corners) // FAN)) * FAN
        order = torch.argsort(_morton(corners.mean(dim=1)), stable=True)
        self.corners = torch.cat([corners[order], corners.new_zeros((count - len(corners), 3, 3))])
        self.levels = _build(self.corners, len(corners))

    def winding(self, points: Tensor) -> Tensor:
        """[N] winding number at points [N, 3]: 1 inside, 0 outside an outward closed mesh; fractions near holes."""
        out = [self._block(part) for part in points.float().split(1 << 14)]
        return torch.cat(out) if out else points.new_zeros(0)

    def _block(self, points: Tensor) -> Tensor:
        total = torch.zeros(len(points), device=points.device)
        roots = len(self.levels[-1].radius)
        who = torch.arange(len(points), device=points.device).repeat_interleave(roots)
        node = torch.arange(roots, device=points.device).repeat(len(points))
        for depth in range(len(self.levels) - 1, -1, -1):
            level = self.levels[depth]
            towards = level.center[node] - points[who]
            square = (towards * towards).sum(dim=1)
            far = square > (self.beta * level.radius[node]) ** 2
            rows = torch.nonzero(far).squeeze(1)
            picked = node[rows]
            share = _dipole(towards[rows], square[rows], level.dipole[picked], level.moment[picked])
            total.index_add_(0, who[rows], share)
            near = torch.nonzero(~far).squeeze(1)
            who = who[near].repeat_interleave(FAN)
            node = (node[near].unsqueeze(1) * FAN + torch.arange(FAN, device=node.device)).reshape(-1)
            held = len(self.levels[depth - 1].radius) if depth else len(self.corners)
            if held % FAN:
                kept = node < held
                who, node = who[kept], node[kept]
        total.index_add_(0, who, solid_angles(self.corners[node] - points[who].unsqueeze(1)))
        return total / (4 * math.pi)


def solid_angles(corners: Tensor) -> Tensor:
    """Signed solid angle of triangles [n, 3, 3] seen from the origin, [n]; positive from behind (inside)."""
    a, b, c = corners.unbind(1)
    la, lb, lc = a.norm(dim=1), b.norm(dim=1), c.norm(dim=1)
    above = (a * torch.linalg.cross(b, c)).sum(dim=1)
    below = la * lb * lc + (a * b).sum(dim=1) * lc + (b * c).sum(dim=1) * la + (c * a).sum(dim=1) * lb
    return 2 * torch.atan2(above, below)


def _dipole(towards: Tensor, square: Tensor, dipole: Tensor, moment: Tensor) -> Tensor:
    cube = square * square.sqrt()
    first = (towards * dipole).sum(dim=1)
    trace = moment.diagonal(dim1=1, dim2=2).sum(dim=1)
    along = torch.einsum("ni,nij,nj->n", towards, moment, towards)
    return (first + trace - 3 * along / square) / cube


def _build(corners: Tensor, real: int) -> list[Level]:
    """Levels from the leaves up to at most ``FAN`` roots; rows from ``real`` on are padding without area or extent."""
    vectors = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    area, middle = vectors.norm(dim=1), corners.mean(dim=1)
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    low[real:], high[real:] = torch.inf, -torch.inf
    moment = corners.new_zeros((len(corners), 3, 3))
    levels: list[Level] = []
    while not levels or len(levels[-1].radius) > FAN:
        area, center, dipole, moment, low, high = _parents(area, middle, vectors, moment, low, high)
        reach = torch.maximum(high - center, center - low).clamp(min=0).norm(dim=1)
        levels.append(Level(center, reach, dipole, moment))
        middle, vectors = center, dipole
    return levels


def _parents(
    area: Tensor, middle: Tensor, vectors: Tensor, moment: Tensor, low: Tensor, high: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    missing = -len(area) % FAN
    if missing:
        area, middle, vectors, moment = (
            torch.cat([t, t.new_zeros((missing, *t.shape[1:]))]) for t in (area, middle, vectors, moment)
        )
        low = torch.cat([low, low.new_full((missing, 3), torch.inf)])
        high = torch.cat([high, high.new_full((missing, 3), -torch.inf)])
    area, middle, vectors = area.view(-1, FAN), middle.view(-1, FAN, 3), vectors.view(-1, FAN, 3)
    total = area.sum(dim=1)
    center = (middle * area.unsqueeze(2)).sum(dim=1) / total.clamp(min=1e-30).unsqueeze(1)
    shifted = moment.view(-1, FAN, 3, 3) + vectors.unsqueeze(3) * (middle - center.unsqueeze(1)).unsqueeze(2)
    low, high = low.view(-1, FAN, 3).amin(dim=1), high.view(-1, FAN, 3).amax(dim=1)
    return total, center, vectors.sum(dim=1), shifted.sum(dim=1), low, high


def _morton(points: Tensor) -> Tensor:
    """Interleaved 21-bit coordinates: near points get near numbers."""
    low, high = points.amin(dim=0), points.amax(dim=0)
    cells = ((points - low) / (high - low).amax().clamp(min=1e-30) * (2**21 - 1)).long()
    code = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for axis in range(3):
        x = cells[:, axis]
        for shift, mask in (
            (32, 0x1F00000000FFFF),
            (16, 0x1F0000FF0000FF),
            (8, 0x100F00F00F00F00F),
            (4, 0x10C30C30C30C30C3),
            (2, 0x1249249249249249),
        ):
            x = (x | x << shift) & mask
        code |= x << axis
    return code
