"""Cut a surface so that it is a 2-manifold: every umbrella fan of paired faces gets a vertex of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..geometry.welding import weld_equal
from .surface import Surface
from .topology import COLLINEAR, Floats, Ints, compacted, face_crosses

_LEAST, _MOST = 16 * COLLINEAR, 1e-4
"""How far a fan moves away from the vertex it shared: shares of the mesh's size."""


_TRIES = 200


def split(surface: Surface) -> tuple[Surface, int]:
    """A 2-manifold (with open edges where nothing pairs up) and the number of vertices that were added.

    Each added vertex moves a hair towards its own faces: programs that weld by position (STL) must not undo the cut.
    """
    added = 0
    for _ in range(_TRIES):
        surface, count = _unfanned(surface)
        added += count
        # Both ends of an edge may have one fan each that meets itself again at the edge: then one side gets a vertex
        # in between.
        surface, count = _parted(surface)
        added += count
        if count == 0:
            break
    return surface, added


def _unfanned(surface: Surface) -> tuple[Surface, int]:
    """One vertex per umbrella fan, and how many that adds."""
    count, fan = surface.fans
    corners = surface.faces.reshape(-1)
    there = np.zeros(len(surface.points), bool)
    there[corners] = True
    if count == np.count_nonzero(there):
        return surface, 0
    vertex = np.full(count, -1, np.int64)
    vertex[fan] = corners
    extra = _lesser(vertex, fan)
    points = np.concatenate([surface.points, _nudged(surface, fan, vertex, extra)])
    vertex[extra] = len(surface.points) + np.arange(len(extra))
    return surface.recut(points, vertex.take(fan).reshape(-1, 3)), len(extra)


def _lesser(owner: Ints, fan: Ints) -> Ints:
    """The fans beside the largest (or the first of such) at their vertex. owner: of each fan; fan: of each corner."""
    several = np.flatnonzero((np.bincount(owner) > 1).take(owner))
    size = np.bincount(fan, minlength=len(owner)).take(several)
    several = several[np.lexsort((several, -size, owner.take(several)))]
    return np.sort(several[1:][owner[several[1:]] == owner[several[:-1]]])


def _parted(surface: Surface) -> tuple[Surface, int]:
    """At each edge that several pairs of faces (or single faces) share, one of them is cut in two by a new vertex.

    A face takes part once; ``split`` asks again for the others.
    """
    if surface.is_plain:
        return surface, 0
    edges, links = surface.edges, surface.links
    partner = np.full(surface.faces.size, -1, np.int64)
    partner[links[:, 0]], partner[links[:, 1]] = links[:, 1], links[:, 0]
    leader = (partner < 0) | (np.arange(len(partner)) < partner)
    sharers = np.bincount(edges.edge[leader], minlength=len(edges.count))
    todo: list[tuple[int, int]] = []
    busy: set[int] = set()
    seen: set[int] = set()
    for half in np.flatnonzero(leader & (sharers > 1)[edges.edge]).tolist():
        edge, faces = int(edges.edge[half]), {half // 3, int(partner[half]) // 3 if partner[half] >= 0 else half // 3}
        if edge not in seen and not faces & busy:
            seen.add(edge)
            busy |= faces
            todo.append((half, int(partner[half])))
    return (_with_midpoints(surface, todo), len(todo)) if todo else (surface, 0)


def _with_midpoints(surface: Surface, todo: list[tuple[int, int]]) -> Surface:
    """Both faces of each pair of half-edges get the same new vertex on that edge."""
    faces, rows = surface.faces.copy(), surface.rows.copy()
    points: list[Floats] = []
    more_faces, more_rows = [], []
    for pair in todo:
        new = len(surface.points) + len(points)
        halves = [half for half in pair if half >= 0]
        ends = [surface.points[surface.faces[h // 3, [h % 3, (h % 3 + 1) % 3]]].mean(axis=0) for h in halves]
        apexes = [surface.points[surface.faces[h // 3, (h % 3 + 2) % 3]] for h in halves]
        way = np.mean(apexes, axis=0) - ends[0]
        length = max(float(np.linalg.norm(way)), np.finfo(float).tiny)
        points.append(ends[0] + way / length * min(max(0.02 * length, _LEAST * surface.scale), 0.5 * length))
        for half in halves:
            face, k = divmod(half, 3)
            a, b, c = surface.faces[face, [k, (k + 1) % 3, (k + 2) % 3]]
            row_a, row_b, row_c = surface.rows[face, [k, (k + 1) % 3, (k + 2) % 3]]
            faces[face], rows[face] = (a, new, c), (row_a, row_a, row_c)
            more_faces.append((new, b, c))
            more_rows.append((row_a, row_b, row_c))
    whole = replace(surface, points=np.concatenate([surface.points, points]), faces=faces, rows=rows)
    return whole.joined(np.array(more_faces, np.int64), np.array(more_rows, np.int64))


def distinct(surface: Surface) -> tuple[Surface, int]:
    """No two vertices at one place in 32 bits: all but one of them move a hair towards their faces, each by its own
    measure. Returns the surface and how many moved."""
    used, _ = compacted(surface.faces, len(surface.points))
    first, group = weld_equal(surface.points[used].astype(np.float32))
    if len(first) == len(used):
        return surface, 0
    extra = np.flatnonzero(first[group] != np.arange(len(used)))
    number = np.zeros(len(surface.points), np.int64)
    number[used[extra]] = 1 + np.arange(len(extra)) % 7
    vertex = surface.faces.reshape(-1)
    moved = _nudged(surface, vertex, np.arange(len(surface.points)), used[extra])
    at = surface.points[used[extra]]
    points = surface.points.copy()
    points[used[extra]] = at + (moved - at) * (0.6 + 0.2 * number[used[extra]])[:, None]
    return replace(surface, points=points), len(extra)


def _nudged(surface: Surface, fan: Ints, owner: Ints, extra: Ints) -> Floats:
    """[N, 3] places for the fans ``extra``: their vertex, moved a little towards the middle of their faces; where that
    is the vertex itself, against their normal."""
    count = len(extra)
    number = np.full(len(owner), -1, np.int64)
    number[extra] = np.arange(count)
    here = number[fan] >= 0
    index, faces = number[fan[here]], surface.faces[np.flatnonzero(here) // 3]
    at = surface.points[owner[extra]]
    middle = _summed(index, surface.points[faces].mean(axis=1), count)
    way = middle / np.maximum(np.bincount(index, minlength=count), 1)[:, None] - at
    outside = _summed(index, face_crosses(surface.points, faces), count)
    reach = np.sqrt(np.linalg.norm(outside, axis=1, keepdims=True))
    length = np.linalg.norm(way, axis=1, keepdims=True)
    way = np.where(length > 0.02 * reach, way, -outside / np.maximum(reach, np.finfo(float).tiny))
    length = np.linalg.norm(way, axis=1, keepdims=True)
    way = np.where(length > 0, way, np.full(3, 1e-3 * surface.scale))
    length = np.linalg.norm(way, axis=1, keepdims=True)
    scale = surface.scale
    least = np.minimum(_LEAST * scale, 0.5 * length)
    step = np.clip(0.02 * length, least, _MOST * scale)
    return at + way / length * step


def _summed(index: Ints, values: Floats, count: int) -> Floats:
    """[count, 3] rows of ``values`` added up by ``index``."""
    return np.stack([np.bincount(index, values[:, k], count) for k in range(3)], axis=1)
