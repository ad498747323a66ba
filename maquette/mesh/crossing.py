"""Which pairs of triangles cross: boxes from the tree, then exact tests of edges against triangles."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..progress import Progress, silent
from .bvh import build, overlapping
from .topology import Bools, Floats, Ints, magnitude

_ROUNDING = 1e-7
"""Share of the mesh's size below which a distance counts as touching, not as crossing (float32 coordinates)."""


def crossing_pairs(
    points: npt.NDArray[Any], faces: npt.NDArray[Any], sampled: Ints, progress: Progress | None = None
) -> Ints:
    """[P, 2] pairs of faces, the first of ``sampled``, that cross each other or lie upon each other.

    points: [V, 3] welded; faces: [F, 3] without degenerate ones; sampled: indices of the faces to look around.
    Neighbours count only when they really pass through each other or are folded flat upon each other.
    """
    progress = progress or silent()
    if len(faces) < 2 or len(sampled) == 0:
        return np.zeros((0, 2), np.int64)
    points = points.astype(np.float64)
    tree = build(points, faces)
    corner = points[faces[sampled]]
    query, other = overlapping(tree, corner.min(axis=1), corner.max(axis=1), progress)
    first = sampled[query]
    known = np.zeros(len(faces), bool)
    known[sampled] = True
    once = (first < other) | (~known[other] & (first != other))
    pairs = np.stack([first[once], other[once]], axis=1)
    shared = (faces[pairs[:, 0]][:, :, None] == faces[pairs[:, 1]][:, None, :]).any(axis=2)
    count = shared.sum(axis=1)
    slack = _ROUNDING * magnitude(points)
    apart = pairs[count == 0]
    hits = [apart[_apart(points[faces[apart[:, 0]]], points[faces[apart[:, 1]]], slack)]]
    progress.update(2, 3)
    hits.append(_sharing_one(points, faces, pairs[count == 1], slack))
    hits.append(_folded(points, faces, pairs[count == 2], slack))
    return np.concatenate(hits)


def _apart(one: Floats, two: Floats, slack: float) -> Bools:
    """[P] triangles [P, 3, 3] without a common vertex cross: an edge passes through the other, or they overlap flat."""
    near = _reach(one, two, slack)
    hit = np.zeros(len(one), bool)
    a, b = one[near], two[near]
    result = np.zeros(len(a), bool)
    for k in range(3):
        result |= _pierces(a[:, k], a[:, (k + 1) % 3], b, slack)
        result |= _pierces(b[:, k], b[:, (k + 1) % 3], a, slack)
    flat = ~result & _coplanar(a, b, slack)
    result[flat] = _flat_overlap(a[flat], b[flat], slack)
    hit[near] = result
    return hit


def _reach(one: Floats, two: Floats, slack: float) -> Bools:
    """[P] neither triangle lies wholly on one side of the other's plane."""
    return _straddles(one, two, slack) & _straddles(two, one, slack)


def _heights(plane: Floats, other: Floats) -> Floats:
    """[P, 3] signed distances of the corners of ``other`` from the plane of ``plane``."""
    normal = np.cross(plane[:, 1] - plane[:, 0], plane[:, 2] - plane[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), np.finfo(float).tiny)
    return np.einsum("pki,pi->pk", other - plane[:, :1], normal)


def _straddles(plane: Floats, other: Floats, slack: float) -> Bools:
    height = _heights(plane, other)
    return (height.min(axis=1) < slack) & (height.max(axis=1) > -slack)


def _coplanar(one: Floats, two: Floats, slack: float) -> Bools:
    return np.abs(_heights(one, two)).max(axis=1) < slack


def _pierces(start: Floats, stop: Floats, triangle: Floats, slack: float) -> Bools:
    """[P] the open segment passes through the inside of the triangle (touching within ``slack`` does not count)."""
    side_a, side_b = triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0]
    normal = np.cross(side_a, side_b)
    area = np.einsum("pi,pi->p", normal, normal)
    length = np.maximum(np.sqrt(area), np.finfo(float).tiny)
    before = np.einsum("pi,pi->p", start - triangle[:, 0], normal) / length
    after = np.einsum("pi,pi->p", stop - triangle[:, 0], normal) / length
    through = (np.minimum(before, after) < -slack) & (np.maximum(before, after) > slack)
    share = before / np.where(through, before - after, 1.0)
    at = start + share[:, None] * (stop - start) - triangle[:, 0]
    area = np.where(area > 0, area, 1.0)
    u = np.einsum("pi,pi->p", np.cross(at, side_b), normal) / area
    v = np.einsum("pi,pi->p", np.cross(side_a, at), normal) / area
    margin = slack / np.sqrt(length)
    return through & (u > margin) & (v > margin) & (u + v < 1 - margin)


def _flat_overlap(one: Floats, two: Floats, slack: float) -> Bools:
    """[P] triangles in one plane overlap by more than ``slack`` (separating axes: the sides of both)."""
    normal = np.cross(one[:, 1] - one[:, 0], one[:, 2] - one[:, 0])
    overlap = np.ones(len(one), bool)
    for triangle in (one, two):
        for k in range(3):
            axis = np.cross(normal, triangle[:, (k + 1) % 3] - triangle[:, k])
            axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), np.finfo(float).tiny)
            a, b = np.einsum("pki,pi->pk", one, axis), np.einsum("pki,pi->pk", two, axis)
            overlap &= (a.max(axis=1) > b.min(axis=1) + slack) & (b.max(axis=1) > a.min(axis=1) + slack)
    return overlap


def _sharing_one(points: Floats, faces: npt.NDArray[Any], pairs: Ints, slack: float) -> Ints:
    """Pairs with one common vertex that cross: the side opposite to it, of either, passes through the other."""
    one, two = faces[pairs[:, 0]], faces[pairs[:, 1]]
    crossed = np.zeros(len(pairs), bool)
    for a, b in ((one, two), (two, one)):
        common = (a[:, :, None] == b[:, None, :]).any(axis=2).argmax(axis=1)
        row = np.arange(len(a))
        start, stop = a[row, (common + 1) % 3], a[row, (common + 2) % 3]
        crossed |= _pierces(points[start], points[stop], points[b], slack)
    return pairs[crossed]


def _folded(points: Floats, faces: npt.NDArray[Any], pairs: Ints, slack: float) -> Ints:
    """Pairs with a common edge that lie flat upon each other."""
    one, two = faces[pairs[:, 0]], faces[pairs[:, 1]]
    row = np.arange(len(pairs))
    lone_a = (~(one[:, :, None] == two[:, None, :]).any(axis=2)).argmax(axis=1)
    lone_b = (~(two[:, :, None] == one[:, None, :]).any(axis=2)).argmax(axis=1)
    start, stop = points[one[row, (lone_a + 1) % 3]], points[one[row, (lone_a + 2) % 3]]
    side = stop - start
    a, b = points[one[row, lone_a]] - start, points[two[row, lone_b]] - start
    length = np.maximum(np.einsum("pi,pi->p", side, side), np.finfo(float).tiny)[:, None]
    a = a - np.einsum("pi,pi->p", a, side)[:, None] / length * side
    b = b - np.einsum("pi,pi->p", b, side)[:, None] / length * side
    together = np.einsum("pi,pi->p", a, b) > 0
    off = np.linalg.norm(np.cross(a, b), axis=1) / np.maximum(np.linalg.norm(a, axis=1), np.finfo(float).tiny)
    return pairs[together & (off < slack)]
