"""Views of one object -> a mesh and its appearance. A backend is one file of this folder.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def reconstruct(views: Sequence[View], settings: Settings, progress: Progress) -> Reconstruction

It may rely on this: there is at least one view, every view has a camera, every mask is finite and not empty. It may
work in any similarity of the world frame: ``reconstruct`` below scales what comes back (mesh, cameras, appearance) to
longest side 1, centred.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np

from ..backends import choose, discover, missing_reason
from ..data import Appearance, Reconstruction, View
from ..errors import BadInputError, BadMaskError, BadViewsError
from ..geometry.camera import FIELD_OF_VIEW, moved
from ..geometry.frame import normalising
from ..log import log
from ..progress import Progress, silent
from ._cameras import with_cameras
from ._moved import MovedAppearance

RESOLUTIONS = (8, 2048)
"""Lowest and highest grid resolution that is sensible to ask for."""


@dataclass(frozen=True)
class Settings:
    """What the user may ask of any backend; a backend ignores what has no meaning for it.

    resolution: cells along the longest side of the extraction grid; field_of_view: degrees, vertical, for views without
    a camera; azimuths, elevations: degrees, one per view, for views without a camera (``None``: by the view's preset
    name); threshold: density level of the surface, or "adaptive"; device: where networks run; vram_budget_mb: GPU
    megabytes that may be used, None = all that is free; models_dir: folder of weights; options: for one backend only,
    documented there.
    """

    resolution: int = 128
    field_of_view: float = FIELD_OF_VIEW
    azimuths: tuple[float, ...] | None = None
    elevations: tuple[float, ...] | None = None
    seed: int = 0
    threshold: str | float = "adaptive"
    device: str = "cpu"
    vram_budget_mb: int | None = None
    models_dir: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


def names() -> tuple[str, ...]:
    """All backends, available or not, in the order in which ``auto`` prefers them."""
    found = discover(__name__, list(__path__))
    return tuple(sorted(found, key=lambda name: (found[name].SPEC.default_rank, name)))


def load(name: str) -> ModuleType:
    """The backend's module; ``auto`` = the best available one. BadInputError, MissingError when there is none."""
    return choose(discover(__name__, list(__path__)), name, "reconstruct")


def unavailable(name: str) -> str:
    """Empty when backend ``name`` can run now, else the sentence that says what is missing."""
    return missing_reason(discover(__name__, list(__path__))[name])


def reconstruct(
    views: Sequence[View],
    backend: str = "auto",
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Reconstruction:
    """The object that ``views`` show.

    views: prepared pictures (``image.prepare``) of one object; those without a camera get one from ``settings`` or
    their preset name. Gives a mesh in the world frame (centred, longest side 1) and the views with their cameras in
    that frame. Raises BadViewsError, BadMaskError, BadInputError, MissingError and what ``progress.check`` raises.
    """
    settings, progress = settings or Settings(), progress or silent()
    _check_settings(settings)
    _check_views(views)
    module = load(backend)
    progress.check()
    made = module.reconstruct(with_cameras(views, settings), settings, progress)
    for note in made.notes:
        log.info("%s: %s", made.backend, note)
    return normalised(made)


def normalised(made: Reconstruction) -> Reconstruction:
    """``made`` with mesh, cameras and appearance moved together so that the mesh is centred, longest side 1."""
    mesh = made.mesh.checked()
    scale, center = normalising(mesh.vertices)
    if abs(scale - 1.0) < 1e-6 and float(np.abs(center).max()) < 1e-6:
        return made
    views = tuple(replace(v, camera=moved(v.camera, scale, center)) if v.camera else v for v in made.views)
    vertices = (mesh.vertices.astype(np.float64) - center) * scale
    appearance: Appearance = MovedAppearance(made.appearance, scale, (center[0], center[1], center[2]))
    return replace(made, mesh=mesh.replace(vertices=vertices), appearance=appearance, views=views)


def _check_settings(settings: Settings) -> None:
    low, high = RESOLUTIONS
    if not low <= settings.resolution <= high:
        raise BadInputError(f"the resolution must lie between {low} and {high}, got {settings.resolution}")
    if not 5.0 <= settings.field_of_view <= 120.0:
        raise BadInputError(f"the field of view must lie between 5 and 120 degrees, got {settings.field_of_view}")


def _check_views(views: Sequence[View]) -> None:
    if not views:
        raise BadViewsError("there are no views; give at least one picture of the object")
    for view in views:
        if not np.isfinite(view.mask).all():
            raise BadMaskError(f"view '{view.name}': the mask holds NaN or infinite values; make it again")
        if float(view.mask.max()) < 0.5:
            raise BadMaskError(
                f"view '{view.name}': the mask is empty (its largest value is {float(view.mask.max()):.2f}, the subject"
                " needs values above 0.5); run Segment on the picture or give another mask"
            )
