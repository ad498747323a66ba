"""Which camera took which view: the view's own, else the azimuth that was asked for, else its preset name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..data import Camera, View
from ..errors import BadViewsError
from ..geometry.camera import PRESETS
from ..geometry.frame import picture_camera

if TYPE_CHECKING:
    from . import Settings


def with_cameras(views: Sequence[View], settings: Settings) -> tuple[View, ...]:
    """The views, each with a camera. BadViewsError where a direction is unknown or the counts do not fit."""
    for what, values in (("azimuths", settings.azimuths), ("elevations", settings.elevations)):
        if values is not None and len(values) != len(views):
            raise BadViewsError(f"{len(values)} {what} were given for {len(views)} views; give one per view, in order")
    out = []
    for index, view in enumerate(views):
        if view.camera is None:
            height, width = view.mask.shape
            azimuth, elevation = _direction(views, index, settings)
            camera = picture_camera(width, height, azimuth, elevation, settings.field_of_view)
            view = replace(view, camera=camera)
        out.append(view)
    return tuple(out)


def camera_of(view: View) -> Camera:
    """The view's camera, for backends: the stage's face has given one to every view."""
    if view.camera is None:
        raise BadViewsError(f"view '{view.name}' has no camera; call reconstruct.reconstruct, which gives it one")
    return view.camera


def _direction(views: Sequence[View], index: int, settings: Settings) -> tuple[float, float]:
    """Azimuth and elevation in degrees of view ``index``."""
    name = views[index].name
    preset = PRESETS.get(name)
    if preset is None and settings.azimuths is None and len(views) == 1:
        preset = PRESETS["front"]  # one picture defines what the front is, whatever its file is called
    if preset is None and settings.azimuths is None:
        raise BadViewsError(
            f"the direction of view '{name}' is unknown; name the views {', '.join(PRESETS)} or give one azimuth per"
            " view in degrees (0 front, 90 right, 180 back, 270 left)"
        )
    azimuth = settings.azimuths[index] if settings.azimuths is not None else (preset or (0.0, 0.0))[0]
    if settings.elevations is not None:
        return azimuth, settings.elevations[index]
    named = preset is not None and settings.azimuths is None
    return azimuth, preset[1] if named and preset else 0.0
