"""Make a patch as fine as the surface around it and bend it so that it continues that surface (Liepa 2003).

All arrays are local to one hole: points 0 .. L - 1 are the rim in loop order, the rest lie inside the patch.
"""

from __future__ import annotations

import numpy as np

from .topology import Floats, Ints, find_edges

_FINE = 2.0**0.5
_LARGEST = 20_000
"""A patch is not refined beyond this many faces."""
_PASSES = 40


def refined(points: Floats, faces: Ints, rim: int) -> tuple[Floats, Ints]:
    """Split triangles at their middle until they are as small as the rim's edges, flipping edges in between.

    points: [L, 3], faces: [T, 3]. Returns (points [L + N, 3], faces). Edges between rim vertices are never added.
    """
    ahead = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    size = (ahead + np.roll(ahead, 1)) / 2
    for _ in range(16):
        middle, wanted = points[faces].mean(axis=1), size[faces].mean(axis=1)
        reach = _FINE * np.linalg.norm(points[faces] - middle[:, None], axis=2)
        split = (reach > wanted[:, None]).all(axis=1) & (reach > size[faces]).all(axis=1)
        if not split.any() or len(faces) + 2 * int(split.sum()) > _LARGEST:
            break
        new = len(points) + np.arange(int(split.sum()))
        points, size = np.concatenate([points, middle[split]]), np.concatenate([size, wanted[split]])
        a, b, c = faces[split].T
        rows = [np.stack(row, axis=1) for row in ((a, b, new), (b, c, new), (c, a, new))]
        faces = flipped(points, np.concatenate([faces[~split], *rows]), rim)
    return points, faces


def flipped(points: Floats, faces: Ints, rim: int) -> Ints:
    """Flip inner edges whose opposite angles exceed a half turn, many at a time, until none does (Delaunay)."""
    for _ in range(_PASSES):
        edges = find_edges(faces)
        pairs = edges.pairs()
        one, two = pairs[:, 0], pairs[:, 1]
        flat = faces.reshape(-1)
        apex_one, apex_two = flat[one - one % 3 + (one + 2) % 3], flat[two - two % 3 + (two + 2) % 3]
        a, b = flat[one], flat[one - one % 3 + (one + 1) % 3]
        excess = _angle(points, apex_one, a, b) + _angle(points, apex_two, a, b) - np.pi
        key = np.minimum(apex_one, apex_two) * len(points) + np.maximum(apex_one, apex_two)
        known = edges.ends[:, 0] * len(points) + edges.ends[:, 1]
        wrong = (excess > 1e-6) & ~np.isin(key, known) & ~((apex_one < rim) & (apex_two < rim))
        chosen = _independent(one[wrong] // 3, two[wrong] // 3, excess[wrong], len(faces))
        if len(chosen) == 0:
            break
        rows = np.flatnonzero(wrong)[chosen]
        _, fresh = np.unique(key[rows], return_index=True)  # two flips must not make the same edge
        rows = rows[fresh]
        faces = faces.copy()
        faces[one[rows] // 3] = np.stack([apex_one[rows], a[rows], apex_two[rows]], axis=1)
        faces[two[rows] // 3] = np.stack([apex_two[rows], b[rows], apex_one[rows]], axis=1)
    return faces


def _angle(points: Floats, at: Ints, one: Ints, two: Ints) -> Floats:
    """[N] the angle at ``at`` between two other points."""
    u, v = points[one] - points[at], points[two] - points[at]
    return np.arctan2(np.linalg.norm(np.cross(u, v), axis=1), np.einsum("ni,ni->n", u, v))


def _independent(one: Ints, two: Ints, urgency: Floats, faces: int) -> Ints:
    """Rows that share no face with a more urgent row."""
    rank = np.argsort(np.argsort(-urgency, kind="stable"), kind="stable")
    best = np.full(faces, len(one))
    np.minimum.at(best, one, rank)
    np.minimum.at(best, two, rank)
    return np.flatnonzero((best[one] == rank) & (best[two] == rank))


def smooth(points: Floats, faces: Ints, rim: int) -> Floats:
    """The inner points moved to a membrane over the rim (harmonic), [L + N, 3]."""
    return _solved(points, faces, rim, [np.zeros((0, 3))] * rim, order=1)


def bent(points: Floats, faces: Ints, rim: int, outer: list[Floats]) -> Floats:
    """The inner points moved so that the patch continues the surface outside (thin plate), [L + N, 3].

    outer: for each rim vertex the [K, 3] positions of its neighbours on the surface outside the hole.
    """
    return _solved(points, faces, rim, outer, order=2)


def _solved(points: Floats, faces: Ints, rim: int, outer: list[Floats], order: int) -> Floats:
    """Least squares of the umbrella (weights 1 / length) over inner vertices, and over the rim too for order 2."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    count = len(points)
    inner = count - rim
    if inner == 0:
        return points
    ends = find_edges(faces).ends
    tail, head = np.concatenate([ends, ends[:, ::-1]]).T
    weight = 1.0 / np.maximum(np.linalg.norm(points[tail] - points[head], axis=1), 1e-12)
    beyond = np.zeros((count, 3))
    total = np.bincount(tail, weight, count)
    for k, positions in enumerate(outer):
        extra = 1.0 / np.maximum(np.linalg.norm(positions - points[k], axis=1), 1e-12)
        total[k] += extra.sum()
        beyond[k] = extra @ positions
    umbrella = coo_matrix((weight / total[tail], (tail, head)), shape=(count, count)).tocsr()
    umbrella = umbrella - coo_matrix((np.ones(count), (np.arange(count), np.arange(count))), shape=(count, count))
    umbrella = umbrella.tocsc()
    rows = slice(rim, count) if order == 1 else slice(0, count)
    free, fixed = umbrella[rows, rim:], umbrella[rows, :rim]
    goal = -(fixed @ points[:rim]) - (beyond / total[:, None])[rows]
    system = free if order == 1 else free.T @ free
    given = goal if order == 1 else free.T @ goal
    solved = splu(system.tocsc()).solve(given)
    return np.concatenate([points[:rim], solved])


def is_flat(points: Floats, share: float) -> bool:
    """Whether the points lie in a plane, to within ``share`` of their extent."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= share * max(spread[0], np.finfo(float).tiny))
