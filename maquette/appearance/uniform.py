"""One colour everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..data import SurfaceSample


@dataclass(frozen=True)
class Uniform:
    """base_color: sRGB in [0, 1]; the same at every point, and never called measured (known = 0)."""

    base_color: tuple[float, float, float] = (0.7, 0.7, 0.7)
    metallic: float = 0.0
    roughness: float = 0.8

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:  # noqa: ARG002 - the protocol's name
        """points, normals: [N, 3]."""
        flat = points.new_zeros(len(points))
        color = points.new_tensor(self.base_color).expand(len(points), 3)
        return SurfaceSample(color.clone(), flat + self.metallic, flat + self.roughness, flat)
