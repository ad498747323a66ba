"""One patch for one hole: the triangulation of least area, made finer and bent to follow the surface around it.

The triangulation over the rim is in ``loops``; refinement and fairing follow Liepa (2003) in ``fairing``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..progress import Progress
from .fairing import Quilt, bent, flipped, is_flat, refined, smooth
from .loops import triangulated
from .topology import Floats, Ints

_PLAIN = 7
"""Holes with fewer rim vertices get no inner points."""
_CUT = 0.25
"""A flat rim wider than this share of the mesh is a cut, not damage: it is closed flat."""


@dataclass(frozen=True)
class Patch:
    """points: [N, 3] inner points; faces: [T, 3] into rim vertices (0 .. L - 1, in loop order) then inner points."""

    points: Floats
    faces: Ints


@dataclass(frozen=True)
class Hole:
    """points: [L, 3] the rim in the order in which the patch runs along it (against the surface's own half-edges);
    taken: [C, 2] places i < j of rim vertices that have an edge already; ring_points: [M, 3] and ring_faces: [R, 3] the
    surface's faces at the rim, into rim vertices and then ring_points; scale: the mesh's size."""

    points: Floats
    taken: Ints
    ring_points: Floats
    ring_faces: Ints
    scale: float


def make_patches(holes: list[Hole], progress: Progress) -> list[Patch]:
    """Patches that close ``holes`` and continue the surface around them."""
    found = triangulated([(hole.points, hole.taken) for hole in holes], progress.part(0.0, 0.5))
    pieces = [
        _fan(hole.points) if triangles is None else (hole.points, triangles)
        for hole, triangles in zip(holes, found, strict=True)
    ]
    fine = [k for k, hole in enumerate(holes) if len(hole.points) >= _PLAIN]
    if fine:
        some = _faired([holes[k] for k in fine], [pieces[k] for k in fine], progress.part(0.5, 1.0))
        for k, piece in zip(fine, some, strict=True):
            pieces[k] = piece
    return [Patch(points[len(hole.points) :], faces) for (points, faces), hole in zip(pieces, holes, strict=True)]


Piece = tuple[Floats, Ints]
"""Points (rim first, in order) and faces of one patch."""


def _faired(holes: list[Hole], pieces: list[Piece], progress: Progress) -> list[Piece]:
    """The patches refined and bent to follow the surface; wide flat cuts stay flat. Cancel is heard in every pass."""
    progress.update(0, _AGAIN + 1, "patches")
    quilt, starts = _quilt(holes, pieces)
    flat = smooth(refined(quilt, progress), progress)
    progress.check()
    ring = _Ring(holes, starts)
    curved = ring.bend(flat, progress)
    rise = np.zeros(len(holes))
    np.maximum.at(rise, flat.group, np.linalg.norm(curved.points - flat.points, axis=1))
    follow = np.array([_follows(hole, float(far)) for hole, far in zip(holes, rise, strict=True)])
    bend = follow[flat.group]
    points = np.where(bend[:, None], curved.points, flat.points)
    # Triangles laid out on the membrane are stretched where the patch rose: lay them out anew and bend again.
    quilt = Quilt(points, flat.faces, flat.rim | ~bend, flat.group, np.where(bend, flat.size, np.inf))
    for done in range(_AGAIN):
        progress.update(done + 1, _AGAIN + 1, "patches")
        quilt = ring.bend(refined(flipped(quilt, progress), progress), progress)
    return _cut_out(quilt, len(holes))


_AGAIN = 3


class _Ring:
    """The faces outside, at the rims of all holes."""

    def __init__(self, holes: list[Hole], starts: list[int]) -> None:
        self._points = np.concatenate([hole.ring_points for hole in holes])
        inner, outer, first = [], [], 0
        for hole, start in zip(holes, starts, strict=True):
            rim = len(hole.points)
            on_rim = hole.ring_faces < rim
            inner.append(np.where(on_rim, hole.ring_faces + start, 0))
            outer.append(np.where(on_rim, -1, hole.ring_faces - rim + first))
            first += len(hole.ring_points)
        self._inner, self._outer = np.concatenate(inner), np.concatenate(outer)

    def bend(self, quilt: Quilt, progress: Progress) -> Quilt:
        """``fairing.bent`` with these faces, whose numbers move as the quilt grows."""
        faces = np.where(self._outer < 0, self._inner, self._outer + len(quilt.points))
        return bent(quilt, self._points, faces, progress)


def _follows(hole: Hole, rise: float) -> bool:
    """Whether the bent patch is to be trusted: not over a wide flat cut, and not when it rises above half its width,
    led astray by a frayed rim."""
    width = float(np.ptp(hole.points, axis=0).max())
    if width > _CUT * hole.scale and is_flat(hole.points, 0.05):
        return False
    return bool(np.isfinite(rise)) and rise <= 0.6 * width


def _quilt(holes: list[Hole], pieces: list[Piece]) -> tuple[Quilt, list[int]]:
    """All pieces side by side, and where each begins."""
    starts = np.cumsum([0, *(len(points) for points, _ in pieces)]).tolist()
    rims = np.array([len(hole.points) for hole in holes])
    last = np.cumsum(rims) - 1
    along = np.concatenate([hole.points for hole in holes])
    after, before = np.arange(1, len(along) + 1), np.arange(-1, len(along) - 1)
    after[last], before[last - rims + 1] = last - rims + 1, last
    ahead = np.linalg.norm(along[after] - along, axis=1)
    rim, size = [], []
    for around, (points, _) in zip(np.split((ahead + ahead[before]) / 2, last[:-1] + 1), pieces, strict=True):
        inner = len(points) - len(around)
        rim.append(np.arange(len(points)) < len(around))
        size.append(np.concatenate([around, np.full(inner, around.mean())]) if inner else around)
    group = np.repeat(np.arange(len(pieces)), np.diff(starts))
    faces = np.concatenate([f + start for (_, f), start in zip(pieces, starts, strict=False)])
    points = np.concatenate([p for p, _ in pieces])
    return Quilt(points, faces, np.concatenate(rim), group, np.concatenate(size)), starts[:-1]


def _cut_out(quilt: Quilt, count: int) -> list[Piece]:
    """The patches of the quilt, each with its own numbering; its rim comes first, as it stood first in the quilt."""
    order, first = _by_group(quilt.group, count)
    rename = np.empty(len(order), np.int64)
    rename[order] = np.arange(len(order)) - first[quilt.group[order]]
    by_group, first_face = _by_group(quilt.group[quilt.faces[:, 0]], count)
    points = np.split(quilt.points[order], first[1:])
    return list(zip(points, np.split(rename[quilt.faces[by_group]], first_face[1:]), strict=True))


def _by_group(group: Ints, count: int) -> tuple[Ints, Ints]:
    """An order that keeps together what is in one group, and where in it each of ``count`` groups begins."""
    size = np.bincount(group, minlength=count)
    return np.argsort(group, kind="stable"), np.cumsum(size) - size


def _fan(points: Floats) -> tuple[Floats, Ints]:
    """Triangles from the rim to a new point in its middle: always possible."""
    count = len(points)
    ring = np.arange(count)
    faces = np.stack([ring, np.roll(ring, -1), np.full(count, count)], axis=1)
    weights = np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1)
    weights = weights + np.roll(weights, 1)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(count, 1 / count)
    return np.concatenate([points, (weights @ points)[None]]), faces
