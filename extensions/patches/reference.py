"""Patches for holes: the numpy and SciPy twin of the compiled kernels and the default where none is built.

Groups of one list of points and faces are patches; none knows of another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from ..topology import edges, reference

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Check = Callable[[], None]

_FINE = 2.0**0.5
_LARGEST = 20_000
"""A patch is not refined beyond this many faces."""
_PASSES = 40


def least_area(points: Floats, barred: Bools, sizes: Ints, check: Check) -> tuple[Ints, Bools]:
    """The triangles [H, L - 2, 3] of loops [H, L, 3] of ``sizes`` [H], and whether there are any. barred: [H, L, L]."""
    holes, count = points.shape[:2]
    axes = np.ascontiguousarray(np.moveaxis(points, 2, 0))
    cost = np.full((holes, count, count), np.inf)
    best = np.zeros((holes, count, count), np.int64)
    cost[:, np.arange(count - 1), np.arange(1, count)] = 0.0
    barred = barred.copy()
    barred[np.arange(holes), 0, sizes - 1] = False  # where the loop closes
    hole, row, column = cost.strides
    window = (axes.strides[1], column, column)
    for gap in range(2, count):
        check()
        low = np.arange(count - gap)
        high, shape = low + gap, (holes, count - gap, gap - 1)
        ahead = tuple(as_strided(a[:, 1:], shape, window, writeable=False) - a[:, :-gap, None] for a in axes)
        across = tuple((a[:, gap:] - a[:, :-gap])[:, :, None] for a in axes)
        normal = reference.cross(ahead, across)  # type: ignore[arg-type]
        total = np.sqrt(reference.dot(normal, normal))
        # Of the stretches from low to each middle, and from each middle to high: along rows, and along columns.
        before = as_strided(cost[:, :, 1:], shape, (hole, row + column, column), writeable=False)
        total += before + as_strided(cost[:, 1:, gap:], shape, (hole, row + column, row), writeable=False)
        pick = total.argmin(axis=2)
        value = np.take_along_axis(total, pick[..., None], axis=2)[..., 0]
        value[barred[:, low, high]] = np.inf
        cost[:, low, high], best[:, low, high] = value, low + 1 + pick
    found = np.isfinite(cost[np.arange(holes), 0, sizes - 1])
    triangles = np.zeros((holes, max(count - 2, 0), 3), np.int64)
    for k in np.flatnonzero(found).tolist():
        triangles[k, : sizes[k] - 2] = np.array(_unrolled(best[k], int(sizes[k])), np.int64).reshape(-1, 3)
    return triangles, found


def _unrolled(best: Ints, count: int) -> list[tuple[int, int, int]]:
    """The triangles of one loop from the best middle [L, L] of every stretch."""
    middle = best.tolist()
    triangles: list[tuple[int, int, int]] = []
    todo = [(0, count - 1)]
    while todo:
        i, k = todo.pop()
        if k - i >= 2:
            m = middle[i][k]
            triangles.append((i, m, k))
            todo += [(i, m), (m, k)]
    return triangles


def large(points: Floats, faces: Ints, group: Ints, size: Floats) -> Bools:
    """[F] faces to be split at their middle, in patches that may still grow."""
    corner, wide = points[faces], size[faces]
    middle, wanted = corner.mean(axis=1), wide.mean(axis=1)
    reach = _FINE * np.linalg.norm(corner - middle[:, None], axis=2)
    owner = group[faces[:, 0]]
    small = np.bincount(owner)[owner] < _LARGEST / 3
    return np.asarray((reach > wanted[:, None]).all(axis=1) & (reach > wide).all(axis=1) & small)


def flipped(points: Floats, faces: Ints, rim: Bools, group: Ints, check: Check) -> Ints:
    """Flip inner edges whose opposite angles exceed a half turn, many at a time, until none does (Delaunay)."""
    faces, angle = faces.copy(), _opposite(points, faces)
    busy = np.arange(len(faces))
    for _ in range(_PASSES):
        check()
        one, two, made = _to_flip(rim, faces.take(busy, axis=0), angle.take(busy, axis=0))
        if len(made) == 0:
            break
        rows = busy.take(np.concatenate([one, two]) // 3)
        faces[rows] = made
        angle[rows] = _opposite(points, made)
        # A patch in which nothing was flipped has nothing left to flip.
        moving = np.zeros(int(group.max()) + 1, bool)
        moving[group.take(made[:, 0])] = True
        busy = busy.compress(moving.take(group.take(faces[busy, 0])))
    return faces


def _to_flip(rim: Bools, faces: Ints, angle: Floats) -> tuple[Ints, Ints, Ints]:
    """Edges of ``faces`` [T, 3] to flip at once, no two at one face: their half-edges one [N] and two [N], and the
    faces [2 N, 3] that take the place of those of one, then of two. angle: [T, 3] opposite to each half-edge."""
    ends, size, _, _, order, start = edges(faces)
    first = start[:-1].compress(size == 2)
    one, two, flat = order.take(first), order.take(first + 1), faces.reshape(-1)
    excess = angle.reshape(-1).take(one) + angle.reshape(-1).take(two) - np.pi
    rows = np.flatnonzero(excess > 1e-6)
    one, two, excess = one[rows], two[rows], excess[rows]
    apex_one, apex_two = flat[one - one % 3 + (one + 2) % 3], flat[two - two % 3 + (two + 2) % 3]
    count = len(rim)
    key = np.minimum(apex_one, apex_two) * count + np.maximum(apex_one, apex_two)
    known = ends[:, 0] * count + ends[:, 1]  # ascending, as the edges are
    there = known.take(np.searchsorted(known, key), mode="clip") == key
    rows = np.flatnonzero(~there & (apex_one != apex_two) & ~(rim[apex_one] & rim[apex_two]))
    rows = rows[_independent(one[rows] // 3, two[rows] // 3, excess[rows], len(faces))]
    _, fresh = np.unique(key[rows], return_index=True)  # two flips must not make the same edge
    rows = rows[fresh]
    one, two, apex_one, apex_two = one[rows], two[rows], apex_one[rows], apex_two[rows]
    a, b = flat[one], flat[one - one % 3 + (one + 1) % 3]
    made = [np.stack(row, axis=1) for row in ((apex_one, a, apex_two), (apex_two, b, apex_one))]
    return one, two, np.concatenate(made)


def _opposite(points: Floats, faces: Ints) -> Floats:
    """[T, 3] the angle of each face opposite to each of its half-edges."""
    corner = reference.corners(points, faces)
    side = [reference.minus(corner[(k + 1) % 3], corner[k]) for k in range(3)]
    out = np.empty(faces.shape)
    for k in range(3):
        one, two = side[(k + 1) % 3], side[(k + 2) % 3]
        x, y, z = reference.cross(one, two)
        out[:, k] = np.arctan2(np.sqrt(x * x + y * y + z * z), 0.0 - reference.dot(one, two))
    return out


def _independent(one: Ints, two: Ints, urgency: Floats, faces: int) -> Ints:
    """Rows that share no face with a more urgent row."""
    rank = np.empty(len(one), np.int64)
    rank[np.argsort(-urgency, kind="stable")] = np.arange(len(one))
    best = np.full(faces, len(one))
    np.minimum.at(best, one, rank)
    np.minimum.at(best, two, rank)
    return np.flatnonzero((best[one] == rank) & (best[two] == rank))


def membrane(points: Floats, faces: Ints, rim: Bools) -> Floats:
    """The points, the inner ones each the mean of its neighbours, near ones counting more."""
    from scipy.sparse.linalg import splu

    ends = edges(faces)[0]
    length = np.linalg.norm(points[ends[:, 0]] - points[ends[:, 1]], axis=1)
    laplacian = _laplacian(ends, 1.0 / np.maximum(length, 1e-12), len(points))[~rim]
    goal = -(laplacian[:, rim] @ points[rim])
    moved = points.copy()
    moved[~rim] = splu(laplacian[:, ~rim].tocsc()).solve(goal)
    return moved


def plate(points: Floats, faces: Ints, rim: Bools, ring_points: Floats, ring_faces: Ints) -> Floats:
    """The points, the inner ones those of a thin plate that is clamped at the rim."""
    from scipy.sparse import diags
    from scipy.sparse.linalg import splu

    every = np.concatenate([points, ring_points])
    ends, weight, area = _cotangents(every, np.concatenate([faces, ring_faces]))
    count = len(points)
    laplacian = _laplacian(ends, weight, len(every))[:count].tocsc()
    free = np.flatnonzero(~rim)
    fixed = np.flatnonzero(np.append(rim, np.ones(len(ring_points), bool)))
    bent = laplacian[:, free].T @ diags(1.0 / np.maximum(area[:count], 1e-12 * area.mean()))
    moved = points.copy()
    moved[free] = splu((bent @ laplacian[:, free]).tocsc()).solve(-(bent @ (laplacian[:, fixed] @ every[fixed])))
    return moved


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
    ends, _, edge, _, _, _ = edges(faces)
    corner = points[faces]
    ahead, behind = corner[:, [2, 0, 1]] - corner[:, [0, 1, 2]], corner[:, [2, 0, 1]] - corner[:, [1, 2, 0]]
    # Half-edge i runs from corner i to i + 1; opposite to it lies corner i + 2.
    one, two = (tuple(np.moveaxis(v, 2, 0)) for v in (ahead, behind))
    double_area = np.linalg.norm(np.stack(reference.cross(one, two), axis=-1), axis=2)  # type: ignore[arg-type]
    cotangent = np.einsum("fki,fki->fk", ahead, behind) / np.maximum(double_area, 1e-30)
    weight = np.bincount(edge, np.clip(cotangent, -10.0, 10.0).reshape(-1), len(ends)) / 2
    area = np.bincount(faces.reshape(-1), np.repeat(double_area[:, 0] / 6, 3), len(points))
    return ends, np.maximum(weight, 0.02), area.astype(np.float64)
