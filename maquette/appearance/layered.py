"""Appearances on top of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import Appearance, SurfaceSample
from ..errors import BadInputError


@dataclass(frozen=True)
class Layered:
    """``layers``, the best first: each fills what those before it do not know; the last one fills the rest.

    The answer is on the device of the points, wherever the layers compute.
    """

    layers: Sequence[Appearance]

    def __post_init__(self) -> None:
        if not self.layers:
            raise BadInputError("Layered needs at least one appearance, got none")

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3]. A lower layer is asked only for the points that those above leave open."""
        normals = normals.to(points.device)
        color, scalars = points.new_zeros((len(points), 3)), points.new_zeros((len(points), 3))
        left = points.new_ones(len(points))
        for index, layer in enumerate(self.layers):
            open_ = (left > 1e-3).nonzero()[:, 0]
            if len(open_) == 0:
                break
            found = layer.sample(points[open_], normals[open_])
            known = found.known.to(points).clamp(0, 1)
            last = index == len(self.layers) - 1
            share = left[open_] * (torch.ones_like(known) if last else known)
            color[open_] += found.base_color.to(points) * share[:, None]
            both = torch.stack([found.metallic.to(points), found.roughness.to(points), known], dim=1)
            scalars[open_] += both * share[:, None]
            left[open_] -= share
        used = (1 - left).clamp(min=1e-6)[:, None]
        scalars, color = scalars / used, color / used
        return SurfaceSample(color, scalars[:, 0], scalars[:, 1], scalars[:, 2])
