"""Vertex normals and the normal form of a mesh: centred, longest side 1."""

from __future__ import annotations

import numpy as np

from ..data import FloatArray, Mesh
from ..errors import BadMeshError
from ..geometry.welding import weld_equal
from .surface import vertex_normals


def smooth_normals(mesh: Mesh) -> Mesh:
    """``mesh`` with angle-weighted unit normals; vertices at one place (texture seams) share one, so no seam shows.

    Raises BadMeshError for an empty or corrupt mesh.
    """
    mesh = mesh.checked()
    first, group = weld_equal(mesh.vertices)
    return mesh.replace(vertex_normals=vertex_normals(mesh.vertices[first], group[mesh.faces])[group])


def normalize(mesh: Mesh) -> tuple[Mesh, float, FloatArray]:
    """Centre the bounding box at the origin and make its longest side 1.

    Returns (mesh, scale, center [3]) with new = (old - center) * scale. Raises BadMeshError when it has no size.
    """
    mesh = mesh.checked()
    used = mesh.vertices[np.unique(mesh.faces)].astype(np.float64)
    low, high = used.min(axis=0), used.max(axis=0)
    side = float((high - low).max())
    if side <= 0:
        raise BadMeshError("all vertices of the mesh lie at one point; it has no size to normalise")
    center, scale = (low + high) / 2, 1.0 / side
    moved = mesh.replace(vertices=(mesh.vertices - center) * scale)
    return moved, scale, center.astype(np.float32)
