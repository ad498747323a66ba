"""Sparse blocks of samples in PyTorch: where each block's neighbours and rows lie, and the twin of the kernels.

A block holds n^3 samples of one common lattice; what no block holds does not exist, and cells that need it are left
out. A crossed edge belongs to the block of its lower end, so vertices are welded across blocks by construction, and
rows are numbered as a dense volume would number them: the result is that of the dense volume, row by row.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .reference import cell_triangles, crossing, number_vertices, owned_axes

SIDE = 32
"""The most samples a side: a row and the sample behind it fit into a word."""
FAR = 1 << 20
"""Block coordinates lie below; three of them fit into one key."""


class Layout(NamedTuple):
    """place: [B, 3] in blocks; beside: [B, 8] the block one further along the axes of the bits x, y, z (-1 = none);
    rank: [B, 3] number of a block's first row of samples in the dense order, and what one x and one y add to it."""

    place: Tensor
    beside: Tensor
    rank: Tensor


def layout(place: Tensor, n: int) -> Layout:
    """Neighbours and order of blocks at ``place`` [B, 3] int64, from 0 and below FAR. ValueError for one twice."""
    keys = _key(place)
    ordered, order = torch.sort(keys)
    if bool((ordered[1:] == ordered[:-1]).any()):
        raise ValueError("the same block is given twice")
    bits = torch.arange(8, device=place.device)
    steps = torch.stack([bits & 1, bits >> 1 & 1, bits >> 2 & 1], dim=1)
    wanted = _key(place.unsqueeze(1) + steps)
    at = torch.searchsorted(ordered, wanted).clamp_(max=max(len(keys) - 1, 0))
    if len(keys) == 0:
        return Layout(place, wanted, place)
    beside = torch.where(ordered[at] == wanted, order[at], torch.full_like(at, -1))
    slab, column = (_runs(torch.div(ordered, FAR**k, rounding_mode="floor")) for k in (2, 1))
    within = torch.arange(len(keys), device=place.device) - column[0]
    first = slab[0] * n * n + (column[0] - slab[0]) * n + within
    rank = torch.empty_like(place)
    rank[order] = torch.stack([first, slab[1] * n, column[1]], dim=1)
    return Layout(place, beside.contiguous(), rank)


def _key(place: Tensor) -> Tensor:
    return (place[..., 0] * FAR + place[..., 1]) * FAR + place[..., 2]


def _runs(values: Tensor) -> tuple[Tensor, Tensor]:
    """Per entry of sorted ``values``: where its run of equal ones begins, and how long that is."""
    _, which, counts = torch.unique_consecutive(values, return_inverse=True, return_counts=True)
    return (torch.cumsum(counts, 0) - counts)[which], counts[which]


def marching_cubes_blocks(
    values: Tensor,  # [B, n, n, n] float32
    where: Layout,
    cells: Tensor | None,  # [B, n, n, n] bool
    shape: list[int],
    level: float,
) -> tuple[Tensor, Tensor]:
    """Vertices [V, 3] float32 in index units of the lattice and faces [F, 3] int64, as the dense volume gives them.

    cells: by their lowest sample, what to mesh and whose edges get vertices (None: all). shape: samples of the lattice;
    what lies beyond does not exist. A face names vertex -1 where ``cells`` left out the owner of its edge.
    """
    n = values.shape[1]
    known = _known(where.place, n, shape)
    inside = _with_rim((values > level) & known, where.beside)
    known = _with_rim(known, where.beside)
    codes, complete = _folded(inside), _folded(known) == 255
    corners = known[:, :n, :n, :n]
    there = [corners & known[:, x : n + x, y : n + y, z : n + z] for x, y, z in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    owned = owned_axes(codes.reshape(-1)) & torch.stack(there, dim=-1).view(-1, 3)
    busy = complete.view(-1) & (codes.view(-1) != 0) & (codes.view(-1) != 255)
    listed = owned.any(dim=1) | busy
    if cells is not None:
        listed &= cells.reshape(-1)
    rows = _ordered(torch.nonzero(listed).squeeze(1), where.rank, n)
    numbers = number_vertices(owned[rows])
    vertices = torch.cat([_vertices(values, where, rows[owned[rows, axis]], axis, level) for axis in range(3)])
    return vertices, _faces(rows[busy[rows]], rows, numbers, owned, codes.view(-1), where, n)


def _known(place: Tensor, n: int, shape: list[int]) -> Tensor:
    """[B, n, n, n] bool: samples that lie within the lattice."""
    line = torch.arange(n, device=place.device)
    x, y, z = (place[:, axis, None] * n + line < shape[axis] for axis in range(3))
    return x[:, :, None, None] & y[:, None, :, None] & z[:, None, None, :]


def _with_rim(values: Tensor, beside: Tensor) -> Tensor:
    """[B, n + 1, n + 1, n + 1] bool: with the first samples of the next blocks, False where there is none."""
    n = values.shape[1]
    out = torch.zeros((len(values), n + 1, n + 1, n + 1), dtype=torch.bool, device=values.device)
    own, rim, first = slice(0, n), slice(n, n + 1), slice(0, 1)
    for bits in range(8):
        have = torch.nonzero(beside[:, bits] >= 0).squeeze(1)
        (x, y, z), (u, v, w) = ([(side if bits >> k & 1 else own) for k in range(3)] for side in (rim, first))
        out[have, x, y, z] = values[beside[have, bits], u, v, w]
    return out


def _folded(corners: Tensor) -> Tensor:
    """[B, n, n, n] uint8: bit k is corner k of the cell above each sample."""
    codes = corners.view(torch.uint8)
    for axis in (1, 2, 3):
        count = codes.shape[axis] - 1
        codes = codes.narrow(axis, 0, count) + codes.narrow(axis, 1, count) * (1 << (1 << (axis - 1)))
    return codes


def _split(rows: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Block [N] and sample in it [N, 3] of addresses."""
    block, rest = torch.div(rows, n**3, rounding_mode="floor"), rows % n**3
    return block, torch.stack([rest // (n * n), rest // n % n, rest % n], dim=1)


def _ordered(rows: Tensor, rank: Tensor, n: int) -> Tensor:
    """Addresses in the order of the dense volume."""
    block, at = _split(rows, n)
    of = rank[block]
    return rows[torch.argsort((of[:, 0] + at[:, 0] * of[:, 1] + at[:, 1] * of[:, 2]) * n + at[:, 2])]


def _moved(rows: Tensor, corner: Tensor, where: Layout, n: int) -> Tensor:
    """Addresses of the corners (bits) of the cells above ``rows``, which exist."""
    block, at = _split(rows, n)
    at = at + torch.stack([corner & 1, corner >> 1 & 1, corner >> 2 & 1], dim=1)
    over = at == n
    there = where.beside[block, (over * torch.tensor([1, 2, 4], device=rows.device)).sum(dim=1)]
    at = at.masked_fill(over, 0)
    return ((there * n + at[:, 0]) * n + at[:, 1]) * n + at[:, 2]


def _vertices(values: Tensor, where: Layout, rows: Tensor, axis: int, level: float) -> Tensor:
    """[N, 3] float32 points on the edges that leave ``rows`` along ``axis``."""
    flat, n = values.reshape(-1), values.shape[1]
    block, at = _split(rows, n)
    out = (where.place[block] * n + at).float()
    upper = _moved(rows, torch.full_like(rows, 1 << axis), where, n)
    out[:, axis] += crossing(flat[rows], flat[upper], level)
    return out


def _faces(busy: Tensor, rows: Tensor, numbers: Tensor, owned: Tensor, codes: Tensor, where: Layout, n: int) -> Tensor:
    row_of = torch.full_like(codes, -1, dtype=torch.int64)
    row_of[rows] = torch.arange(len(rows), device=rows.device)
    cell, low, axis = cell_triangles(codes[busy])
    owner = _moved(busy[cell].repeat_interleave(3), low.reshape(-1), where, n)
    axis, row = axis.reshape(-1), row_of[owner]
    found = torch.where((row >= 0) & owned[owner, axis], numbers[row.clamp(min=0), axis], torch.full_like(row, -1))
    return found.view(-1, 3)
