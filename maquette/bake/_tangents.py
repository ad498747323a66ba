"""Tangent frames of an unwrapped mesh after the MikkTSpace convention, which glTF prescribes for normal maps.

Mikkelsen, "Simulation of wrinkled surfaces revisited", 2008: per corner the direction of growing u, averaged over the
faces around a vertex weighted by their angle there, then made perpendicular to the normal. Vertices of our meshes are
already split along uv seams, so sharing an index means sharing position, normal and uv, as the convention wants.
"""

from __future__ import annotations

import numpy as np

from ..data import FloatArray, Mesh
from ..geometry.normals import vertex_normals

_TINY = 1e-20


def tangent_frames(mesh: Mesh) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Tangent (growing u), bitangent (up in the picture: falling v) and normal of every vertex, each [V, 3] unit.

    mesh: with uvs. Where uvs have no area any perpendicular pair is given.
    """
    assert mesh.uvs is not None
    normals = vertex_normals(mesh).astype(np.float64)
    corners, uv = mesh.vertices[mesh.faces].astype(np.float64), mesh.uvs[mesh.faces].astype(np.float64)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat_one, flat_two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = flat_one[:, 0] * flat_two[:, 1] - flat_one[:, 1] * flat_two[:, 0]
    side = np.where(area < 0, -1.0, 1.0)
    along = side[:, None] * (one * flat_two[:, 1:] - two * flat_one[:, 1:])
    total, handed = np.zeros_like(normals), np.zeros(len(normals))
    for k in range(3):
        vertex = mesh.faces[:, k]
        weight = _angles(corners, k)
        part = _unit(along - (along * normals[vertex]).sum(axis=1, keepdims=True) * normals[vertex])
        for axis in range(3):
            total[:, axis] += np.bincount(vertex, part[:, axis] * weight, len(normals))
        handed += np.bincount(vertex, side * weight, len(normals))
    tangent = _unit(total - (total * normals).sum(axis=1, keepdims=True) * normals)
    lost = (tangent == 0).all(axis=1)
    tangent[lost] = _unit(np.cross(normals[lost], np.eye(3)[np.abs(normals[lost]).argmin(axis=1)]))
    # v runs downwards: a face that is counter-clockwise in (u, v) is mirrored in the picture
    up = np.where(handed > 0, -1.0, 1.0)[:, None] * np.cross(normals, tangent)
    return tangent.astype(np.float32), up.astype(np.float32), normals.astype(np.float32)


def _angles(corners: np.ndarray, k: int) -> np.ndarray:
    one = _unit(corners[:, (k + 1) % 3] - corners[:, k])
    two = _unit(corners[:, (k + 2) % 3] - corners[:, k])
    return np.arccos(np.clip((one * two).sum(axis=1), -1.0, 1.0))


def _unit(values: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(values, axis=-1, keepdims=True)
    return np.where(length > _TINY, values / np.maximum(length, _TINY), 0.0)
