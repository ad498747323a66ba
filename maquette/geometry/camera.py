"""Pinhole cameras on an orbit around the object, in the frames that ``data.py`` states."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Camera, FloatArray
from ..errors import BadInputError

FIELD_OF_VIEW = 40.0
"""Degrees, vertical: the stated default for a picture of unknown lens."""
FILL = 0.85
"""Share of the square frame that the subject's longer silhouette side takes after ``image.prepare``."""

PRESETS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "right": (90.0, 0.0),
    "back": (180.0, 0.0),
    "left": (270.0, 0.0),
    "top": (0.0, 90.0),
    "bottom": (0.0, -90.0),
}
"""View name -> (azimuth, elevation) in degrees. ``right`` looks from +x, the side at a viewer's right hand."""


def orbit_distance(field_of_view: float = FIELD_OF_VIEW, fill: float = FILL) -> float:
    """Distance at which an object of size 1 at the origin takes ``fill`` of the frame's height."""
    if not 5.0 <= field_of_view <= 120.0:
        raise BadInputError(f"the field of view must lie between 5 and 120 degrees, got {field_of_view}")
    return 0.5 / (fill * math.tan(math.radians(field_of_view) / 2))


def orbit_camera(
    azimuth: float,
    elevation: float = 0.0,
    size: int = 512,
    field_of_view: float = FIELD_OF_VIEW,
    distance: float | None = None,
) -> Camera:
    """A square camera that looks at the origin.

    azimuth: degrees from +z (front) towards +x; elevation: degrees above the horizon; size: pixels a side;
    distance: world units, default ``orbit_distance(field_of_view)``.
    """
    distance = orbit_distance(field_of_view) if distance is None else distance
    a, e = math.radians(azimuth), math.radians(elevation)
    right = np.array([math.cos(a), 0.0, -math.sin(a)])
    back = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    pose[:3, 3] = back * distance
    focal = 0.5 * size / math.tan(math.radians(field_of_view) / 2)
    return Camera(np.array([[focal, 0, size / 2], [0, focal, size / 2], [0, 0, 1]]), pose, size, size)


def preset_camera(name: str, size: int = 512, field_of_view: float = FIELD_OF_VIEW) -> Camera:
    """The orbit camera of a named view ("front", "right", "back", "left", "top", "bottom")."""
    if name not in PRESETS:
        raise BadInputError(f"there is no view '{name}'; choose from {', '.join(PRESETS)} or give azimuths in degrees")
    return orbit_camera(*PRESETS[name], size=size, field_of_view=field_of_view)


def project(camera: Camera, points: npt.ArrayLike) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """World points [N, 3] -> pixel coordinates [N, 2] (x right, y down) and z-depth [N] (positive in front)."""
    world_to_cam = np.linalg.inv(camera.cam_to_world)
    local = np.asarray(points, np.float64) @ world_to_cam[:3, :3].T + world_to_cam[:3, 3]
    depth = -local[:, 2]
    k = camera.intrinsics
    with np.errstate(divide="ignore", invalid="ignore"):
        x = k[0, 0] * local[:, 0] / depth + k[0, 2]
        y = -k[1, 1] * local[:, 1] / depth + k[1, 2]
    return np.stack([x, y], axis=1), depth


def pixel_rays(camera: Camera) -> tuple[FloatArray, FloatArray]:
    """Origin [3] and directions [H, W, 3] through the pixel centres, scaled so that z-depth 1 is one unit along."""
    k = camera.intrinsics
    x = (np.arange(camera.width) + 0.5 - k[0, 2]) / k[0, 0]
    y = -(np.arange(camera.height) + 0.5 - k[1, 2]) / k[1, 1]
    grid = np.stack([*np.meshgrid(x, y), -np.ones((camera.height, camera.width))], axis=-1)
    directions = grid @ camera.cam_to_world[:3, :3].T
    return camera.position.astype(np.float32), directions.astype(np.float32)


def moved(camera: Camera, scale: float, center: npt.ArrayLike) -> Camera:
    """The camera after the world became ``scale * (world - center)``: what it sees does not change."""
    pose = camera.cam_to_world.copy()
    pose[:3, 3] = scale * (pose[:3, 3] - np.asarray(center, np.float64))
    return Camera(camera.intrinsics, pose, camera.width, camera.height)


def resized(camera: Camera, width: int, height: int) -> Camera:
    """The same camera for a picture of another size."""
    k = camera.intrinsics.copy()
    k[0] *= width / camera.width
    k[1] *= height / camera.height
    return Camera(k, camera.cam_to_world, width, height)
