"""Colours between the charts, so that filtering and mipmaps never pull in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..geometry.nearest_pixel import nearest_on_device

if TYPE_CHECKING:
    from torch import Tensor

_STRIP = 1024
_HALO = 64
"""Texels that a strip looks beyond its rows; farther gutters take the mean colour, which only tiny mipmaps see."""


def fill_gutter(maps: Tensor, used: Tensor) -> None:
    """Give every unused texel of ``maps`` [S, S, C] the value of the nearest used one, in place, where ``maps`` lies.

    used: [S, S] bool, at least one True. Equally near: the leftmost column wins, then the upper row. In strips, so that
    the index maps of a large atlas stay small.
    """
    size = len(used)
    for top in range(0, size, _STRIP):
        rows = slice(top, min(top + _STRIP, size))
        near = slice(max(0, top - _HALO), min(rows.stop + _HALO, size))
        if not bool(used[near].any()):
            maps[rows] = _mean(maps, used)
            continue
        inner = slice(rows.start - near.start, rows.stop - near.start)
        search = _nearest_on_host if used.device.type == "cpu" else nearest_on_device
        empty, source = search(used[near], inner)
        maps[near].view(-1, maps.shape[2])[empty] = maps[near].view(-1, maps.shape[2])[source]


def _mean(maps: Tensor, used: Tensor) -> Tensor:
    """[C] over the used texels, without a copy of all of them."""
    import torch

    total = torch.zeros(maps.shape[2], dtype=torch.float64, device=maps.device)
    for top in range(0, len(used), _STRIP):
        rows = slice(top, top + _STRIP)
        total += maps[rows][used[rows]].sum(dim=0, dtype=torch.float64)
    return (total / used.sum()).to(maps.dtype)


def _nearest_on_host(used: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """As ``nearest_on_device``, by SciPy's feature transform."""
    import numpy as np
    import torch
    from scipy.ndimage import distance_transform_edt

    index = distance_transform_edt(~used.numpy(), return_distances=False, return_indices=True)
    width = used.shape[1]
    empty = np.flatnonzero(~used[rows].numpy()) + rows.start * width
    row, column = (index[axis].reshape(-1)[empty].astype(np.int64) for axis in (0, 1))
    return torch.from_numpy(empty), torch.from_numpy(row * width + column)
