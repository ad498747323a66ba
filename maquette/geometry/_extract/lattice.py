"""Samples of a field on a regular lattice, kept only in the blocks that were ever asked for.

A block holds ``block``^3 points. A small dense table maps block -> slot, so finding a point is one gather and memory
grows with the surface. An *address* is ``slot * block^3 + place in block``; it stays valid when the lattice grows.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

UNKNOWN, ASKED, KNOWN = 0, 1, 2


class Corners(NamedTuple):
    """Where the corners of cells lie: block number and place inside it, each [n, 8] int64; corner bits x, y, z."""

    block: Tensor
    place: Tensor


class Lattice:
    """shape: points an axis; block: a power of two. All tensors live on ``device``; coordinates are integers [n, 3]."""

    def __init__(self, shape: tuple[int, int, int], block: int, device: torch.device) -> None:
        self.shape, self.block, self.device = shape, block, device
        self.grid = tuple(-(-n // block) for n in shape)
        self.size = block**3
        self.table = torch.full((self.grid[0] * self.grid[1] * self.grid[2],), -1, dtype=torch.int64, device=device)
        self.block_of = torch.empty(0, dtype=torch.int64, device=device)
        self.values = torch.empty(0, device=device)
        self.state = torch.empty(0, dtype=torch.uint8, device=device)
        self.visited = torch.empty(0, dtype=torch.uint8, device=device)

    def corners(self, cells: Tensor, stride: int) -> Corners:
        """The corners of cells [n, 3] that are ``stride`` wide; beyond the last point the last point stands in."""
        block_steps = (self.grid[1] * self.grid[2], self.grid[2], 1)
        place_steps = (self.block * self.block, self.block, 1)
        blocks: Tensor | None = None
        for axis in (2, 1, 0):
            low = cells[:, axis].long()
            ends = torch.stack([low, (low + stride).clamp_(max=self.shape[axis] - 1)], dim=1)
            block = torch.div(ends, self.block, rounding_mode="floor")
            place = (ends - block * self.block) * place_steps[axis]
            block = block * block_steps[axis]
            if blocks is None:
                blocks, places = block, place
            else:
                blocks = (blocks.unsqueeze(2) + block.unsqueeze(1)).flatten(1)
                places = (places.unsqueeze(2) + place.unsqueeze(1)).flatten(1)
        assert blocks is not None
        return Corners(blocks, places)

    def ensure(self, blocks: Tensor) -> None:
        """Make the named blocks exist (numbers may repeat)."""
        wanted = torch.zeros(self.table.shape, dtype=torch.bool, device=self.device)
        wanted[blocks.reshape(-1)] = True
        new = torch.nonzero(wanted & (self.table < 0)).squeeze(1)
        if len(new) == 0:
            return
        held = len(self.block_of)
        self.table[new] = torch.arange(held, held + len(new), device=self.device)
        self.block_of = torch.cat([self.block_of, new])
        self._grow(len(self.block_of) * self.size)

    def _grow(self, needed: int) -> None:
        if needed <= len(self.values):
            return
        extra = max(needed - len(self.values), len(self.values) // 8)
        self.values = torch.cat([self.values, torch.zeros(extra, device=self.device)])
        fresh = torch.zeros(extra, dtype=torch.uint8, device=self.device)
        self.state, self.visited = torch.cat([self.state, fresh]), torch.cat([self.visited, fresh])

    def addresses(self, corners: Corners) -> Tensor:
        """Addresses of corners whose blocks exist; negative where a block does not."""
        return self.table[corners.block] * self.size + corners.place

    def point_addresses(self, points: Tensor) -> Tensor:
        """Addresses [n] of lattice points [n, 3] int64; negative where the block does not exist."""
        block = torch.div(points, self.block, rounding_mode="floor")
        place = points - block * self.block
        number = (block[:, 0] * self.grid[1] + block[:, 1]) * self.grid[2] + block[:, 2]
        local = (place[:, 0] * self.block + place[:, 1]) * self.block + place[:, 2]
        return self.table[number] * self.size + local

    def ask(self, addresses: Tensor) -> None:
        """Mark the points that have no value yet; ``asked`` lists them."""
        flat = addresses.reshape(-1)
        self.state[flat] = self.state[flat].clamp(min=ASKED)

    def asked(self, hint: Tensor | None = None) -> Tensor:
        """Addresses that were asked for and have no value; ``hint``: the few addresses among which to look."""
        if hint is None:
            return torch.nonzero(self.state == ASKED).squeeze(1)
        flat = hint.reshape(-1)
        return torch.unique(flat[self.state[flat] == ASKED])

    def store(self, addresses: Tensor, values: Tensor) -> None:
        """Give points their values."""
        self.values[addresses] = values
        self.state[addresses] = KNOWN

    def coordinates(self, addresses: Tensor) -> Tensor:
        """[n, 3] int64 lattice coordinates of addresses."""
        slot = torch.div(addresses, self.size, rounding_mode="floor")
        place, block = addresses - slot * self.size, self.block_of[slot]
        b, g = self.block, self.grid
        in_grid = torch.stack([block // (g[1] * g[2]), block // g[2] % g[1], block % g[2]], dim=1)
        return in_grid * b + torch.stack([place // (b * b), place // b % b, place % b], dim=1)
