"""Faces without area whose corners are three different vertices: collapse their short edge, or flip their long one.

Dropping such a face would open a crack; these two moves keep the surface closed and change it by less than a rounding.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .surface import Surface
from .topology import COLLINEAR, Bools, Floats, Ints, cross, flat_faces, touching

_ROUNDS = 24


def without_slivers(surface: Surface) -> tuple[Surface, int]:
    """Mend flat faces, most of them in one round; returns the surface and how many moves it took.

    Moves in one round do not touch each other's neighbourhoods. A face no move can mend without harming the surface's
    manifoldness stays, and certify will count it.
    """
    flat = flat_faces(surface.points, surface.faces, surface.scale)
    if not flat.any() or flat.all():
        return surface, 0
    near = _two_rings(surface, flat)
    rest, patch, moves = surface.kept(~near), surface.kept(near), 0
    outside = np.zeros(len(surface.points), bool)
    outside[rest.faces] = True
    for _ in range(_ROUNDS):
        flat = flat_faces(patch.points, patch.faces, surface.scale)
        if not flat.any() or flat.all():
            break
        patch, done = _round(patch, np.flatnonzero(flat), outside)
        if done == 0:
            patch, done = _lifted(patch, flat)
        moves += done
    whole = rest.joined(patch.faces, patch.rows)
    return whole if patch.points is surface.points else replace(whole, points=patch.points), moves


def _lifted(surface: Surface, flat: Bools) -> tuple[Surface, int]:
    """Where no move is possible: push the corner opposite to each flat face's longest side away from that side, by ten
    times what float32 can tell."""
    faces = surface.faces[flat]
    corner = surface.points[faces]
    sides = np.linalg.norm(corner[:, [1, 2, 0]] - corner, axis=2)
    rows = np.arange(len(faces))
    start = sides.argmax(axis=1)
    tip = faces[rows, (start + 2) % 3]
    along = corner[rows, (start + 1) % 3] - corner[rows, start]
    axis = np.eye(3)[np.abs(along).argmin(axis=1)]
    away = cross(along, axis)
    away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), np.finfo(float).tiny)
    points = surface.points.copy()
    points[tip] += 10 * COLLINEAR * surface.scale * away
    return replace(surface, points=points), len(faces)


def _two_rings(surface: Surface, flat: Bools) -> Bools:
    """[F] the faces around the flat ones that a move looks at."""
    near, faces = flat, np.asfortranarray(surface.faces)  # numpy is slow along short rows
    for _ in range(3):
        touched = np.zeros(len(surface.points), bool)
        touched[surface.faces.compress(near, axis=0)] = True
        near = touching(faces, touched)
    return near


def _round(surface: Surface, flat: Ints, outside: Bools) -> tuple[Surface, int]:
    """One move for each flat face whose neighbourhood no other move of this round touches, and no vertex ``outside``
    [V], that is at faces which ``surface`` has not."""
    around = _Around(surface.faces)
    faces, rows = surface.faces.copy(), surface.rows.copy()
    locked = outside.copy()
    dead = np.zeros(len(faces), bool)
    done = 0
    for face in flat.tolist():
        region = np.unique(surface.faces[around.of_vertices(surface.faces[face])])
        if locked[region].any():
            continue
        if _move(surface, around, face, faces, rows, dead):
            locked[region] = True
            done += 1
    return replace(surface, faces=faces, rows=rows).kept(~dead), done


class _Around:
    """Faces by vertex (compressed rows)."""

    def __init__(self, faces: Ints) -> None:
        corners = faces.reshape(-1)
        self._order = np.argsort(corners, kind="stable") // 3
        self._start = np.searchsorted(np.sort(corners), np.arange(int(corners.max()) + 2))
        self._faces = faces

    def of_vertex(self, vertex: int) -> Ints:
        """The faces at one vertex."""
        return self._order[self._start[vertex] : self._start[vertex + 1]]

    def of_vertices(self, vertices: Ints) -> Ints:
        """The faces at any of some vertices."""
        return np.unique(np.concatenate([self.of_vertex(int(v)) for v in vertices]))

    def of_edge(self, a: int, b: int) -> Ints:
        """The faces that have both ends."""
        near = self.of_vertex(a)
        return near[(self._faces[near] == b).any(axis=1)]

    def neighbours(self, vertex: int) -> set[int]:
        """The vertices one edge away."""
        found = set(self._faces[self.of_vertex(vertex)].reshape(-1).tolist())
        found.discard(vertex)
        return found


def _move(surface: Surface, around: _Around, face: int, faces: Ints, rows: Ints, dead: Bools) -> bool:
    """Collapse if the shortest side is short beside the longest, else flip the longest; the other one as a fallback."""
    corner = surface.points[surface.faces[face]]
    sides = np.linalg.norm(np.roll(corner, -1, axis=0) - corner, axis=1)
    short, long = int(sides.argmin()), int(sides.argmax())
    if sides[short] < 0.1 * sides[long]:
        return _collapse(surface, around, face, short, faces, dead) or _flip(around, face, long, faces, rows, surface)
    return _flip(around, face, long, faces, rows, surface) or _collapse(surface, around, face, short, faces, dead)


def _collapse(surface: Surface, around: _Around, face: int, side: int, faces: Ints, dead: Bools) -> bool:
    """Merge the two ends of a side when that keeps the surface manifold (link condition) and turns no face over."""
    keep, gone = int(surface.faces[face, side]), int(surface.faces[face, (side + 1) % 3])
    for a, b in ((keep, gone), (gone, keep)):
        at_edge = around.of_edge(a, b)
        apexes = set(surface.faces[at_edge].reshape(-1).tolist()) - {a, b}
        if len(at_edge) != 2 or len(apexes) != 2 or around.neighbours(a) & around.neighbours(b) != apexes:
            continue
        moved = np.setdiff1d(around.of_vertex(b), at_edge)
        before = surface.faces[moved]
        after = np.where(before == b, a, before)
        if _turned(surface, before, after):
            continue
        faces[moved] = after
        dead[at_edge] = True
        return True
    return False


def _turned(surface: Surface, before: Ints, after: Ints) -> bool:
    """Whether a face with an area changes its normal by more than a right angle."""
    points = surface.points
    old, new = (np.cross(points[f[:, 1]] - points[f[:, 0]], points[f[:, 2]] - points[f[:, 0]]) for f in (before, after))
    solid = ~flat_faces(points, before, surface.scale)
    return bool((np.einsum("fi,fi->f", old, new)[solid] <= 0).any())


def _low(corner: Floats) -> bool:
    """A new face must not be flat like the one it replaces, or flips would go round in circles."""
    sides = corner[[1, 2, 0]] - corner
    longest = float(np.linalg.norm(sides, axis=1).max())
    height = float(np.linalg.norm(cross(sides[0], sides[1]))) / max(longest, np.finfo(float).tiny)
    return height <= 2 * COLLINEAR * float(np.abs(corner).max() + longest)


def _flip(around: _Around, face: int, side: int, faces: Ints, rows: Ints, surface: Surface) -> bool:
    """Replace the long side by the other diagonal, unless that edge exists or the texture has a seam here."""
    source, source_rows = surface.faces, surface.rows
    a, b, c = (int(source[face, (side + k) % 3]) for k in range(3))
    at_edge = around.of_edge(a, b)
    if len(at_edge) != 2:
        return False
    other = int(at_edge[0] if at_edge[1] == face else at_edge[1])
    place = source[other].tolist()
    if place[(place.index(b) + 1) % 3] != a:
        return False  # the neighbour is wound the other way round
    d = place[(place.index(a) + 1) % 3]
    if d == c or len(around.of_edge(c, d)) or _low(surface.points[[a, d, c]]) or _low(surface.points[[d, b, c]]):
        return False
    mine = dict(zip(source[face].tolist(), source_rows[face].tolist(), strict=True))
    theirs = dict(zip(place, source_rows[other].tolist(), strict=True))
    if surface.table.uvs is not None and (mine[a] != theirs[a] or mine[b] != theirs[b]):
        return False
    faces[face], rows[face] = (a, d, c), (mine[a], theirs[d], mine[c])
    faces[other], rows[other] = (d, b, c), (theirs[d], mine[b], mine[c])
    return True
