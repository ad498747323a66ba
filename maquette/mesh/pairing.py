"""Which half-edges belong together, also where more than two faces meet at an edge."""

from __future__ import annotations

import numpy as np

from .topology import Edges, Floats, Ints


def paired_halves(points: Floats, faces: Ints, edges: Edges) -> Ints:
    """[L, 2] half-edges that belong together: opposite ways on one edge, each half-edge at most once.

    At an edge with more than two faces those are paired that have the solid between them, so that two bodies that touch
    along an edge come apart as two bodies. Half-edges in no pair are open after the cut.
    """
    plain = edges.pairs if not edges.same_way.any() else edges.pairs.compress(~edges.same_way, axis=0)
    if not edges.crowded:
        return plain
    owner = np.repeat(np.arange(len(edges.count)), edges.count)
    halves = edges.order[(edges.count > 2)[owner]]
    return np.concatenate([plain, _around(points, faces, edges, halves)])


def _around(points: Floats, faces: Ints, edges: Edges, halves: Ints) -> Ints:
    """Pairs among the half-edges of crowded edges: going round the edge, a backward one followed by a forward one."""
    angle = _angles(points, faces, edges, halves)
    order = np.lexsort((edges.forward[halves], angle, edges.edge[halves]))
    halves = halves[order]
    made = []
    while len(halves):
        edge, forward = edges.edge[halves], edges.forward[halves]
        start = np.flatnonzero(np.append(True, edge[1:] != edge[:-1]))
        size = np.diff(np.append(start, len(edge)))
        following = np.arange(1, len(edge) + 1)
        following[start + size - 1] = start  # the last one is followed by the first: the fan is a circle
        match = ~forward & forward[following] & (following != np.arange(len(edge)))
        if not match.any():
            break
        made.append(np.stack([halves[match], halves[following[match]]], axis=1))
        left = ~match
        left[following[match]] = False
        halves = halves[left]
    return np.concatenate(made) if made else np.zeros((0, 2), np.int64)


def _angles(points: Floats, faces: Ints, edges: Edges, halves: Ints) -> Floats:
    """[N] the direction of each half-edge's face, as an angle round its edge seen against the edge's low-high axis."""
    flat = faces.reshape(-1)
    ends = edges.ends[edges.edge[halves]]
    apex = points[flat[halves - halves % 3 + (halves + 2) % 3]]
    axis = points[ends[:, 1]] - points[ends[:, 0]]
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), np.finfo(float).tiny)
    smallest = np.eye(3)[np.argmin(np.abs(axis), axis=1)]
    right = np.cross(axis, smallest)
    right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), np.finfo(float).tiny)
    up = np.cross(axis, right)
    away = apex - points[ends[:, 0]]
    return np.arctan2(np.einsum("ni,ni->n", away, up), np.einsum("ni,ni->n", away, right))
