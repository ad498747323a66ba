"""Colours between the charts, so that filtering and mipmaps never pull in the background."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_STRIP = 1024
_HALO = 64
"""Texels that a strip looks beyond its rows; farther gutters take the mean colour, which only tiny mipmaps see."""


def fill_gutter(maps: npt.NDArray[Any], used: npt.NDArray[np.bool_]) -> None:
    """Give every unused texel of ``maps`` [S, S, C] the value of the nearest used one, in place.

    used: [S, S], at least one True. Works in strips, so that the index maps of a large atlas stay small.
    """
    from scipy.ndimage import distance_transform_edt

    size = len(used)
    mean = _mean(maps, used)
    for top in range(0, size, _STRIP):
        rows = slice(top, min(top + _STRIP, size))
        near = slice(max(0, top - _HALO), min(rows.stop + _HALO, size))
        empty = ~used[rows]
        if not used[near].any():
            maps[rows] = mean
            continue
        index = distance_transform_edt(~used[near], return_distances=False, return_indices=True)
        inner = slice(rows.start - near.start, rows.stop - near.start)
        row, column = index[0][inner][empty], index[1][inner][empty]
        maps[rows][empty] = maps[near][row, column]


def _mean(maps: npt.NDArray[Any], used: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """[C] over the used texels, without a copy of all of them."""
    total = np.zeros(maps.shape[2])
    for top in range(0, len(used), _STRIP):
        rows = slice(top, top + _STRIP)
        total += maps[rows][used[rows]].sum(axis=0, dtype=np.float64)
    return total / used.sum()
