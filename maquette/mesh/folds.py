"""Faces that decimation turned over: found by the normals of the surface they came from, and smoothed out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .surface import Surface
from .topology import Bools, Floats, Ints, face_crosses, touching

_ROUNDS = 12
_NEAR = 8
"""Faces of the original whose mean normal says which way is outside: noise turns single ones."""


class Original:
    """The surface before decimation, to be asked for its normals."""

    def __init__(self, surface: Surface) -> None:
        from scipy.spatial import cKDTree

        cross = face_crosses(surface.points, surface.faces)
        self._normal = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), np.finfo(float).tiny)
        self._middle = surface.points[surface.faces].mean(axis=1)
        self._tree = cKDTree(self._middle)

    def turned(self, points: Floats, faces: Ints) -> Bools:
        """[F] faces that look against the original."""
        cross = face_crosses(points, faces)
        count = min(_NEAR, len(self._middle))
        near = self._tree.query(points[faces].mean(axis=1), k=count)[1].reshape(-1, count)
        return np.asarray(np.einsum("fi,fi->f", cross, self._normal[near].mean(axis=1)) < 0)

    def snapped(self, points: Floats) -> Floats:
        """[N, 3] points moved onto the plane of the nearest original face."""
        near = self._tree.query(points)[1]
        off = np.einsum("ni,ni->n", points - self._middle[near], self._normal[near])
        return points - off[:, None] * self._normal[near]


def unfolded(surface: Surface, original: Surface) -> tuple[Surface, int]:
    """The surface with turned faces smoothed out, and how many are left.

    Only the corners of such faces move: half the way to the middle of their neighbours, then back onto the original.
    Corners on open edges stay.
    """
    source = Original(original)
    ends = surface.edges.ends
    fixed = np.zeros(len(surface.points), bool)
    fixed[ends[surface.edges.count == 1]] = True
    points = surface.points.copy()
    best, left = points.copy(), len(surface.faces) + 1
    turned = source.turned(points, surface.faces)
    for _ in range(_ROUNDS):
        if int(turned.sum()) < left:
            best, left = points.copy(), int(turned.sum())
        moving = np.setdiff1d(surface.faces[turned], np.flatnonzero(fixed))
        if len(moving) == 0:
            break
        points[moving] = source.snapped((points[moving] + _middles(points, ends, moving)) / 2)
        moved = np.zeros(len(points), bool)
        moved[moving] = True
        around = touching(surface.faces, moved)  # no other face can have turned
        turned[around] = source.turned(points, surface.faces[around])
    return replace(surface, points=best), left


def _middles(points: Floats, ends: Ints, which: Ints) -> Floats:
    """[N, 3] the mean of the neighbours of ``which``."""
    place = np.full(len(points), -1, np.int64)
    place[which] = np.arange(len(which))
    tail, head = np.concatenate([ends, ends[:, ::-1]]).T
    mine = place[tail] >= 0
    owner, neighbour = place[tail[mine]], points[head[mine]]
    count = np.maximum(np.bincount(owner, minlength=len(which)), 1)
    return np.stack([np.bincount(owner, neighbour[:, k], len(which)) for k in range(3)], axis=1) / count[:, None]
