"""Drop what is not a surface: unusable, flat and doubled faces, and floaters. Nothing here ever empties a mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import Mesh
from ..errors import BadMeshError
from ..geometry.welding import weld_equal
from .surface import Surface, table_of
from .topology import (
    Bools,
    Floats,
    Ints,
    compacted,
    face_groups,
    find_edges,
    head_corner,
    label_groups,
    touching,
)

WELD = 1e-6
"""Open edges closer than this share of the mesh's size are one."""


def usable(mesh: Mesh) -> tuple[Surface, int, int]:
    """The faces of ``mesh`` that can be worked with, on points welded where they are equal.

    Returns (surface, faces with an index out of range, faces with a NaN or infinite vertex).
    """
    faces = mesh.faces.astype(np.int64)
    inside = _within(faces, len(mesh.vertices))
    outside = int((~inside).sum())
    faces = faces if outside == 0 else faces[inside]
    finite = np.isfinite(mesh.vertices)
    whole = np.ones(len(faces), bool) if finite.all() else ~touching(faces, np.asarray(~finite.all(axis=1)))
    faces = faces if whole.all() else faces[whole]
    if len(faces) == 0:
        raise BadMeshError(
            f"none of the {len(mesh.faces)} faces can be used ({outside} point at vertices that do not exist,"
            f" {int((~whole).sum())} have NaN or infinite vertices); the mesh is empty or corrupt"
        )
    used, index = compacted(faces, len(mesh.vertices))
    points = mesh.vertices if len(used) == len(mesh.vertices) else mesh.vertices[used]
    first, group = weld_equal(points)
    if len(first) < len(points):
        points, index = points[first], group.take(index)
    return Surface(points.astype(np.float64), index, faces, table_of(mesh)), outside, int((~whole).sum())


def _within(faces: Ints, count: int) -> Bools:
    """[F] whether all corners exist."""
    if len(faces) == 0 or (faces.min() >= 0 and faces.max() < count):
        return np.ones(len(faces), bool)
    return np.asarray(((faces >= 0) & (faces < count)).all(axis=1))


def welded_rims(surface: Surface) -> tuple[Surface, int]:
    """Weld vertices on open edges that lie closer than ``WELD`` of the mesh's size. Returns how many went."""
    from scipy.spatial import cKDTree

    whole = surface.kept(_whole(surface.faces))
    if len(whole.faces) == 0:
        return surface, 0
    halves, corners = whole.partners.open_halves(), whole.faces.reshape(-1)
    rim = np.unique(corners[np.concatenate([halves, head_corner(halves)])])
    if len(rim) == 0:
        return surface, 0
    close = cKDTree(surface.points[rim]).query_pairs(WELD * surface.scale, output_type="ndarray")
    if len(close) == 0:
        return surface, 0
    groups, label = label_groups(close, len(rim))
    first = np.full(groups, len(surface.points))
    np.minimum.at(first, label, rim)
    renamed = np.arange(len(surface.points))
    renamed[rim] = first[label]
    return Surface(surface.points, renamed.take(surface.faces), surface.rows, surface.table), len(rim) - groups


def _whole(faces: Ints) -> Bools:
    one, two, three = faces.T
    return np.asarray((one != two) & (two != three) & (three != one))


def without_collapsed(surface: Surface) -> tuple[Surface, int]:
    """Without faces that have a corner twice (their edges close over them)."""
    whole = _whole(surface.faces)
    if not whole.any():
        raise BadMeshError("every face of the mesh has lost its area (its corners lie at one place or on two)")
    return surface.kept(whole), int((~whole).sum())


def without_doubles(surface: Surface) -> tuple[Surface, int]:
    """One face where several lie on the same three vertices; none where they cancel.

    Faces cancel that lie back to back, as many one way as the other, in a wall between bodies or a fin on a surface
    that is closed without it: around such a wall the single faces are even in number. A mesh that is two-sided all over
    (or in a patch) has none or an odd number there, and keeps one side.
    """
    if not surface.partners.crowded and not _doubled(surface.partners.partner).any():
        return surface, 0
    group, size = face_groups(surface.faces)
    if len(size) == len(group):
        return surface, 0
    way = _ways(surface.faces)
    balance = np.bincount(group, way, len(size))
    first = np.full(len(size), len(group))
    usual = way * np.sign(balance)[group] >= 0
    np.minimum.at(first, group[usual], np.flatnonzero(usual))
    gone = _cancelling(surface.faces[first], balance == 0)
    keep = np.zeros(len(group), bool)
    keep[first[~gone]] = True
    if not keep.any():
        keep[first] = True
    return surface.kept(keep), int((~keep).sum())


def _doubled(partner: npt.NDArray[np.int32]) -> Bools:
    """[F] faces all of whose edges lie at one other face: where no edge has more than two faces, these are those on the
    same three vertices. partner: [3 F] of each half-edge."""
    one, two, three = (partner[k::3] // 3 for k in range(3))  # -1 at an open edge
    return np.asarray((one == two) & (two == three) & (one >= 0))


def _ways(faces: Ints) -> Floats:
    """[F] 1 when a face runs through its vertices in ascending cyclic order, else -1."""
    a, b, c = faces[:, 0], faces[:, 1], faces[:, 2]
    return np.where((a < b).astype(int) + (b < c) + (c < a) == 2, 1.0, -1.0)


def _cancelling(faces: Ints, even: Bools) -> Bools:
    """[G] which of the back-to-back groups ``even`` go, decided for whole walls by the single faces round them.

    faces: [G, 3] one face per group.
    """
    edges = find_edges(faces)
    owner = np.arange(3 * len(faces)) // 3
    single = np.bincount(edges.edge, ~even[owner], len(edges.count))
    vote = np.where(single == 0, 0.0, np.where(single % 2 == 0, 1.0, -1.0))[edges.edge]
    halves = edges.order[even[owner[edges.order]]]
    joined = edges.edge[halves[1:]] == edges.edge[halves[:-1]]
    walls, wall = label_groups(np.stack([owner[halves[1:]], owner[halves[:-1]]], axis=1)[joined], len(faces))
    votes = np.bincount(wall[owner], vote * even[owner], walls)
    return even & (votes > 0)[wall]


@dataclass(frozen=True)
class Dropped:
    """parts, faces: how many went; sheets: those of the parts that are open; sheet_area: of these together, world units
    squared."""

    parts: int = 0
    faces: int = 0
    sheets: int = 0
    sheet_area: float = 0.0


def without_floaters(surface: Surface, share: float) -> tuple[Surface, Dropped]:
    """Drop parts with less than ``share`` of the volume of the largest part; the largest always stays (bug 12).

    Where no part encloses a volume, areas are compared.
    """
    parts, labels = surface.parts
    if parts == 1 or share <= 0:
        return surface, Dropped()
    size, area = np.abs(surface.measures.volume), surface.measures.area
    if size.max() <= 1e-9 * area.max() ** 1.5:
        size = area
    keep = size >= share * size.max()
    keep[np.argmax(size)] = True
    kept = surface.kept_parts(keep)
    if kept is surface:
        return surface, Dropped()
    is_open = np.zeros(parts, bool)
    is_open[labels[surface.loose // 3]] = True
    is_open &= ~keep
    gone = len(surface.faces) - len(kept.faces)
    return kept, Dropped(int((~keep).sum()), gone, int(is_open.sum()), float(area[is_open].sum()))
