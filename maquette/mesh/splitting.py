"""Cut a surface so that it is a 2-manifold: pair the faces at crowded edges, give every umbrella fan its own vertex."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..geometry.welding import weld_equal
from .surface import Surface
from .topology import COLLINEAR, Edges, Floats, Ints, compacted, face_crosses, fans

_LEAST, _MOST = 16 * COLLINEAR, 1e-4
"""How far a fan moves away from the vertex it shared: shares of the mesh's size."""


_TRIES = 200


def paired_halves(surface: Surface, edges: Edges) -> Ints:
    """[L, 2] half-edges that belong together: opposite ways on one edge, each half-edge at most once.

    At an edge with more than two faces those are paired that have the solid between them, so that two bodies that touch
    along an edge come apart as two bodies. Half-edges in no pair are open after the cut.
    """
    pairs = edges.pairs()
    plain = pairs[edges.forward[pairs[:, 0]] != edges.forward[pairs[:, 1]]]
    crowded = edges.count > 2
    if not crowded.any():
        return plain
    owner = np.repeat(np.arange(len(edges.count)), edges.count)
    halves = edges.order[crowded[owner]]
    return np.concatenate([plain, _around(surface, edges, halves)])


def _around(surface: Surface, edges: Edges, halves: Ints) -> Ints:
    """Pairs among the half-edges of crowded edges: going round the edge, a backward one followed by a forward one."""
    angle = _angles(surface, edges, halves)
    order = np.lexsort((edges.forward[halves], angle, edges.edge[halves]))
    halves = halves[order]
    made = []
    while len(halves):
        edge, forward = edges.edge[halves], edges.forward[halves]
        start = np.flatnonzero(np.append(True, edge[1:] != edge[:-1]))
        size = np.diff(np.append(start, len(edge)))
        following = np.arange(1, len(edge) + 1)
        following[start + size - 1] = start  # the last one is followed by the first: the fan is a circle
        match = ~forward & forward[following] & (following != np.arange(len(edge)))
        if not match.any():
            break
        made.append(np.stack([halves[match], halves[following[match]]], axis=1))
        left = ~match
        left[following[match]] = False
        halves = halves[left]
    return np.concatenate(made) if made else np.zeros((0, 2), np.int64)


def _angles(surface: Surface, edges: Edges, halves: Ints) -> Floats:
    """[N] the direction of each half-edge's face, as an angle round its edge seen against the edge's low-high axis."""
    points, flat = surface.points, surface.faces.reshape(-1)
    ends = edges.ends[edges.edge[halves]]
    apex = points[flat[halves - halves % 3 + (halves + 2) % 3]]
    axis = points[ends[:, 1]] - points[ends[:, 0]]
    axis /= np.maximum(np.linalg.norm(axis, axis=1, keepdims=True), np.finfo(float).tiny)
    smallest = np.eye(3)[np.argmin(np.abs(axis), axis=1)]
    right = np.cross(axis, smallest)
    right /= np.maximum(np.linalg.norm(right, axis=1, keepdims=True), np.finfo(float).tiny)
    up = np.cross(axis, right)
    away = apex - points[ends[:, 0]]
    return np.arctan2(np.einsum("ni,ni->n", away, up), np.einsum("ni,ni->n", away, right))


def split(surface: Surface) -> tuple[Surface, int]:
    """A 2-manifold (with open edges where nothing pairs up) and the number of vertices that were added.

    Each added vertex moves a hair towards its own faces: programs that weld by position (STL) must not undo the cut.
    """
    added = 0
    for _ in range(_TRIES):
        surface, count = _unfanned(surface, paired_halves(surface, surface.edges))
        added += count
        # Both ends of an edge may have one fan each that meets itself again at the edge: then one side gets a vertex
        # in between.
        surface, count = _parted(surface)
        added += count
        if count == 0:
            break
    return surface, added


def _unfanned(surface: Surface, links: Ints) -> tuple[Surface, int]:
    """One vertex per umbrella fan, and how many that adds."""
    count, fan = fans(surface.faces, links)
    corners = surface.faces.reshape(-1)
    owner = np.full(count, -1, np.int64)
    owner[fan] = corners
    if count == len(compacted(corners, len(surface.points))[0]):
        return surface, 0
    size = np.bincount(fan, minlength=count)
    order = np.lexsort((np.arange(count), -size, owner))
    main = np.ones(count, bool)
    main[order[1:]] = owner[order[1:]] != owner[order[:-1]]
    vertex = np.where(main, owner, 0)
    extra = np.flatnonzero(~main)
    vertex[extra] = len(surface.points) + np.arange(len(extra))
    points = np.concatenate([surface.points, _nudged(surface, fan, owner, extra)])
    return replace(surface, points=points, faces=vertex[fan].reshape(-1, 3)), len(extra)


def _parted(surface: Surface) -> tuple[Surface, int]:
    """At each edge that several pairs of faces (or single faces) share, one of them is cut in two by a new vertex.

    A face takes part once; ``split`` asks again for the others.
    """
    edges = surface.edges
    links = paired_halves(surface, edges)
    if edges.count.max(initial=0) <= 2 and len(links) == np.count_nonzero(edges.count == 2):
        return surface, 0
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
