"""Make patches as fine as the surface around them and bend them so that they continue that surface (Liepa 2003).

All patches of a mesh lie side by side in one ``Quilt``: hundreds of small holes cost little more than one large one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .topology import Bools, Floats, Ints, cross, find_edges

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


def refined(quilt: Quilt) -> Quilt:
    """Split triangles at their middle until they are as small as the rim's edges, flipping edges in between.

    Edges between rim vertices are never added: the surface outside may have them already.
    """
    for _ in range(16):
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
        quilt = flipped(grown)
    return quilt


def flipped(quilt: Quilt) -> Quilt:
    """Flip inner edges whose opposite angles exceed a half turn, many at a time, until none does (Delaunay)."""
    points, faces = quilt.points, quilt.faces
    for _ in range(_PASSES):
        edges = find_edges(faces)
        one, two = edges.pairs().T
        flat = faces.reshape(-1)
        apex_one, apex_two = flat[one - one % 3 + (one + 2) % 3], flat[two - two % 3 + (two + 2) % 3]
        a, b = flat[one], flat[one - one % 3 + (one + 1) % 3]
        excess = _angle(points, apex_one, a, b) + _angle(points, apex_two, a, b) - np.pi
        key = np.minimum(apex_one, apex_two) * len(points) + np.maximum(apex_one, apex_two)
        known = edges.ends[:, 0] * len(points) + edges.ends[:, 1]
        wrong = (excess > 1e-6) & ~(quilt.rim[apex_one] & quilt.rim[apex_two])
        wrong[wrong] = ~np.isin(key[wrong], known)
        rows = np.flatnonzero(wrong)
        rows = rows[_independent(one[rows] // 3, two[rows] // 3, excess[rows], len(faces))]
        if len(rows) == 0:
            break
        _, fresh = np.unique(key[rows], return_index=True)  # two flips must not make the same edge
        rows = rows[fresh]
        faces = faces.copy()
        faces[one[rows] // 3] = np.stack([apex_one[rows], a[rows], apex_two[rows]], axis=1)
        faces[two[rows] // 3] = np.stack([apex_two[rows], b[rows], apex_one[rows]], axis=1)
    return replace(quilt, faces=faces)


def _angle(points: Floats, at: Ints, one: Ints, two: Ints) -> Floats:
    """[N] the angle at ``at`` between two other points."""
    u, v = points[one] - points[at], points[two] - points[at]
    return np.arctan2(np.linalg.norm(cross(u, v), axis=1), np.einsum("ni,ni->n", u, v))


def _independent(one: Ints, two: Ints, urgency: Floats, faces: int) -> Ints:
    """Rows that share no face with a more urgent row."""
    rank = np.empty(len(one), np.int64)
    rank[np.argsort(-urgency, kind="stable")] = np.arange(len(one))
    best = np.full(faces, len(one))
    np.minimum.at(best, one, rank)
    np.minimum.at(best, two, rank)
    return np.flatnonzero((best[one] == rank) & (best[two] == rank))


def smooth(quilt: Quilt) -> Quilt:
    """The inner points moved to membranes over the rims (harmonic)."""
    return _solved(quilt, np.zeros(0, np.int64), np.zeros((0, 3)), over_rim=False)


def bent(quilt: Quilt, owner: Ints, outer: Floats) -> Quilt:
    """The inner points moved so that each patch continues the surface outside (thin plate).

    owner: [M] rim vertices; outer: [M, 3] positions of their neighbours on the surface outside the hole.
    """
    return _solved(quilt, owner, outer, over_rim=True)


def _solved(quilt: Quilt, owner: Ints, outer: Floats, over_rim: bool) -> Quilt:
    """Least squares of the umbrella (weights 1 / length) over inner vertices, and over the rim too for a plate."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    points, count = quilt.points, len(quilt.points)
    if quilt.rim.all():
        return quilt
    ends = find_edges(quilt.faces).ends
    tail, head = np.concatenate([ends, ends[:, ::-1]]).T
    weight = _inverse_length(points[tail] - points[head])
    extra = _inverse_length(outer - points[owner])
    total = np.bincount(tail, weight, count) + np.bincount(owner, extra, count)
    total = np.maximum(total, np.finfo(float).tiny)
    beyond = np.stack([np.bincount(owner, extra * outer[:, k], count) for k in range(3)], axis=1)
    diagonal = np.arange(count)
    rows, columns = np.concatenate([tail, diagonal]), np.concatenate([head, diagonal])
    values = np.concatenate([weight / total[tail], -np.ones(count)])
    umbrella = coo_matrix((values, (rows, columns)), shape=(count, count)).tocsr()
    if not over_rim:
        umbrella, beyond, total = umbrella[~quilt.rim], beyond[~quilt.rim], total[~quilt.rim]
    umbrella = umbrella.tocsc()
    free = umbrella[:, ~quilt.rim]
    goal = -(umbrella[:, quilt.rim] @ points[quilt.rim]) - beyond / total[:, None]
    system, given = (free.T @ free, free.T @ goal) if over_rim else (free, goal)
    moved = points.copy()
    moved[~quilt.rim] = splu(system.tocsc()).solve(given)
    return replace(quilt, points=moved)


def _inverse_length(way: Floats) -> Floats:
    return 1.0 / np.maximum(np.linalg.norm(way, axis=1), 1e-12)


def is_flat(points: Floats, share: float) -> bool:
    """Whether the points lie in a plane, to within ``share`` of their extent."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= share * max(spread[0], np.finfo(float).tiny))
