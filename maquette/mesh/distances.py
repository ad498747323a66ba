"""How far a repaired surface lies from the one it came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from .bvh import nearest_distances
from .surface import Surface
from .topology import Bools, Floats, Ints, double_areas, longest_sides, touching

SAMPLES = 4000


def surface_samples(points: Floats, faces: Ints, count: int, areas: Floats | None = None) -> tuple[Floats, Ints]:
    """``count`` points spread evenly over the area, and the face of each. Deterministic (R2 sequence, Roberts 2018).

    areas: [F] of the faces, where they are known.
    """
    edge = np.cumsum(double_areas(points, faces) / 2 if areas is None else areas)
    if len(faces) == 0 or edge[-1] <= 0:
        return np.zeros((0, 3)), np.zeros(0, np.int64)
    face = np.searchsorted(edge, (np.arange(count) + 0.5) / count * edge[-1]).clip(0, len(faces) - 1)
    step = np.arange(count)
    u, v = (0.5 + step * 0.7548776662466927) % 1, (0.5 + step * 0.5698402909980532) % 1
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    weights = np.stack([1 - u - v, u, v], axis=1)
    return np.einsum("nk,nki->ni", weights, points[faces[face]]), face.astype(np.int64)


def distances(before: Surface, after: Surface, samples: int = SAMPLES) -> dict[str, float]:
    """Distance of ``samples`` points spread over ``after`` from the surface ``before``: mean, p99 and max, world units.

    Faces that both have in common are at distance 0 without being measured.
    """
    areas = after.measures.face_area if "measures" in after.__dict__ else None
    points, face = surface_samples(after.points, after.faces, samples, areas)
    if len(points) == 0:
        return {"distance_mean": 0.0, "distance_p99": 0.0, "distance_max": 0.0}
    far = np.zeros(len(points))
    moved = ~_in_common(before, after, face)
    if moved.any():
        far[moved] = _nearest(before.points, _near(before, points[moved]), points[moved])
    return {
        "distance_mean": float(far.mean()),
        "distance_p99": float(np.quantile(far, 0.99)),
        "distance_max": float(far.max()),
    }


def _nearest(points: Floats, faces: Ints, places: Floats) -> Floats:
    """[N] exact distance of ``places`` [N, 3] from the triangles (F > 0). A tree of boxes takes longer to grow than few
    pairs to measure."""
    from scipy.spatial import cKDTree

    from ..geometry.closest import closest_on_triangles

    corner = points[faces]
    middle = corner.mean(axis=1)
    tree = cKDTree(middle, balanced_tree=False, compact_nodes=False)
    # A face's middle lies on the surface, so the nearest face is no farther; its own middle may be by its radius.
    radius = (tree.query(places)[0] + np.linalg.norm(corner - middle[:, None], axis=2).max()) * (1 + 1e-9)
    count = tree.query_ball_point(places, radius, return_length=True)
    if count.sum() > _PAIRS:
        return nearest_distances(points, faces, places)
    face = np.concatenate(tree.query_ball_point(places, radius)).astype(np.int64)
    place = np.repeat(np.arange(len(places)), count)
    best = np.full(len(places), np.inf)
    np.minimum.at(best, place, closest_on_triangles(places[place], corner[face])[1])
    return best


_PAIRS = 1 << 16


def _near(surface: Surface, places: Floats) -> Ints:
    """[N, 3] the faces that may be the nearest ones to some of ``places``: the tree over all takes longer to grow than
    to ask when little has changed."""
    from scipy.spatial import cKDTree

    # No place is farther from the surface than from some of its points.
    bound = cKDTree(surface.points.take(surface.faces[::_THIN, 0], axis=0)).query(places)[0].max()
    columns = np.asfortranarray(surface.faces)  # numpy is slow along short rows
    # What is farther than that is not worth a search: the tree says infinity.
    reach = (bound + _longest(surface.points, columns)) * (1 + 1e-9)
    there = _around(surface.points, places, reach)
    some = np.flatnonzero(there)
    far = np.full(len(surface.points), np.inf)
    far[some] = cKDTree(places).query(surface.points[some], distance_upper_bound=reach)[0]
    faces = surface.faces.take(np.flatnonzero(touching(columns, there)), axis=0)
    near = far.take(faces).min(axis=1)
    return faces[near <= bound + longest_sides(surface.points, faces)]


def _longest(points: Floats, faces: Ints) -> float:
    """The length of the longest side of any face, or a little more: in single precision."""
    squares = [np.zeros(1, np.float32)] * 3
    for column in np.ascontiguousarray(points.T, np.float32):
        one, two, three = (column.take(index) for index in faces.T)
        sides = (one - two, two - three, three - one)
        squares = [total + side * side for total, side in zip(squares, sides, strict=True)]
    rounding = 8 * float(np.finfo(np.float32).eps) * float(np.abs(points).max())
    return float(max(total.max() for total in squares)) ** 0.5 * (1 + 1e-5) + rounding


def _around(points: Floats, places: Floats, reach: float) -> Bools:
    """[P] points in a box beside that of some place: all within ``reach`` of one, and some more."""
    columns = np.ascontiguousarray(points.T)
    low = np.minimum(columns.min(axis=1), places.min(axis=0))
    span = np.maximum(columns.max(axis=1), places.max(axis=0)) - low
    size = max(reach * (1 + 1e-9), float(span.max()) / _BOXES)
    shape = [int(count) + 3 for count in span / size]
    marked = np.zeros(shape[0] * shape[1] * shape[2], bool)
    box = ((places - low) / size).astype(np.int64) + 1
    for step in np.ndindex(3, 3, 3):
        x, y, z = (box + step - 1).T
        marked[(x * shape[1] + y) * shape[2] + z] = True
    x, y, z = (((column - at) / size).astype(np.int32) + 1 for column, at in zip(columns, low, strict=True))
    return np.asarray(marked.take((x * shape[1] + y) * shape[2] + z))


_BOXES = 128
"""At most so many boxes along the longest side."""
_THIN = 16
"""Of so many faces one gives the first guess at how far away the surface is."""


def _in_common(before: Surface, after: Surface, which: Ints) -> Bools:
    """[N] whether ``before`` has the faces ``which`` of ``after`` too: the same points, by a hash of coordinates."""
    known = _hashes(before, before.faces)
    asked = _hashes(after, after.faces[which])
    tail = np.zeros(1 << 16, bool)
    tail[asked & _TAIL] = True
    return np.isin(asked, known[tail.take((known & _TAIL).astype(np.int64))])


def _hashes(surface: Surface, faces: Ints) -> Any:
    """[F] a 64-bit hash of each face's corner positions, whatever their order."""
    bits = surface.points.astype(np.float32).view(np.uint32).reshape(-1, 3).astype(np.uint64)
    mixed = np.zeros(len(bits), np.uint64)
    for axis, factor in enumerate((0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)):
        mixed = (mixed ^ (bits[:, axis] + np.uint64(axis + 1))) * np.uint64(factor)
        mixed ^= mixed >> np.uint64(29)
    one, two, three = (mixed.take(faces[:, k]) for k in range(3))
    return one + two + three


_TAIL = np.uint64(0xFFFF)
"""Most faces differ from those asked for already here."""
