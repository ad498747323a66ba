"""Colours of what no picture saw: from the photo at the front of each ray to the predicted far side at its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...data import SurfaceSample

if TYPE_CHECKING:
    from torch import Tensor

    from .world import Place


@dataclass(frozen=True)
class FarSide:
    """One view's answer at any world point; ``known`` is 0 everywhere, because all of it is predicted.

    front, back: [3, S, S] sRGB over the crop; depth, thick: [1, S, S] frustum depth of the first surface and length of
    the ray's material behind it.
    """

    place: Place
    front: Tensor
    back: Tensor
    depth: Tensor
    thick: Tensor

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3], world."""
        import torch
        from torch.nn import functional

        where = self.place.to_frustum(points.float())
        maps = torch.cat([self.front, self.back, self.depth, self.thick]).to(points.device)
        grid = where[None, None, :, :2].clamp(-1, 1)
        found = functional.grid_sample(maps[None], grid, padding_mode="border", align_corners=False)[0, :, 0].T
        share = ((where[:, 2] - found[:, 6]) / found[:, 7].clamp(min=0.02)).clamp(0, 1)
        axis = points.new_tensor(self.place.camera.cam_to_world[:3, 2].astype("float32"))
        away = (normals.to(points) @ axis < 0).to(points.dtype)
        share = (share * 0.5 + share * 0.5 * away)[:, None]
        color = found[:, :3] * (1 - share) + found[:, 3:6] * share
        flat = torch.zeros_like(where[:, 0])
        return SurfaceSample(color.clamp(0, 1), flat, flat + 0.8, flat)
