"""Even point samples of a mesh surface with normals, and the search tree on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..data import Mesh
from ..errors import BadMeshError

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Cloud:
    """points: [N, 3]; normals: [N, 3] unit, outward; size: longest side of the mesh; tree: k-d tree of the points."""

    points: Array
    normals: Array
    size: float
    tree: cKDTree

    def moved(self, transform: Array) -> Cloud:
        """The cloud after a similarity [4, 4]."""
        from scipy.spatial import cKDTree

        linear = transform[:3, :3]
        scale = similarity_scale(transform)
        points = self.points @ linear.T + transform[:3, 3]
        return Cloud(points, self.normals @ linear.T / scale, self.size * scale, cKDTree(points))

    def thinned(self, count: int) -> Cloud:
        """About ``count`` of the points, spread evenly over the sequence they were drawn in."""
        from scipy.spatial import cKDTree

        if len(self.points) <= count:
            return self
        rows = np.linspace(0, len(self.points) - 1, count).astype(np.int64)
        return Cloud(self.points[rows], self.normals[rows], self.size, cKDTree(self.points[rows]))


def similarity_scale(transform: npt.ArrayLike) -> float:
    """The scale of a similarity [4, 4]: cube root of its determinant."""
    return float(np.cbrt(np.linalg.det(np.asarray(transform, np.float64)[:3, :3])))


def sample_cloud(mesh: Mesh, count: int, seed: int = 0) -> Cloud:
    """``count`` points on the faces, area-weighted and stratified, the same for the same seed. BadMeshError without
    area.
    """
    from scipy.spatial import cKDTree

    corners = mesh.checked().vertices[mesh.faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    double_area = np.linalg.norm(across, axis=1)
    rng: Any = np.random.default_rng(seed)
    ends = np.cumsum(double_area)
    if ends[-1] <= 0:
        raise BadMeshError("the mesh has no area: all its faces are lines or points; look at the step that made it")
    # one draw from each of ``count`` equal slices of the area, then shuffled so that any part of them is even, too
    where = (np.arange(count) + rng.random(count)) * (ends[-1] / count)
    face = np.minimum(np.searchsorted(ends, where, side="right"), len(corners) - 1)
    rng.shuffle(face)
    u, v = rng.random((2, count))
    flip = u + v > 1
    u[flip], v[flip] = 1 - u[flip], 1 - v[flip]
    a, b, c = corners[face, 0], corners[face, 1], corners[face, 2]
    points = a + u[:, None] * (b - a) + v[:, None] * (c - a)
    normals = across[face] / np.maximum(double_area[face], 1e-30)[:, None]
    return Cloud(points, normals, float((mesh.bounds[1] - mesh.bounds[0]).max()), cKDTree(points))
