"""Make patches as fine as the surface around them and bend them so that they continue that surface (Liepa 2003).

All patches of a mesh lie side by side in one ``Quilt``: hundreds of small holes cost little more than one large one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..native import extension
from ..progress import Progress
from .topology import Bools, Floats, Ints, cross, find_edges, head_corner

_FINE = 2.0**0.5
_LARGEST = 20_000
"""A patch is not refined beyond this many faces."""
_PASSES = 40


@dataclass(frozen=True)
class Quilt:
    """points: [N, 3]; faces: [T, 3]; rim: [N] lies on the rim of its hole (and stays where it is); group: [N] which
    patch; size: [N] how long edges should be there."""

    points: Floats
    faces: Ints
    rim: Bools
    group: Ints
    size: Floats


def refined(quilt: Quilt, progress: Progress) -> Quilt:
    """Split triangles at their middle until they are as small as the rim's edges, flipping edges in between.

    Edges between rim vertices are never added: the surface outside may have them already.
    """
    for _ in range(16):
        progress.check()
        corner, size = quilt.points[quilt.faces], quilt.size[quilt.faces]
        middle, wanted = corner.mean(axis=1), size.mean(axis=1)
        reach = _FINE * np.linalg.norm(corner - middle[:, None], axis=2)
        owner = quilt.group[quilt.faces[:, 0]]
        small = np.bincount(owner, minlength=int(quilt.group.max()) + 1)[owner] < _LARGEST / 3
        split = (reach > wanted[:, None]).all(axis=1) & (reach > size).all(axis=1) & small
        if not split.any():
            break
        new = len(quilt.points) + np.arange(int(split.sum()))
        a, b, c = quilt.faces[split].T
        rows = [np.stack(row, axis=1) for row in ((a, b, new), (b, c, new), (c, a, new))]
        grown = Quilt(
            np.concatenate([quilt.points, middle[split]]),
            np.concatenate([quilt.faces[~split], *rows]),
            np.concatenate([quilt.rim, np.zeros(len(new), bool)]),
            np.concatenate([quilt.group, owner[split]]),
            np.concatenate([quilt.size, wanted[split]]),
        )
        quilt = flipped(grown, progress)
    return quilt


def flipped(quilt: Quilt, progress: Progress) -> Quilt:
    """Flip inner edges whose opposite angles exceed a half turn, many at a time, until none does (Delaunay)."""
    faces, angle = quilt.faces.copy(), _opposite(quilt.points, quilt.faces)
    busy = np.arange(len(faces))
    for _ in range(_PASSES):
        progress.check()
        one, two, made = _to_flip(quilt, faces.take(busy, axis=0), angle.take(busy, axis=0))
        if len(made) == 0:
            break
        rows = busy.take(np.concatenate([one, two]) // 3)
        faces[rows] = made
        angle[rows] = _opposite(quilt.points, made)
        # A patch in which nothing was flipped has nothing left to flip.
        moving = np.zeros(int(quilt.group.max()) + 1, bool)
        moving[quilt.group.take(made[:, 0])] = True
        busy = busy.compress(moving.take(quilt.group.take(faces[busy, 0])))
    return replace(quilt, faces=faces)


def _to_flip(quilt: Quilt, faces: Ints, angle: Floats) -> tuple[Ints, Ints, Ints]:
    """Edges of ``faces`` [T, 3] to flip at once, no two at one face: their half-edges one [N] and two [N], and the
    faces [2 N, 3] that take the place of those of one, then of two. angle: [T, 3] opposite to each half-edge."""
    edges, flat = find_edges(faces), faces.reshape(-1)
    one, two = edges.pairs.T
    excess = angle.reshape(-1).take(one) + angle.reshape(-1).take(two) - np.pi
    rows = np.flatnonzero(excess > 1e-6)
    one, two, excess = one[rows], two[rows], excess[rows]
    apex_one, apex_two = flat[one - one % 3 + (one + 2) % 3], flat[two - two % 3 + (two + 2) % 3]
    count = len(quilt.points)
    key = np.minimum(apex_one, apex_two) * count + np.maximum(apex_one, apex_two)
    known = edges.ends[:, 0] * count + edges.ends[:, 1]  # ascending, as the edges are
    there = known.take(np.searchsorted(known, key), mode="clip") == key
    rows = np.flatnonzero(~there & ~(quilt.rim[apex_one] & quilt.rim[apex_two]))
    rows = rows[_independent(one[rows] // 3, two[rows] // 3, excess[rows], len(faces))]
    _, fresh = np.unique(key[rows], return_index=True)  # two flips must not make the same edge
    rows = rows[fresh]
    one, two, apex_one, apex_two = one[rows], two[rows], apex_one[rows], apex_two[rows]
    a, b = flat[one], flat[head_corner(one)]
    made = [np.stack(row, axis=1) for row in ((apex_one, a, apex_two), (apex_two, b, apex_one))]
    return one, two, np.concatenate(made)


def _opposite(points: Floats, faces: Ints) -> Floats:
    """[T, 3] the angle of each face opposite to each of its half-edges."""
    columns = extension("topology").reference
    corner = columns.corners(points, faces)
    side = [columns.minus(corner[(k + 1) % 3], corner[k]) for k in range(3)]
    out = np.empty(faces.shape)
    for k in range(3):
        one, two = side[(k + 1) % 3], side[(k + 2) % 3]
        x, y, z = columns.cross(one, two)
        out[:, k] = np.arctan2(np.sqrt(x * x + y * y + z * z), 0.0 - columns.dot(one, two))
    return out


def _independent(one: Ints, two: Ints, urgency: Floats, faces: int) -> Ints:
    """Rows that share no face with a more urgent row."""
    rank = np.empty(len(one), np.int64)
    rank[np.argsort(-urgency, kind="stable")] = np.arange(len(one))
    best = np.full(faces, len(one))
    np.minimum.at(best, one, rank)
    np.minimum.at(best, two, rank)
    return np.flatnonzero((best[one] == rank) & (best[two] == rank))


def smooth(quilt: Quilt) -> Quilt:
    """The inner points moved to membranes over the rims: each the mean of its neighbours, near ones counting more."""
    from scipy.sparse.linalg import splu

    if quilt.rim.all():
        return quilt
    ends = find_edges(quilt.faces).ends
    length = np.linalg.norm(quilt.points[ends[:, 0]] - quilt.points[ends[:, 1]], axis=1)
    laplacian = _laplacian(ends, 1.0 / np.maximum(length, 1e-12), len(quilt.points))[~quilt.rim]
    goal = -(laplacian[:, quilt.rim] @ quilt.points[quilt.rim])
    moved = quilt.points.copy()
    moved[~quilt.rim] = splu(laplacian[:, ~quilt.rim].tocsc()).solve(goal)
    return replace(quilt, points=moved)


def bent(quilt: Quilt, ring_points: Floats, ring_faces: Ints) -> Quilt:
    """The inner points moved so that each patch continues the surface outside: a thin plate, clamped at the rim.

    The plate's energy is the integral of the squared Laplacian (cotangent weights, Pinkall and Polthier 1993) over the
    patch and its rim. ring_points: [M, 3] points outside the holes; ring_faces: [R, 3] the faces at the rims, into the
    quilt's points and, from len(quilt.points) on, into ring_points.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    if quilt.rim.all():
        return quilt
    points = np.concatenate([quilt.points, ring_points])
    ends, weight, area = _cotangents(points, np.concatenate([quilt.faces, ring_faces]))
    count = len(quilt.points)
    laplacian = _laplacian(ends, weight, len(points))[:count].tocsc()
    free = np.flatnonzero(~quilt.rim)
    fixed = np.flatnonzero(np.append(quilt.rim, np.ones(len(ring_points), bool)))
    plate = laplacian[:, free].T @ diags(1.0 / np.maximum(area[:count], 1e-12 * area.mean()))
    moved = quilt.points.copy()
    moved[free] = splu((plate @ laplacian[:, free]).tocsc()).solve(-(plate @ (laplacian[:, fixed] @ points[fixed])))
    return replace(quilt, points=moved)


def _laplacian(ends: Ints, weight: Floats, count: int) -> Any:
    """[count, count] sparse: sum over neighbours of weight * (neighbour - vertex)."""
    from scipy.sparse import coo_matrix

    tail, head = np.concatenate([ends, ends[:, ::-1]]).T
    both = np.concatenate([weight, weight])
    total = np.bincount(tail, both, count)
    diagonal = np.arange(count)
    rows, columns = np.concatenate([tail, diagonal]), np.concatenate([head, diagonal])
    return coo_matrix((np.concatenate([both, -total]), (rows, columns)), shape=(count, count)).tocsr()


def _cotangents(points: Floats, faces: Ints) -> tuple[Ints, Floats, Floats]:
    """(ends [E, 2], weight [E], area [V]): half the sum of the cotangents opposite to each edge, kept positive, and a
    third of the area of the faces at each vertex."""
    edges = find_edges(faces)
    corner = points[faces]
    ahead, behind = corner[:, [2, 0, 1]] - corner[:, [0, 1, 2]], corner[:, [2, 0, 1]] - corner[:, [1, 2, 0]]
    # Half-edge i runs from corner i to i + 1; opposite to it lies corner i + 2.
    double_area = np.linalg.norm(cross(ahead, behind), axis=2)
    cotangent = np.einsum("fki,fki->fk", ahead, behind) / np.maximum(double_area, 1e-30)
    weight = np.bincount(edges.edge, np.clip(cotangent, -10.0, 10.0).reshape(-1), len(edges.ends)) / 2
    area = np.bincount(faces.reshape(-1), np.repeat(double_area[:, 0] / 6, 3), len(points))
    return edges.ends, np.maximum(weight, 0.02), area.astype(np.float64)


def is_flat(points: Floats, share: float) -> bool:
    """Whether the points lie in a plane, to within ``share`` of their extent."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= share * max(spread[0], np.finfo(float).tiny))
