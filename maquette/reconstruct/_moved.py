"""An appearance whose world was scaled and moved after it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..data import Appearance, SurfaceSample

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class MovedAppearance:
    """``inner`` seen from the world ``scale * (old world - center)``."""

    inner: Appearance
    scale: float
    center: tuple[float, float, float]

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        """points, normals: [N, 3] in the new world; normals do not change under a uniform scale."""
        return self.inner.sample(points / self.scale + points.new_tensor(self.center), normals)
