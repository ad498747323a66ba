"""Whether two meshes are the same triangles, whatever was split along seams."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data import Mesh


def copied_vertices(mesh: Mesh, origin: Mesh) -> npt.NDArray[np.int64] | None:
    """[V] the vertex of ``origin`` that each vertex of ``mesh`` is a copy of; one that no face uses answers 0.

    None unless both have the same triangles at the same places, face by face and corner by corner.
    """
    if mesh.faces.shape != origin.faces.shape:
        return None
    source = np.zeros(len(mesh.vertices), np.int64)
    source[mesh.faces.reshape(-1)] = origin.faces.reshape(-1)
    if not np.array_equal(source[mesh.faces], origin.faces):
        return None
    same = (mesh.vertices == origin.vertices[source]).all(axis=1)
    return source if same[mesh.faces].all() else None
