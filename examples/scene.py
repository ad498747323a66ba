"""What a scene is: parts with a signed distance and a surface, and where the object lies in the world frame.

A scene is modelled in whatever units suit it; ``scale`` and ``center`` bring it into the world frame of the pack (y up,
front towards +z, centred, longest side 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .solids import Points, Values, column, norm


@dataclass(frozen=True)
class Surface:
    """color: [3, N] or [3, 1] linear; roughness, metal: [N] or numbers in [0, 1]; glow: linear light of its own."""

    color: npt.NDArray[np.float32]
    roughness: Values | float = 0.5
    metal: Values | float = 0.0
    glow: npt.NDArray[np.float32] | float = 0.0


@dataclass(frozen=True)
class Part:
    """One material's solid in scene units.

    distance: [3, N] -> [N]; surface: points and normals [3, N] -> Surface; bound: centre and radius of a ball that
    holds the part (it saves time); height: relief added to the shading normal only, [3, N] -> [N] scene units.
    """

    distance: Callable[[Points], Values]
    surface: Callable[[Points, Points], Surface]
    bound: tuple[tuple[float, float, float], float] = ((0.0, 0.0, 0.0), 1e6)
    height: Callable[[Points], Values] | None = None


@dataclass(frozen=True)
class Scene:
    """A named object. shots: picture name -> (azimuth, elevation) in degrees; one shot = a single picture.

    zoom: camera distance of a set over the pack's default.
    step: share of the distance bound that a ray may take at once (smooth unions and reliefs make bounds too long).
    """

    name: str
    title: str
    parts: tuple[Part, ...]
    center: tuple[float, float, float]
    size: float
    shots: dict[str, tuple[float, float]] = field(default_factory=lambda: {"": (25.0, 15.0)})
    zoom: float = 1.0
    step: float = 0.85

    def sdf(self, points: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """World points [N, 3] -> signed distance [N] in world units, negative inside. Its sign is exact."""
        given = np.asarray(points, np.float32).reshape(-1, 3)
        out = np.empty(len(given), np.float32)
        for start in range(0, len(given), 65536):
            out[start : start + 65536] = self.distance(np.ascontiguousarray(given[start : start + 65536].T))[0]
        return out

    def own(self, p: Points) -> Points:
        """World points [3, N] in scene units."""
        return p * np.float32(self.size) + column(self.center)

    def distance(self, p: Points) -> tuple[Values, npt.NDArray[np.int8]]:
        """World points [3, N] -> distance in world units and the index of the nearest part."""
        q = self.own(p)
        best = np.full(q.shape[1], np.inf, np.float32)
        which = np.zeros(q.shape[1], np.int8)
        for index, part in enumerate(self.parts):
            need = np.flatnonzero(norm(q - column(part.bound[0])) - np.float32(part.bound[1]) < best)
            if len(need) == 0:
                continue
            near = part.distance(q if len(need) == q.shape[1] else q[:, need])
            closer = near < best[need]
            best[need[closer]], which[need[closer]] = near[closer], index
        return best / np.float32(self.size), which
