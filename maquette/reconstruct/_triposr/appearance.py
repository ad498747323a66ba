"""The triplane as an Appearance: colour at any point, so that a mesh can be edited first and baked afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from ...data import SurfaceSample
from .config import Config
from .field import SceneField
from .network import Decoder

if TYPE_CHECKING:
    from torch import Tensor

ROUGHNESS = 0.8
"""The model knows no material; glTF's reader gets a plain, dull one."""


@dataclass(frozen=True)
class TriplaneAppearance:
    """Colour from triplanes kept in host memory (2 MB for the published model).

    codes: [3, P, H, W]; to_model: [3, 3], world point @ to_model = model point (rotation and scale in one).
    """

    codes: Tensor
    decoder: Decoder
    config: Config
    to_model: Tensor
    block: int = field(default=1 << 16)

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points: [N, 3] world, any device; base_color sRGB; known 0: the model made it up. Normals are not used."""
        del normals
        half = points.device.type == "cuda"
        codes = self.codes.to(points.device, torch.float16 if half else torch.float32)
        scene = SceneField(codes, self.decoder, self.config, block=self.block)
        radius = self.config.radius
        color = scene.color((points.float() @ self.to_model.to(points.device)).clamp(-radius, radius))
        zero = torch.zeros(len(points), device=points.device)
        return SurfaceSample(color, zero, torch.full_like(zero, ROUGHNESS), zero)
