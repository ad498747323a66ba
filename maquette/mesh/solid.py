"""The last resort that always gives a solid: extract the surface anew from inside and outside.

Closed parts, also overlapping and self-crossing ones, are decided by the winding number (geometry/winding.py). What
encloses nothing, or is thinner than a cell - sheets, strips, rubble - becomes a shell of a little more than a cell's
thickness. Both are united, and rooms inside are filled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Mesh
from ..errors import BadInputError, BadMeshError
from ..geometry.closest import ClosestSurface
from ..progress import Progress
from .color import with_vertex_colors
from .distances import surface_samples
from .orientation import outward
from .parts import usable
from .surface import Surface, vertex_normals, welded_mesh
from .topology import Bools, Floats, Ints, compacted, touching
from .uniting import united

if TYPE_CHECKING:
    import torch

_SHELL = 1.2
"""Half the thickness of a shell, in cells: below one cell it could fall between the lattice's points."""
MISSED = 2.0
"""A face farther than this many cells from the extracted solid, and outside it, was lost."""
_STRAY = 0.01
"""Pieces are believed to make up one body when at most this share of their faces does not show on it."""
_SPACING = 0.35
"""Distance between the points that stand for a sheet, in cells."""


def solid_of(surface: Surface, resolution: int, progress: Progress) -> tuple[Surface, list[str], float]:
    """``surface`` as closed 2-manifolds without attributes. Returns (surface, notes, cell width).

    surface: its closed parts must be oriented; open parts may be anything. Raises BadMeshError when it has no extent or
    the cells are too coarse for it.
    """
    side = float(np.ptp(surface.points[surface.faces], axis=(0, 1)).max())
    if side <= 0:
        raise BadMeshError("all vertices of the mesh lie at one point; there is nothing to make solid")
    cell = side / resolution
    made = _body(surface, resolution, progress.part(0.0, 0.4))
    lost = _lost(surface, made, MISSED * cell)
    notes = []
    if made is not None:
        notes.append(f"the surface was extracted anew at {resolution} cells: details below {cell:.3g} are gone")
    if lost.any():
        shell = _shell(surface.kept(lost), cell, progress.part(0.4, 0.9))
        made = shell if made is None else _together(made, shell)
        what = "the mesh encloses nothing" if lost.all() else f"{int(lost.sum())} faces enclose nothing"
        notes.append(f"{what}: they were given a thickness of {2 * _SHELL * cell:.3g}")
    if made is None:
        raise BadMeshError(f"no solid could be made of the mesh at {resolution} cells; raise the resolution")
    return _filled(made), notes, cell


def sewn(surface: Surface, resolution: int, progress: Progress) -> tuple[Surface, float] | None:
    """One body from open pieces that are wound alike and have cracks between them, as (surface, cell width): their
    winding number needs no common edges. None when they enclose nothing together, or it does not show them all."""
    side = float(np.ptp(surface.points[surface.faces], axis=(0, 1)).max())
    made = _enclosed(surface, resolution, progress) if side > 0 else None
    if made is None:
        return None
    cell = side / resolution
    lost = _lost(surface, made, MISSED * cell)
    return (made, cell) if np.count_nonzero(lost) <= _STRAY * len(lost) else None


def _body(surface: Surface, resolution: int, progress: Progress) -> Surface | None:
    """What the closed parts enclose, extracted anew; None when that is nothing."""
    open_edge = surface.edges.count % 2 == 1
    parts, labels = surface.parts
    is_open = np.zeros(parts, bool)
    is_open[labels[np.flatnonzero(open_edge[surface.edges.edge]) // 3]] = True
    closed = surface.kept(~is_open[labels])
    if len(closed.faces) == 0:
        return None
    spans = [float(np.ptp(s.points[s.faces], axis=(0, 1)).max()) for s in (closed, surface)]
    return _enclosed(closed, int(np.clip(round(resolution * spans[0] / spans[1]), 8, 2048)), progress)


def _enclosed(surface: Surface, cells: int, progress: Progress) -> Surface | None:
    """The surface of the places it winds round, rooms inside filled; None when there are none."""
    from ..geometry.winding import solidify

    try:
        return usable(solidify(welded_mesh(surface), resolution=cells, fill_cavities=True, progress=progress).mesh)[0]
    except BadInputError:
        return None


def _lost(surface: Surface, made: Surface | None, near: float) -> Bools:
    """[F] faces that the extracted solid neither shows nor contains."""
    from scipy.spatial import cKDTree

    if made is None:
        return np.ones(len(surface.faces), bool)
    middle = surface.points.take(surface.faces, axis=0).mean(axis=1)
    far = np.flatnonzero(~_beside(middle, made.points, near))
    distance, nearest = cKDTree(made.points).query(middle[far]) if len(far) else (np.zeros(0), far)
    far, nearest = far[distance > near], nearest[distance > near]
    lost = np.zeros(len(middle), bool)
    if len(far):
        asked = np.zeros(len(made.points), bool)
        asked[nearest] = True
        normal = vertex_normals(made.points, made.faces[touching(made.faces, asked)])[nearest]
        away = middle[far] - made.points[nearest]
        lost[far] = np.einsum("fi,fi->f", away, normal) > 0
    return lost


def _beside(places: Floats, points: Floats, near: float) -> Bools:
    """[N] places that share a box with some point, so that they are within ``near`` of it: found without a search."""
    low = np.minimum(points.min(axis=0), places.min(axis=0))
    size = near / 3**0.5 * (1 - 1e-9)
    shape = ((np.maximum(points.max(axis=0), places.max(axis=0)) - low) / size).astype(np.int64) + 1
    if shape.astype(float).prod() > _MOST_BOXES:
        return np.zeros(len(places), bool)
    taken = np.zeros(int(shape.prod()), bool)
    taken[_boxes(points, low, size, shape)] = True
    return np.asarray(taken.take(_boxes(places, low, size, shape)))


_MOST_BOXES = 1 << 28


def _boxes(points: Floats, low: Floats, size: float, shape: Ints) -> Ints:
    """[N] the number of the box of each point."""
    x, y, z = (((points[:, k] - low[k]) / size).astype(np.int64) for k in range(3))
    return (x * shape[1] + y) * shape[2] + z


def _shell(surface: Surface, cell: float, progress: Progress) -> Surface:
    """Everything within ``_SHELL`` cells of the faces."""
    import torch

    from ..geometry.extract import extract

    points = surface.points[surface.faces]
    area = float(np.linalg.norm(np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0]), axis=1).sum() / 2)
    count = int(np.clip(area / (_SPACING * cell) ** 2, 1000, 4_000_000))
    cloud = np.concatenate([_rims(surface, _SPACING * cell), surface_samples(surface.points, surface.faces, count)[0]])
    distance = _Cloud(cloud, cell)
    reach = _SHELL * cell

    def field(where: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(reach - distance(where.numpy()), np.float32))

    lower, upper = points.min(axis=(0, 1)) - 4 * cell, points.max(axis=(0, 1)) + 4 * cell
    shape = np.ceil((upper - lower) / cell).astype(int) + 1
    upper = lower + (shape - 1) * cell
    size = (int(shape[0]), int(shape[1]), int(shape[2]))
    vertices, faces, _ = extract(
        field, lower=lower.tolist(), upper=upper.tolist(), resolution=size, slope=1.0, progress=progress
    )
    if len(faces) == 0:
        raise BadMeshError(f"no solid could be made of the mesh with cells of {cell:.3g}; raise the resolution")
    return usable(Mesh(vertices.numpy(), faces.numpy().astype(np.int32)))[0]


class _Cloud:
    """Distance to the nearest of many points: true within a few cells, a lower bound farther away.

    A k-d tree is slow where thousands of points are almost equally far, so far places ask a coarse tree only.
    """

    def __init__(self, points: Floats, cell: float) -> None:
        from scipy.spatial import cKDTree

        box = 4.0 * cell
        low = points.min(axis=0)
        boxes = np.unique(((points - low) / box).astype(np.int64), axis=0)
        self._slack, self._near = 0.5 * 3**0.5 * box, 6.0 * cell
        self._coarse, self._fine = cKDTree(low + (boxes + 0.5) * box), cKDTree(points)

    def __call__(self, where: Any) -> Any:
        """[N] for places [N, 3]."""
        out = self._coarse.query(where)[0] - self._slack
        near = np.flatnonzero(out < self._near)
        bound = self._near + 2 * self._slack + 1e-9
        out[near] = self._fine.query(where[near], distance_upper_bound=bound)[0]
        return out


def _rims(surface: Surface, spacing: float) -> Floats:
    """Points along all edges, at most ``spacing`` apart: thin faces have too little area to be sampled by it."""
    ends = surface.points[surface.edges.ends]
    steps = np.ceil(np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / spacing).astype(np.int64) + 1
    steps = np.minimum(steps, 4096)
    owner = np.repeat(np.arange(len(ends)), steps)
    place = np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps)
    share = (place / np.maximum(steps - 1, 1)[owner])[:, None]
    return ends[owner, 0] * (1 - share) + ends[owner, 1] * share


def _together(one: Surface, two: Surface) -> Surface:
    """Both in one surface, united where they overlap."""
    points = np.concatenate([one.points, two.points])
    faces = np.concatenate([one.faces, two.faces + len(one.points)])
    return united(Surface(points, faces, np.zeros_like(faces), one.table))[0]


def _filled(surface: Surface) -> Surface:
    """Without the parts that are rooms inside others."""
    surface, _ = outward(surface)
    room = surface.measures.volume < 0
    return surface if room.all() else surface.kept(~room[surface.parts[1]])


def colored_like(surface: Surface, mesh: Mesh) -> Mesh:
    """The surface as a Mesh with colours and confidence of the nearest points of ``mesh`` (its texture is sampled)."""
    look = with_vertex_colors(mesh)
    used, index = compacted(surface.faces, len(surface.points))
    points: Any = surface.points[used]
    faces: Any = index
    given: dict[str, Any] = {}
    if look.vertex_colors is not None or look.confidence is not None:
        look = look.replace(faces=_usable_faces(look))
        hits = ClosestSurface(look.replace(vertices=np.nan_to_num(look.vertices))).query(points)
        corners = look.faces[hits.face]
        for name in ("vertex_colors", "confidence"):
            values = getattr(look, name)
            if values is not None:
                given[name] = np.einsum("nk,nk...->n...", hits.bary, values[corners])
    return Mesh(points, faces, material=look.material, **given)


def _usable_faces(mesh: Mesh) -> Any:
    """The faces with vertices that exist and are finite."""
    inside = mesh.faces[((mesh.faces >= 0) & (mesh.faces < len(mesh.vertices))).all(axis=1)]
    finite: Bools = np.asarray(np.isfinite(mesh.vertices).all(axis=1))
    return inside[finite[inside].all(axis=1)]
