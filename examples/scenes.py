"""All example objects by name: their signed distances (ground truth for benchmarks and tests) and their cameras.

World frame of the pack: y up, front towards +z, centred, longest side 1::

    from examples.scenes import sdf
    inside = sdf("car")(points) < 0  # points: [N, 3]
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from maquette.data import Camera
from maquette.geometry.camera import orbit_camera, orbit_distance, project

from .scene import Scene

NAMES = ("barrel", "cactus", "car", "chair", "duck", "fox", "lamp", "mug", "mushroom", "rocket", "teapot")
SETS = ("car", "fox")
"""Objects that were photographed from front, right, back and left with the pack's preset cameras, a little farther
away (``Scene.zoom``), so that their nearer side stays inside of the frame."""
PHOTOS = ("duck",)
"""Objects shown on a table in a room, without alpha."""
FILL = 0.88
"""Share of the frame that the longer side of a single picture's subject takes."""
ROOM_FILL = 0.68
"""The same for a photo, which shows more of the room."""


def scene(name: str) -> Scene:
    """The scene called ``name``; KeyError for another name."""
    if name not in NAMES:
        raise KeyError(f"there is no example '{name}'; choose from {', '.join(NAMES)}")
    found: Scene = importlib.import_module(f"{__package__}.subjects.{name}").SCENE
    return found


def sdf(name: str) -> Callable[[npt.ArrayLike], npt.NDArray[np.float32]]:
    """points [N, 3] in the world frame -> signed distance [N], negative inside. The sign is exact."""
    return scene(name).sdf


def cameras(name: str, size: int = 640) -> dict[str, Camera]:
    """The camera of each picture of ``name`` ("" for a single one): presets for a set, else one that frames it well."""
    found = scene(name)
    if name in SETS:
        away = orbit_distance() * found.zoom
        return {view: orbit_camera(*angles, size=size, distance=round(away, 4)) for view, angles in found.shots.items()}
    return {view: _framing(found, *angles, size=size) for view, angles in found.shots.items()}


def surface_points(name: str, count: int = 48) -> npt.NDArray[np.float32]:
    """[N, 3] lattice points near the surface: enough to know where the object ends in any direction."""
    axis = np.linspace(-0.55, 0.55, count, dtype=np.float32)
    lattice = np.stack([a.ravel() for a in np.meshgrid(axis, axis, axis, indexing="ij")], axis=1)
    return lattice[np.abs(scene(name).sdf(lattice)) < 0.6 * (axis[1] - axis[0])]


def _framing(found: Scene, azimuth: float, elevation: float, size: int) -> Camera:
    """An orbit camera so far away that the longer side of what it sees takes ``FILL`` of the frame."""
    fill = ROOM_FILL if found.name in PHOTOS else FILL
    points = surface_points(found.name)
    distance = orbit_distance()
    for _ in range(4):
        pixels, _depth = project(orbit_camera(azimuth, elevation, 1000, distance=distance), points)
        distance *= float(np.abs(pixels - 500).max()) * 2 / (1000 * fill)
    return orbit_camera(azimuth, elevation, size, distance=round(distance, 4))
