"""Between the model frame and the world frame, and which camera took the picture.

Assumption, stated once: the model puts the pictured object upright (z up), seen from +x by the camera of its own
demo renders: at distance 1.9 with a vertical field of view of 40 degrees, the subject's longer side taking 0.85 of the
frame, elevation 0. A view's camera gives the azimuth; elevation, scale and offset are then fitted to the mask.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from ...data import Camera
from ...geometry.camera import FIELD_OF_VIEW, orbit_distance

DISTANCE = 1.9
"""Of the camera in the model's frame."""


STEEP = 75.0
"""Degrees: a view from this far above or below is taken as a front view of the object lying down."""


def elevation_of(camera: Camera) -> float:
    """Degrees above the horizon at which the camera stands."""
    x, y, z = camera.position
    return math.degrees(math.atan2(y, math.hypot(x, z)))


def azimuth_of(camera: Camera) -> float:
    """Degrees from +z towards +x at which the camera stands; straight above it, which side its picture's foot shows."""
    x, _, z = camera.position
    if math.hypot(x, z) < 1e-6 * float(np.linalg.norm(camera.position)):
        x, z = -camera.cam_to_world[0, 1], -camera.cam_to_world[2, 1]
    return math.degrees(math.atan2(x, z))


def is_steep(camera: Camera) -> bool:
    """Whether the view is a top or bottom view."""
    return abs(elevation_of(camera)) >= STEEP


def to_world(camera: Camera) -> npt.NDArray[np.float64]:
    """[3, 3]: model point (row) @ this = world point, for the picture that ``camera`` took.

    The model's x goes towards the camera (along the ground, unless the view is steep), y to the picture's right, z up;
    an object of the demo's framing becomes about 1 long.
    """
    if is_steep(camera):
        right, up, back = camera.cam_to_world[:3, :3].T
    else:
        a = math.radians(azimuth_of(camera))
        right = np.array([math.cos(a), 0.0, -math.sin(a)])
        back, up = np.array([math.sin(a), 0.0, math.cos(a)]), np.array([0.0, 1.0, 0.0])
    axes: npt.NDArray[np.float64] = np.stack([back, right, up]).astype(np.float64)
    return axes * (orbit_distance(FIELD_OF_VIEW) / DISTANCE)


def to_model(camera: Camera) -> npt.NDArray[np.float64]:
    """[3, 3]: world point (row) @ this = model point; the inverse of ``to_world``."""
    scale = DISTANCE / orbit_distance(FIELD_OF_VIEW)
    return to_world(camera).T * scale**2
