"""Edges, components and welding of triangle meshes, all vectorised: the arithmetic every other file here stands on.

Half-edge ``3 f + i`` runs from corner i to corner i + 1 of face f.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ..native import extension

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

    @cached_property
    def pairs(self) -> Ints:
        """[P, 2] the two half-edges of every edge that has exactly two faces."""
        other = np.flatnonzero(self.count != 2)
        if len(other) == 0:
            return self.order.reshape(-1, 2)
        count = self.count.take(other)
        place = np.arange(int(count.sum())) + np.repeat(self.start.take(other) - np.cumsum(count) + count, count)
        kept = np.ones(len(self.order), bool)
        kept[place] = False
        return self.order.compress(kept).reshape(-1, 2)

    @cached_property
    def same_way(self) -> Bools:
        """[P] whether the two of ``pairs`` run the same way: their faces disagree on which side is outside."""
        return np.asarray(self.forward.take(self.pairs[:, 0]) == self.forward.take(self.pairs[:, 1]))

    @cached_property
    def crowded(self) -> bool:
        """Whether an edge has more than two faces."""
        return bool(self.count.max(initial=0) > 2)

    def open_halves(self) -> Ints:
        """[B] half-edges whose edge has one face only."""
        return self.order[self.start.take(np.flatnonzero(self.count == 1))]


class Partners(NamedTuple):
    """partner: [3 F] for each half-edge the other one where its edge has two faces, -1 where it has one, -2 where it
    has more; crowded: some edge has more; same_way: the two of some edge run the same way."""

    partner: npt.NDArray[np.int32]
    crowded: bool
    same_way: bool

    @property
    def plain(self) -> bool:
        """No edge has more than two faces, and where it has two they agree on which side is outside."""
        return not self.crowded and not self.same_way

    def open_halves(self) -> Ints:
        """[B] half-edges whose edge has one face only, ascending."""
        return np.flatnonzero(self.partner == -1)


def find_edges(faces: npt.NDArray[Any]) -> Edges:
    """The edges of ``faces`` [F, 3]; a face may not repeat a vertex."""
    return Edges(*extension("topology").edges(faces))


def head_corner(half: Ints) -> Ints:
    """The corner at which a half-edge ends (its own index is the corner at which it starts)."""
    return half - half % 3 + (half + 1) % 3


def label_groups(pairs: npt.NDArray[Any], count: int) -> tuple[int, Ints]:
    """Number of groups and the group of each of ``count`` nodes that ``pairs`` [P, 2] connect."""
    found: tuple[int, Ints] = extension("topology").groups(pairs, count)
    return found


def face_components(faces: npt.NDArray[Any], edges: Edges | None = None) -> tuple[int, Ints]:
    """Number of parts and the part of each face; faces are in one part when edges join them."""
    edges = edges or find_edges(faces)
    if not edges.crowded:
        return label_groups(edges.pairs // 3, len(faces))
    joined = np.stack([edges.order[:-1], edges.order[1:]], axis=1)
    same = edges.edge[joined[:, 0]] == edges.edge[joined[:, 1]]
    return label_groups(joined[same] // 3, len(faces))


def fans(faces: npt.NDArray[Any], links: Ints) -> tuple[int, Ints]:
    """Number of umbrella fans and the fan of each corner [3 F], when faces hang together by ``links`` only.

    links: [L, 2] half-edges on one edge, in either direction. A vertex with two fans is not manifold.
    """
    found: tuple[int, Ints] = extension("topology").fans(faces, links)
    return found


def compacted(indices: npt.NDArray[Any], count: int) -> tuple[Ints, Ints]:
    """(used [U], renamed like ``indices``): the values that occur among 0 .. count - 1, and the indices into them."""
    there = np.zeros(count, bool)
    there[indices.reshape(-1)] = True
    if there.all():
        return np.arange(count), indices.astype(np.int64, copy=False)
    return np.flatnonzero(there), (np.cumsum(there) - 1).take(indices)


def touching(faces: npt.NDArray[Any], marked: Bools) -> Bools:
    """[F] rows of ``faces`` [F, K] with a marked vertex; column by column, for numpy is slow along short axes."""
    out = marked.take(faces[:, 0])
    for column in faces.T[1:]:
        out |= marked.take(column)
    return np.asarray(out)


def cross(one: npt.NDArray[Any], two: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Cross product along the last axis, without the detours of numpy's for any axis."""
    a, b, c = one[..., 0], one[..., 1], one[..., 2]
    x, y, z = two[..., 0], two[..., 1], two[..., 2]
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x], axis=-1)


def face_crosses(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Floats:
    """[F, 3] normals with the length of twice the area, in double precision."""
    columns = extension("topology").reference
    one, two, three = columns.corners(points, faces)
    return np.stack(columns.cross(columns.minus(two, one), columns.minus(three, one)), axis=-1)


def double_areas(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Floats:
    """[F] twice the area of each face."""
    columns = extension("topology").reference
    one, two, three = columns.corners(points, faces)
    x, y, z = columns.cross(columns.minus(two, one), columns.minus(three, one))
    return np.asarray(np.sqrt(x * x + y * y + z * z))


def longest_sides(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Floats:
    """[F] the length of the longest side of each face."""
    columns = extension("topology").reference
    one, two, three = columns.corners(points, faces)
    sides = (columns.minus(a, b) for a, b in ((one, two), (two, three), (three, one)))
    return np.asarray(np.sqrt(np.maximum.reduce([columns.dot(side, side) for side in sides])))


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
    found: Bools = extension("topology").flat(
        points, faces, COLLINEAR * (magnitude(points) if scale is None else scale)
    )
    return found


class Measures(NamedTuple):
    """Of each part: volume [N], signed and measured from its own middle (so open parts give a fair guess); area [N];
    vector [N, 3], the areas times normals added up: as long as the area where all lies in one plane. Of each face:
    face_area [F]."""

    volume: Floats
    area: Floats
    vector: Floats
    face_area: Floats


def measures(points: npt.NDArray[Any], faces: npt.NDArray[Any], labels: Ints, count: int) -> Measures:
    """Volumes and areas of the parts of a mesh. labels: [F] the part of each face, 0 .. count - 1."""
    return Measures(*extension("topology").measures(points, faces, labels, count))


def face_groups(faces: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """(group [F], size [G]): faces on the same three vertices, whatever their order, are one group."""
    one, two, three = faces.astype(np.int64).T
    low, high = np.minimum(np.minimum(one, two), three), np.maximum(np.maximum(one, two), three)
    middle = one + two + three - low - high
    bits = int(high.max()).bit_length() if len(high) else 0
    pair = (low << bits) | middle
    ordered = extension("topology").reference.ordered
    if 3 * bits > 63:
        pair = np.unique(pair, return_inverse=True)[1].reshape(-1)
        ordered, order = ordered((pair << bits) | high, len(pair).bit_length() + bits)
    else:
        ordered, order = ordered((pair << bits) | high, 3 * bits)
    fresh = np.ones(len(order), bool)
    fresh[1:] = ordered[1:] != ordered[:-1]
    group = np.empty(len(order), np.int64)
    group[order] = np.cumsum(fresh) - 1
    return group, np.bincount(group)
