"""What extraction leaves beside the solid: bits where two cones touch, or where a part is finer than the grid."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...data import FloatArray, Mesh

CRUMB = 0.001
"""Parts with less than this share of the largest part's volume are crumbs, not pieces of the subject."""


def without_crumbs(vertices: FloatArray, faces: npt.NDArray[np.int32]) -> tuple[Mesh, list[str]]:
    """The mesh of all parts with at least CRUMB of the largest part's volume, and a note when others went.

    vertices: [V, 3]; faces: [F, 3], closed parts, outward.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = len(vertices)
    if len(faces) == 0:
        return Mesh(vertices, faces), []
    pairs = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
    parts, label = connected_components(coo_matrix((np.ones(len(pairs[0])), pairs), shape=(count, count)), False)
    corners = vertices[faces].astype(np.float64)
    signed = (np.cross(corners[:, 0], corners[:, 1]) * corners[:, 2]).sum(axis=1) / 6
    volume = np.bincount(label[faces[:, 0]], weights=signed, minlength=parts)
    keep = volume >= CRUMB * volume.max()
    faces = faces[keep[label[faces[:, 0]]]]
    used, index = np.unique(faces, return_inverse=True)
    mesh = Mesh(vertices[used], index.reshape(-1, 3).astype(np.int32))
    gone = int((~keep).sum())
    note = f"{gone} crumbs, each below {CRUMB:.1%} of the volume of the largest part, were dropped"
    return mesh, [note] if gone else []
