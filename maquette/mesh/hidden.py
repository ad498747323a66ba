"""Inner walls: faces that no ray from outside reaches, as in the double-walled meshes of voxel models.

Connectivity cannot tell an inner wall (the two walls may be joined somewhere), and dropping single hidden faces shreds
the mesh. So faces are judged by rays in all directions, and only whole regions go: closed inner parts, and large hidden
regions of a part, whose rim is closed like any hole.
"""

from __future__ import annotations

import numpy as np

from ..progress import Progress
from .rays import Tracer, sphere_ways
from .surface import Surface
from .topology import Bools, Floats, Ints, face_crosses, label_groups

_WAVES = (6, 10, 16, 16)
"""Rays per sample, cast in waves: most of what is seen is seen by one of the first."""
_SAMPLES = 4000
"""Faces that are judged."""
_WHOLE = 0.02
"""A part goes when at most this share of its area is seen."""
_REGION = 0.04
"""A hidden region of a part that is seen otherwise goes when it has at least this share of all the area."""


def without_hidden(surface: Surface, progress: Progress) -> tuple[Surface, int]:
    """The surface without its inner walls, and how many faces went. The outermost part always stays."""
    if len(surface.faces) < 8:
        return surface, 0
    seen = _seen(surface, progress)
    area = np.linalg.norm(face_crosses(surface.points, surface.faces), axis=1) / 2.0
    parts, labels = surface.parts
    total = np.bincount(labels, area, parts)
    share = np.bincount(labels, area * seen, parts) / np.maximum(total, np.finfo(float).tiny)
    gone = (share <= _WHOLE)[labels]
    hidden = ~_smoothed(surface, seen) & ~gone
    gone |= _large_regions(surface, hidden, area)
    gone |= _crumbs(surface, gone, area)
    if gone.all():
        return surface, 0
    return surface.kept(~gone), int(gone.sum())


def _seen(surface: Surface, progress: Progress) -> Floats:
    """[F] 1 where a ray from either side of the face escapes, else 0; judged at samples, spread along the surface."""
    count = len(surface.faces)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _SAMPLES)).astype(np.int64))
    order = np.argsort(surface.parts[1], kind="stable")  # so that every part gets its share of samples
    chosen = order[chosen]
    cross = face_crosses(surface.points, surface.faces)[chosen]
    normal = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), np.finfo(float).tiny)
    middle = surface.points[surface.faces[chosen]].mean(axis=1)
    tracer = Tracer(surface.points, surface.faces)
    all_ways = sphere_ways(sum(_WAVES))
    all_ways = all_ways[np.argsort(np.arange(len(all_ways)) * 0.6180339887498949 % 1.0)]
    visible, begin = np.zeros(len(chosen), bool), 0
    for wave in _WAVES:
        left = np.flatnonzero(~visible)
        ways = np.tile(all_ways[begin : begin + wave], (len(left), 1))
        which = np.repeat(left, wave)
        slope = np.einsum("ni,ni->n", ways, normal[which])
        steep = np.abs(slope) > 0.05
        ways, which, slope = ways[steep], which[steep], slope[steep]
        origins = middle[which] + normal[which] * (np.sign(slope) * 1e-4 * surface.scale)[:, None]
        visible[which[tracer.escapes(origins, ways, progress)]] = True
        begin += wave
    return _spread(surface, chosen, visible)


def _spread(surface: Surface, chosen: Ints, visible: Bools) -> Floats:
    """[F] the verdict of the sample that is nearest along the surface; of two at one distance the one that is seen.

    Ring by ring about all samples at once. A graph library would break ties as its version likes, and a cut must not
    depend on that. What no sample reaches counts as seen and so is left alone.
    """
    pairs = surface.edges.pairs // 3
    verdict = np.full(len(surface.faces), -1.0)
    verdict[chosen] = visible
    while len(pairs):
        known = verdict[pairs] >= 0
        rim = known[:, 0] != known[:, 1]
        if not rim.any():
            break
        begin = pairs[rim][known[rim]]  # one of each pair, in the order of the pairs
        np.maximum.at(verdict, pairs[rim][~known[rim]], verdict[begin])
        pairs = pairs[~known.all(axis=1)]
    return np.abs(verdict)


def _smoothed(surface: Surface, seen: Floats) -> Bools:
    """[F] the verdicts after a few votes among neighbours, so that the cut has no frayed edge."""
    pairs = surface.edges.pairs // 3
    value = seen.copy()
    for _ in range(6):
        total, votes = 2.0 * value, np.full(len(value), 2.0)
        for one, two in ((pairs[:, 0], pairs[:, 1]), (pairs[:, 1], pairs[:, 0])):
            total += np.bincount(one, value[two], len(value))
            votes += np.bincount(one, minlength=len(value))
        value = total / votes
    return value > 0.25


def _large_regions(surface: Surface, hidden: Bools, area: Floats) -> Bools:
    """[F] the faces of connected hidden regions that are large enough to be a wall and not a crevice."""
    pairs = surface.edges.pairs // 3
    inside = pairs[hidden[pairs].all(axis=1)]
    groups, label = label_groups(inside, len(hidden))
    size = np.bincount(label, area * hidden, groups)
    return hidden & (size >= _REGION * area.sum())[label]


def _crumbs(surface: Surface, gone: Bools, area: Floats) -> Bools:
    """[F] what the cut leaves of a part beside its largest piece, when it is too small to be a wall: it goes as well.

    Such a crumb was seen (through a crack, say), but held by nothing it would stay in the air as an open sheet.
    """
    whole, part = surface.parts
    pairs = surface.edges.pairs // 3
    pieces, piece = label_groups(pairs[~gone[pairs].any(axis=1)], len(gone))
    size = np.bincount(piece, area * ~gone, pieces)
    owner = np.zeros(pieces, np.int64)
    owner[piece] = part
    largest = np.zeros(whole)
    np.maximum.at(largest, owner, size)
    small = (size < largest[owner]) & (size < _REGION * area.sum())
    return small[piece] & (np.bincount(part, gone, whole) > 0)[part]
