"""Triangles over the rim of a hole alone: the choice of least area, for all holes of like length at once.

The dynamic programme of Barequet and Sharir (1995) on loops up to ``_EXACT`` vertices; longer loops are first shortened
by cutting off their sharpest ears.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np

from ..native import extension
from ..progress import Progress, silent
from .topology import Bools, Floats, Ints, cross

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


def triangulated(loops: Sequence[Loop], progress: Progress | None = None) -> list[Ints | None]:
    """Per loop the triangles [T, 3], each i < j < k in rim order; None where every choice reuses an edge. Cancel is
    heard all the time, also within one long loop."""
    progress = progress or silent()
    rings, made, done = [], [], 0
    for points, taken in loops:
        progress.check()
        ring, ears = _shortened(points, taken, progress)
        rings.append(np.array(ring, np.int64))
        made.append(ears)
    out: list[Ints | None] = [None] * len(loops)
    sizes = np.array([len(ring) for ring in rings], np.int64)
    for which in _batches(sizes):
        progress.update(done, len(loops), "holes")
        done += len(which)
        size = int(sizes[which[-1]])
        points, barred = np.zeros((len(which), size, 3)), np.zeros((len(which), size, size), bool)
        for row, k in enumerate(which):
            points[row, : sizes[k]] = loops[k][0][rings[k]]
            barred[row, : sizes[k], : sizes[k]] = _barred(loops[k][1], rings[k], len(loops[k][0]))
        triangles, found = extension("patches").least_area(points, barred, sizes[which], progress.check)
        for row, k in enumerate(which):
            if found[row]:
                rest = rings[k].take(triangles[row, : sizes[k] - 2])
                out[k] = np.concatenate([np.array(made[k], np.int64), rest]) if made[k] else rest
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
    across = cross(two, one)
    angle = float(np.arctan2(np.linalg.norm(across), one @ two))
    return angle if across @ normal >= 0 else 2 * np.pi - angle
