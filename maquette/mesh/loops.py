"""Triangles over the rim of a hole alone: the choice of least area, for all holes of like length at once.

The dynamic programme of Barequet and Sharir (1995) on loops up to ``_EXACT`` vertices; longer loops are first shortened
by cutting off their sharpest ears.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ..native import extension
from ..progress import Progress, silent
from .topology import Bools, Floats, Ints

_EXACT = 160
"""Longest loop for the exact triangulation: its work grows with the cube."""
_EARS = 1000
"""Cancel is heard after so many ears."""
_TOGETHER = 1 << 19
"""Triangles that are weighed at once."""
_LIKE = 4
"""Loops of a batch differ by no more than this many vertices and a quarter of them."""

Triangle = tuple[int, int, int]
Loop = tuple[Floats, Ints]
"""points: [L, 3] along the rim; taken: [C, 2] pairs of places along it, i < j, that have an edge elsewhere already."""


def triangulated(loops: Sequence[Loop], progress: Progress | None = None) -> list[list[Triangle] | None]:
    """Per loop triangles [i, j, k] with i < j < k in rim order; None where every choice reuses an edge. Cancel is
    heard all the time, also within one long loop."""
    progress = progress or silent()
    rings, made, done = [], [], 0
    for points, taken in loops:
        progress.check()
        ring, ears = _shortened(points, taken, progress)
        rings.append(np.array(ring, np.int64))
        made.append(ears)
    out: list[list[Triangle] | None] = [None] * len(loops)
    sizes = np.array([len(ring) for ring in rings], np.int64)
    for which in _batches(sizes):
        progress.update(done, len(loops), "holes")
        done += len(which)
        size = int(sizes[which[-1]])
        points, barred = np.zeros((len(which), size, 3)), np.zeros((len(which), size, size), bool)
        for row, k in enumerate(which):
            points[row, : sizes[k]] = loops[k][0][rings[k]]
            barred[row, : sizes[k], : sizes[k]] = _barred(loops[k][1], rings[k], len(loops[k][0]))
        for k, rest in zip(which, _least_area(points, barred, sizes[which], progress), strict=True):
            ring = rings[k].tolist()
            if rest is not None:
                out[k] = made[k] + [(ring[a], ring[b], ring[c]) for a, b, c in rest]
    return out


def _batches(sizes: Ints) -> list[list[int]]:
    """Loops of like length together, each batch by length: the work in one goes by its longest loop."""
    out: list[list[int]] = []
    for k in np.argsort(sizes, kind="stable").tolist():
        size = int(sizes[k])
        first = int(sizes[out[-1][0]]) if out else 0
        if out and size <= first + _LIKE + first // 4 and (len(out[-1]) + 1) * size * size <= _TOGETHER:
            out[-1].append(k)
        else:
            out.append([k])
    return out


def _barred(taken: Ints, ring: Ints, count: int) -> Bools:
    """[R, R] which edges between the places of ``ring`` (of ``count`` along the loop) may not be made, i < j."""
    place = np.full(count, -1, np.int64)
    place[ring] = np.arange(len(ring))
    found = place[taken]
    found = found[(found >= 0).all(axis=1)]
    out = np.zeros((len(ring), len(ring)), bool)
    out[found[:, 0], found[:, 1]] = True
    return out


def _least_area(points: Floats, barred: Bools, sizes: Ints, progress: Progress) -> list[list[Triangle] | None]:
    """The triangulations of closed loops [H, L, 3] with the least area, of which the first sizes [H] points count.
    barred: [H, L, L]."""
    holes, count = points.shape[:2]
    columns = extension("topology").reference
    axes = np.ascontiguousarray(np.moveaxis(points, 2, 0))
    cost = np.full((holes, count, count), np.inf)
    best = np.zeros((holes, count, count), np.int64)
    cost[:, np.arange(count - 1), np.arange(1, count)] = 0.0
    barred[np.arange(holes), 0, sizes - 1] = False  # where the loop closes
    hole, row, column = cost.strides
    window = (axes.strides[1], column, column)
    for gap in range(2, count):
        progress.check()
        low = np.arange(count - gap)
        high, shape = low + gap, (holes, count - gap, gap - 1)
        ahead = tuple(as_strided(a[:, 1:], shape, window, writeable=False) - a[:, :-gap, None] for a in axes)
        across = tuple((a[:, gap:] - a[:, :-gap])[:, :, None] for a in axes)
        normal = columns.cross(ahead, across)
        total = np.sqrt(columns.dot(normal, normal))
        # Of the stretches from low to each middle, and from each middle to high: along rows, and along columns.
        before = as_strided(cost[:, :, 1:], shape, (hole, row + column, column), writeable=False)
        total += before + as_strided(cost[:, 1:, gap:], shape, (hole, row + column, row), writeable=False)
        pick = total.argmin(axis=2)
        value = np.take_along_axis(total, pick[..., None], axis=2)[..., 0]
        value[barred[:, low, high]] = np.inf
        cost[:, low, high], best[:, low, high] = value, low + 1 + pick
    return [
        _unrolled(best[k], size) if np.isfinite(cost[k, 0, size - 1]) else None for k, size in enumerate(sizes.tolist())
    ]


def _unrolled(best: Ints, count: int) -> list[Triangle]:
    """The triangles of one loop from the best middle [L, L] of every stretch."""
    middle = best.tolist()
    triangles: list[Triangle] = []
    todo = [(0, count - 1)]
    while todo:
        i, k = todo.pop()
        if k - i >= 2:
            m = middle[i][k]
            triangles.append((i, m, k))
            todo += [(i, m), (m, k)]
    return triangles


def _shortened(points: Floats, taken: Ints, progress: Progress) -> tuple[list[int], list[Triangle]]:
    """Cut the sharpest ears off a long loop. Returns the vertices that are left, in order, and the ears."""
    count = len(points)
    if count <= _EXACT:
        return list(range(count)), []
    barred = {(i, j) for i, j in taken.tolist()}
    before, after = np.roll(np.arange(count), 1).tolist(), np.roll(np.arange(count), -1).tolist()
    alive, version = [True] * count, [0] * count
    ears: list[Triangle] = []
    normal = np.cross(points, np.roll(points, -1, axis=0)).sum(axis=0)
    heap = [(_ear_angle(points, before[i], i, after[i], normal), i, 0) for i in range(count)]
    heapq.heapify(heap)
    left = count
    while heap and left > _EXACT:
        _, i, stamp = heapq.heappop(heap)
        p, n = before[i], after[i]
        if not alive[i] or stamp != version[i] or (min(p, n), max(p, n)) in barred:
            continue
        if left % _EARS == 0:
            progress.check()
        ears.append(_in_order(p, i, n))
        alive[i], after[p], before[n] = False, n, p
        left -= 1
        for k in (p, n):
            version[k] += 1
            heapq.heappush(heap, (_ear_angle(points, before[k], k, after[k], normal), k, version[k]))
    return [i for i in range(count) if alive[i]], ears


def _in_order(a: int, b: int, c: int) -> Triangle:
    """The same cyclic triangle with its smallest index first (so i < j < k along the rim)."""
    return min(((a, b, c), (b, c, a), (c, a, b)))


def _ear_angle(points: Floats, before: int, at: int, after: int, normal: Floats) -> float:
    """The inner angle at a rim vertex; reflex (as seen along the loop's normal) is more than pi."""
    one, two = points[before] - points[at], points[after] - points[at]
    across = np.cross(two, one)
    angle = float(np.arctan2(np.linalg.norm(across), one @ two))
    return angle if across @ normal >= 0 else 2 * np.pi - angle
