"""Mending faces that flattening turned over or squeezed: their surroundings are laid out again inside a fixed ring.

Inside a convex ring the answer cannot fold (Tutte, "How to draw a graph", 1963); the rings here are only nearly convex,
so what is still folded afterwards is reported to the caller, who cuts it out.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .charts import Ints, Surface
from .flatten import Complexes, Seamed, signed_areas

_RINGS = (1, 2, 3, 5)
_SQUEEZED = 0.12
"""A face that keeps less than this share of its area is mended too."""


def faulty(surface: Surface, flat: Complexes, cut: Seamed, least: float = 1e-4) -> npt.NDArray[np.bool_]:
    """[F] faces turned over or squeezed below ``least`` of their area; faces without area are never faulty."""
    return (signed_areas(flat, cut.faces) <= least * surface.area) & (surface.area > 1e-16)


def mend(surface: Surface, flat: Complexes, cut: Seamed) -> Complexes:
    """[W] ``flat`` with the surroundings of faulty faces relaxed, in wider and wider rings while some remain."""
    rim = _rim_corners(cut, len(flat))
    closed = ~np.isin(cut.chart, cut.chart[rim])  # nothing holds a chart without a border
    for rings in _RINGS:
        bad = faulty(surface, flat, cut, _SQUEEZED)
        if not bad.any():
            break
        free = np.zeros(len(flat), bool)
        free[cut.faces[bad]] = True
        for _ in range(rings - 1):
            free[cut.faces[free[cut.faces].any(axis=1)]] = True
        free &= ~rim & ~closed
        if free.any():
            tried = _relaxed(flat, cut, free)
            flat = _better(surface, flat, tried, cut)
    return flat


def _better(surface: Surface, before: Complexes, after: Complexes, cut: Seamed) -> Complexes:
    """Per chart, whichever has fewer faces turned over (then fewer squeezed ones)."""
    count = int(cut.chart.max()) + 1
    chart = cut.chart[cut.faces[:, 0]]

    def faults(flat: Complexes) -> npt.NDArray[np.float64]:
        over = np.bincount(chart, faulty(surface, flat, cut), count)
        squeezed = np.bincount(chart, faulty(surface, flat, cut, _SQUEEZED), count)
        return (over * float(len(chart)) + squeezed).astype(np.float64)

    worse = faults(after) > faults(before)
    return np.where(worse[cut.chart], before, after)


def _relaxed(flat: Complexes, cut: Seamed, free: npt.NDArray[np.bool_]) -> Complexes:
    """Every free corner at the mean of its neighbours."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import spsolve

    start, end = cut.faces.reshape(-1), np.roll(cut.faces, -1, axis=1).reshape(-1)
    one, two = np.concatenate([start, end]), np.concatenate([end, start])
    row = free[one]
    one, two = one[row], two[row]
    number = np.cumsum(free) - 1
    total = int(free.sum())
    degree = np.bincount(number[one], minlength=total).astype(np.float64)
    inner = free[two]
    matrix = coo_matrix((-np.ones(int(inner.sum())), (number[one[inner]], number[two[inner]])), shape=(total, total))
    matrix = (matrix + coo_matrix((degree, (np.arange(total), np.arange(total))), shape=(total, total))).tocsc()
    fixed = flat[two[~inner]]
    right = np.stack([np.bincount(number[one[~inner]], part, total) for part in (fixed.real, fixed.imag)], axis=1)
    found = spsolve(matrix, right).reshape(total, 2)
    out = flat.copy()
    out[free] = found[:, 0] + 1j * found[:, 1]
    return out


def _rim_corners(cut: Seamed, count: int) -> npt.NDArray[np.bool_]:
    """[W] True for corners on the border of their chart."""
    start, end = cut.faces.reshape(-1), np.roll(cut.faces, -1, axis=1).reshape(-1)
    key: Ints = np.minimum(start, end) * count + np.maximum(start, end)
    values, uses = np.unique(key, return_counts=True)
    out = np.zeros(count, bool)
    border = values[uses != 2]
    out[border // count] = True
    out[border % count] = True
    return out
