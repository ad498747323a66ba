"""The nearest point of a surface, for looks that live on another mesh. numpy and a k-d tree: no ray library needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..data import FloatArray, Mesh
from .normals import face_normals

if TYPE_CHECKING:
    import torch

_CANDIDATES = 6
_SAMPLES_PER_FACE = 4
_BLOCK = 1 << 17


@dataclass(frozen=True)
class Hits:
    """face: [N] int64; bary: [N, 3] float32 weights of its corners; distance: [N] float32."""

    face: npt.NDArray[np.int64]
    bary: FloatArray
    distance: FloatArray


class ClosestSurface:
    """Nearest points on ``mesh``: exact on the faces near the nearest surface samples, which lie denser than the faces.

    BadMeshError when the mesh cannot be used.
    """

    def __init__(self, mesh: Mesh) -> None:
        from scipy.spatial import cKDTree

        self._corners = mesh.checked().vertices[mesh.faces].astype(np.float64)
        self._normals = face_normals(mesh)
        points, self._owner = _samples(self._corners)
        self._tree = cKDTree(points)

    def query(
        self,
        points: npt.ArrayLike,
        normals: npt.ArrayLike | None = None,
        *,
        device: str | torch.device = "cpu",
    ) -> Hits:
        """points: [N, 3]. normals: [N, 3] unit; faces turned away from them are taken only when no other is near.

        device: a CUDA device measures the candidates, which the tree on the host has found.
        """
        where = np.asarray(points, np.float64).reshape(-1, 3)
        towards = None if normals is None else np.asarray(normals, np.float64).reshape(-1, 3)
        parts = [
            self._block(where[i : i + _BLOCK], None if towards is None else towards[i : i + _BLOCK], device)
            for i in range(0, len(where), _BLOCK)
        ]
        if not parts:
            return Hits(np.zeros(0, np.int64), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))
        face, bary, distance = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Hits(face, bary, distance)

    def _block(
        self, points: npt.NDArray[Any], normals: npt.NDArray[Any] | None, device: str | torch.device
    ) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
        import torch

        count = min(_CANDIDATES, self._tree.n)
        reach, index = self._tree.query(points, k=count, workers=torch.get_num_threads())
        face = self._owner[index.reshape(-1, count)]  # [N, K]
        weights, distance = self._measured(points, face, device)
        cost = distance
        if normals is not None:
            away = (self._normals[face] * normals[:, None]).sum(axis=2) < 0
            cost = distance + np.where(away, reach.reshape(-1, count)[:, -1:] + 1e-6, 0.0)
        rows, best = np.arange(len(points)), cost.argmin(axis=1)
        return (
            face[rows, best],
            weights[rows, best].astype(np.float32),
            distance[rows, best].astype(np.float32),
        )

    def _measured(
        self, points: npt.NDArray[Any], face: npt.NDArray[np.int64], device: str | torch.device
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Weights [N, K, 3] and distance [N, K] of the nearest point of each candidate [N, K]."""
        import torch

        if torch.device(device).type != "cuda":
            return closest_on_triangles(points[:, None], self._corners[face])
        from ._closest_torch import closest_on_triangles as measured

        corners, where, which = (torch.tensor(given, device=device) for given in (self._corners, points, face))
        weights, distance = measured(where[:, None], corners[which])
        return weights.cpu().numpy(), distance.cpu().numpy()


def closest_on_triangles(
    points: npt.NDArray[Any], corners: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """points [..., 3], corners [..., 3, 3] -> weights [..., 3] of the nearest point and its distance [...].

    The inside solution where it lies inside, else the best of the three edges (Ericson, Real-Time Collision Detection,
    5.1.5, written without branches).
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = d00 * d11 - d01 * d01
    safe = np.where(area > 1e-30, area, 1.0)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    inside = (area > 1e-30) & (v >= 0) & (w >= 0) & (v + w <= 1)
    weights = np.stack([1 - v - w, v, w], axis=-1)
    best = np.where(inside, _distance(points, corners, weights), np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, along = corners[..., i, :], corners[..., j, :] - corners[..., i, :]
        length = (along * along).sum(-1)
        t = (((points - start) * along).sum(-1) / np.where(length > 0, length, 1.0)).clip(0, 1)
        edge = np.zeros_like(weights)
        edge[..., i], edge[..., j] = 1 - t, t
        distance = _distance(points, corners, edge)
        nearer = distance < best
        weights = np.where(nearer[..., None], edge, weights)
        best = np.where(nearer, distance, best)
    return weights, best


def _distance(
    points: npt.NDArray[Any], corners: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    return np.linalg.norm((corners * weights[..., None]).sum(axis=-2) - points, axis=-1)


def _samples(corners: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Centroids, and more points on faces larger than the average: [M, 3] and the face of each [M]."""
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    share = area / max(area.sum(), 1e-30)
    extra = np.floor(share * max(_SAMPLES_PER_FACE * len(corners), 4000)).astype(np.int64)
    owner = np.repeat(np.arange(len(corners)), extra)
    step = np.arange(len(owner)) - np.repeat(np.cumsum(extra) - extra, extra)
    # the R2 sequence (Roberts, 2018) folded into the triangle: even cover without randomness
    u, v = (0.5 + step * 0.7548776662466927) % 1, (0.5 + step * 0.5698402909980532) % 1
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    weights = np.stack([1 - u - v, u, v], axis=1)
    points = (corners[owner] * weights[..., None]).sum(axis=1)
    every = np.arange(len(corners))
    return np.concatenate([corners.mean(axis=1), points]), np.concatenate([every, owner])
