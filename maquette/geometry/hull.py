"""The visual hull of several soft silhouettes as a field, and its rounded form.

A visual hull (Laurentini 1994) is all that fits into the cones of every silhouette. From a handful of views it has
edges where two cones meet: four views make a ball look like a box. The rounded hull keeps every silhouette exactly and
gives such cross-sections the shape of a (super)ellipse, which touches each cone where the hull is deepest along the ray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ..data import Camera, FloatArray
from ..progress import Progress
from .inflate import outline_distance

SAME_AXIS = 30.0
"""Degrees: views whose lines of sight differ by less, or by that much less than 180, tell the same about the depth."""
RAYS, SAMPLES = 96, 96
"""Rays a side of each view, and samples along each, that find how deep the hull is there."""
MARGIN = 16


@dataclass(frozen=True)
class Silhouette:
    """The cone of one mask. distance: [1, 1, H, W] signed distance in pixels, with MARGIN pixels more on each side."""

    camera: Camera
    distance: Tensor

    @classmethod
    def of(cls, mask: FloatArray, camera: Camera, least: float, device: str | torch.device) -> Silhouette:
        """mask: [H, W] in [0, 1]; least: half-width in pixels to which thinner parts are widened."""
        distance = outline_distance(np.pad(mask, MARGIN), least)
        return cls(camera, torch.as_tensor(distance, device=device)[None, None])

    def pixels(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """World points [N, 3] -> pixel coordinates [N, 2] and z-depth [N]."""
        world_to_cam = points.new_tensor(np.linalg.inv(self.camera.cam_to_world))
        local = points @ world_to_cam[:3, :3].T + world_to_cam[:3, 3]
        depth = (-local[:, 2]).clamp(min=1e-6)
        k = self.camera.intrinsics
        x = local[:, 0] / depth * float(k[0, 0]) + float(k[0, 2])
        y = float(k[1, 2]) - local[:, 1] / depth * float(k[1, 1])
        return torch.stack([x, y], dim=1), depth

    def at(self, points: Tensor) -> Tensor:
        """World points [N, 3] -> [N] distance to the cone's wall in world units, positive inside."""
        pixels, depth = self.pixels(points)
        value, beyond = sample(self.distance, pixels + MARGIN)
        return (value - beyond) * depth / float(self.camera.intrinsics[0, 0])

    def rays(self, count: int, near: float, far: float, samples: int) -> tuple[Tensor, Tensor, tuple[float, ...]]:
        """Points [count^2 * samples, 3] on rays through a grid over the silhouette's box; its distances [count, count]
        in pixels; and the box (x0, y0, x1, y1) in pixels."""
        found = (self.distance[0, 0] > 0).nonzero().float() + 0.5 - MARGIN
        (y0, x0), (y1, x1) = (found.min(0).values - 1).tolist(), (found.max(0).values + 1).tolist()
        make = {"device": self.distance.device, "dtype": torch.float32}
        ys, xs = torch.linspace(y0, y1, count, **make), torch.linspace(x0, x1, count, **make)
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)
        k = self.camera.intrinsics
        aim = torch.stack(
            [(grid[..., 0] - k[0, 2]) / k[0, 0], -(grid[..., 1] - k[1, 2]) / k[1, 1], -torch.ones_like(grid[..., 0])],
            -1,
        ).to(torch.float32)
        pose = aim.new_tensor(self.camera.cam_to_world)
        depth = torch.linspace(max(near, 1e-3), far, samples, **make)
        points = (aim @ pose[:3, :3].T)[:, :, None] * depth[:, None] + pose[:3, 3]
        value, _ = sample(self.distance, grid.reshape(-1, 2) + MARGIN)
        return points.reshape(-1, 3), value.reshape(count, count), (x0, y0, x1, y1)


def sample(image: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear ``image`` [1, 1, H, W] at pixel coordinates [N, 2] (centre of the first = 0.5), and how far outside
    the frame each lies, in pixels."""
    size = pixels.new_tensor([image.shape[3], image.shape[2]])
    inside = torch.minimum(pixels.clamp(min=0.5), size - 0.5)
    grid = (2 * inside / size - 1)[None, None]
    value = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return value[0, 0, 0], (pixels - inside).norm(dim=1)


def axis_groups(cameras: Sequence[Camera]) -> tuple[int, ...]:
    """A number per view, the same for views along one axis (front and back, say)."""
    axes, groups = [], []
    for camera in cameras:
        axis = camera.cam_to_world[:3, 2]
        near = [i for i, other in enumerate(axes) if abs(float(axis @ other)) > np.cos(np.radians(SAME_AXIS))]
        if not near:
            axes.append(axis)
        groups.append(near[0] if near else len(axes) - 1)
    return tuple(groups)


@dataclass(frozen=True)
class DepthOfView:
    """How deep the hull of the other axes is along the rays of one view: room [1, 1, R, R] in world units over ``box``.

    covered: share of the silhouette whose rays meet the hull of all other views.
    """

    room: Tensor
    box: tuple[float, ...]

    def at(self, pixels: Tensor) -> Tensor:
        """[N] room at pixel coordinates [N, 2]."""
        x0, y0, x1, y1 = self.box
        count = self.room.shape[2]
        scale = pixels.new_tensor([(count - 1) / (x1 - x0), (count - 1) / (y1 - y0)])
        return sample(self.room, (pixels - pixels.new_tensor([x0, y0])) * scale + 0.5)[0]


def rays_through(
    silhouettes: Sequence[Silhouette], center: Tensor, radius: float, progress: Progress
) -> list[tuple[Tensor, Tensor, tuple[float, ...]]]:
    """Per view: distances [views, R, R, S] to every silhouette along its rays, its own [R, R] in pixels, its box."""
    out = []
    for view, silhouette in enumerate(silhouettes):
        progress.update(view, len(silhouettes), "look through the views")
        depth = float(silhouette.pixels(center[None])[1])
        points, own, box = silhouette.rays(RAYS, depth - radius, depth + radius, SAMPLES)
        along = torch.stack([_in_blocks(other.at, points, progress) for other in silhouettes])
        out.append((along.reshape(len(silhouettes), RAYS, RAYS, SAMPLES), own, box))
    return out


def _in_blocks(field: Callable[[Tensor], Tensor], points: Tensor, progress: Progress) -> Tensor:
    parts = []
    for block in points.split(1 << 18):
        progress.check()
        parts.append(field(block))
    return torch.cat(parts)


@dataclass(frozen=True)
class RoundedHull:
    """A field over world points, larger = inside, about a distance in world units near the surface.

    Write room_i for how deep, along the ray of view i, the hull of the views on other axes is at its deepest, and
    o_i = (depth in that hull at the point) / room_i: 1 in the middle of the ray, 0 on a wall of another view. With the
    two largest o the point is inside where (1 - o_1)^p + (1 - o_2)^p < 1: for two views at right angles the largest
    (super)ellipse in the rectangle that their cones cut out. On a view's outline o_i = 1 is reached along each ray, so
    its silhouette stays.
    """

    silhouettes: tuple[Silhouette, ...]
    groups: tuple[int, ...]
    depths: tuple[DepthOfView, ...]
    exponent: float
    softness: float

    def __call__(self, points: Tensor) -> Tensor:
        """points: [N, 3] -> [N]."""
        values = torch.stack([s.at(points) for s in self.silhouettes])
        hull = values.min(dim=0).values
        if len(set(self.groups)) < 2:
            return hull
        return torch.minimum(hull, self._rounded(points, values))

    def _rounded(self, points: Tensor, values: Tensor) -> Tensor:
        lacks, rooms = [], []
        for view, silhouette in enumerate(self.silhouettes):
            others = [i for i, group in enumerate(self.groups) if group != self.groups[view]]
            room = self.depths[view].at(silhouette.pixels(points)[0]).clamp(min=0) + self.softness
            here = values[others].min(dim=0).values + self.softness
            lacks.append((1 - here / room).clamp(min=0))
            rooms.append(room)
        lack, room = _per_axis(torch.stack(lacks), torch.stack(rooms), self.groups)
        least, which = lack.topk(2, dim=0, largest=False)
        norm = (least**self.exponent).sum(dim=0) ** (1 / self.exponent)
        return room.gather(0, which).min(dim=0).values * (1 - norm)


def _per_axis(lack: Tensor, room: Tensor, groups: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Of the views along one axis the one with the least lack: [views, N] -> [axes, N]."""
    lacks, rooms = [], []
    for group in sorted(set(groups)):
        members = [i for i, g in enumerate(groups) if g == group]
        best = lack[members].min(dim=0)
        lacks.append(best.values)
        rooms.append(room[members].gather(0, best.indices[None])[0])
    return torch.stack(lacks), torch.stack(rooms)
