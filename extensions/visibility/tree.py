"""A bounding-volume tree over triangles, built in PyTorch for the twin and the compiled kernels alike.

Triangles are sorted along a Morton curve, ``LEAF`` of them make a leaf, ``FAN`` neighbours make a parent, and so on up
to one group. There are no pointers: the children of node k are the nodes FAN * k ... of the level below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

LEAF = 4
FAN = 4


@dataclass(frozen=True)
class Tree:
    """corners: [F, 3, 3] float64 in tree order; face: [F] original index; levels: low and high corners [n, 3] of the
    nodes, from the top (at most ``FAN``) down to the leaves; a node without triangles is NaN."""

    corners: Tensor
    face: Tensor
    levels: tuple[tuple[Tensor, Tensor], ...]

    @cached_property
    def magnitude(self) -> float:
        """Largest absolute coordinate, 0 without triangles."""
        return float(self.corners.abs().max()) if len(self.corners) else 0.0

    def packed(self, margin: float) -> tuple[Tensor, list[int]]:
        """Boxes as the ray kernels read them, widened by ``margin``: [groups, 6, FAN] float32 (low x y z, high x y z),
        top down, and the first group of each level."""
        groups, starts = [], []
        begin = 0
        for low, high in self.levels:
            boxes = torch.cat([low - margin, high + margin], dim=1).to(torch.float32).view(-1, FAN, 6)
            groups.append(boxes.transpose(1, 2))
            starts.append(begin)
            begin += len(boxes)
        return torch.cat(groups).contiguous(), starts

    @cached_property
    def leaves(self) -> Tensor:
        """[L, 3, 3, LEAF] float32 corner, axis, triangle of each leaf; missing triangles are NaN."""
        corners = self.corners.to(torch.float32)  # equal corners stay equal, so no gap opens
        padded = torch.cat([corners, corners.new_full((-len(corners) % LEAF, 3, 3), torch.nan)])
        return padded.view(-1, LEAF, 3, 3).permute(0, 2, 3, 1).contiguous()


def build(
    points: Tensor,  # [V, 3] floating point
    faces: Tensor,  # [F, 3] integer
) -> Tree:
    """The tree over ``faces``, where ``points`` lies. ValueError for NaN and for a face that names no vertex."""
    faces = faces.to(points.device, torch.int64).reshape(-1, 3)
    if len(faces) and (int(faces.min()) < 0 or int(faces.max()) >= len(points)):
        raise ValueError(f"a face names a vertex that is not among the {len(points)} there are")
    a, b, c = points.to(torch.float64)[faces.t().contiguous()]
    low, high = torch.minimum(torch.minimum(a, b), c), torch.maximum(torch.maximum(a, b), c)
    if not bool(torch.isfinite(low).all() & torch.isfinite(high).all()):
        raise ValueError("the mesh holds NaN or infinite vertices; clean it first")
    order = torch.argsort(morton(a + b + c), stable=True)
    corners = torch.stack([a[order], b[order], c[order]], dim=1)
    low, high = _grouped(low[order], LEAF), _grouped(high[order], LEAF)
    levels = []
    low, high = _reduced(low, high)
    while True:
        low, high = (_grouped(side, FAN).view(-1, 3) for side in (low, high))
        levels.append((low, high))
        if len(low) <= FAN:
            return Tree(corners, order, tuple(reversed(levels)))
        low, high = _reduced(low.view(-1, FAN, 3), high.view(-1, FAN, 3))


def _grouped(values: Tensor, size: int) -> Tensor:
    """[n, size, 3] rows in groups, the last filled up with NaN; at least one group."""
    missing = -len(values) % size if len(values) else size
    return torch.cat([values, values.new_full((missing, 3), torch.nan)]).view(-1, size, 3)


def _reduced(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes of groups; NaN is looked past where there is anything else."""
    least, most = low.nan_to_num(torch.inf).amin(dim=1), high.nan_to_num(-torch.inf).amax(dim=1)
    empty = least > most
    return least.masked_fill(empty, torch.nan), most.masked_fill(empty, torch.nan)


def morton(points: Tensor) -> Tensor:
    """[N] int64 position of ``points`` [N, 3] along a space-filling curve with 2^21 steps a side."""
    if len(points) == 0:
        return torch.zeros(0, dtype=torch.int64, device=points.device)
    low, high = points.amin(dim=0), points.amax(dim=0)
    cells = ((points - low) / (high - low).amax().clamp(min=1e-300) * (2**21 - 1)).to(torch.int64)
    code = torch.zeros(len(points), dtype=torch.int64, device=points.device)
    for axis in range(3):
        code |= _spread(cells[:, axis]) << axis
    return code


def _spread(bits: Tensor) -> Tensor:
    """Two zero bits after each of 21 bits (the usual magic numbers)."""
    for shift, mask in (
        (32, 0x1F00000000FFFF), (16, 0x1F0000FF0000FF), (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3), (2, 0x1249249249249249),
    ):  # fmt: skip
        bits = (bits | (bits << shift)) & mask
    return bits
