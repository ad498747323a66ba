"""Lay a picture's subject over a mesh: the camera's zoom and shift from the two silhouettes' boxes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..data import Camera, Mesh, View
from ..errors import BadViewsError
from .camera import FIELD_OF_VIEW, PRESETS, moved, project
from .frame import normalising, picture_camera

_SEEN = 0.5


def views_on(mesh: Mesh, views: Sequence[View], field_of_view: float = FIELD_OF_VIEW) -> tuple[View, ...]:
    """``views`` with cameras that see ``mesh`` where the pictures show their subject; cameras that are there stay.

    mesh: anywhere and of any size, front to +z: it is seen as the world frame would have it, about the origin and of
    size 1, and the cameras are carried back. The direction is the view's name: a preset (front, right, back, left, top,
    bottom) or degrees (0 = front, 90 = from the viewer's right). BadViewsError for other names.
    """
    points = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    scale, center = normalising(points)
    points = scale * (points - center)
    out = []
    for view in views:
        if view.camera is None:
            height, width = view.mask.shape
            camera = picture_camera(width, height, *_direction(view.name), field_of_view)
            camera = fitted_camera(camera, points, view.mask)
            view = replace(view, camera=moved(camera, 1 / scale, -scale * center))
        out.append(view)
    return tuple(out)


def _direction(name: str) -> tuple[float, float]:
    """Azimuth and elevation in degrees."""
    if name in PRESETS:
        return PRESETS[name]
    try:
        return float(name), 0.0
    except ValueError:
        raise BadViewsError(
            f"the direction of view '{name}' is unknown; name it {', '.join(PRESETS)} or give degrees (0 = front)"
        ) from None


def fitted_camera(camera: Camera, points: npt.ArrayLike, mask: npt.ArrayLike) -> Camera:
    """``camera`` zoomed and shifted so that ``points`` [N, 3] (world) fill the box of ``mask`` [H, W] (1 = subject).

    Where the camera stands and looks does not change. One zoom for both directions, from the box's longer side, as a
    picture cannot tell more. BadViewsError when the mask is empty or a point lies behind the camera.
    """
    seen = np.asarray(mask) >= _SEEN
    if not seen.any():
        raise BadViewsError("the mask of a view is empty, so its picture cannot be laid over the mesh")
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    low, high = np.array([columns[0], rows[0]]), np.array([columns[-1], rows[-1]]) + 1
    pixels, depth = project(camera, points)
    if not (depth > 0).all():
        raise BadViewsError("the mesh reaches behind the camera; move the camera away or check its direction")
    first, last = pixels.min(axis=0), pixels.max(axis=0)
    zoom = float((high - low).max() / max(float((last - first).max()), 1e-9))
    k = camera.intrinsics.copy()
    k[:2, :2] *= zoom
    k[:2, 2] = (low + high) / 2 + zoom * (k[:2, 2] - (first + last) / 2)
    return Camera(k, camera.cam_to_world, camera.width, camera.height)
