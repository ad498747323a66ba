"""Normals of a triangle mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..data import FloatArray, Mesh

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_TINY = 1e-20


def face_normals(mesh: Mesh) -> FloatArray:
    """[F, 3] unit normals, counter-clockwise = outward; zero for faces without area."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]].astype(np.float64) for k in range(3))
    return _unit(np.cross(b - a, c - a))


def vertex_normals(mesh: Mesh) -> FloatArray:
    """[V, 3] unit normals: the mesh's own, else the mean of the faces around weighted by their corner angle.

    Thurmer and Wuthrich, "Computing vertex normals from polygonal facets", 1998. Vertices without faces get +y.
    """
    if mesh.vertex_normals is not None:
        return mesh.vertex_normals
    corners = mesh.vertices[mesh.faces].astype(np.float64)  # [F, 3, 3]
    normals = face_normals(mesh).astype(np.float64)
    total = np.zeros((len(mesh.vertices), 3))
    for k in range(3):
        one = _unit(corners[:, (k + 1) % 3] - corners[:, k])
        two = _unit(corners[:, (k + 2) % 3] - corners[:, k])
        angle = np.arccos(np.clip((one * two).sum(axis=1), -1.0, 1.0))
        for axis in range(3):
            total[:, axis] += np.bincount(
                mesh.faces[:, k], weights=normals[:, axis] * angle, minlength=len(mesh.vertices)
            )
    out = _unit(total)
    out[(out == 0).all(axis=1)] = (0.0, 1.0, 0.0)
    return out


def _unit(values: np.ndarray) -> FloatArray:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.where(length > _TINY, values / np.maximum(length, _TINY), 0.0).astype(np.float32)


def points_and_normals(mesh: Mesh, device: str | torch.device = "cpu") -> Tensor:
    """[V, 6] float32 vertices and ``vertex_normals`` on ``device``; a CUDA device computes them itself, in the same
    precision but in another order of the sum."""
    import torch

    points = torch.tensor(mesh.vertices, device=device)
    if mesh.vertex_normals is not None or torch.device(device).type != "cuda":
        return torch.cat([points, torch.tensor(vertex_normals(mesh), device=device)], dim=1)
    return torch.cat([points, _vertex_normals_on(points, torch.tensor(mesh.faces, device=device).long())], dim=1)


def _vertex_normals_on(points: Tensor, faces: Tensor) -> Tensor:
    """``vertex_normals`` [V, 3] of ``points`` [V, 3] and ``faces`` [F, 3] where these lie."""
    import torch

    corners = points.double()[faces]
    normals = _unit_on(torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).double()
    along = _unit_on(corners.roll(-1, dims=1) - corners)  # [F, 3, 3] from each corner to the next
    angle = (along * -along.roll(1, dims=1)).sum(dim=2).clamp(-1, 1).acos()
    total = torch.zeros_like(points, dtype=torch.float64)
    total.index_add_(0, faces.reshape(-1), (normals[:, None] * angle[..., None]).reshape(-1, 3))
    out = _unit_on(total)
    upward = out.new_tensor([0.0, 1.0, 0.0])
    return torch.where((out == 0).all(dim=1, keepdim=True), upward, out)


def _unit_on(values: Tensor) -> Tensor:
    length = values.norm(dim=-1, keepdim=True)
    return (values / length.clamp(min=_TINY)).where(length > _TINY, 0.0).float()
