"""Signed distance to a mesh at lattice points, cut off at a band: what blending is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from ..data import Mesh
from .closest import closest_on_triangles
from .winding import LatticeSolid, is_closed

FloatArray = npt.NDArray[np.float64]


class Nearest(NamedTuple):
    """face: [N] int64, -1 where nothing is within the bound; bary: [N, 3]; distance: [N] world units, inf there."""

    face: npt.NDArray[np.int64]
    bary: FloatArray
    distance: FloatArray


class MeshDistance:
    """Distances to one mesh. lower, step, shape: the lattice on which ``signed`` will be asked (world units).

    The nearest face is the one that holds the nearest of surface samples laid ``step`` apart, and the distance to it is
    exact; so the error is far below a step. CPU only (k-d tree of scipy).
    """

    def __init__(self, mesh: Mesh, lower: Sequence[float], step: float, shape: tuple[int, int, int]) -> None:
        from scipy.spatial import cKDTree

        self.corners = mesh.checked().vertices[mesh.faces].astype(np.float64)
        self.lower, self.step = np.asarray(lower, np.float64), step
        points, self.owner = spread_samples(self.corners, step)
        self.tree = cKDTree(points)
        closed = is_closed(mesh.faces)
        self.solid = LatticeSolid(torch.from_numpy(self.corners), self.lower.tolist(), step, shape, closed)

    def nearest(self, points: npt.ArrayLike, bound: float = float("inf")) -> Nearest:
        """The nearest point of the surface for each of points [N, 3] (world) that has one within ``bound``."""
        where = np.asarray(points, np.float64).reshape(-1, 3)
        # a sample may lie up to about one step farther than the surface itself
        _, index = self.tree.query(where, distance_upper_bound=bound + self.step)
        near = np.flatnonzero(index < self.tree.n)
        face = np.full(len(where), -1, np.int64)
        bary, distance = np.zeros((len(where), 3)), np.full(len(where), np.inf)
        face[near] = self.owner[index[near]]
        bary[near], distance[near] = closest_on_triangles(where[near], self.corners[face[near]])
        return Nearest(face, bary, distance)

    def signed(self, points: npt.ArrayLike, band: float, found: Nearest | None = None) -> FloatArray:
        """[N] signed distance at lattice points [N, 3] (world), positive inside, clipped to plus and minus ``band``."""
        where = np.asarray(points, np.float64).reshape(-1, 3)
        found = self.nearest(where, band) if found is None else found
        lattice = torch.from_numpy(np.rint((where - self.lower) / self.step).astype(np.int64))
        inside = self.solid.winding(lattice).numpy() > 0.5
        size: FloatArray = np.minimum(found.distance, band)
        return np.where(inside, size, -size)


def spread_samples(corners: FloatArray, spacing: float) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Points [M, 3] on triangles [F, 3, 3] at most about ``spacing`` apart, and the triangle of each [M].

    Every triangle is split into n^2 equal parts and gives the middle of each, n by its longest side.
    """
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    parts = np.clip(np.ceil(sides / spacing), 1, 4096).astype(np.int64)
    points, owners = [], []
    for n in np.unique(parts):
        rows = np.flatnonzero(parts == n)
        weights = _split_middles(int(n))
        points.append(np.einsum("mk,fkc->fmc", weights, corners[rows]).reshape(-1, 3))
        owners.append(np.repeat(rows, len(weights)))
    return np.concatenate(points), np.concatenate(owners)


def _split_middles(n: int) -> FloatArray:
    """[n * n, 3] barycentric middles of the parts of a triangle whose sides are cut into n."""
    i, j = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    up = i + j < n
    down = i + j < n - 1
    a = np.concatenate([i[up] + 1 / 3, i[down] + 2 / 3]) / n
    b = np.concatenate([j[up] + 1 / 3, j[down] + 2 / 3]) / n
    return np.stack([1 - a - b, a, b], axis=1)
