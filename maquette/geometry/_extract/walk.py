"""From a coarse lattice to the finest cells that hold the surface.

Each level halves the cells that a surface crosses and then *follows* the surface: a crossed cell face whose other side
was never looked at opens the cell there, until no such face is left. So a component that was met at any level is found
whole and closed; only components that slip between all samples of the coarse lattice can be missed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import max_pool3d

from .lattice import Lattice
from .sampler import Sampler


def chunk(device: torch.device) -> int:
    """Cells handled at once: bounds the temporaries of one step; a GPU wants fewer, larger launches."""
    return 1 << 20 if device.type == "cuda" else 1 << 18


FACE_MASKS = tuple(sum(1 << c for c in range(8) if (c >> axis & 1) == side) for axis in range(3) for side in (0, 1))
"""Corner bits of the faces -x, +x, -y, +y, -z, +z."""


class Cells(NamedTuple):
    """Cells that the surface crosses: low corner [n, 3] int32, case [n] uint8, corner addresses [n, 8] int32."""

    low: Tensor
    case: Tensor
    corners: Tensor


def coarse_stride(shape: tuple[int, int, int], coarse: int | None) -> int:
    """Lattice steps between coarse samples: the largest power of two that leaves at least ``coarse`` samples."""
    longest = max(shape) - 1
    wanted = min(max(longest // 4, 32), 128) if coarse is None else max(coarse - 1, 1)
    stride = 1
    while longest // (stride * 2) >= wanted - 1 and stride < 128:
        stride *= 2
    return stride


def coarse_points(shape: tuple[int, int, int], stride: int, device: torch.device) -> list[Tensor]:
    """Per axis the lattice coordinates of the coarse samples: multiples of ``stride``, and the last point."""
    lines = []
    for n in shape:
        count = -(-(n - 1) // stride) + 1
        lines.append((torch.arange(count, device=device) * stride).clamp_(max=n - 1))
    return lines


def sample_coarse(sampler: Sampler, lines: list[Tensor]) -> Tensor:
    """[X, Y, Z] the field on the coarse lattice; coordinates are made slab by slab."""
    rows = max(1, sampler.batch // (len(lines[1]) * len(lines[2])))
    slabs = []
    for start in range(0, len(lines[0]), rows):
        part = torch.cartesian_prod(lines[0][start : start + rows], lines[1], lines[2])
        slabs.append(sampler(part).view(-1, len(lines[1]), len(lines[2])))
        sampler.progress.update(start, len(lines[0]) * 3, "sampling the coarse lattice")
    return torch.cat(slabs)


def busy_cells(values: Tensor, level: float, reach: float, caution: float) -> Tensor:
    """[X-1, Y-1, Z-1] bool: cells of a dense lattice that hold both sides, or that may hide a thin part of the
    surface.

    Those are the cells with a sample within ``reach`` of the level (0 = no bound known), or nearer to it than
    ``caution`` times the largest difference inside a cell next to it: what changes that fast may have crossed and
    come back.
    """
    volume = values[None, None]
    high = max_pool3d(volume, 2, stride=1)
    low = -max_pool3d(-volume, 2, stride=1)
    busy = (high > level) & ~(low > level)
    nearest = -max_pool3d(-(volume - level).abs(), 2, stride=1)
    if reach > 0:
        busy |= nearest <= reach
    elif caution > 0:
        steepest = max_pool3d((high - low).nan_to_num(posinf=0.0), 3, stride=1, padding=1)
        busy |= nearest < caution * steepest
    return busy[0, 0]


class Walk:
    """One extraction under way. ``reach(stride)``: how near to the level a sample must come to open its cell."""

    def __init__(self, sampler: Sampler, lattice: Lattice, level: float, slope: float | None, caution: float) -> None:
        self.sampler, self.lattice, self.level = sampler, lattice, level
        self.slope, self.caution = slope, caution
        self.rounds = 0
        device = lattice.device
        self.masks = torch.tensor(FACE_MASKS, dtype=torch.uint8, device=device)
        self.shape = torch.tensor(lattice.shape, device=device)
        self.steps = torch.tensor([lattice.block**2, lattice.block, 1], device=device)

    def reach(self, stride: int) -> float:
        """No zero can hide in a cell all of whose corners are farther from the level than slope * half diagonal."""
        if self.slope is None:
            return 0.0
        return self.slope * 0.5 * stride * math.sqrt(float((self.sampler.step**2).sum())) * (1 + 1e-5)

    def descend(self, coarse: Tensor, stride: int) -> Cells:
        """The crossed cells of width 1, from the coarse samples [X, Y, Z]."""
        low = torch.nonzero(busy_cells(coarse, self.level, self.reach(stride), self.caution)).int()
        self._adopt(coarse, low, stride)
        cells = low * stride
        levels = stride.bit_length() - 1
        for done in range(levels):
            stride //= 2
            self.sampler.progress.update(1 + 2 * done / levels, 3, f"following the surface at 1/{stride}")
            found = self._level(self._children(cells, stride), stride)
            cells = found.low
        return found if levels else self._level(cells, 1)

    def follow(self, seeds: Tensor) -> Cells:
        """The crossed cells of width 1 among ``seeds`` [n, 3] (each once) and all that are connected to them."""
        return self._level(seeds.int(), 1)

    def _adopt(self, coarse: Tensor, low: Tensor, stride: int) -> None:
        """Carry the coarse samples round busy cells over into the lattice."""
        flat, (_, y, z) = coarse.reshape(-1), coarse.shape
        bits = torch.arange(8, device=low.device)
        steps = (bits & 1) * (y * z) + (bits >> 1 & 1) * z + (bits >> 2 & 1)
        for part in low.split(chunk(low.device)):
            wide = part.long()
            corners = self.lattice.corners(wide * stride, stride)
            self.lattice.ensure(corners.block)
            start = wide[:, 0] * (y * z) + wide[:, 1] * z + wide[:, 2]
            self.lattice.store(self.lattice.addresses(corners), flat[start.unsqueeze(1) + steps])

    def _children(self, cells: Tensor, stride: int) -> Tensor:
        bits = torch.arange(8, device=cells.device, dtype=torch.int32)
        offsets = torch.stack([bits & 1, bits >> 1 & 1, bits >> 2 & 1], dim=1) * stride
        children = (cells.unsqueeze(1) + offsets).reshape(-1, 3)
        return children[self._inside(children, stride)]

    def _inside(self, cells: Tensor, stride: int) -> Tensor:
        """Cells that begin before the last point; at width 1 also those that begin on it: they own its edges."""
        return ((cells >= 0) & (cells < self.shape - (1 if stride > 1 else 0))).all(dim=1)

    def _level(self, cells: Tensor, stride: int) -> Cells:
        found = []
        few = False
        while len(cells):
            fresh = [self._open(part, stride, few) for part in cells.split(chunk(cells.device))]
            found += fresh
            cells, few = self._beyond(fresh, stride), True
            self.rounds += 1
        if not found:
            return Cells(cells, cells.new_empty(0, dtype=torch.uint8), cells.new_empty((0, 8)))
        return Cells(*(torch.cat(parts) for parts in zip(*found, strict=True)))

    def _open(self, cells: Tensor, stride: int, few: bool) -> Cells:
        """Sample the corners of cells nobody looked at; those that go on: crossed, or (above width 1) within reach."""
        lattice = self.lattice
        corners = lattice.corners(cells, stride)
        lattice.ensure(corners.block)
        addresses = lattice.addresses(corners)
        del corners
        lattice.visited[addresses[:, 0]] = stride.bit_length()
        lattice.ask(addresses)
        for some in lattice.asked(addresses if few else None).split(self.sampler.batch):
            lattice.store(some, self.sampler(lattice.coordinates(some)))

        values = lattice.values[addresses]
        # eight bools are eight bytes; the product gathers their lowest bits in the top byte, corner k as bit k
        case = ((values > self.level).view(torch.int64) * 0x0102040810204080 >> 56).squeeze(1).to(torch.uint8)
        keep = (case != 0) & (case != 255)
        if stride > 1 and self.slope is not None:
            keep |= ((values - self.level).abs() <= self.reach(stride)).any(dim=1)
        keep = torch.nonzero(keep).squeeze(1)
        return Cells(cells[keep], case[keep], addresses[keep].int())

    def _beyond(self, fresh: list[Cells], stride: int) -> Tensor:
        """Cells across a crossed face that nobody looked at yet, each once: [n, 3] int32."""
        beyond = torch.cat([self._unseen(cells, stride) for cells in fresh])
        if len(beyond) == 0:
            return beyond
        beyond = beyond[self._inside(beyond, stride)].long()
        addresses = self.lattice.point_addresses(beyond)
        seen = (addresses >= 0) & (self.lattice.visited[addresses.clamp(min=0)] == stride.bit_length())
        beyond = beyond[~seen]
        _, y, z = self.lattice.shape
        keys = torch.unique((beyond[:, 0] * y + beyond[:, 1]) * z + beyond[:, 2])
        return torch.stack([keys // (y * z), keys // z % y, keys % z], dim=1).int()

    def _unseen(self, cells: Cells, stride: int) -> Tensor:
        """[n, 3] int32 neighbours across crossed faces; nearly all of those already seen are sifted out.

        The neighbour's address is that of our own corner, or lies in the same block: no table is asked.
        """
        lattice, block = self.lattice, self.lattice.block
        bits = cells.case.unsqueeze(1) & self.masks
        row, side = torch.nonzero((bits != 0) & (bits != self.masks), as_tuple=True)
        upper, axis = side % 2 == 1, side // 2
        corner = torch.where(upper, 1 << axis, 0)
        near = cells.corners[row, corner].long()
        step = self.steps[axis]
        fits = torch.where(upper, cells.low[row, axis] + stride < self.shape[axis], near // step % block >= stride)
        near = torch.where(upper | ~fits, near, near - stride * step)
        left = torch.nonzero(~(fits & (lattice.visited[near] == stride.bit_length()))).squeeze(1)
        out = cells.low[row[left]]
        move = torch.where(upper[left], stride, -stride).int()
        return out.scatter_add_(1, axis[left].unsqueeze(1), move.unsqueeze(1))
