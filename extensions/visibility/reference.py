"""Does a ray meet a triangle? The PyTorch twin of the compiled kernels and the default where none is built.

All rays of a block go down the tree together, a level at a time; what they find in the leaves is tried nearest first,
so that most rays that hit are done early. The triangle test is that of Woop, Benthin and Wald, "Watertight ray/triangle
intersection", JCGT 2(1), 2013, in double precision: no ray slips between two triangles that share an edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .tree import FAN, LEAF

BLOCK = 1 << 14
"""Rays that go down together."""
_NEAR = 0.1
"""First the boxes within this share of the scene, then the rest: most of what hides a face is beside it."""


@dataclass(frozen=True)
class Rays:
    """origin: [N, 3] float64; way: [N, 3] float64, its largest component 1 or -1; near, far: [N] float64 along it."""

    origin: Tensor
    way: Tensor
    near: Tensor
    far: Tensor

    def __len__(self) -> int:
        return len(self.origin)

    def __getitem__(self, rows: Tensor | slice) -> Rays:
        return Rays(self.origin[rows], self.way[rows], self.near[rows], self.far[rows])


def visibility(groups: Tensor, starts: list[int], leaves: Tensor, rays: Rays, reach: float) -> Tensor:
    """[N] bool: is there a triangle between ``near`` (without) and ``far`` (with)? reach: size of the scene.

    groups: [G, 6, FAN] float32 boxes; starts: the first group of each level; leaves: [L, 3, 3, LEAF] float32.
    """
    hit = torch.zeros(len(rays), dtype=torch.bool, device=groups.device)
    scene = _Scene(groups.view(-1, 6 * FAN), starts, leaves.view(-1, 9 * LEAF))
    steepest = rays.way.abs().argmax(dim=1)
    for axis in range(3):
        for rows in (steepest == axis).nonzero()[:, 0].split(BLOCK):
            hit[rows] = _two_reaches(scene, rays[rows], axis, _NEAR * reach)
    return hit


@dataclass(frozen=True)
class _Scene:
    """groups: [G, 6 * FAN]; starts; leaves: [L, 9 * LEAF]; one row is one gather."""

    groups: Tensor
    starts: list[int]
    leaves: Tensor


def _two_reaches(scene: _Scene, rays: Rays, axis: int, reach: float) -> Tensor:
    """[N] of rays whose way is steepest along ``axis``: first what is within reach, then the rest of the open ones."""
    split = torch.minimum(rays.far, rays.near.clamp(min=0) + reach)
    hit = _block(scene, rays, axis, rays.near, split)
    left = (~hit & (split < rays.far)).nonzero()[:, 0]
    if len(left):
        hit[left] = _block(scene, rays[left], axis, split[left], rays.far[left])
    return hit


def _block(scene: _Scene, rays: Rays, axis: int, near: Tensor, far: Tensor) -> Tensor:
    ray, leaf = _descend(scene, rays, near.float(), far.float())
    hit = torch.zeros(len(rays), dtype=torch.bool, device=ray.device)
    order = (axis + 1) % 3, (axis + 2) % 3, axis
    way = rays.way[:, order]
    shear = torch.stack([way[:, 0] * way[:, 2], way[:, 1] * way[:, 2], way[:, 2]], dim=1)  # the last is 1 or -1
    table = torch.cat([rays.origin[:, order], shear, rays.near[:, None], rays.far[:, None]], dim=1)
    wave = 1
    while len(ray):
        place = torch.arange(len(ray), device=ray.device)
        begins = torch.where(torch.diff(ray, prepend=ray[:1] - 1) != 0, place, torch.zeros_like(place))
        now = place - torch.cummax(begins, 0).values < wave
        some = ray[now]
        corners = scene.leaves.index_select(0, leaf[now]).t().contiguous().view(3, 3, LEAF, len(some))
        hit[some[_strikes(corners, order, table.index_select(0, some).t().contiguous())]] = True
        left = (~now & ~hit[ray]).nonzero()[:, 0]
        ray, leaf = ray[left], leaf[left]
        wave *= 2
    return hit


def _descend(scene: _Scene, rays: Rays, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs (ray, leaf) whose boxes the ray enters between near and far: by ray, then by where it enters."""
    way = torch.where(rays.way.abs() > 1e-18, rays.way, torch.full_like(rays.way, 1e-18))
    table = torch.cat([rays.origin.float(), (1.0 / way).float(), near[:, None], far[:, None]], dim=1)
    ray = torch.arange(len(rays), device=near.device)
    node, enter = torch.zeros_like(ray), near
    for start in scene.starts:
        boxes = scene.groups.index_select(0, node + start).t().contiguous().view(2, 3, FAN, len(ray))
        line = table.index_select(0, ray).t().contiguous()
        boxes.sub_(line[:3, None]).mul_(line[3:6, None])
        into = torch.minimum(boxes[0], boxes[1]).amax(dim=0)
        leave = torch.maximum(boxes[0], boxes[1]).amin(dim=0)
        # a box without triangles is NaN and fails
        keep = (into <= leave * (1 + 1e-6)) & (leave >= line[6]) & (into <= line[7])
        child, pair = keep.nonzero(as_tuple=True)
        enter = into[child, pair]
        ray, node = ray[pair], node[pair] * FAN + child
    # floats that are not negative sort like their bits
    key = (ray << 32) | enter.clamp(min=0).view(torch.int32).to(torch.int64)
    order = torch.argsort(key)
    return ray[order], node[order]


def _strikes(corners: Tensor, order: tuple[int, int, int], line: Tensor) -> Tensor:
    """[N] does any triangle of corners [3 corners, 3 axes, LEAF, N] lie on the ray, beyond near and up to far?

    order: the axes, that of the way last. line: [8, N] origin and shears in that order, near, far.
    """
    a, b, c = order
    z = corners[:, c] - line[2]
    x, y = corners[:, a] - line[0] - line[3] * z, corners[:, b] - line[1] - line[4] * z
    edges = [x[(k + 2) % 3] * y[(k + 1) % 3] - y[(k + 2) % 3] * x[(k + 1) % 3] for k in range(3)]
    least = torch.minimum(torch.minimum(edges[0], edges[1]), edges[2])
    most = torch.maximum(torch.maximum(edges[0], edges[1]), edges[2])
    lane, ray = ((least >= 0) | (most <= 0)).nonzero(as_tuple=True)  # few; never a missing triangle, which is NaN
    u, v, w = (edge[lane, ray] for edge in edges)
    deep = z[:, lane, ray] * line[5, ray]
    area = u + v + w
    along = (u * deep[0] + v * deep[1] + w * deep[2]) / area
    struck = (area != 0) & (along > line[6, ray]) & (along <= line[7, ray])
    out = torch.zeros(line.shape[1], dtype=torch.bool, device=line.device)
    out[ray[struck]] = True
    return out
