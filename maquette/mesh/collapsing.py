"""Edge collapse by quadric error (Garland and Heckbert 1997), one edge at a time and never harming the surface.

Slow and careful: it does the last stretch where the fast library stops short or would pinch the surface. Every collapse
obeys the link condition (the surface stays a manifold of the same genus) and turns no face over.
"""

from __future__ import annotations

import heapq

import numpy as np

from ..progress import Progress
from .surface import Surface
from .topology import Bools, Floats, Ints, face_crosses, find_edges

_BORDER = 10.0
"""Weight of the planes that hold open borders in place, against the planes of faces."""


def collapsed(surface: Surface, target: int, progress: Progress) -> Surface:
    """The surface with ``target`` faces, or with as many more as the shape needs; rows of corners go with vertices."""
    work = _Work(surface)
    begin = work.left
    while work.left > target and work.step():
        if work.left % 64 < 2:
            progress.update(begin - work.left, begin - target, "simplify")
    return work.surface()


class _Work:
    """The state of one run: faces by vertex, a quadric per vertex, a heap of edges with lazy deletion."""

    def __init__(self, surface: Surface) -> None:
        self._from = surface
        self.points = surface.points.copy()
        self.faces = surface.faces.tolist()
        self.left = len(self.faces)
        self.at: dict[int, set[int]] = {}
        for index, face in enumerate(self.faces):
            for vertex in face:
                self.at.setdefault(vertex, set()).add(index)
        edges = find_edges(surface.faces)
        self.quadric = quadrics(surface.points, surface.faces, edges.open_halves())
        self.border = set(surface.faces.reshape(-1)[edges.open_halves()].tolist())
        self.stamp = dict.fromkeys(self.at, 0)
        self.heap: list[tuple[float, int, int, int, int]] = []
        for a, b in edges.ends.tolist():
            self._push(a, b)

    def _push(self, a: int, b: int) -> None:
        a, b = min(a, b), max(a, b)
        cost = self._placed(a, b)[0]
        heapq.heappush(self.heap, (cost, a, b, self.stamp[a], self.stamp[b]))

    def _placed(self, a: int, b: int) -> tuple[float, Floats]:
        """Cost and place of the merged vertex: the minimum of the quadric if near, else an end or the middle."""
        total = self.quadric[a] + self.quadric[b]
        one, two = self.points[a], self.points[b]
        middle, length = (one + two) / 2, float(np.linalg.norm(two - one))
        places = [middle, one, two]
        matrix = total[:3, :3]
        weight = float(np.trace(matrix))
        if weight > 0 and np.linalg.det(matrix) > 1e-6 * weight**3:
            best = np.linalg.solve(matrix, -total[:3, 3])
            if np.linalg.norm(best - middle) <= 2 * length:
                places.append(best)
        homogeneous = np.column_stack([np.array(places), np.ones(len(places))])
        costs = np.einsum("ni,ij,nj->n", homogeneous, total, homogeneous)
        pick = int(costs.argmin())
        return max(float(costs[pick]), 0.0) + 1e-9 * weight * length**2, places[pick]

    def step(self) -> bool:
        """Make the cheapest collapse that is allowed; False when none is left."""
        while self.heap:
            _, a, b, stamp_a, stamp_b = heapq.heappop(self.heap)
            if self.stamp.get(a) != stamp_a or self.stamp.get(b) != stamp_b:
                continue
            place = self._placed(a, b)[1]
            if self._allowed(a, b, place):
                self._merge(a, b, place)
                return True
        return False

    def _ring(self, vertex: int) -> set[int]:
        found = {v for f in self.at[vertex] for v in self.faces[f]}
        found.discard(vertex)
        return found

    def _allowed(self, a: int, b: int, place: Floats) -> bool:
        """Link condition, no border pinched, at least a tetrahedron left, no face turned over."""
        at_edge = self.at[a] & self.at[b]
        apexes = {v for f in at_edge for v in self.faces[f]} - {a, b}
        if not at_edge or self._ring(a) & self._ring(b) != apexes or len(apexes) != len(at_edge):
            return False
        if a in self.border and b in self.border and len(at_edge) == 2:
            return False
        if len(self.at[a] | self.at[b]) - len(at_edge) < (2 if len(at_edge) == 2 else 1) + 1:
            return False
        if any(len(self.at[v]) <= 3 and v not in self.border for v in apexes):
            return False
        return not self._turns(a, b, place, at_edge)

    def _turns(self, a: int, b: int, place: Floats, at_edge: set[int]) -> bool:
        """Whether a face that stays would turn by more than about 80 degrees or lose its area."""
        rest = list((self.at[a] ^ self.at[b]) - at_edge)
        faces = np.array([self.faces[f] for f in rest])
        before = self.points[faces]
        after = np.where(((faces == a) | (faces == b))[:, :, None], place, before)
        return bool(harmed(before, after).any())

    def _merge(self, a: int, b: int, place: Floats) -> None:
        for f in self.at[a] & self.at[b]:
            for v in self.faces[f]:
                self.at[v].discard(f)
            self.faces[f] = []
            self.left -= 1
        for f in self.at.pop(b):
            self.faces[f] = [a if v == b else v for v in self.faces[f]]
            self.at[a].add(f)
        self.points[a] = place
        self.quadric[a] = self.quadric[a] + self.quadric[b]
        if b in self.border:
            self.border.add(a)
        del self.stamp[b]
        ring = self._ring(a)
        for v in (a, *ring):
            self.stamp[v] += 1
        for v in sorted(ring):
            self._push(a, v)
            for w in sorted(self._ring(v)):
                if w != a and (w not in ring or v < w):
                    self._push(v, w)

    def surface(self) -> Surface:
        """The faces that are left."""
        alive = np.array([bool(face) for face in self.faces])
        faces = np.array([face for face in self.faces if face], np.int64).reshape(-1, 3)
        return Surface(self.points, faces, self._from.rows[alive], self._from.table)


def harmed(before: Floats, after: Floats) -> Bools:
    """[N] triangles [N, 3, 3] that turn by more than about 80 degrees or become slim."""
    old = np.cross(before[:, 1] - before[:, 0], before[:, 2] - before[:, 0])
    sides = after[:, [1, 2, 0]] - after
    new = np.cross(sides[:, 0], sides[:, 1])
    lengths = np.linalg.norm(new, axis=1)
    slim = lengths <= 1e-3 * np.einsum("fij,fij->fi", sides, sides).max(axis=1)
    scale = np.maximum(lengths * np.linalg.norm(old, axis=1), np.finfo(float).tiny)
    return np.asarray(slim | (np.einsum("fi,fi->f", old, new) < 0.2 * scale))


def quadrics(points: Floats, faces: Ints, open_halves: Ints) -> Floats:
    """[V, 4, 4] area-weighted plane quadrics, with upright planes along open borders."""
    cross = face_crosses(points, faces)
    length = np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), np.finfo(float).tiny)
    total = np.zeros((len(points), 4, 4))
    _add(total, cross / length, points[faces[:, 0]], length[:, 0] / 2, [faces[:, k] for k in range(3)])
    if len(open_halves):
        flat = faces.reshape(-1)
        tail = flat[open_halves]
        head = flat[open_halves - open_halves % 3 + (open_halves + 1) % 3]
        side = points[head] - points[tail]
        upright = np.cross(side, (cross / length)[open_halves // 3])
        upright /= np.maximum(np.linalg.norm(upright, axis=1, keepdims=True), np.finfo(float).tiny)
        weight = _BORDER * np.einsum("ni,ni->n", side, side)
        _add(total, upright, points[tail], weight, [tail, head])
    return total


def _add(total: Floats, normal: Floats, point: Floats, weight: Floats, owners: list[Ints]) -> None:
    plane = np.column_stack([normal, -np.einsum("ni,ni->n", normal, point)])
    block = weight[:, None, None] * plane[:, :, None] * plane[:, None, :]
    for owner in owners:
        np.add.at(total, owner, block)
