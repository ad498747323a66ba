"""Make patches as fine as the surface around them and bend them so that they continue that surface (Liepa 2003).

All patches of a mesh lie side by side in one ``Quilt``: hundreds of small holes cost little more than one large one.
The work is done by ``extensions/patches``, compiled or its twin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..native import extension
from ..progress import Progress
from .topology import Bools, Floats, Ints


@dataclass(frozen=True)
class Quilt:
    """points: [N, 3]; faces: [T, 3]; rim: [N] lies on the rim of its hole (and stays where it is); group: [N] which
    patch; size: [N] how long edges should be there."""

    points: Floats
    faces: Ints
    rim: Bools
    group: Ints
    size: Floats


def refined(quilt: Quilt, progress: Progress) -> Quilt:
    """Split triangles at their middle until they are as small as the rim's edges, flipping edges in between.

    Edges between rim vertices are never added: the surface outside may have them already.
    """
    for _ in range(16):
        progress.check()
        split: Bools = extension("patches").large(quilt.points, quilt.faces, quilt.group, quilt.size)
        if not split.any():
            break
        apart = quilt.faces[split]
        new = len(quilt.points) + np.arange(len(apart))
        a, b, c = apart.T
        rows = [np.stack(row, axis=1) for row in ((a, b, new), (b, c, new), (c, a, new))]
        grown = Quilt(
            np.concatenate([quilt.points, quilt.points[apart].mean(axis=1)]),
            np.concatenate([quilt.faces[~split], *rows]),
            np.concatenate([quilt.rim, np.zeros(len(new), bool)]),
            np.concatenate([quilt.group, quilt.group[a]]),
            np.concatenate([quilt.size, quilt.size[apart].mean(axis=1)]),
        )
        quilt = flipped(grown, progress)
    return quilt


def flipped(quilt: Quilt, progress: Progress) -> Quilt:
    """Flip inner edges whose opposite angles exceed a half turn, many at a time, until none does (Delaunay)."""
    faces = extension("patches").flipped(quilt.points, quilt.faces, quilt.rim, quilt.group, progress.check)
    return replace(quilt, faces=faces)


def smooth(quilt: Quilt, progress: Progress) -> Quilt:
    """The inner points moved to membranes over the rims: each the mean of its neighbours, near ones counting more."""
    points = extension("patches").membrane(quilt.points, quilt.faces, quilt.rim, quilt.group, progress.check)
    return replace(quilt, points=points)


def bent(quilt: Quilt, ring_points: Floats, ring_faces: Ints, progress: Progress) -> Quilt:
    """The inner points moved so that each patch continues the surface outside: a thin plate, clamped at the rim.

    ring_points: [M, 3] points outside the holes; ring_faces: [R, 3] the faces at the rims, into the quilt's points and,
    from len(quilt.points) on, into ring_points.
    """
    ring = ring_points, ring_faces
    points = extension("patches").plate(quilt.points, quilt.faces, quilt.rim, quilt.group, ring, progress.check)
    return replace(quilt, points=points)


def is_flat(points: Floats, share: float) -> bool:
    """Whether the points lie in a plane, to within ``share`` of their extent."""
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    return bool(spread[2] <= share * max(spread[0], np.finfo(float).tiny))
