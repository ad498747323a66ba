"""Which vertices lie at one place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..native import extension

Ints = npt.NDArray[np.int64]


def weld_equal(points: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """Vertices at exactly the same place become one.

    points: [V, 3]. Returns (first [U], group [V]): a vertex of each group, in order of appearance, and every vertex's
    group.
    """
    found: tuple[Ints, Ints] = extension("topology").equal(points)
    return found
