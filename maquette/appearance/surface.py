"""The look of another mesh: its vertex colours or its texture at the nearest surface point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..data import Mesh, SurfaceSample
from ..errors import BadMeshError
from ..geometry.closest import ClosestSurface
from .color import to_linear, to_srgb
from .sampling import bilinear, tensor

if TYPE_CHECKING:
    from ..geometry.closest import Hits


class _OnSurface:
    """Nearest-point lookup that both classes share."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._closest = ClosestSurface(mesh)

    def _hits(self, points: Tensor, normals: Tensor) -> Hits:
        return self._closest.query(points.detach().cpu().numpy(), normals.detach().cpu().numpy())

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
        color = self._tinted(self._at(self._hits(points, normals), self.mesh.vertex_colors, points))
        flat = torch.zeros_like(points[:, 0])
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
        assert self.mesh.texture is not None
        hits = self._hits(points, normals)
        uv = self._at(hits, self.mesh.uvs, points)
        color = to_linear(_looked_up(self.mesh.texture.base_color, uv)[:, :3])
        if self.mesh.vertex_colors is not None:
            color = color * self._at(hits, self.mesh.vertex_colors, points)
        flat = torch.zeros_like(points[:, 0])
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
