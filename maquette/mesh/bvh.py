"""A bounding-volume tree over triangles in numpy: boxes that overlap, nearest points.

The tree is the one of ``extensions/visibility``, which answers rays. Traversal advances whole frontiers of (query,
node) pairs, one level at a time, without recursion.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..native import extension
from ..progress import Progress, silent
from .topology import Bools, Floats, Ints

_FRONTIER = 2_000_000
"""Pairs of (query, node) in flight at once; queries are cut into blocks so that memory stays bounded."""


@dataclass(frozen=True)
class Tree:
    """corners: [F, 3, 3] in tree order; face: [F] original index; levels: low and high corners [n, 3] per level, top
    down, each node with ``fan`` children; leaf: triangles of a leaf. What is missing is NaN and fails comparisons."""

    corners: Floats
    face: Ints
    levels: tuple[tuple[Floats, Floats], ...]
    fan: int
    leaf: int

    def leaf_faces(self, leaf: Ints) -> tuple[Ints, Bools]:
        """[N, leaf] positions (in tree order) of the triangles of each leaf, and which of them exist."""
        places = leaf[:, None] * self.leaf + np.arange(self.leaf)
        there = places < len(self.face)
        return np.where(there, places, 0), there


def build(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Tree:
    """The tree over ``faces`` [F, 3]; their vertices must be finite."""
    family = extension("visibility")
    tree = family.build(torch.tensor(points), torch.tensor(faces))
    levels = tuple((low.numpy(), high.numpy()) for low, high in tree.levels)
    return Tree(tree.corners.numpy(), tree.face.numpy(), levels, family.FAN, family.LEAF)


Test = Callable[[Ints, Floats, Floats], Bools]
"""(queries [N], low [N, 3], high [N, 3]) -> [N]: may this query find anything in the box?"""


def descend(tree: Tree, queries: Ints, test: Test) -> tuple[Ints, Ints]:
    """All pairs (query, leaf) that pass ``test`` at every level."""
    node = np.zeros(len(queries), np.int64)
    for low, high in tree.levels:
        queries = np.repeat(queries, tree.fan)
        node = (node[:, None] * tree.fan + np.arange(tree.fan)).reshape(-1)
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
        query, place = np.repeat(query, tree.leaf)[there.ravel()], place[there]
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
        query = np.repeat(query, tree.leaf)[there.ravel()]
        _, distance = closest_on_triangles(places[query], tree.corners[place[there]])
        np.minimum.at(best, query, distance)
    return best
