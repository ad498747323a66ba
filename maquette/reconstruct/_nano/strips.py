"""What lies behind a thin strip goes on behind it: a sail behind a rope, a panel behind a bar.

The network gives each pixel's column by itself, and behind a narrow foreground strip it often leaves nothing. Where the
surface to one side of the strip and the surface to the other side lie at the same depth, the piece between is put in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

WIDEST = 4
"""Pixels from the middle of a strip to its sides, at most."""
LEVEL = 0.08
"""Both sides are one surface if their depths differ by less than this (half picture widths)."""
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def filled_behind(
    starts: Tensor,  # [S, S, N] absolute depth, NaN = none
    stops: Tensor,
    valid: Tensor,  # [S, S]
    apart: float,
) -> tuple[Tensor, Tensor]:
    """Starts and stops with a further piece in the columns of thin foreground strips.

    apart: how far behind the strip's own first piece the surface must lie. Columns that hold a piece there already, or
    have no room for another one, stay as they are.
    """
    import torch

    start, stop = _beside(starts, stops, valid, apart)
    taken = ((starts < stop[..., None] + apart) & (stops > start[..., None] - apart)).any(dim=2)
    more = (start.isfinite() & ~taken & starts[..., -1].isnan())[..., None]
    a, order = torch.cat([starts[..., :-1], start[..., None]], 2).sort(dim=2)  # NaN last
    b = torch.cat([stops[..., :-1], stop[..., None]], 2).gather(2, order)
    return torch.where(more, a, starts), torch.where(more, b, stops)


def _beside(starts: Tensor, stops: Tensor, valid: Tensor, apart: float) -> tuple[Tensor, Tensor]:
    """[S, S], [S, S] ends of the piece that both neighbours at the nearest distance agree on; NaN = none."""
    import torch
    from torch.nn import functional

    height, width = valid.shape
    first = torch.where(valid, torch.stack([starts[..., 0], stops[..., 0]]), torch.nan)
    padded = functional.pad(first, (WIDEST,) * 4, value=torch.nan)
    steps = [(reach * dy, reach * dx) for reach in range(1, WIDEST + 1) for dy, dx in DIRECTIONS]
    left, right = (
        torch.stack(
            [
                padded[:, WIDEST + way * y : WIDEST + way * y + height, WIDEST + way * x : WIDEST + way * x + width]
                for y, x in steps
            ]
        )
        for way in (1, -1)
    )  # [16, 2, S, S], the nearest first
    both = torch.minimum(left[:, 0], right[:, 0]) > first[1] + apart
    both &= (left[:, 0] - right[:, 0]).abs() < LEVEL
    which = both.to(torch.uint8).argmax(0)[None, None].expand(1, 2, height, width)
    middle = (left.gather(0, which) + right.gather(0, which))[0] / 2
    found = torch.where(both.any(0), middle, torch.nan)
    return found[0], found[1]
