"""Is a flat chart fit to be used? Not folded, not crossing itself, not stretched: exact tests, chart by chart."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .charts import Ints, Reals, Surface
from .flatten import Complexes, Seamed, signed_areas
from .relax import faulty

_BLOCK = 1 << 20
MOST_STRETCH = 1.25


def unfit(surface: Surface, flat: Complexes, cut: Seamed) -> npt.NDArray[np.bool_]:
    """[C] charts with a face turned over, faces wound twice around a corner, a border that crosses itself, or too much
    stretch.

    A chart without any of the first three lies flat without overlap.
    """
    count = int(cut.chart.max()) + 1
    chart = cut.chart[cut.faces[:, 0]]
    out = np.bincount(chart, faulty(surface, flat, cut), count) > 0
    out[cut.chart[~np.isfinite(flat)]] = True
    out[wound(flat, cut)] = True
    out |= stretch(surface, flat, cut) > MOST_STRETCH
    out[crossing(flat, cut)] = True
    return out


def wound(flat: Complexes, cut: Seamed) -> Ints:
    """Numbers of the charts in which the faces around a corner take more than a full turn."""
    plane = flat[cut.faces]
    angle = np.zeros(len(flat))
    for k in range(3):
        one, two = plane[:, (k + 1) % 3] - plane[:, k], plane[:, (k + 2) % 3] - plane[:, k]
        angle += np.bincount(cut.faces[:, k], np.abs(np.angle(one.conj() * two)), len(flat))
    return np.unique(cut.chart[angle > 2 * np.pi + 1e-4])


def stretch(surface: Surface, flat: Complexes, cut: Seamed) -> Reals:
    """[C] L2 stretch of each chart, 1 = isometric up to scale (Sander, Snyder, Gortler, Hoppe, SIGGRAPH 2001)."""
    count = int(cut.chart.max()) + 1
    chart = cut.chart[cut.faces[:, 0]]
    area = signed_areas(flat, cut.faces)
    good = (surface.area > 1e-16) & (area > 1e-4 * surface.area)
    plane = flat[cut.faces]
    one, two = plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0]
    world_one, world_two = (surface.corners[:, k] - surface.corners[:, 0] for k in (1, 2))
    det = np.where(good, 2 * area, 1.0)[:, None]
    along = (world_one * two.imag[:, None] - world_two * one.imag[:, None]) / det
    across = (world_two * one.real[:, None] - world_one * two.real[:, None]) / det
    square = np.where(good, ((along**2).sum(axis=1) + (across**2).sum(axis=1)) / 2, 1.0)
    total = np.bincount(chart, surface.area, count)
    energy = np.bincount(chart, square * surface.area, count) / np.maximum(total, 1e-30)
    scale = np.bincount(chart, np.abs(area), count) / np.maximum(total, 1e-30)
    return np.where(total > 1e-16, np.sqrt(energy * scale), 1.0)


def crossing(flat: Complexes, cut: Seamed) -> Ints:
    """Numbers of the charts whose border crosses or touches itself: every pair of border edges of a chart is tried."""
    start, end = cut.faces.reshape(-1), np.roll(cut.faces, -1, axis=1).reshape(-1)
    key = np.minimum(start, end) * len(flat) + np.maximum(start, end)
    _, first, uses = np.unique(key, return_index=True, return_counts=True)
    rim = first[uses != 2]
    rim = rim[np.argsort(cut.chart[start[rim]], kind="stable")]
    one, two, chart = start[rim], end[rim], cut.chart[start[rim]]
    sizes = np.bincount(chart, minlength=int(cut.chart.max()) + 1)
    begins = np.cumsum(sizes) - sizes
    found = []
    for part in _batches(sizes[chart]):
        index = np.arange(part.start, part.stop)
        i = np.repeat(index, sizes[chart[index]])
        step = np.arange(len(i)) - np.repeat(np.cumsum(sizes[chart[index]]) - sizes[chart[index]], sizes[chart[index]])
        j = begins[chart[i]] + step
        later = j > i
        i, j = i[later], j[later]
        apart = (one[i] != one[j]) & (one[i] != two[j]) & (two[i] != one[j]) & (two[i] != two[j])
        i, j = i[apart], j[apart]
        found.append(chart[i[_cross(flat[one[i]], flat[two[i]], flat[one[j]], flat[two[j]])]])
    return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)


def _cross(a: Complexes, b: Complexes, c: Complexes, d: Complexes) -> npt.NDArray[np.bool_]:
    """[N] segments a-b and c-d have a point in common."""

    def side(p: Complexes, q: Complexes, r: Complexes) -> Reals:
        return ((q - p).conj() * (r - p)).imag

    def boxes_meet(one: Reals, two: Reals, three: Reals, four: Reals) -> npt.NDArray[np.bool_]:
        return (np.maximum(one, two) >= np.minimum(three, four)) & (np.maximum(three, four) >= np.minimum(one, two))

    across = (side(a, b, c) * side(a, b, d) <= 0) & (side(c, d, a) * side(c, d, b) <= 0)
    # the boxes decide for edges on one line, for which all four sides are 0
    return across & boxes_meet(a.real, b.real, c.real, d.real) & boxes_meet(a.imag, b.imag, c.imag, d.imag)


def _batches(costs: Ints) -> list[slice]:
    """Slices whose costs add up to about a block each."""
    total = np.cumsum(costs)
    if not len(total):
        return []
    marks = np.searchsorted(total, np.arange(_BLOCK, int(total[-1]) + _BLOCK, _BLOCK))
    edges = np.unique(np.concatenate([[0], np.minimum(marks + 1, len(costs))]))
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]
