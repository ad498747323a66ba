"""The working form of a mesh while it is repaired: welded topology, with every corner remembering its attributes.

A textured mesh has its vertices split along the seams of its texture. Repair must not see those seams as holes, and
must not lose them either. So faces index welded points, and beside each corner stands the row of an attribute table
that belongs to it; writing the mesh back splits the points again where the rows differ in their uv.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Mesh
from ..geometry.welding import weld_equal
from ..native import extension
from .pairing import paired_halves
from .topology import (
    Bools,
    Edges,
    Floats,
    Ints,
    Measures,
    Partners,
    compacted,
    face_components,
    face_crosses,
    fans,
    find_edges,
    magnitude,
    measures,
)


@dataclass(frozen=True)
class Rows:
    """Attributes by row, [R, C] or [R] float32 each, None where the mesh has none (names as in Mesh)."""

    count: int
    vertex_normals: npt.NDArray[np.float32] | None = None
    vertex_colors: npt.NDArray[np.float32] | None = None
    uvs: npt.NDArray[np.float32] | None = None
    confidence: npt.NDArray[np.float32] | None = None

    def present(self) -> dict[str, npt.NDArray[np.float32]]:
        """The attributes that exist."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "count"}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Surface:
    """points: [U, 3] float64; faces: [F, 3] into points; rows: [F, 3] into ``table``.

    What is derived is computed once per surface, and a surface never changes.
    """

    points: Floats
    faces: Ints
    rows: Ints
    table: Rows

    @cached_property
    def edges(self) -> Edges:
        """Its edges; no face may repeat a vertex."""
        return find_edges(self.faces)

    @cached_property
    def partners(self) -> Partners:
        """Which half-edges lie on one edge: most that is asked of ``edges``, in half the time."""
        family = extension("topology")
        if "edges" in self.__dict__ or family.method() != "native":  # the twin makes them of the edges
            e = self.edges
            known = e.ends, e.count, e.edge, e.forward, e.order, e.start
            return Partners(*family.reference.partners(self.faces, known))
        return Partners(*family.partners(self.faces))

    @cached_property
    def parts(self) -> tuple[int, Ints]:
        """(count, part of each face), by common edges."""
        if self.partners.crowded:
            return face_components(self.faces, self.edges)
        found: tuple[int, Ints] = extension("topology").joined(self.partners.partner)
        return found

    @cached_property
    def fans(self) -> tuple[int, Ints]:
        """(count, umbrella fan of each corner), by ``links``: a vertex with two fans is not manifold."""
        if not self.is_plain:
            return fans(self.faces, self.links)
        found: tuple[int, Ints] = extension("topology").turns(self.partners.partner)
        return found

    @cached_property
    def links(self) -> Ints:
        """[L, 2] half-edges that belong together (pairing.paired_halves)."""
        return paired_halves(self.points, self.faces, self.edges)

    @cached_property
    def is_plain(self) -> bool:
        """No edge has more than two faces, and where it has two they agree on which side is outside."""
        return self.partners.plain

    @cached_property
    def loose(self) -> Ints:
        """Half-edges in no link, ascending: those at holes."""
        if self.is_plain:
            return self.partners.open_halves()
        free = np.ones(self.faces.size, bool)
        free[self.links.reshape(-1)] = False
        return np.flatnonzero(free)

    @cached_property
    def measures(self) -> Measures:
        """Volumes and areas of its ``parts`` and faces."""
        return measures(self.points, self.faces, self.parts[1], self.parts[0])

    @cached_property
    def scale(self) -> float:
        """The size that float32 rounding goes by (topology.magnitude)."""
        return magnitude(self.points)

    def _with(self, faces: Ints, rows: Ints, **derived: Any) -> Surface:
        """Other faces on the same points: what only depends on these, and what is known of the faces, comes along."""
        made = replace(self, faces=faces, rows=rows)
        if "scale" in self.__dict__:
            derived["scale"] = self.scale
        made.__dict__.update(derived)
        return made

    def with_parts(self, count: int, labels: Ints) -> Surface:
        """Itself, with ``parts`` known from the surface it was made of."""
        known = {k: self.__dict__[k] for k in ("edges", "partners", "links", "loose") if k in self.__dict__}
        return self._with(self.faces, self.rows, parts=(count, labels), **known)

    def recut(self, points: Floats, faces: Ints) -> Surface:
        """The same faces, linked as they are, with other points at some corners."""
        made = replace(self, points=points, faces=faces)
        if self.is_plain:  # no two edges can have become one, nor one two
            made.__dict__.update(partners=self.partners, loose=self.loose, parts=self.parts)
        return made

    def kept(self, mask: Bools) -> Surface:
        """Only the faces of ``mask``."""
        if mask.all():
            return self
        return self._with(self.faces.compress(mask, axis=0), self.rows.compress(mask, axis=0))

    def kept_parts(self, which: Bools) -> Surface:
        """Only the parts ``which`` [parts]; what is known of them comes along."""
        mask = which.take(self.parts[1])
        if mask.all():
            return self
        place, loose, known = np.cumsum(mask) - 1, self.loose, self.measures
        loose = loose[mask.take(loose // 3)]
        rename = np.cumsum(which) - 1
        return self._with(
            self.faces.compress(mask, axis=0),
            self.rows.compress(mask, axis=0),
            parts=(int(which.sum()), rename.take(self.parts[1].compress(mask))),
            loose=3 * place.take(loose // 3) + loose % 3,
            measures=Measures(known.volume[which], known.area[which], known.vector[which], known.face_area[mask]),
        )

    def flipped(self, mask: Bools) -> Surface:
        """With the faces of ``mask`` turned over."""
        if not mask.any():
            return self
        faces, rows = self.faces.copy(), self.rows.copy()
        faces[mask], rows[mask] = faces[mask][:, ::-1], rows[mask][:, ::-1]
        return self._with(faces, rows)

    def joined(self, faces: Ints, rows: Ints) -> Surface:
        """With more faces."""
        return self._with(np.concatenate([self.faces, faces]), np.concatenate([self.rows, rows]))


def table_of(mesh: Mesh) -> Rows:
    """One row per vertex of ``mesh``."""
    return Rows(len(mesh.vertices), mesh.vertex_normals, mesh.vertex_colors, mesh.uvs, mesh.confidence)


def to_mesh(surface: Surface, like: Mesh) -> Mesh:
    """The surface as a Mesh with the texture and material of ``like``; unused points are gone."""
    corners, rows = surface.faces.reshape(-1), surface.rows.reshape(-1)
    uvs = surface.table.uvs
    if uvs is None:
        used, index = compacted(corners, len(surface.points))
        points: Any = surface.points if len(used) == len(surface.points) else surface.points[used]
    else:
        key = np.column_stack([corners.astype(np.float64), uvs[rows].astype(np.float64)])
        first, index = weld_equal(key)
        points = surface.points[corners[first]]
    index = index.reshape(-1)
    given: dict[str, Any] = {
        name: _mean(value[rows], index, len(points)) for name, value in surface.table.present().items()
    }
    if uvs is not None:
        given["uvs"] = uvs[rows[first]]
    faces: Any = index.reshape(-1, 3)
    if "vertex_normals" in given:
        given["vertex_normals"] = _mended_normals(given["vertex_normals"], points, faces)
    texture = like.texture if uvs is not None else None
    return Mesh(points, faces, texture=texture, material=like.material, **given)


def welded_mesh(surface: Surface) -> Mesh:
    """The geometry alone, each point once."""
    used, index = compacted(surface.faces, len(surface.points))
    points: Any = surface.points[used]
    faces: Any = index
    return Mesh(points, faces)


def _mean(values: npt.NDArray[Any], index: Ints, count: int) -> Floats:
    """[count, ...] the mean of the corner values that meet in each vertex."""
    weight = np.maximum(np.bincount(index, minlength=count), 1)
    columns = values.reshape(len(values), -1)
    out = np.stack([np.bincount(index, columns[:, k], count) for k in range(columns.shape[1])], axis=1)
    return (out / weight[:, None]).reshape(count, *values.shape[1:])


def vertex_normals(points: npt.NDArray[Any], faces: npt.NDArray[Any]) -> Floats:
    """[V, 3] unit normals, each face weighted by its angle at the vertex (Thuermer and Wuethrich 1998)."""
    points = points.astype(np.float64, copy=False)
    unit = face_crosses(points, faces)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), np.finfo(float).tiny)
    corner = points[faces]
    ahead, behind = corner[:, [1, 2, 0]] - corner, corner[:, [2, 0, 1]] - corner
    lengths = np.linalg.norm(ahead, axis=2) * np.linalg.norm(behind, axis=2)
    cosine = np.einsum("fki,fki->fk", ahead, behind) / np.maximum(lengths, np.finfo(float).tiny)
    angle = np.arccos(np.clip(cosine, -1.0, 1.0)).reshape(-1)
    index, spread = faces.reshape(-1), np.repeat(unit, 3, axis=0)
    total = np.stack([np.bincount(index, angle * spread[:, k], len(points)) for k in range(3)], axis=1)
    length = np.linalg.norm(total, axis=1, keepdims=True)
    return np.where(length > 0, total / np.where(length > 0, length, 1.0), np.array([0.0, 1.0, 0.0]))


def _mended_normals(given: Floats, points: Floats, faces: Ints) -> Floats:
    """The carried normals as unit vectors; those that are missing or point into the surface are computed anew."""
    fresh = vertex_normals(points, faces)
    length = np.linalg.norm(given, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > 1e-6)
    unit = np.where(usable, given / np.where(usable, length, 1.0), fresh)
    return np.where(np.einsum("vi,vi->v", unit, fresh)[:, None] > 0, unit, fresh)
