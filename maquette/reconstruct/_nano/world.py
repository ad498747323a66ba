"""Frustum points <-> the world, for the camera that took the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...data import Camera, FloatArray
from ...geometry.inflate import plane_distance
from .picture import Crop

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Place:
    """Where a frustum lies: its camera, its crop of the picture, and the world z-depth of frustum depth 0."""

    camera: Camera
    crop: Crop
    zero: float

    @property
    def half_width(self) -> float:
        """Half the crop's width at z-depth 1; times ``zero`` the length of one frustum unit in the world."""
        return self.crop.side / 2 / float(self.camera.intrinsics[0, 0])

    @property
    def unit(self) -> float:
        """World length of half a picture width at frustum depth 0."""
        return self.half_width * self.zero

    def to_world(self, points: FloatArray) -> npt.NDArray[np.float64]:
        """Frustum points [N, 3] (u, v, depth) -> world points [N, 3]."""
        k, crop = self.camera.intrinsics, self.crop
        depth = self.zero * np.maximum(1.0 + self.half_width * points[:, 2].astype(np.float64), 0.02)
        x = (crop.left + (points[:, 0] + 1) / 2 * crop.side - k[0, 2]) / k[0, 0] * depth
        y = -(crop.top + (points[:, 1] + 1) / 2 * crop.side - k[1, 2]) / k[1, 1] * depth
        local = np.stack([x, y, -depth], axis=1)
        return np.asarray(local @ self.camera.cam_to_world[:3, :3].T + self.camera.cam_to_world[:3, 3])

    def to_frustum(self, points: Tensor) -> Tensor:
        """World points [N, 3] -> frustum points [N, 3]; points behind the camera land far outside."""
        import torch

        pose = points.new_tensor(np.linalg.inv(self.camera.cam_to_world).astype(np.float32))
        local = points @ pose[:3, :3].T + pose[:3, 3]
        k: npt.NDArray[Any] = self.camera.intrinsics
        depth = (-local[:, 2]).clamp(min=1e-6)
        x, y = (
            float(k[0, 0]) * local[:, 0] / depth + float(k[0, 2]),
            float(k[1, 2]) - float(k[1, 1]) * local[:, 1] / depth,
        )
        u, v = (x - self.crop.left) * (2 / self.crop.side) - 1, (y - self.crop.top) * (2 / self.crop.side) - 1
        return torch.stack([u, v, (depth / self.zero - 1) / self.half_width], dim=1)


def placed(camera: Camera, crop: Crop, middle: float) -> Place:
    """The frustum of ``crop`` put so that its depth ``middle`` lies where the camera's plane through the origin is."""
    half_width = crop.side / 2 / float(camera.intrinsics[0, 0])
    return Place(camera, crop, plane_distance(camera) / max(1.0 + half_width * middle, 0.2))
