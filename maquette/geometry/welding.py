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
    order = np.lexsort((clean[:, 2], clean[:, 1], clean[:, 0]))
    rows = clean[order]
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    lowest = np.minimum.reduceat(order, np.flatnonzero(fresh))
    appearance = np.argsort(lowest, kind="stable")
    rank = np.empty(len(lowest), np.int64)
    rank[appearance] = np.arange(len(lowest))
    group = np.empty(len(points), np.int64)
    group[order] = rank[np.cumsum(fresh) - 1]
    return lowest[appearance].astype(np.int64), group
