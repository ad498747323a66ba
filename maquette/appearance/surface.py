"""The look of another mesh: its vertex colours or its texture at the nearest surface point."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..data import FloatArray, Mesh, SurfaceSample
from ..errors import BadMeshError
from ..geometry.closest import ClosestSurface
from ..geometry.copies import copied_vertices
from .color import to_linear, to_srgb
from .sampling import bilinear, tensor

if TYPE_CHECKING:
    from ..geometry.closest import Hits


class _OnSurface:
    """Nearest-point lookup that both classes share, and the way around it on the very same triangles."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh.checked()

    @cached_property
    def _closest(self) -> ClosestSurface:
        return ClosestSurface(self.mesh)

    def carried(self, mesh: Mesh) -> FloatArray | None:
        """[V, C] what ``from_carried`` wants at the vertices of ``mesh``, when that has the triangles of this one in
        the same order (a copy, or its unwrapping, with vertices split along seams); None for any other mesh."""
        source = copied_vertices(mesh, self.mesh)
        return None if source is None else self._carried()[source]

    def _carried(self) -> FloatArray:
        raise NotImplementedError

    def _hits(self, points: Tensor, normals: Tensor) -> Hits:
        where, towards = points.detach().cpu().numpy(), normals.detach().cpu().numpy()
        return self._closest.query(where, towards, device=points.device)

    def _at(self, hits: Hits, values: object, like: Tensor) -> Tensor:
        """[N, C] per-vertex ``values`` interpolated at the hits, on the device of ``like``."""
        corners = tensor(values, like)[tensor(self.mesh.faces[hits.face], like, torch.int64)]
        return (corners * tensor(hits.bary, like)[..., None]).sum(dim=1)

    def _tinted(self, linear: Tensor) -> Tensor:
        """[N, 3] ``linear`` colours times the material's factor, as sRGB: what glTF says is seen."""
        return to_srgb(linear * tensor(self.mesh.material.base_color, linear))


class VertexColors(_OnSurface):
    """The (linear) vertex colours of ``mesh`` times its factor, as sRGB base colour. BadMeshError when it has none."""

    def __init__(self, mesh: Mesh) -> None:
        if mesh.vertex_colors is None:
            raise BadMeshError("this mesh has no vertex colours; give a coloured mesh, photos or another appearance")
        super().__init__(mesh)

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3]."""
        return self.from_carried(self._at(self._hits(points, normals), self._carried(), points))

    def _carried(self) -> FloatArray:
        assert self.mesh.vertex_colors is not None
        return self.mesh.vertex_colors

    def from_carried(self, values: Tensor) -> SurfaceSample:
        """values: [N, 3] linear colours, interpolated from ``carried``."""
        color = self._tinted(values)
        flat = torch.zeros_like(values[:, 0])
        material = self.mesh.material
        return SurfaceSample(color, flat + material.metallic, flat + material.roughness, flat + 1)


class TexturedMesh(_OnSurface):
    """The texture of ``mesh`` times vertex colours and factor. BadMeshError when it has no uvs or no texture."""

    def __init__(self, mesh: Mesh) -> None:
        if mesh.uvs is None or mesh.texture is None:
            raise BadMeshError("this mesh has no texture; give one with uvs and a base colour map, or use its colours")
        super().__init__(mesh)

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3]."""
        return self.from_carried(self._at(self._hits(points, normals), self._carried(), points))

    def _carried(self) -> FloatArray:
        assert self.mesh.uvs is not None
        colors = self.mesh.vertex_colors
        return self.mesh.uvs if colors is None else np.concatenate([self.mesh.uvs, colors], axis=1)

    def from_carried(self, values: Tensor) -> SurfaceSample:
        """values: [N, 2 or 5] uvs and linear vertex colours, interpolated from ``carried``."""
        assert self.mesh.texture is not None
        uv = values[:, :2]
        color = to_linear(_looked_up(self.mesh.texture.base_color, uv)[:, :3])
        if self.mesh.vertex_colors is not None:
            color = color * values[:, 2:]
        flat = torch.zeros_like(values[:, 0])
        metallic, roughness = flat + self.mesh.material.metallic, flat + self.mesh.material.roughness
        if self.mesh.texture.metallic_roughness is not None:
            both = _looked_up(self.mesh.texture.metallic_roughness, uv)
            metallic, roughness = both[:, 2], both[:, 1]
        return SurfaceSample(self._tinted(color), metallic, roughness, flat + 1)


def _looked_up(image: object, uv: Tensor) -> Tensor:
    """[N, C]; uvs outside [0, 1] repeat, as glTF's default sampler does."""
    pixels = tensor(image, uv)
    wrapped = torch.where((uv < 0) | (uv > 1), uv - uv.floor(), uv)
    return bilinear(pixels, wrapped * tensor([pixels.shape[1], pixels.shape[0]], uv))
