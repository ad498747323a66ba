"""The world frame's size: every mesh that leaves a reconstruction is centred and has longest side 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..errors import BadMeshError


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
