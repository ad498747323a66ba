"""How triangles hang together: the numpy twin of the compiled kernels and the default where none is built.

Columns are gathered one by one (``take``): numpy is slow along short axes and with pairs of index arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Halves = npt.NDArray[np.int32]
"""Numbers of half-edges."""


def edges(faces: Ints) -> tuple[Ints, Ints, Ints, Bools, Ints, Ints]:
    """(ends, count, edge, forward, order, start) of faces [F, 3], by sorted keys of both ends."""
    tail, head = np.ascontiguousarray(faces).reshape(-1), faces.take((1, 2, 0), axis=1).reshape(-1)
    low, high = np.minimum(tail, head), np.maximum(tail, head)
    bits = int(high.max()).bit_length() if len(high) else 0
    in_order, order = ordered((low << bits) | high, 2 * bits)
    fresh = np.ones(len(order), bool)
    fresh[1:] = in_order[1:] != in_order[:-1]
    first = np.flatnonzero(fresh)
    start = np.append(first, len(order))
    edge = np.empty(len(order), np.int64)
    edge[order] = np.cumsum(fresh) - 1
    unique = in_order.take(first)
    ends = np.stack([unique >> bits, unique & ((1 << bits) - 1)], axis=1)
    return ends, np.diff(start), edge, tail < head, order, start


def ordered(keys: Ints, bits: int) -> tuple[Ints, Ints]:
    """``keys`` (from 0, of so many ``bits``) in order, and the stable order itself. Where both fit into 63 bits key and
    place are sorted as one number, which takes a third of the time of sorting places by key."""
    more = len(keys).bit_length()
    if bits + more > 63:
        order = np.argsort(keys, kind="stable")
        return keys[order], order
    both = np.sort((keys << more) | np.arange(len(keys)))
    return both >> more, both & ((1 << more) - 1)


def groups(pairs: Ints, count: int) -> tuple[int, Ints]:
    """(number, group of each node), groups by their lowest member."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    found, labels = connected_components(graph, directed=False)
    return int(found), labels.astype(np.int64)


def fans(faces: Ints, links: Ints) -> tuple[int, Ints]:
    """(number, fan of each corner) when faces hang together by ``links`` only."""
    first, second = np.ascontiguousarray(links.T)
    corners = np.ascontiguousarray(faces).reshape(-1)
    same_way = corners.take(first) == corners.take(second)
    heads = _head(second)
    one = np.concatenate([first, _head(first)])
    two = np.concatenate([np.where(same_way, second, heads), np.where(same_way, heads, second)])
    return groups(np.stack([one, two], axis=1), faces.size)


def partners(faces: Ints, known: tuple[Ints, Ints, Ints, Bools, Ints, Ints]) -> tuple[Halves, bool, bool]:
    """(partner [3 F], crowded, same_way) from the ``known`` edges of faces [F, 3]."""
    _, count, _, _, order, start = known
    out = np.full(faces.size, -1, np.int32)
    two = count == 2
    first = start[:-1] if two.all() else start[:-1].compress(two)
    one, other = order.take(first), order.take(first + 1)
    out[one], out[other] = other, one
    crowded = bool(count.max(initial=0) > 2)
    if crowded:
        out[order[np.repeat(count > 2, count)]] = -2
    corner = np.ascontiguousarray(faces).reshape(-1)
    return out, crowded, bool((corner.take(one) == corner.take(other)).any())


def turns(partner: Halves) -> tuple[int, Ints]:
    """(number, fan of each corner) when faces hang together by ``partner`` [3 F], which run opposite ways."""
    one, two = _both(partner)
    pairs = np.stack([np.concatenate([one, _head(one)]), np.concatenate([_head(two), two])], axis=1)
    return groups(pairs, len(partner))


def joined(partner: Halves) -> tuple[int, Ints]:
    """(number, part of each face) when faces hang together by ``partner`` [3 F]."""
    return groups(np.stack(_both(partner), axis=1) // 3, len(partner) // 3)


def _both(partner: Halves) -> tuple[Ints, Ints]:
    """Each pair of partners once."""
    one = np.flatnonzero(partner > np.arange(len(partner)))
    return one, partner.take(one).astype(np.int64)


def _head(half: Ints) -> Ints:
    """The corner at which a half-edge ends."""
    return half - half % 3 + (half + 1) % 3


def equal(points: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """(first [U], group [V]) of points at exactly the same place, in order of appearance."""
    if len(points) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    order, fresh = _runs(points + np.zeros(1, points.dtype))  # -0.0 becomes 0.0
    lowest = np.minimum.reduceat(order, np.flatnonzero(fresh))
    appearance = np.argsort(lowest, kind="stable")
    rank = np.empty(len(lowest), np.int64)
    rank[appearance] = np.arange(len(lowest))
    group = np.empty(len(points), np.int64)
    group[order] = rank[np.cumsum(fresh) - 1]
    return lowest[appearance].astype(np.int64), group


def _runs(points: npt.NDArray[Any]) -> tuple[Ints, Bools]:
    """An order [V] that puts equal rows together, and which of them [V] begin a run.

    By a hash of the rows, which is sorted in a third of the time; should two different rows share one, by the rows.
    """
    kind = np.uint32 if points.dtype.itemsize == 4 else np.uint64
    mixed = np.zeros(len(points), np.uint64)
    for column, factor in zip(points.T, _FACTORS, strict=True):
        mixed = (mixed ^ np.ascontiguousarray(column).view(kind)) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
    order = np.argsort(mixed)
    hashes, fresh = mixed[order], np.ones(len(order), bool)
    fresh[1:] = hashes[1:] != hashes[:-1]
    again = np.flatnonzero(~fresh)
    if (points[order[again]] != points[order[again - 1]]).any():
        order = np.lexsort((points[:, 2], points[:, 1], points[:, 0]))
        rows = points[order]
        fresh[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return order, fresh


_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)


Columns = tuple[Floats, Floats, Floats]


def corners(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> tuple[Columns, Columns, Columns]:
    """The three corners of each face, each as three columns [F] of float64."""
    columns = np.ascontiguousarray(points.T, np.float64)
    one, two, three = (tuple(column.take(index) for column in columns) for index in np.ascontiguousarray(faces.T))
    return one, two, three  # type: ignore[return-value]


def minus(one: Columns, two: Columns) -> Columns:
    """one - two, column by column."""
    return one[0] - two[0], one[1] - two[1], one[2] - two[2]


def cross(one: Columns, two: Columns) -> Columns:
    """one x two, column by column."""
    (a, b, c), (x, y, z) = one, two
    return b * z - c * y, c * x - a * z, a * y - b * x


def dot(one: Columns, two: Columns) -> Floats:
    """one . two; x, z, y is the order in which numpy's einsum adds, which this has replaced."""
    return one[0] * two[0] + one[2] * two[2] + one[1] * two[1]


def measures(points: Floats, faces: Ints, labels: Ints, count: int) -> tuple[Floats, Floats, Floats, Floats]:
    """([count] signed volumes, [count] areas, [count, 3] areas times normals, [F] areas of faces)."""
    one, two, three = corners(points, faces)
    normal = cross(minus(two, one), minus(three, one))
    area = np.sqrt(dot(normal, normal))
    weight = np.bincount(labels, area, count).astype(np.float64)
    by = np.maximum(weight, np.finfo(float).tiny)
    middle = tuple((a + b + c) / 3.0 for a, b, c in zip(one, two, three, strict=True))
    centre = [np.bincount(labels, area * column, count) / by for column in middle]
    away = tuple(column - at.take(labels) for column, at in zip(middle, centre, strict=True))
    tetrahedra = dot(normal, away) / 6.0  # type: ignore[arg-type]
    volumes = np.bincount(labels, tetrahedra, count).astype(np.float64)
    vectors = np.stack([np.bincount(labels, column, count) for column in normal], axis=1)
    return volumes, weight / 2.0, vectors / 2.0, area / 2.0


def flat(points: Floats, faces: Ints, limit: float) -> Bools:
    """[F] faces with a repeated corner or a height of at most ``limit``."""
    one, two, three = corners(points, faces)
    sides = minus(two, one), minus(three, two), minus(one, three)
    longest = np.sqrt(np.maximum.reduce([dot(side, side) for side in sides]))
    normal = cross(sides[0], sides[1])
    a, b, c = np.ascontiguousarray(faces.T)
    return (a == b) | (b == c) | (c == a) | (np.sqrt(dot(normal, normal)) <= limit * longest)
