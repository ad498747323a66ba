"""Views along one axis only (front and back): no view tells the depth, so the first one is inflated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data import Camera, FloatArray
from ...geometry.hull import Silhouette, sample
from ...geometry.inflate import Inflated, inflate
from ...progress import Progress


@dataclass(frozen=True)
class FacingHull:
    """The inflated solid of the first view, cut by the silhouettes of the others; larger = inside, as ``RoundedHull``.

    maps: [1, 3, H, W] squared, middle, stretch of ``solid`` (world units).
    """

    solid: Inflated
    maps: Tensor
    first: Silhouette
    rest: tuple[Silhouette, ...]
    least: float

    @classmethod
    def of(
        cls, mask: FloatArray, camera: Camera, silhouettes: Sequence[Silhouette], least: float, progress: Progress
    ) -> FacingHull:
        """mask [H, W] and camera of the first view; least: world units to which thinner parts are widened."""
        solid = inflate(mask, camera, least=least, margin=16, progress=progress)
        maps = torch.as_tensor(np.stack([solid.squared, solid.middle, solid.stretch])[None])
        return cls(solid, maps.to(silhouettes[0].maps.device), silhouettes[0], tuple(silhouettes[1:]), least)

    def __call__(self, points: Tensor) -> Tensor:
        """points: [N, 3] -> [N], about world units."""
        pixels, depth = self.first.pixels(points)
        (squared, middle, stretch), beyond = sample(self.maps, pixels + self.solid.margin)
        ahead = self.solid.plane - depth - middle
        value = (squared - stretch * ahead**2) / (2 * squared.clamp(min=self.least**2).sqrt()) - beyond
        for silhouette in self.rest:
            value = torch.minimum(value, silhouette.at(points)[0])
        return value

    def bound(self, points: Tensor) -> Tensor:
        """[N]: nothing is inside where it is negative by more than the distance to the next sample."""
        _, depth = self.first.pixels(points)
        half = float(self.maps[0, 0].max().clamp(min=0).sqrt() + self.maps[0, 1].abs().max())
        slab = half - (self.solid.plane - depth).abs()
        cones = torch.stack([s.at(points)[0] for s in (self.first, *self.rest)]).min(dim=0).values
        return torch.minimum(slab, cones)
