"""Edge collapse by quadric error (Garland and Heckbert 1997), many edges at a time, each as careful as one alone.

Edges that are collapsed together have no face at their ends in common, so what is checked for one holds for all: the
link condition (Dey et al. 1999: the surface keeps its genus and stays in one part however thin it is) and that no face
turns over. Slower than the library, which pinches thin necks off, and far faster than one edge after another.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..progress import Progress
from .collapsing import harmed, quadrics
from .surface import Surface
from .topology import Bools, Floats, Ints, find_edges

_CHEAP = 0.4
"""Share of the edges, the cheapest, that are looked at in a round."""
_ROUNDS = 400
_TRIES = 4


def thinned(surface: Surface, target: int, progress: Progress) -> Surface:
    """The closed manifold ``surface`` with ``target`` faces or one fewer; with more where no edge is left to collapse.

    Rows of corners go with the vertices that stay.
    """
    work = _Work(surface)
    begin = len(work.faces)
    for _ in range(_ROUNDS):
        progress.update(begin - len(work.faces), max(begin - target, 1), "simplify")
        if len(work.faces) <= target or not work.round((len(work.faces) - target + 1) // 2):
            break
    return work.surface()


class _Work:
    """The state between two rounds: points, faces, rows, and a quadric per vertex."""

    def __init__(self, surface: Surface) -> None:
        self._from = surface
        self.points = surface.points.copy()
        self.faces, self.rows = surface.faces.copy(), surface.rows.copy()
        self.quadric = quadrics(surface.points, surface.faces, surface.edges.open_halves())

    def round(self, most: int) -> int:
        """Make the cheapest collapses that are allowed and do not touch one another, ``most`` of them; how many."""
        ends = find_edges(self.faces).ends
        cost, place = _placed(self.points, self.quadric, ends)
        for share in (_CHEAP, 1.0):  # all edges only where the cheap ones are all forbidden
            cheap = np.argsort(cost, kind="stable")[: max(int(share * len(ends)), 1)]
            cheap = cheap[_keeps_topology(self.faces, ends[cheap], len(self.points))]
            chosen = self._chosen(cheap, ends, place)[:most]
            if len(chosen):
                self._merge(ends[chosen], place[chosen])
                return len(chosen)
        return 0

    def _chosen(self, cheap: Ints, ends: Ints, place: Floats) -> Ints:
        """Of the edges ``cheap``, in order of preference, those apart from one another that turn no face over."""
        found = cheap
        for _ in range(_TRIES):  # what turns a face makes room for its neighbours
            found = cheap[_apart(self.faces, ends[cheap], len(self.points))]
            turns = self._turns(ends[found], place[found])
            found, bad = found[~turns], found[turns]
            if 4 * len(bad) < len(found):
                break
            cheap = cheap[~np.isin(cheap, bad)]
        return found

    def _turns(self, ends: Ints, place: Floats) -> Bools:
        """[E] whether a face that stays would turn by more than about 80 degrees or lose its area."""
        corners = self.faces.reshape(-1)
        order = np.argsort(corners, kind="stable")
        start = np.searchsorted(corners[order], np.arange(len(self.points) + 1))
        out = np.zeros(len(ends), bool)
        for one, two in ((ends[:, 0], ends[:, 1]), (ends[:, 1], ends[:, 0])):
            count = start[one + 1] - start[one]
            edge = np.repeat(np.arange(len(ends)), count)
            at = order[np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + start[one][edge]]
            face = self.faces[at // 3]
            stays = (face != two[edge][:, None]).all(axis=1)
            edge, face = edge[stays], face[stays]
            before = self.points[face]
            after = np.where((face == one[edge][:, None])[:, :, None], place[edge][:, None], before)
            out |= np.bincount(edge[harmed(before, after)], minlength=len(ends)) > 0
        return out

    def _merge(self, ends: Ints, place: Floats) -> None:
        stay, go = ends.T
        self.points[stay] = place
        self.quadric[stay] += self.quadric[go]
        to = np.arange(len(self.points))
        to[go] = stay
        faces = to[self.faces]
        whole = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
        self.faces, self.rows = faces[whole], self.rows[whole]

    def surface(self) -> Surface:
        """The faces that are left."""
        return Surface(self.points, self.faces, self.rows, self._from.table)


def _placed(points: Floats, quadric: Floats, ends: Ints) -> tuple[Floats, Floats]:
    """Cost [E] and place [E, 3] of the merged vertices: the quadric's minimum where it is near, else an end or the
    middle."""
    total = quadric[ends[:, 0]] + quadric[ends[:, 1]]
    one, two = points[ends[:, 0]], points[ends[:, 1]]
    middle, length = (one + two) / 2, np.linalg.norm(two - one, axis=1)
    matrix = total[:, :3, :3]
    weight = np.trace(matrix, axis1=1, axis2=2)
    firm = np.linalg.det(matrix) > 1e-6 * np.maximum(weight, np.finfo(float).tiny) ** 3
    best = middle.copy()
    best[firm] = np.linalg.solve(matrix[firm], -total[firm, :3, 3:])[..., 0]
    best = np.where((np.linalg.norm(best - middle, axis=1) <= 2 * length)[:, None], best, middle)
    places = np.stack([middle, one, two, best], axis=1)
    homogeneous = np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=2)
    costs = np.einsum("eki,eij,ekj->ek", homogeneous, total, homogeneous, optimize=True)
    pick = costs.argmin(axis=1)
    every = np.arange(len(ends))
    return np.maximum(costs[every, pick], 0.0) + 1e-9 * weight * length**2, places[every, pick]


def _neighbours(faces: Ints, count: int) -> Any:
    """[V, V] sparse, 1 where two vertices have an edge."""
    from scipy.sparse import coo_matrix

    tail, head = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    both = (np.concatenate([tail, head]), np.concatenate([head, tail]))
    found = coo_matrix((np.ones(len(both[0]), np.int32), both), shape=(count, count)).tocsr()
    found.data[:] = 1
    return found


def _keeps_topology(faces: Ints, ends: Ints, count: int) -> Bools:
    """[E] the link condition: the ends have no more than their two faces' apexes in common, and those another face."""
    near = _neighbours(faces, count)
    degree = np.diff(near.indptr)
    one, two = near[ends[:, 0]], near[ends[:, 1]]
    shared = one.multiply(two).tocsr()
    in_common = np.diff(shared.indptr)
    few = np.asarray(one.multiply(degree <= 3).multiply(two).sum(axis=1)).reshape(-1)
    return np.asarray((in_common == 2) & (few == 0) & (degree[ends].sum(axis=1) - 4 >= 3))


def _apart(faces: Ints, ends: Ints, count: int) -> Bools:
    """[E] of edges given in order of preference, those that no edge before them touches or has an edge to.

    A vertex of d neighbours is opposite to d / 3 of them at most, and so keeps three neighbours.
    """
    rank = np.arange(len(ends))
    least = np.full(count, len(ends))
    np.minimum.at(least, ends.reshape(-1), rank.repeat(2))
    tail, head = faces.reshape(-1), faces[:, [1, 2, 0]].reshape(-1)
    around = least.copy()
    np.minimum.at(around, tail, least[head])
    np.minimum.at(around, head, least[tail])
    return np.asarray((around[ends] == rank[:, None]).all(axis=1))
