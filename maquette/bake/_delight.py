"""Take soft shading out of the base colour, so that an engine's lights do not shade a second time.

Under distant light the brightness of a dull surface is a smooth function of its normal: nine spherical harmonics hold
98 % of it (Ramamoorthi and Hanrahan 2001). Their weights are found from pairs of neighbouring points: between two
points of one paint log brightness differs by shading alone, and where the paint changes it jumps, which a robust fit
leaves out (retinex). So no edge of the paint is smoothed, and an object whose top is painted darker stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..data import FloatArray, Mesh
from ..geometry.normals import vertex_normals

if TYPE_CHECKING:
    import torch

_POINTS, _NEIGHBOURS, _SIDES = 12_000, 12, 8
_ROUNDS, _SCALE, _RIDGE = 25, 0.02, 1e-4
_DARKEST = 0.004
"""Linear luminance below which noise rules."""
_MOST = 0.7
"""Largest change as a natural logarithm: brightness is at most doubled or halved."""
_LUMINANCE = (0.2126, 0.7152, 0.0722)


@dataclass(frozen=True)
class Shading:
    """weights: [8] of the harmonics of degree 1 and 2; level: their mean over the surface (log brightness)."""

    weights: FloatArray
    level: float

    def removed(self, color: torch.Tensor, normals: torch.Tensor, strength: float) -> torch.Tensor:
        """sRGB [N, 3] without this share of the shading; normals: [N, 3] unit; strength: 0 = nothing, 1 = all."""
        from ..appearance.color import to_linear, to_srgb

        log = _harmonics(normals.cpu().numpy()) @ self.weights - self.level
        gain = np.exp(-strength * np.clip(log, -_MOST, _MOST)).astype(np.float32)
        return to_srgb((to_linear(color) * color.new_tensor(gain)[:, None]).clamp(0, 1))


def find_shading(mesh: Mesh, look: Callable[[FloatArray, FloatArray], FloatArray]) -> Shading | None:
    """The shading in what ``look(points [N, 3], normals [N, 3]) -> sRGB [N, 3]`` shows on ``mesh``; NaN = unknown.

    None when too little of the surface is known, or it faces too few directions to tell shading from paint.
    """
    points, normals = _spread(mesh)
    color = np.asarray(look(points, normals), np.float64)
    known = np.isfinite(color).all(axis=1)
    luminance = (np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)) @ np.array(_LUMINANCE)
    known &= luminance > _DARKEST
    if known.sum() < 50:
        return None
    basis, log = _harmonics(normals[known]), np.log(luminance[known])
    left, right = _pairs(points[known])
    slope, jump = basis[left] - basis[right], log[left] - log[right]
    if np.linalg.matrix_rank(slope, tol=1e-2 * np.sqrt(len(slope))) < _SIDES:
        return None
    weights = _robust(slope, jump)
    return Shading(weights.astype(np.float32), float((basis @ weights).mean()))


def _spread(mesh: Mesh) -> tuple[FloatArray, FloatArray]:
    """Points evenly over the surface, with unit normals."""
    corners = mesh.vertices[mesh.faces].astype(np.float64)
    area = np.cumsum(np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1))
    face = np.searchsorted(area, (np.arange(_POINTS) + 0.5) / _POINTS * area[-1]).clip(0, len(area) - 1)
    uv = np.random.default_rng(0).random((_POINTS, 2))
    uv = np.where(uv.sum(axis=1, keepdims=True) > 1, 1 - uv, uv)
    weights = np.stack([1 - uv.sum(axis=1), uv[:, 0], uv[:, 1]], axis=1)[..., None]
    normals = (vertex_normals(mesh)[mesh.faces[face]] * weights).sum(axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return (corners[face] * weights).sum(axis=1).astype(np.float32), normals.astype(np.float32)


def _pairs(points: FloatArray) -> tuple[np.ndarray, np.ndarray]:
    """Each point with its neighbours, [M] and [M] indices."""
    from scipy.spatial import cKDTree

    count = min(_NEIGHBOURS + 1, len(points))
    _, near = cKDTree(points).query(points, k=count)
    left = np.repeat(np.arange(len(points)), count - 1)
    return left, near[:, 1:].reshape(-1)


def _robust(slope: np.ndarray, jump: np.ndarray) -> np.ndarray:
    """[8] least absolute differences, by reweighted least squares: paint edges are few and large, and lose."""
    weights, ridge = np.zeros(slope.shape[1]), _RIDGE * len(slope) * np.eye(slope.shape[1])
    trust = np.ones(len(slope))
    for _ in range(_ROUNDS):
        weighted = slope * trust[:, None]
        weights = np.linalg.solve(weighted.T @ slope + ridge, weighted.T @ jump)
        trust = 1 / np.maximum(np.abs(jump - slope @ weights) / _SCALE, 1) ** 2
    return weights


def _harmonics(normals: FloatArray) -> np.ndarray:
    """[N, 8] spherical harmonics of degree 1 and 2, without their constants (the weights take them up)."""
    x, y, z = normals[:, 0], normals[:, 1], normals[:, 2]
    return np.stack([x, y, z, x * y, y * z, x * z, x * x - y * y, z * z - 1 / 3], axis=1).astype(np.float64)
