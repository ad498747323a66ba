"""The nearest marked pixel of a picture, and the distance to it, on a device: SciPy's transforms know only the host."""

from __future__ import annotations

import math

import torch
from torch import Tensor

WIDEST = 8192
"""Largest side of a picture: squares and columns of a larger one do not fit into one integer."""
_REACHES = (8, 32, 128, 512, 2048, 8192)
"""Columns to either side that the search on a device looks at, round after round; most searches end in the first."""
_PAIRS = 1 << 22
"""Pixels times columns that one step of it compares: about 130 MB of temporaries."""
_NOWHERE = 1 << 15


def nearest_on_device(used: Tensor, rows: slice) -> tuple[Tensor, Tensor]:
    """Flat indices into ``used`` [H, W]: the unused pixels [N] of ``rows``, and for each the nearest used one.

    Exact: first the nearest one of every column, then the best of the columns around, farther and farther out, until no
    column beyond can win (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012, separate the
    axes in the same way). Both sides at most 8192; at least one pixel of ``used`` is True.
    """
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
    """[H, W] int32 row of the nearest used pixel of the column, the upper of two; far outside where there is none."""
    row = torch.arange(used.shape[0], dtype=torch.int32, device=used.device)
    turned = used.T.contiguous()  # a scan along the rows of memory
    up = torch.where(turned, row, -_NOWHERE).cummax(dim=1).values
    down = torch.where(turned, row, _NOWHERE).flip(1).cummin(dim=1).values.flip(1)
    return torch.where(row - up <= down - row, up, down).T.contiguous()


def _keys(above: Tensor, pixels: Tensor, steps: Tensor) -> Tensor:
    """[N] least squared distance * 2^15 + column among the columns ``steps`` [K] away (at the border: the last one)."""
    width = above.shape[1]
    row = torch.div(pixels, width, rounding_mode="floor")[:, None]
    own = pixels[:, None] - row * width
    column = (own + steps).clamp(0, width - 1)
    down = above.view(-1)[row * width + column] - row
    return (((column - own) ** 2 + down * down) * _NOWHERE + column).amin(dim=1)


def bounded_distance(where: Tensor, limit: float) -> Tensor:
    """[H, W] float32 pixels to the nearest False of ``where`` [H, W], at most ``limit``; the frame is no edge.

    The nearest of each column first, then the best of the columns within the limit.
    """
    reach = math.ceil(limit)
    row = torch.arange(len(where), dtype=torch.int32, device=where.device)[:, None]
    column = (_nearest_in_column(~where) - row).abs().clamp(max=reach) ** 2
    padded = torch.nn.functional.pad(column, (reach, reach), value=reach * reach)
    best, width = column, where.shape[1]
    for step in range(-reach, reach + 1):
        best = torch.minimum(best, padded[:, reach + step : reach + step + width] + step * step)
    return best.float().sqrt().clamp(max=limit)
