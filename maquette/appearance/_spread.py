"""Colours of the seen part of a surface carried smoothly over the unseen part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data import FloatArray, Mesh
from ..geometry.normals import vertex_normals

if TYPE_CHECKING:
    import numpy.typing as npt
    from scipy.spatial import cKDTree

_NEIGHBOURS = 8
_TURN = 0.1
"""A normal turned by 60 degrees counts like this share of the object's size: thin walls do not bleed through."""
_SMOOTHINGS = 40
_SURE = 0.5


@dataclass(frozen=True)
class Spread:
    """Colours [V, 3] at the vertices of a mesh, for any point near it."""

    points: FloatArray
    colors: FloatArray

    @cached_property
    def _tree(self) -> cKDTree:
        from scipy.spatial import cKDTree

        return cKDTree(self.points)

    def sample(self, points: Tensor) -> Tensor:
        """[N, 3] at ``points`` [N, 3]: inverse-distance mean of the nearest vertices."""
        where = points.detach().cpu().numpy()
        count = min(4, len(self.points))
        distance, index = self._tree.query(where, k=count, workers=torch.get_num_threads())
        colors = _weighted(self.colors, distance.reshape(-1, count), index.reshape(-1, count))
        return torch.as_tensor(colors, dtype=points.dtype, device=points.device)


def spread(mesh: Mesh, look: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Spread:
    """Ask ``look`` (points, normals -> colours, how sure) at every vertex and fill the unsure ones.

    Start: the nearest sure vertices (near in place and direction); then averaged along the edges of the mesh, sure ones
    held, which tends to the harmonic fill.
    """
    normals = vertex_normals(mesh)
    colors, sure = (t.cpu().numpy() for t in look(torch.tensor(mesh.vertices), torch.tensor(normals)))
    held = sure > _SURE
    if held.all():
        return Spread(mesh.vertices, colors)
    if not held.any():
        held = sure >= max(float(sure.max()), 1e-9)
    if not held.any():
        return Spread(mesh.vertices, np.full_like(colors, 0.5))
    out = colors.copy()
    out[~held] = _nearest(mesh, normals, colors, held)
    return Spread(mesh.vertices, _smoothed(mesh, out, ~held))


def _nearest(mesh: Mesh, normals: FloatArray, colors: FloatArray, held: npt.NDArray[np.bool_]) -> FloatArray:
    from scipy.spatial import cKDTree

    size = float((mesh.bounds[1] - mesh.bounds[0]).max()) or 1.0
    features = np.concatenate([mesh.vertices / size, _TURN * normals], axis=1)
    count = min(_NEIGHBOURS, int(held.sum()))
    distance, index = cKDTree(features[held]).query(features[~held], k=count)
    return _weighted(colors[held], distance.reshape(-1, count), index.reshape(-1, count))


def _weighted(colors: FloatArray, distance: npt.NDArray[Any], index: npt.NDArray[Any]) -> FloatArray:
    weight = 1.0 / (distance + 1e-6)
    weight /= weight.sum(axis=1, keepdims=True)
    return (colors[index] * weight[..., None]).sum(axis=1).astype(np.float32)


def _smoothed(mesh: Mesh, colors: FloatArray, free: npt.NDArray[np.bool_]) -> FloatArray:
    """Jacobi steps of the graph Laplacian on the free vertices."""
    from scipy.sparse import coo_matrix, diags

    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    shape = (len(mesh.vertices), len(mesh.vertices))
    links = coo_matrix((np.ones(len(both), np.float32), (both[:, 0], both[:, 1])), shape=shape).tocsr()
    degree = np.asarray(links.sum(axis=1)).ravel()
    free = free & (degree > 0)
    step = (diags(1.0 / np.maximum(degree, 1)) @ links)[free].astype(np.float32)
    out = colors.copy()
    for _ in range(_SMOOTHINGS):
        out[free] = step @ out
    return out
