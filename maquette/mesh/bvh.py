"""A bounding-volume tree over triangles in plain numpy: boxes that overlap, nearest points, rays.

The tree is complete: triangles are sorted along a Morton curve, ``LEAF`` of them make a leaf, and level l holds the
boxes of 2^l nodes. Traversal advances whole frontiers of (query, node) pairs, one level at a time, without recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..progress import Progress, silent
from .topology import Bools, Floats, Ints

LEAF = 4
_FRONTIER = 2_000_000
"""Pairs of (query, node) in flight at once; queries are cut into blocks so that memory stays bounded."""


@dataclass(frozen=True)
class Tree:
    """corners: [F, 3, 3] in tree order; face: [F] original index; levels: low and high corners [2^l, 3] per level."""

    corners: Floats
    face: Ints
    levels: tuple[tuple[Floats, Floats], ...]

    def leaf_faces(self, leaf: Ints) -> tuple[Ints, Bools]:
        """[N, LEAF] positions (in tree order) of the triangles of each leaf, and which of them exist."""
        places = leaf[:, None] * LEAF + np.arange(LEAF)
        there = places < len(self.face)
        return np.where(there, places, 0), there


def build(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Tree:
    """The tree over ``faces`` [F, 3] (F > 0)."""
    corners = points.astype(np.float64, copy=False)[faces]
    order = np.argsort(_morton(corners.mean(axis=1)), kind="stable")
    corners = corners[order]
    low, high = corners.min(axis=1), corners.max(axis=1)
    depth = max(int(np.ceil(np.log2(max(len(faces) / LEAF, 1)))), 0)
    size = LEAF << depth
    # Places without a triangle are NaN: they fail every comparison, and fmin and fmax look past them.
    low = np.concatenate([low, np.full((size - len(low), 3), np.nan)])
    high = np.concatenate([high, np.full((size - len(high), 3), np.nan)])
    low = np.fmin.reduce(low.reshape(-1, LEAF, 3), axis=1)
    high = np.fmax.reduce(high.reshape(-1, LEAF, 3), axis=1)
    levels = [(low, high)]
    while len(low) > 1:
        low, high = np.fmin.reduce(low.reshape(-1, 2, 3), axis=1), np.fmax.reduce(high.reshape(-1, 2, 3), axis=1)
        levels.append((low, high))
    return Tree(corners, order.astype(np.int64), tuple(reversed(levels)))


def _morton(points: Floats) -> npt.NDArray[np.uint64]:
    """[N] position along a space-filling curve with 2^21 steps a side."""
    low, span = points.min(axis=0), np.ptp(points, axis=0).max() or 1.0
    cells = ((points - low) / span * (2**21 - 1)).astype(np.uint64)
    code = np.zeros(len(points), np.uint64)
    for axis in range(3):
        code |= _spread(cells[:, axis]) << np.uint64(axis)
    return code


def _spread(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Two zero bits after each of 21 bits (the usual magic numbers)."""
    for shift, mask in (
        (32, 0x1F00000000FFFF), (16, 0x1F0000FF0000FF), (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3), (2, 0x1249249249249249),
    ):  # fmt: skip
        bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
    return bits


Test = Callable[[Ints, Floats, Floats], Bools]
"""(queries [N], low [N, 3], high [N, 3]) -> [N]: may this query find anything in the box?"""


def descend(tree: Tree, queries: Ints, test: Test) -> tuple[Ints, Ints]:
    """All pairs (query, leaf) that pass ``test`` at every level."""
    node = np.zeros(len(queries), np.int64)
    for level, (low, high) in enumerate(tree.levels):
        if level:
            queries = np.repeat(queries, 2)
            node = np.repeat(node * 2, 2)
            node[1::2] += 1
        keep = test(queries, low[node], high[node])
        queries, node = queries[keep], node[keep]
    return queries, node


def overlapping(tree: Tree, low: Floats, high: Floats, progress: Progress | None = None) -> tuple[Ints, Ints]:
    """Pairs (box, face) whose boxes overlap; low, high: [N, 3]; the face index is the original one."""
    progress = progress or silent()
    found: list[tuple[Ints, Ints]] = []
    step = max(_FRONTIER // 64, 1)

    def test(query: Ints, box_low: Floats, box_high: Floats) -> Bools:
        reach: Bools = (low[query] <= box_high) & (high[query] >= box_low)
        return np.asarray(reach.all(axis=1))

    for begin in range(0, len(low), step):
        progress.update(begin, len(low))
        query, leaf = descend(tree, np.arange(begin, min(begin + step, len(low))), test)
        place, there = tree.leaf_faces(leaf)
        query, place = np.repeat(query, LEAF)[there.ravel()], place[there]
        corner = tree.corners[place]
        hit = test(query, corner.min(axis=1), corner.max(axis=1))
        found.append((query[hit], tree.face[place[hit]]))
    if not found:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([q for q, _ in found]), np.concatenate([f for _, f in found])


def nearest_distances(points: Floats, faces: Ints, places: Floats) -> Floats:
    """[N] exact distance of ``places`` [N, 3] from the triangles (F > 0)."""
    from scipy.spatial import cKDTree

    from ..geometry.closest import closest_on_triangles

    tree = build(points, faces)
    bound = cKDTree(tree.corners[:, 0]).query(places)[0]
    best = bound.copy()

    def test(query: Ints, low: Floats, high: Floats) -> Bools:
        gap = np.maximum(np.maximum(low - places[query], places[query] - high), 0.0)
        return np.asarray(np.einsum("ni,ni->n", gap, gap) <= bound[query] ** 2)

    step = max(_FRONTIER // 256, 1)
    for begin in range(0, len(places), step):
        query, leaf = descend(tree, np.arange(begin, min(begin + step, len(places))), test)
        place, there = tree.leaf_faces(leaf)
        query = np.repeat(query, LEAF)[there.ravel()]
        _, distance = closest_on_triangles(places[query], tree.corners[place[there]])
        np.minimum.at(best, query, distance)
    return best
