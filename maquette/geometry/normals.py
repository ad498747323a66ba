"""Normals of a triangle mesh."""

from __future__ import annotations

import numpy as np

from ..data import FloatArray, Mesh

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
