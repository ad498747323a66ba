"""What a mesh itself shows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..data import Appearance, FloatArray, Material, Mesh, SurfaceSample
from .color import to_srgb
from .surface import TexturedMesh, VertexColors
from .uniform import Uniform


@dataclass(frozen=True)
class OwnLook:
    """The texture of ``mesh``, else its vertex colours, else its one colour (grey for the plain material).

    The search tree over the mesh is built when it is first asked.
    """

    mesh: Mesh

    @property
    def is_painted(self) -> bool:
        """Whether there is more than one colour."""
        return self.mesh.vertex_colors is not None or (self.mesh.texture is not None and self.mesh.uvs is not None)

    @cached_property
    def inner(self) -> Appearance:
        """The appearance proper."""
        if self.mesh.texture is not None and self.mesh.uvs is not None:
            return TexturedMesh(self.mesh)
        if self.mesh.vertex_colors is not None:
            return VertexColors(self.mesh)
        material = self.mesh.material
        if material == Material():
            return Uniform()
        red, green, blue = to_srgb(torch.tensor(material.base_color, dtype=torch.float32)).tolist()
        return Uniform((red, green, blue), material.metallic, material.roughness)

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3]."""
        return self.inner.sample(points, normals)

    def carried(self, mesh: Mesh) -> FloatArray | None:
        """As ``VertexColors.carried``; None, too, when the mesh has one colour."""
        return self.inner.carried(mesh) if isinstance(self.inner, TexturedMesh | VertexColors) else None

    def from_carried(self, values: Tensor) -> SurfaceSample:
        """values: [N, C], interpolated from ``carried``."""
        assert isinstance(self.inner, TexturedMesh | VertexColors), "there is nothing to carry"
        return self.inner.from_carried(values)
