"""The world frame: cameras for pictures of any shape, and the size of a mesh that leaves a reconstruction."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data import Camera
from ..errors import BadMeshError
from .camera import FIELD_OF_VIEW, orbit_camera


def picture_camera(
    width: int, height: int, azimuth: float = 0.0, elevation: float = 0.0, field_of_view: float = FIELD_OF_VIEW
) -> Camera:
    """The orbit camera of a picture of any shape: the square around the picture is what ``orbit_camera`` sees."""
    camera = orbit_camera(azimuth, elevation, size=max(width, height), field_of_view=field_of_view)
    k = camera.intrinsics.copy()
    k[0, 2], k[1, 2] = width / 2, height / 2
    return Camera(k, camera.cam_to_world, width, height)


def normalising(vertices: npt.ArrayLike) -> tuple[float, npt.NDArray[np.float64]]:
    """``(scale, center)`` so that ``scale * (vertices - center)`` is centred and its longest side is 1.

    vertices: [V, 3], finite and not all in one point.
    """
    points = np.asarray(vertices, np.float64).reshape(-1, 3)
    if len(points) == 0:
        raise BadMeshError("an empty mesh has no size; the step before it found no surface")
    low, high = points.min(axis=0), points.max(axis=0)
    longest = float((high - low).max())
    if not np.isfinite(longest) or longest <= 0.0:
        raise BadMeshError(f"the mesh cannot be scaled to size 1: its longest side is {longest}")
    return 1.0 / longest, (low + high) / 2
