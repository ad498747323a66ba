"""Weights-free reconstruction: one view is inflated, several views are carved into a rounded visual hull.

Options (``Settings.options``): ``relief`` (1.0), how much of the shading of a single view becomes relief, 0 = none;
``exponent`` (2.3), roundness of the cross-sections of a hull: 2 ellipse, 4 and more box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..backends import Spec
from ..data import Mesh, Reconstruction, View
from ..geometry.camera import moved
from ..geometry.frame import normalising
from ..progress import Progress
from ._cameras import camera_of

if TYPE_CHECKING:
    from . import Settings

SPEC = Spec(
    name="silhouette",
    title="Silhouette (no weights)",
    summary="one view: a solid inflated from the mask; several views with known directions: a rounded visual hull",
    default_rank=50,
)


def reconstruct(views: Sequence[View], settings: Settings, progress: Progress) -> Reconstruction:
    """The solid whose silhouettes are the masks of ``views``; its appearance is the pictures, projected.

    BadViewsError names the view that contradicts the others. Figures ``scale`` and ``center`` say how the cameras'
    world became the mesh's: ``scale * (world - center)``.
    """
    shape = progress.part(0.0, 0.7)
    if len(views) == 1:
        mesh, notes, figures = _one(views[0], settings, shape)
    else:
        mesh, views, notes, figures = _several(views, settings, shape)
    scale, center = normalising(mesh.checked().vertices)
    mesh = mesh.replace(vertices=(mesh.vertices - center) * scale)
    placed = tuple(replace(v, camera=moved(camera_of(v), scale, center)) for v in views)
    progress.update(0.7, 1, "project photos")
    from ..appearance import ProjectedPhotos

    appearance = ProjectedPhotos(mesh, placed, device=settings.device)
    progress.update(1, 1, "reconstructed")
    figures |= {"resolution": settings.resolution, "scale": scale, "center": center.tolist()}
    return Reconstruction(mesh, appearance, placed, SPEC.name, tuple(notes), figures)


def _one(view: View, settings: Settings, progress: Progress) -> tuple[Mesh, list[str], dict[str, Any]]:
    from ..geometry.shading import shading_relief
    from ._silhouette.inflated import inflated_mesh
    from ._silhouette.masks import box_side, tidy_mask

    camera = camera_of(view)
    mask, notes = tidy_mask(view, box_side(view.mask) / settings.resolution)
    amount = float(settings.options.get("relief", 1.0))
    relief = amount * shading_relief(view.rgb, mask) if amount else None
    mesh, more, figures = inflated_mesh(mask, camera, settings.resolution, settings.device, progress, relief)
    return mesh, notes + more, figures


def _several(
    views: Sequence[View], settings: Settings, progress: Progress
) -> tuple[Mesh, list[View], list[str], dict[str, Any]]:
    from ._silhouette.carved import carved_mesh
    from ._silhouette.masks import box_side, tidy_mask

    masks, notes = [], []
    for view in views:
        mask, said = tidy_mask(view, box_side(view.mask) / settings.resolution)
        masks.append(mask)
        notes.extend(said)
    mesh, cameras, more, figures = carved_mesh(masks, views, settings, progress)
    seen = [replace(view, camera=camera) for view, camera in zip(views, cameras, strict=True)]
    return mesh, seen, notes + more, figures
