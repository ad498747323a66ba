"""Which vertices lie at one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def weld_equal(points: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Vertices at exactly the same place become one.

    points: [V, 3]. Returns (first [U], group [V]): a vertex of each group, in order of appearance, and every vertex's
    group.
    """
    if len(points) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    clean = points + np.zeros(1, points.dtype)  # -0.0 becomes 0.0
    order, fresh = _runs(clean)
    lowest = np.minimum.reduceat(order, np.flatnonzero(fresh))
    appearance = np.argsort(lowest, kind="stable")
    rank = np.empty(len(lowest), np.int64)
    rank[appearance] = np.arange(len(lowest))
    group = np.empty(len(points), np.int64)
    group[order] = rank[np.cumsum(fresh) - 1]
    return lowest[appearance].astype(np.int64), group


def _runs(points: npt.NDArray[Any]) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """An order [V] that puts equal rows together, and which of them [V] begin a run.

    By a hash of the rows, which is sorted in a third of the time; should two different rows share one, by the rows.
    """
    kind = np.uint32 if points.dtype.itemsize == 4 else np.uint64
    mixed = np.zeros(len(points), np.uint64)
    for column, factor in zip(points.T, _FACTORS, strict=True):
        mixed = (mixed ^ np.ascontiguousarray(column).view(kind)) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed)
    hashes, fresh = mixed[order], np.ones(len(order), bool)
    fresh[1:] = hashes[1:] != hashes[:-1]
    again = np.flatnonzero(~fresh)
    if (points[order[again]] != points[order[again - 1]]).any():
        order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
        rows = points[order]
        fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return order, fresh


_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
