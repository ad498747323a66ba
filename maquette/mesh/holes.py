"""Find the loops of open edges and close each with a patch that fits the surface around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..progress import Progress
from .patching import Hole, Patch, make_patches
from .surface import Rows, Surface
from .topology import Bools, Floats, Ints, find_edges, head_corner, touching

_SHEET = 5e-3
"""A part whose closed volume is below this share of (area / 4.84)^1.5 (the sphere has 1) is a sheet, not a body."""


@dataclass(frozen=True)
class Filled:
    """surface: closed where it could be; holes, faces: what was added; sheets: parts left open, for they are flat."""

    surface: Surface
    holes: int
    faces: int
    sheets: int


def fill_holes(surface: Surface, progress: Progress) -> Filled:
    """Close every hole of a surface that ``split`` has made a manifold."""
    if len(surface.loose) == 0:
        return Filled(surface, 0, 0, 0)
    flat = _flat_parts(surface)
    loops = [loop for loop in _loops(surface.faces, surface.loose) if not flat[surface.parts[1][loop[0] // 3]]]
    patches = make_patches(_holes(surface, loops), progress)
    part = np.array([surface.parts[1][loop[0] // 3] for loop in loops], np.int64)
    closed = _attached(surface, loops, patches, part)
    sheet = _sheets(closed, part)
    body = np.flatnonzero(~sheet[part])
    if len(body) < len(loops):
        closed = _attached(surface, [loops[k] for k in body], [patches[k] for k in body], part[body])
    return Filled(closed, len(body), len(closed.faces) - len(surface.faces), int((sheet | flat).sum()))


def _holes(surface: Surface, loops: list[Ints]) -> list[Hole]:
    """What patches must know of the surface around the holes inside ``loops``, whose rims run the other way round: each
    rim edge is then used once each way. A vertex is on one loop only."""
    if not loops:
        return []
    corners, count, size = surface.faces.reshape(-1), len(surface.points), np.array([len(loop) for loop in loops])
    rims = np.concatenate([loop[::-1] for loop in loops])
    rims = corners.take(rims)
    first = np.cumsum(size) - size
    loop_of, place = np.full(count, -1, np.int64), np.zeros(count, np.int64)
    loop_of[rims] = np.repeat(np.arange(len(loops)), size)
    place[rims] = np.arange(len(rims)) - np.repeat(first, size)
    around = surface.faces.compress(touching(surface.faces, loop_of >= 0), axis=0)
    taken = _taken(find_edges(around).ends, loop_of, place, len(loops))
    owner, ring = _rings(around, loop_of)
    inner = loop_of.take(ring) == owner[:, None]
    beyond, index = np.unique((owner[:, None] * count + ring)[~inner], return_inverse=True)
    outside = np.searchsorted(beyond, np.arange(len(loops) + 1) * count)
    local = place.take(ring)
    local[~inner] = (size - outside[:-1]).take(np.broadcast_to(owner[:, None], ring.shape)[~inner]) + index.reshape(-1)
    faces = np.split(local, np.searchsorted(owner, np.arange(1, len(loops))))
    points = np.split(surface.points[rims], first[1:]), np.split(surface.points[beyond % count], outside[1:-1])
    return [Hole(*of, surface.scale) for of in zip(points[0], taken, points[1], faces, strict=True)]


def _taken(ends: Ints, loop_of: Ints, place: Ints, count: int) -> list[Ints]:
    """Per loop the places [C, 2] of its vertices that have an edge. ends: [E, 2] of all edges at rims."""
    one, two = ends.T
    chord = (loop_of[one] >= 0) & (loop_of[one] == loop_of[two])
    return _sorted_out(loop_of[one[chord]], np.sort(place[ends[chord]], axis=1), count)


def _rings(around: Ints, loop_of: Ints) -> tuple[Ints, Ints]:
    """(owner [R], faces [R, 3]) those of ``around`` at each loop, by loop and then in their order; a face that touches
    two loops is in both."""
    of = np.sort(loop_of.take(around), axis=1)
    fresh = of >= 0
    fresh[:, 1:] &= of[:, 1:] != of[:, :-1]
    face, column = np.nonzero(fresh)
    owner = of[face, column]
    order = np.argsort(owner, kind="stable")
    return owner[order], around[face[order]]


def _sorted_out(owner: Ints, values: Ints, count: int) -> list[Ints]:
    """The rows of ``values`` by owner, 0 .. count - 1."""
    order = np.argsort(owner, kind="stable")
    return np.split(values[order], np.searchsorted(owner[order], np.arange(1, count)))


def _loops(faces: Ints, halves: Ints) -> list[Ints]:
    """The open half-edges as closed loops, each in the order in which it runs along the surface's edge."""
    corners = faces.reshape(-1)
    tail, head = corners[halves], corners[head_corner(halves)]
    order = np.argsort(tail, kind="stable")
    following = order[np.searchsorted(tail[order], head)].tolist()
    loops, seen = [], [False] * len(halves)
    for begin in range(len(halves)):
        if seen[begin]:
            continue
        loop, at = [], begin
        while not seen[at]:
            seen[at] = True
            loop.append(at)
            at = following[at]
        loops.append(halves[np.array(loop)])
    return loops


def _flat_parts(surface: Surface) -> Bools:
    """[parts] those of one or two faces, or all in one plane: not worth a patch, they enclose nothing."""
    parts, labels = surface.parts
    found = surface.measures
    in_line = np.linalg.norm(found.vector, axis=1) > (1 - 1e-9) * found.area
    return in_line | (np.bincount(labels, minlength=parts) <= 1)


def _sheets(closed: Surface, part: Ints) -> Bools:
    """[parts] open parts that enclose next to nothing even when closed. closed: with all patches; part: of each."""
    has_hole = np.zeros(closed.parts[0], bool)
    has_hole[part] = True
    return has_hole & (np.abs(closed.measures.volume) <= _SHEET * (closed.measures.area / 4.84) ** 1.5)


def _attached(surface: Surface, loops: list[Ints], patches: list[Patch], part: Ints) -> Surface:
    """The surface with all patches: new points, new attribute rows blended from the rims, new faces. part: of each."""
    flat_faces, flat_rows, textured = surface.faces.reshape(-1), surface.rows.reshape(-1), surface.table.uvs is not None
    points, faces, rows = [surface.points], [surface.faces], [surface.rows]
    fresh = _FreshRows(surface.table)
    next_point = len(surface.points)
    for loop, patch in zip(loops, patches, strict=True):
        rim, rim_rows = flat_faces[loop][::-1], flat_rows[loop][::-1]
        local = np.concatenate([rim, next_point + np.arange(len(patch.points))])
        rim_points = surface.points[rim]
        inner = fresh.blend(rim_rows, rim_points, patch.points)
        outer = fresh.blend(rim_rows, rim_points, None) if textured else rim_rows
        points.append(patch.points)
        faces.append(local[patch.faces])
        rows.append(np.concatenate([outer, inner])[patch.faces])
        next_point += len(patch.points)
    made = Surface(np.concatenate(points), np.concatenate(faces), np.concatenate(rows), fresh.table())
    labels = np.repeat(part, [len(patch.faces) for patch in patches])
    return made.with_parts(surface.parts[0], np.concatenate([surface.parts[1], labels]))


class _FreshRows:
    """Collects the attribute rows of all patches, so that the table is copied once.

    Colours are blended from the rim, confidence is 0 (nothing was seen there), normals are left to be computed. A patch
    has one uv for all its corners: the rim may lie on several charts, and what is between them is not its texture.
    """

    def __init__(self, table: Rows) -> None:
        self._table, self._next = table, table.count
        self._like: list[Ints] = []
        self._values: dict[str, list[Any]] = {name: [] for name in table.present()}

    def blend(self, rim_rows: Ints, rim: Floats, inner: Floats | None) -> Ints:
        """Rows for the points ``inner`` [N, 3], mixed from the rim's ``rim_rows``, or of the rim itself where None;
        returns their numbers [N]. rim: [L, 3] its points."""
        count = len(rim if inner is None else inner)
        numbers = self._next + np.arange(count)
        self._next += count
        self._like.append(np.full(count, rim_rows[0]))
        for name, value in self._table.present().items():
            if name == "uvs":
                block = np.tile(value[rim_rows[0]], (count, 1))
            elif name == "vertex_colors":
                block = value[rim_rows] if inner is None else _blended(value[rim_rows], rim, inner)
            else:
                block = np.zeros((count, *value.shape[1:]))
            self._values[name].append(block)
        return numbers

    def table(self) -> Rows:
        """The table with all rows that were asked for."""
        if not self._like:
            return self._table
        given = {name: np.concatenate([self._table.present()[name], *blocks]) for name, blocks in self._values.items()}
        return Rows(self._next, **{name: value.astype(np.float32) for name, value in given.items()})


def _blended(values: Any, rim: Floats, inner: Floats) -> Floats:
    """[N, C] the values [L, C] at the nearest points of ``rim`` [L, 3], by their inverse squared distance from
    ``inner`` [N, 3]."""
    from scipy.spatial import cKDTree

    if len(inner) == 0:
        return np.zeros((0, values.shape[1]))
    count = min(_BLEND, len(rim))
    distance, near = cKDTree(rim).query(inner, k=count)
    weight = 1.0 / np.maximum(distance.reshape(-1, count), 1e-12) ** 2
    weight /= weight.sum(axis=1, keepdims=True)
    return np.einsum("nk,nkc->nc", weight, values[near.reshape(-1, count)])


_BLEND = 8
"""So many points of the rim give a new point its colour."""
