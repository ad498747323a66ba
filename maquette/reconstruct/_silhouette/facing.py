"""Views along one axis only (front and back): no view tells the depth, so the first one is inflated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data import FloatArray
from ...geometry.camera import pixel_rays
from ...geometry.hull import Silhouette, sample
from ...geometry.inflate import Inflated, inflate, plane_distance
from ...progress import Progress


@dataclass(frozen=True)
class FacingHull:
    """The inflated solid of the mean outline, on the rays of the first view; larger = inside, as ``RoundedHull``.

    In perspective a front and a back view of one object differ, by what sticks out towards either camera. Cutting the
    solid with both would lose that in both views; the outline between the two keeps most of it.

    maps: [1, 3, H, W] squared, middle, stretch of ``solid`` (world units).
    """

    solid: Inflated
    maps: Tensor
    silhouettes: tuple[Silhouette, ...]
    least: float

    @classmethod
    def of(
        cls, shape: tuple[int, ...], silhouettes: Sequence[Silhouette], least: float, progress: Progress
    ) -> FacingHull:
        """shape: of the first view's mask; least: world units to which thinner parts are widened."""
        camera, device = silhouettes[0].camera, silhouettes[0].maps.device
        mask = mean_outline(silhouettes, shape)
        solid = inflate(mask, camera, least=least, margin=16, progress=progress)
        maps = torch.as_tensor(np.stack([solid.squared, solid.middle, solid.stretch])[None], device=device)
        return cls(solid, maps, tuple(silhouettes), least)

    def __call__(self, points: Tensor) -> Tensor:
        """points: [N, 3] -> [N], about world units."""
        pixels, depth = self.silhouettes[0].pixels(points)
        (squared, middle, stretch), beyond = sample(self.maps, pixels + self.solid.margin)
        ahead = self.solid.plane - depth - middle
        return (squared - stretch * ahead**2) / (2 * squared.clamp(min=self.least**2).sqrt()) - beyond

    def bound(self, points: Tensor) -> Tensor:
        """[N]: nothing is inside where it is negative by more than the distance to the next sample."""
        _, depth = self.silhouettes[0].pixels(points)
        half = float(self.maps[0, 0].max().clamp(min=0).sqrt() + self.maps[0, 1].abs().max())
        slab = half - (self.solid.plane - depth).abs()
        return torch.minimum(slab, torch.stack([s.at(points)[0] for s in self.silhouettes]).max(dim=0).values)


def mean_outline(silhouettes: Sequence[Silhouette], shape: tuple[int, ...]) -> FloatArray:
    """[H, W] soft mask in the first view, halfway between all silhouettes where they cut the plane of the origin."""
    camera = silhouettes[0].camera
    origin, rays = pixel_rays(camera)
    plane = plane_distance(camera)
    points = torch.as_tensor(origin + plane * rays.reshape(-1, 3), device=silhouettes[0].maps.device)
    mean = torch.stack([s.at(points)[0] for s in silhouettes]).mean(dim=0)
    pixels = mean * float(camera.intrinsics[0, 0]) / plane
    return (pixels + 0.5).clamp(0, 1).reshape(shape[0], shape[1]).cpu().numpy().astype(np.float32)
