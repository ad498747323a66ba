"""The input pictures as an appearance: each surface point takes the colour that the views saw there.

A view counts where it sees the point (depth test on the same mesh), from the front rather than at a grazing angle, and
away from silhouettes and depth jumps, where a pixel mixes two surfaces. What no view saw is made up from what they saw:
the picture mirrored through the object, and the colours of the surface around.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..data import Mesh, SurfaceSample, View
from ..errors import BadViewsError
from ..geometry.normals import vertex_normals
from ._exposure import exposed, gains
from ._photo_maps import PhotoMaps, smoothstep
from ._spread import Spread, spread

if TYPE_CHECKING:
    from ..data import FloatArray

_GRAZING = (0.08, 0.35)
"""Cosine between normal and line of sight at which a view starts to count, and from which it counts in full."""
_SHARPNESS = 4
"""Among several views the weight is cos ** this: high enough that details of two views do not blur into each other."""
_AROUND = 0.05
"""Weight of the colours of the surface around, against pictures that show the point badly or its opposite."""


class ProjectedPhotos:
    """Colours of ``views`` on ``mesh``; ``known`` is 1 where a picture really saw the point and 0 where it is made up.

    views: each with a camera in the frame of the mesh. mirror: unseen points on the far side take the colour of the
    point opposite, seen from the front; False = only the colours of the surface around. match: several views are
    brought to one exposure and tint where they overlap (``gains``: [n, 3], what each was multiplied by, linear light).
    Raises BadViewsError for no views or a view without a camera, BadMeshError for an unusable mesh.
    """

    def __init__(
        self,
        mesh: Mesh,
        views: Sequence[View],
        *,
        device: str | torch.device = "cpu",
        mirror: bool = True,
        match: bool = True,
        metallic: float = 0.0,
        roughness: float = 0.8,
    ) -> None:
        if not views:
            raise BadViewsError("projecting photos needs at least one view, got none")
        self.mesh, self.mirror = mesh.checked(), mirror
        self.metallic, self.roughness = metallic, roughness
        low, high = mesh.bounds
        self._center: FloatArray = (low + high) / 2
        self._size = float((high - low).max()) or 1.0
        self._maps = tuple(PhotoMaps.of(mesh, view, self._size, device) for view in views)
        self.gains: Tensor = torch.ones((len(views), 3))
        if match and len(views) > 1:
            self._match()

    def _match(self) -> None:
        """One exposure for all pictures, measured at the vertices."""
        points = torch.tensor(self.mesh.vertices)
        normals = torch.tensor(vertex_normals(self.mesh))
        looks = [maps.look(points, normals) for maps in self._maps]
        sure = [look.visible * look.clear * smoothstep(look.cosine, *_GRAZING) for look in looks]
        self.gains = gains([look.color for look in looks], sure)
        pairs = zip(self._maps, self.gains, strict=True)
        self._maps = tuple(replace(maps, rgb=exposed(maps.rgb, gain)) for maps, gain in pairs)

    @cached_property
    def _around(self) -> Spread:
        return spread(self.mesh, self.seen)

    def sample(self, points: Tensor, normals: Tensor) -> SurfaceSample:
        """points, normals: [N, 3], one device; the pictures follow them there."""
        points, normals = _together(points, normals)
        color, known, made_up, trust = self._direct(points, normals)
        open_ = (known < 0.999).nonzero()[:, 0]
        if len(open_):
            fill = self._fill(points[open_], normals[open_], made_up[open_], trust[open_])
            share = known[open_][:, None]
            color[open_] = color[open_] * share + fill * (1 - share)
        flat = torch.zeros_like(known)
        return SurfaceSample(color.clamp(0, 1), flat + self.metallic, flat + self.roughness, known)

    def seen(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
        """Colours [N, 3] sRGB and how surely the pictures show them [N] in [0, 1]; nothing made up."""
        color, known, _, _ = self._direct(*_together(points, normals))
        return color, known

    def _direct(self, points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Blend of what the views saw [N, 3], how surely [N]; the same with rims let in [N, 3] and its weight [N]."""
        color, rims = torch.zeros_like(points), torch.zeros_like(points)
        weight, missed, trust = (points.new_zeros(len(points)) + x for x in (0.0, 1.0, 0.0))
        for maps in self._maps:
            seen = maps.look(points, normals)
            sure = seen.visible * seen.clear * smoothstep(seen.cosine, *_GRAZING)
            share = sure * seen.cosine.clamp(min=0) ** _SHARPNESS + 1e-6 * sure
            color += seen.color * share[:, None]
            weight += share
            missed *= 1 - sure
            rim = seen.visible * seen.apart * seen.cosine.clamp(min=0) ** 2
            rims += seen.color * rim[:, None]
            trust += rim
        color = color / weight.clamp(min=1e-12)[:, None]
        return color, 1 - missed, rims / trust.clamp(min=1e-12)[:, None], trust

    def _fill(self, points: Tensor, normals: Tensor, rims: Tensor, trust: Tensor) -> Tensor:
        """[N, 3] made-up colours: rims of the pictures, the mirrored pictures, the surface around."""
        total = rims * trust[:, None]
        weight = trust.clone()
        if self.mirror:
            for maps in self._maps:
                color, away = maps.mirrored(points, normals, self._center)
                share = (1 - trust).clamp(min=0) * away
                total += color * share[:, None]
                weight += share
        share = _AROUND * (1 - smoothstep(weight, 0.25, 0.5))
        bare = (share > 0).nonzero()[:, 0]
        if len(bare):  # the look-up is dear, and says nothing where a picture does
            total[bare] += share[bare, None] * self._around.sample(points[bare])
        return total / (weight + share).clamp(min=1e-9)[:, None]


def _together(points: Tensor, normals: Tensor) -> tuple[Tensor, Tensor]:
    """Both float32 on the device of the points."""
    return points.to(torch.float32), normals.to(points.device, torch.float32)
