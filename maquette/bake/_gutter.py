"""Colours between the charts, so that filtering and mipmaps never pull in the background."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_STRIP = 1024
_HALO = 64
"""Texels that a strip looks beyond its rows; farther gutters take the mean colour, which only tiny mipmaps see."""
_REACHES = (8, 32, 128, 512, 2048, 8192)
"""Columns to either side that the search on a device looks at, round after round; most gutters end in the first."""
_PAIRS = 1 << 22
"""Texels times columns that one step of it compares: about 130 MB of temporaries."""
_NOWHERE = 1 << 15


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


def nearest_on_device(used: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """Flat indices into ``used`` [H, W]: the unused texels [N] of ``rows``, and for each the nearest used one.

    Exact: first the nearest one of every column, then the best of the columns around, farther and farther out, until no
    column beyond can win (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012, separate the
    axes in the same way). Both sides at most 8192; at least one texel of ``used`` is True.
    """
    import torch

    width = used.shape[1]
    above = _nearest_in_column(used)
    empty = (~used[rows]).reshape(-1).nonzero()[:, 0] + rows.start * width
    # squared distance, then column: one minimum finds both, whatever the order of execution
    best = _keys(above, empty, empty.new_zeros(1))
    todo, reached = torch.arange(len(empty), device=used.device), 0
    for reach in _REACHES:
        if reached >= width or len(todo) == 0:
            break
        side = torch.arange(reached + 1, min(reach, width) + 1, device=used.device)
        steps = torch.cat([-side, side])
        for part in todo.split(max(1, _PAIRS // len(steps))):
            best[part] = torch.minimum(best[part], _keys(above, empty[part], steps))
        reached = reach
        todo = todo[best[todo] // _NOWHERE >= (reached + 1) ** 2]
    column = best % _NOWHERE
    row = above.view(-1)[torch.div(empty, width, rounding_mode="floor") * width + column]
    return empty, row.to(torch.int64) * width + column


def _nearest_in_column(used: Tensor) -> Tensor:
    """[H, W] int32 row of the nearest used texel of the column, the upper of two; far outside where there is none."""
    import torch

    row = torch.arange(used.shape[0], dtype=torch.int32, device=used.device)
    turned = used.T.contiguous()  # a scan along the rows of memory
    up = torch.where(turned, row, -_NOWHERE).cummax(dim=1).values
    down = torch.where(turned, row, _NOWHERE).flip(1).cummin(dim=1).values.flip(1)
    return torch.where(row - up <= down - row, up, down).T.contiguous()


def _keys(above: Tensor, texels: Tensor, steps: Tensor) -> Tensor:
    """[N] least squared distance * 2^15 + column among the columns ``steps`` [K] away (at the border: the last one)."""
    import torch

    width = above.shape[1]
    row = torch.div(texels, width, rounding_mode="floor")[:, None]
    own = texels[:, None] - row * width
    column = (own + steps).clamp(0, width - 1)
    down = above.view(-1)[row * width + column] - row
    return (((column - own) ** 2 + down * down) * _NOWHERE + column).amin(dim=1)
