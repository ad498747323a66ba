"""Edges, components and welding of triangle meshes, all vectorised: the arithmetic every other file here stands on.

Half-edge ``3 f + i`` runs from corner i to corner i + 1 of face f.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

COLLINEAR = 2e-7
"""A face whose height is below this share of the coordinates' size is no face: float32 cannot tell its normal."""


@dataclass(frozen=True)
class Edges:
    """The undirected edges of a face list.

    ends: [E, 2] low and high vertex; count: [E] faces at the edge; edge: [3 F] the edge of each half-edge; forward:
    [3 F] the half-edge runs from low to high; order, start: half-edges grouped by edge, edge e owns
    ``order[start[e]:start[e + 1]]``.
    """

    ends: Ints
    count: Ints
    edge: Ints
    forward: Bools
    order: Ints
    start: Ints

    def pairs(self) -> Ints:
        """[P, 2] the two half-edges of every edge that has exactly two faces."""
        first = self.start[:-1][self.count == 2]
        return np.stack([self.order[first], self.order[first + 1]], axis=1)

    def open_halves(self) -> Ints:
        """[B] half-edges whose edge has one face only."""
        return self.order[self.start[:-1][self.count == 1]]


def find_edges(faces: npt.NDArray[Any]) -> Edges:
    """The edges of ``faces`` [F, 3]; a face may not repeat a vertex."""
    tail = faces.reshape(-1).astype(np.int64)
    head = faces[:, [1, 2, 0]].reshape(-1).astype(np.int64)
    low, high = np.minimum(tail, head), np.maximum(tail, head)
    bits = int(high.max()).bit_length() if len(high) else 0
    in_order, order = _ordered((low << bits) | high, 2 * bits)
    fresh = np.ones(len(order), bool)
    fresh[1:] = in_order[1:] != in_order[:-1]
    first = np.flatnonzero(fresh)
    start = np.append(first, len(order))
    edge = np.empty(len(order), np.int64)
    edge[order] = np.cumsum(fresh) - 1
    unique = in_order[first]
    ends = np.stack([unique >> bits, unique & ((1 << bits) - 1)], axis=1)
    return Edges(ends, np.diff(start), edge, tail < head, order, start)


def _ordered(keys: Ints, bits: int) -> tuple[Ints, Ints]:
    """``keys`` (from 0, of so many ``bits``) in order, and the stable order itself. Where both fit into 63 bits key and
    place are sorted as one number, which takes a third of the time of sorting places by key."""
    more = len(keys).bit_length()
    if bits + more > 63:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    both = np.sort((keys << more) | np.arange(len(keys)))
    return both >> more, both & ((1 << more) - 1)


def head_corner(half: Ints) -> Ints:
    """The corner at which a half-edge ends (its own index is the corner at which it starts)."""
    return half - half % 3 + (half + 1) % 3


def label_groups(pairs: npt.NDArray[Any], count: int) -> tuple[int, Ints]:
    """Number of groups and the group of each of ``count`` nodes that ``pairs`` [P, 2] connect."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    groups, labels = connected_components(graph, directed=False)
    return int(groups), labels.astype(np.int64)


def face_components(faces: npt.NDArray[Any], edges: Edges | None = None) -> tuple[int, Ints]:
    """Number of parts and the part of each face; faces are in one part when edges join them."""
    edges = edges or find_edges(faces)
    joined = np.stack([edges.order[:-1], edges.order[1:]], axis=1)
    same = edges.edge[joined[:, 0]] == edges.edge[joined[:, 1]]
    return label_groups(joined[same] // 3, len(faces))


def fans(faces: npt.NDArray[Any], links: Ints) -> tuple[int, Ints]:
    """Number of umbrella fans and the fan of each corner [3 F], when faces hang together by ``links`` only.

    links: [L, 2] half-edges on one edge, in either direction. A vertex with two fans is not manifold.
    """
    first, second = links[:, 0], links[:, 1]
    corners = faces.reshape(-1)
    same_way = corners[first] == corners[second]
    start = np.where(same_way, second, head_corner(second))
    stop = np.where(same_way, head_corner(second), second)
    pairs = np.concatenate([np.stack([first, start], axis=1), np.stack([head_corner(first), stop], axis=1)])
    return label_groups(pairs, faces.size)


def compacted(indices: npt.NDArray[Any], count: int) -> tuple[Ints, Ints]:
    """(used [U], renamed like ``indices``): the values that occur among 0 .. count - 1, and the indices into them."""
    there = np.zeros(count, bool)
    there[indices] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[indices]


def touching(faces: npt.NDArray[Any], marked: Bools) -> Bools:
    """[F] rows of ``faces`` [F, K] with a marked vertex; column by column, for numpy is slow along short axes."""
    out = marked[faces[:, 0]]
    for column in faces.T[1:]:
        out |= marked[column]
    return out


def cross(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Cross product along the last axis, without the detours of numpy's for any axis."""
    a, b, c = one[..., 0], one[..., 1], one[..., 2]
    x, y, z = two[..., 0], two[..., 1], two[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def face_crosses(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Floats:
    """[F, 3] normals with the length of twice the area, in double precision."""
    corner = points.astype(np.float64, copy=False)[faces]
    return cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])


def magnitude(points: npt.NDArray[Any]) -> float:
    """The size that float32 rounding of these coordinates goes by: the diagonal, or the largest coordinate."""
    if len(points) == 0:
        return 1.0
    columns = np.ascontiguousarray(points.T)  # numpy is slow across short rows
    high, low = columns.max(axis=1), columns.min(axis=1)
    span = float(np.linalg.norm(high.astype(np.float64) - low))
    return max(span, float(high.max()), -float(low.min()), np.finfo(np.float32).tiny)


def flat_faces(points: npt.NDArray[Any], faces: npt.NDArray[Any], scale: float | None = None) -> Bools:
    """[F] faces without area: a repeated corner, or corners on one line as far as float32 can tell."""
    first, second, third = (points.astype(np.float64, copy=False)[faces[:, k]] for k in range(3))
    sides = (second - first, third - second, first - third)
    longest = np.sqrt(np.maximum.reduce([np.einsum("fi,fi->f", side, side) for side in sides]))
    normal = cross(sides[0], sides[1])
    double_area = np.sqrt(np.einsum("fi,fi->f", normal, normal))
    scale = magnitude(points) if scale is None else scale
    repeated = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    return repeated | (double_area <= COLLINEAR * scale * longest)


def volumes_and_areas(
    points: npt.NDArray[Any], faces: npt.NDArray[Any], labels: Ints, count: int
) -> tuple[Floats, Floats]:
    """[count] the signed volume of each part, measured from its own middle (so open parts give a fair guess), and its
    area."""
    first, second, third = (points.astype(np.float64, copy=False)[faces[:, k]] for k in range(3))
    normal = cross(second - first, third - first)
    area = np.sqrt(np.einsum("fi,fi->f", normal, normal))
    weight = np.bincount(labels, area, count)
    middle = (first + second + third) / 3.0
    moment = np.stack([np.bincount(labels, area * middle[:, k], count) for k in range(3)], axis=1)
    centre = moment / np.maximum(weight, np.finfo(float).tiny)[:, None]
    tetrahedra = np.einsum("fi,fi->f", normal, middle - centre[labels]) / 6.0
    return np.bincount(labels, tetrahedra, count).astype(np.float64), weight / 2.0


def signed_volumes(points: npt.NDArray[Any], faces: npt.NDArray[Any], labels: Ints, count: int) -> Floats:
    """[count] the signed volume of each part."""
    return volumes_and_areas(points, faces, labels, count)[0]


def face_groups(faces: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """(group [F], size [G]): faces on the same three vertices, whatever their order, are one group."""
    one, two, three = faces.astype(np.int64).T
    low, high = np.minimum(np.minimum(one, two), three), np.maximum(np.maximum(one, two), three)
    middle = one + two + three - low - high
    bits = int(high.max()).bit_length() if len(high) else 0
    pair = (low << bits) | middle
    if 3 * bits > 63:
        pair = np.unique(pair, return_inverse=True)[1].reshape(-1)
        ordered, order = _ordered((pair << bits) | high, len(pair).bit_length() + bits)
    else:
        ordered, order = _ordered((pair << bits) | high, 3 * bits)
    fresh = np.ones(len(order), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group, np.bincount(group)
