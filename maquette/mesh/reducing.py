"""Simplify: fewer faces, exactly as many as asked, without harming what clean and certify gave."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Mesh
from ..errors import BadInputError, MissingError, UnreachableTargetError
from ..log import log
from ..progress import Progress, silent
from .cleaning import clean
from .collapsing import collapsed
from .color import with_vertex_colors
from .folds import unfolded
from .holes import fill_holes
from .normals import smooth_normals
from .orientation import outward
from .parts import usable, without_collapsed, without_doubles, without_floaters
from .slivers import without_slivers
from .splitting import split
from .surface import Rows, Surface
from .thinning import thinned
from .topology import Ints, compacted, flat_faces

TOLERANCE = 0.02
"""How far the face count may be off, as a share of the target."""
_AGGRESSIVENESS = (3.0, 5.0, 7.0, 10.0)
_ROUNDS = 6
_MANY_TURNED = 0.005
"""Share of the faces above which the user should know."""


def simplify(mesh: Mesh, faces: int, *, progress: Progress | None = None) -> Mesh:
    """``mesh`` with ``faces`` triangles, within 2 %, closed and manifold where it was. Deterministic.

    Quadric error decimation (fast-simplification), from careful to aggressive until the count is met; edges it pinched
    are cut apart and closed again. Colours and confidence are taken from the nearest point of the original; a texture
    becomes vertex colours, for its uvs end with the old geometry (bake afterwards). A mesh that already has no more
    than ``faces`` comes back as it is. A mesh that is not manifold is cleaned first.

    Raises UnreachableTargetError when the shape cannot exist with so few faces (it says why), BadMeshError for an empty
    or corrupt mesh.
    """
    progress = progress or silent()
    mesh = mesh.checked()
    if faces < 4:
        raise BadInputError(f"a solid needs at least 4 faces; {faces} were asked for")
    if len(mesh.faces) <= faces:
        return mesh
    start = _manifold(mesh, progress.part(0.0, 0.2))
    if len(start.faces) <= faces:
        return start.look
    _refuse_impossible(start, faces)
    best = _reduced(start, faces, progress.part(0.2, 0.6))
    if best.parts[0] > start.parts:
        best = _unpinched(start, faces, progress.part(0.6, 0.9)) or best
    progress.update(0.9, 1, "simplify")
    smoothed, turned = unfolded(best, start.surface)
    if turned:  # a few beside creases are usual; with many the budget is too small for the shape
        advice = "; allow more faces" if turned > _MANY_TURNED * len(best.faces) else ""
        level = logging.WARNING if advice else logging.INFO
        log.log(level, "simplify: %d of %d faces look against the original%s", turned, len(best.faces), advice)
    if not flat_faces(smoothed.points, smoothed.faces, smoothed.scale).any():
        best = smoothed
    progress.update(0.95, 1, "simplify")
    return _dressed(best, start)


@dataclass(frozen=True)
class _Start:
    """surface: what is reduced; look: the mesh whose colours are carried over; parts; closed: no open edges."""

    surface: Surface
    look: Mesh
    parts: int
    closed: bool
    open_edges: int

    @property
    def faces(self) -> Ints:
        return self.surface.faces


def _manifold(mesh: Mesh, progress: Progress) -> _Start:
    """The welded surface of ``mesh``, repaired (never filled) when it is not manifold."""
    look = _with_colors(mesh)
    surface = usable(look)[0]
    if not _is_manifold(surface):
        plain = look.replace(uvs=None, texture=None, vertex_normals=None)
        repaired = clean(plain, floaters=0.0, fill_holes=False, progress=progress)
        for note in repaired.notes:
            log.info("before simplifying: %s", note)
        look = repaired.mesh
        surface = usable(look)[0]
    open_edges = len(surface.partners.open_halves())
    return _Start(surface, look, surface.parts[0], open_edges == 0, open_edges)


def _is_manifold(surface: Surface) -> bool:
    """Two faces at an edge at most, wound alike, one fan per vertex, and no flat faces."""
    if flat_faces(surface.points, surface.faces, surface.scale).any() or not surface.is_plain:
        return False
    return surface.fans[0] == len(compacted(surface.faces, len(surface.points))[0])


def _with_colors(mesh: Mesh) -> Mesh:
    """Vertex colours from the texture, where there is one: its uvs do not survive a change of geometry."""
    if mesh.texture is not None and mesh.uvs is not None:
        log.info("simplify: the texture becomes vertex colours, for its uvs end with the old geometry; bake afterwards")
    return with_vertex_colors(mesh)


def _refuse_impossible(start: _Start, faces: int) -> None:
    """Raise when topology alone forbids the target: a closed part of genus g has a least number of triangles."""
    if not start.closed:
        floor = start.parts
    else:
        vertices = len(compacted(start.faces, len(start.surface.points))[0])
        euler = vertices - len(start.faces) // 2  # three edges for two faces
        genus = max((2 * start.parts - euler) // 2, 0)
        floor = _least_faces(genus, start.parts)
    if faces * (1 + TOLERANCE) < floor:
        what = f"{start.parts} parts" if start.parts > 1 else "its shape"
        raise UnreachableTargetError(
            f"{faces} faces cannot be reached: {what} with its handles and tunnels needs at least {floor}; ask for"
            " more, or drop parts with Clean Mesh"
        )


def _least_faces(genus: int, parts: int) -> int:
    """Fewest triangles of closed surfaces: F = 2 V - 4 + 4 g, V >= (7 + sqrt(1 + 48 g)) / 2 (Jungerman, Ringel 1980).

    All handles are taken to be in one part, the other parts to be tetrahedra: a lower bound for every distribution.
    """
    vertices = 4 if genus == 0 else int(np.ceil((7 + np.sqrt(1 + 48 * genus)) / 2))
    return 2 * vertices - 4 + 4 * genus + 4 * (parts - 1)


def _reduced(start: _Start, faces: int, progress: Progress) -> Surface:
    """The library from careful to aggressive, mended each time; the careful collapse for what it leaves."""
    candidates: list[Surface] = []
    for index, aggressiveness in enumerate(_AGGRESSIVENESS):
        ask = faces
        for _ in range(_ROUNDS):
            progress.update(index, len(_AGGRESSIVENESS), "simplify")
            found = _mended(_library(start.surface, ask, aggressiveness), start)
            count = len(found.faces)
            if _met(count, faces):
                return found
            if count > faces:
                candidates.append(found)
                break
            ask += max(faces - count, 1)
        if candidates and len(candidates[-1].faces) - faces <= _BY_HAND:
            break
    nearest = min(candidates, key=lambda s: len(s.faces)) if candidates else start.surface
    finished = collapsed(nearest, faces, progress.part(0.5, 1.0))
    if not _met(len(finished.faces), faces):
        raise UnreachableTargetError(
            f"{faces} faces cannot be reached: {len(finished.faces)} are left when no edge can be collapsed without"
            f" harming the surface ({start.parts} parts, {start.open_edges} open edges); ask for more faces"
        )
    return finished


def _unpinched(start: _Start, faces: int, progress: Progress) -> Surface | None:
    """In as many parts as before, where the library cuts necks off: it goes as far as all hold, the rest is done by
    collapses that cannot part anything. None when that does not get there."""
    for factor in _FARTHER:
        near, ask = start.surface, factor * faces
        if ask < len(start.faces):
            near = _mended(_library(near, int(ask), _AGGRESSIVENESS[0]), start)
        if near.parts[0] <= start.parts and (near.edges.count == 2).all():
            made = thinned(near, faces, progress)
            return made if _met(len(made.faces), faces) else None
    return None


_FARTHER = (1.5, 2.0, 3.0, np.inf)
"""Faces that the library leaves, as a share of the target, until no neck is cut off."""
_BY_HAND = 3000
"""Faces too many that the careful collapse takes off rather than a more aggressive run of the library."""


def _met(count: int, faces: int) -> bool:
    return abs(count - faces) <= max(TOLERANCE * faces, 1)


def _library(surface: Surface, faces: int, aggressiveness: float) -> Surface:
    """One run of fast-simplification; it weighs area by quadrics and keeps open borders."""
    try:
        import fast_simplification
    except ImportError as error:
        raise MissingError("simplifying needs fast-simplification: pip install fast-simplification") from error
    used, index = compacted(surface.faces, len(surface.points))
    points, triangles = fast_simplification.simplify(
        np.ascontiguousarray(surface.points[used], np.float32),
        np.ascontiguousarray(index.reshape(-1, 3), np.int32),
        target_count=int(faces),
        agg=aggressiveness,
    )[:2]
    faces_out = np.asarray(triangles, np.int64)
    rows = np.zeros_like(faces_out)
    return Surface(np.asarray(points, np.float64), faces_out, rows, Rows(1))


def _mended(surface: Surface, start: _Start) -> Surface:
    """Undo the pinches that the library makes: cut them, drop the empty bubbles they leave, close what opened."""
    surface, _ = without_collapsed(surface)
    surface, _ = without_doubles(surface)
    surface, _ = without_slivers(surface)
    surface, added = split(surface)
    surface, _ = without_floaters(surface, _BUBBLE if surface.parts[0] <= start.parts else _CRUMB)
    if start.closed:
        surface = fill_holes(surface, silent()).surface
    return outward(surface)[0] if added else surface


_BUBBLE = 1e-6
"""Share of the largest part's volume below which a part is what a pinch left over."""
_CRUMB = 1e-4
"""The same where there are more parts than before: then a pinch has cut a thin tip off, which is no part of its own."""


def _dressed(surface: Surface, start: _Start) -> Mesh:
    """The reduced surface as a Mesh, with colours and confidence of the nearest points of the original."""
    from scipy.spatial import cKDTree

    used, index = compacted(surface.faces, len(surface.points))
    points: Any = surface.points[used]
    look = start.look
    given: dict[str, Any] = {}
    if look.vertex_colors is not None or look.confidence is not None:
        distance, near = cKDTree(look.vertices).query(points, k=3)
        weight = 1.0 / np.maximum(distance, 1e-9)
        weight /= weight.sum(axis=1, keepdims=True)
        for name in ("vertex_colors", "confidence"):
            values = getattr(look, name)
            if values is not None:
                given[name] = np.einsum("nk,nk...->n...", weight, values[near])
    mesh = Mesh(points, np.asarray(index.reshape(-1, 3), np.int32), material=look.material, **given)
    return smooth_normals(mesh) if look.vertex_normals is not None else mesh
