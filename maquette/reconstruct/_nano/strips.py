"""What lies behind a thin strip goes on behind it: a sail behind a rope, a panel behind a bar.

The network gives each pixel's column by itself, and behind a narrow foreground strip it often leaves nothing. Where the
surface to one side of the strip and the surface to the other side lie at the same depth, the piece between is put in.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from ...data import FloatArray

WIDEST = 4
"""Pixels from the middle of a strip to its sides, at most."""
LEVEL = 0.08
"""Both sides are one surface if their depths differ by less than this (half picture widths)."""
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))


def filled_behind(
    starts: FloatArray,  # [S, S, N] absolute depth, NaN = none
    stops: FloatArray,
    valid: npt.NDArray[np.bool_],  # [S, S]
    apart: float,
) -> tuple[FloatArray, FloatArray]:
    """Starts and stops with a further piece in the columns of thin foreground strips.

    apart: how far behind the strip's own first piece the surface must lie. Columns that hold a piece there already, or
    have no room for another one, stay as they are.
    """
    start, stop = _beside(starts, stops, valid, apart)
    a, b = starts.copy(), stops.copy()
    with np.errstate(invalid="ignore"):
        taken = ((a < stop[..., None] + apart) & (b > start[..., None] - apart)).any(axis=2)
    rows, columns = np.nonzero(np.isfinite(start) & ~taken & np.isnan(a[..., -1]))
    a[rows, columns, -1], b[rows, columns, -1] = start[rows, columns], stop[rows, columns]
    order = np.argsort(a[rows, columns], axis=1)  # NaN last
    for ends in (a, b):
        ends[rows, columns] = np.take_along_axis(ends[rows, columns], order, axis=1)
    return a, b


def _beside(
    starts: FloatArray, stops: FloatArray, valid: npt.NDArray[np.bool_], apart: float
) -> tuple[FloatArray, FloatArray]:
    """[S, S], [S, S] ends of the piece that both neighbours at the nearest distance agree on; NaN = none."""
    first = np.where(valid, np.stack([starts[..., 0], stops[..., 0]]), np.nan)
    found = np.full_like(first, np.nan)
    with np.errstate(invalid="ignore"):
        for reach in range(1, WIDEST + 1):
            for left, right in _pairs(first, reach):
                both = (np.minimum(left[0], right[0]) > first[1] + apart) & (np.abs(left[0] - right[0]) < LEVEL)
                both &= np.isnan(found[0])
                found[:, both] = (left[:, both] + right[:, both]) / 2
    return found[0], found[1]


def _pairs(pieces: FloatArray, reach: int) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Pieces [2, S, S] of the pixels ``reach`` steps to either side, one pair a direction."""
    for dy, dx in DIRECTIONS:
        yield _moved(pieces, reach * dy, reach * dx), _moved(pieces, -reach * dy, -reach * dx)


def _moved(values: FloatArray, dy: int, dx: int) -> FloatArray:
    """values[:, y + dy, x + dx], NaN beyond the picture."""
    _, height, width = values.shape
    pad = np.pad(values, ((0, 0), (WIDEST, WIDEST), (WIDEST, WIDEST)), constant_values=np.nan)
    return np.asarray(pad[:, WIDEST + dy : WIDEST + dy + height, WIDEST + dx : WIDEST + dx + width])
