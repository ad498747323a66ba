"""Fuse: meshes of one object, each made from its own view, into one solid.

Every mesh is laid over the best-fitting one (preset rotations as first guess, or FPFH + RANSAC), refined by ICP with
scale, judged by numbers, and only what agrees is blended. A view that does not fit is left out and named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import Mesh
from ..errors import BadMeshError, BadViewsError
from ..geometry.camera import PRESETS
from ..progress import Progress, silent
from .blend import blend, transformed
from .register import Registration, checked_prior, register
from .views import FusedView, align_views

__all__ = ["FusedView", "Fusion", "Registration", "fuse", "preset_rotation", "preset_rotations", "register"]

THRESHOLD = 0.5
"""Least share of two surfaces that must agree (within 3 % of the object's size) for a view to be taken."""

Transform = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Fusion:
    """mesh: one closed solid; views: as given; notes: every rejected view by name, every doubt."""

    mesh: Mesh
    views: tuple[FusedView, ...]
    notes: tuple[str, ...] = ()

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The views' transforms, rejected ones included."""
        return tuple(view.transform for view in self.views)


def preset_rotation(azimuth: float, elevation: float = 0.0) -> Transform:
    """[4, 4] that turns a mesh whose front (+z) was seen from ``azimuth``, ``elevation`` (degrees) into the world
    frame.
    """
    a, e = np.radians([azimuth, elevation])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(e), np.sin(e)], [0, -np.sin(e), np.cos(e)]])
    out = np.eye(4)
    out[:3, :3] = turn @ tilt
    return out


def preset_rotations(names: Sequence[str]) -> tuple[Transform | None, ...]:
    """Prior rotations of named views (front, right, back, left, top, bottom); None for a name that is no preset."""
    return tuple(preset_rotation(*PRESETS[name]) if name in PRESETS else None for name in names)


def fuse(
    meshes: Sequence[Mesh],
    *,
    names: Sequence[str] | None = None,
    rotations: Sequence[npt.ArrayLike | None] | None = None,
    threshold: float = THRESHOLD,
    resolution: int = 128,
    union: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fusion:
    """One solid from meshes that were each made from another view of one object.

    names: for messages (default view 1, view 2 ...). rotations: per mesh a prior [4, 4], its frame -> the common
    frame (``preset_rotations`` of the view names), or None where unknown: then the pose is searched. threshold: views
    whose fitness is lower are left out and named. resolution: cells along the longest side. union: keep whatever any
    view has, instead of the confidence-weighted majority. The result lies in the common frame of the priors, without
    priors in that of the reference view. Raises BadViewsError for no mesh or lists that do not match, BadMeshError
    for an unusable mesh.
    """
    progress = progress or silent()
    labels = _labels(meshes, names)
    priors = _priors(meshes, rotations)
    turned, said = outward(meshes, labels)
    views, notes = align_views(turned, labels, priors, threshold, seed, progress.part(0.0, 0.5))
    taken = [transformed(mesh, view.transform) for mesh, view in zip(turned, views, strict=True) if view.accepted]
    solid = blend(taken, resolution=resolution, union=union, progress=progress.part(0.5, 1.0))
    return Fusion(solid, tuple(views), (*said, *notes))


def _labels(meshes: Sequence[Mesh], names: Sequence[str] | None) -> list[str]:
    if len(meshes) == 0:
        raise BadViewsError("there is nothing to fuse: give at least one mesh")
    labels = [f"view {k + 1}" for k in range(len(meshes))] if names is None else [str(name) for name in names]
    if len(labels) != len(meshes):
        raise BadViewsError(f"{len(meshes)} meshes but {len(labels)} names; give one name a mesh")
    return labels


def _priors(meshes: Sequence[Mesh], rotations: Sequence[npt.ArrayLike | None] | None) -> list[Transform | None]:
    if rotations is None:
        return [None] * len(meshes)
    if len(rotations) != len(meshes):
        raise BadViewsError(f"{len(meshes)} meshes but {len(rotations)} rotations; give one a mesh, None where unknown")
    return [checked_prior(rotation) for rotation in rotations]


def outward(meshes: Sequence[Mesh], labels: Sequence[str]) -> tuple[list[Mesh], list[str]]:
    """The meshes with their faces looking outward, and a note for each that was inside out; BadMeshError names the
    view.
    """
    out, notes = [], []
    for mesh, label in zip(meshes, labels, strict=True):
        try:
            corners = mesh.checked().vertices[mesh.faces].astype(np.float64) - mesh.bounds.mean(axis=0)
        except BadMeshError as error:
            raise BadMeshError(f"{label}: {error}") from error
        volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum()
        if volume < 0:
            normals = None if mesh.vertex_normals is None else -mesh.vertex_normals
            mesh = mesh.replace(faces=mesh.faces[:, ::-1], vertex_normals=normals)
            notes.append(f"view '{label}' was inside out and was turned")
        out.append(mesh)
    return out, notes
