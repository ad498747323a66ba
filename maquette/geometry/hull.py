"""The visual hull of several soft silhouettes as a field, rounded without losing the silhouettes.

A visual hull (Laurentini 1994) is all that fits into the cones of every silhouette. From a handful of views it has
edges where two cones meet: four views make a ball look like a box. The rounded hull keeps every silhouette and gives
such cross-sections the shape of a (super)ellipse that touches each cone where the hull is deepest along the ray.
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
from .inflate import outline_distance, squared_thickness

SAME_AXIS = 30.0
"""Degrees: views whose lines of sight differ by less, or by that much less than 180, tell the same about the depth."""
RAYS, SAMPLES = 96, 40
"""Rays a side of each view, and samples along each, that find how deep the hull is there."""
MARGIN = 16
"""Pixels added around every mask."""
CREASE = 0.12
"""Width over which the crease between the cones of a front and a back view is smoothed, as a share of the room."""
TOUCH = 0.03
"""Share of the room along a ray, from its deepest point, within which the rounded hull may still touch the cone."""


@dataclass(frozen=True)
class Silhouette:
    """The cone of one mask, as two maps with MARGIN pixels more on each side.

    maps: [1, 2, H, W], the signed distance in pixels and the squared thickness in pixels^2 (``inflate``), both positive
    inside and zero on the outline; the second is smooth everywhere inside.
    """

    camera: Camera
    maps: Tensor

    @classmethod
    def of(
        cls, mask: FloatArray, camera: Camera, least: float, device: str | torch.device, progress: Progress
    ) -> Silhouette:
        """mask: [H, W] in [0, 1]; least: half-width in pixels to which thinner parts are widened."""
        distance = outline_distance(np.pad(mask, MARGIN), least)
        squared = squared_thickness(distance, progress)
        return cls(camera, torch.as_tensor(np.stack([distance, squared])[None], device=device))

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
        """World points [N, 3] -> [2, N]: distance to the cone's wall in world units, squared thickness in units^2."""
        pixels, depth = self.pixels(points)
        values, beyond = sample(self.maps, pixels + MARGIN)
        scale = depth / float(self.camera.intrinsics[0, 0])
        return torch.stack([(values[0] - beyond) * scale, (values[1] - MARGIN * beyond) * scale**2])

    def ray_grid(self, count: int) -> tuple[Tensor, Tensor, tuple[float, ...]]:
        """Rays through a grid over the silhouette's box.

        Returns directions [count, count, 3] with z-depth 1; the silhouette's own distances there [count, count] in
        pixels; the box (x0, y0, x1, y1) of the grid in pixels.
        """
        found = (self.maps[0, 0] > 0).nonzero().float() + 0.5 - MARGIN
        (y0, x0), (y1, x1) = (found.min(0).values - 1).tolist(), (found.max(0).values + 1).tolist()
        device = self.maps.device
        ys, xs = torch.linspace(y0, y1, count, device=device), torch.linspace(x0, x1, count, device=device)
        grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1)
        k = self.camera.intrinsics
        x, y = (grid[..., 0] - float(k[0, 2])) / float(k[0, 0]), (float(k[1, 2]) - grid[..., 1]) / float(k[1, 1])
        aim = torch.stack([x, y, -torch.ones_like(x)], dim=-1) @ grid.new_tensor(self.camera.cam_to_world[:3, :3]).T
        values, _ = sample(self.maps, grid.reshape(-1, 2) + MARGIN)
        return aim, values[0].reshape(count, count), (x0, y0, x1, y1)


def sample(image: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Bilinear ``image`` [1, C, H, W] at pixel coordinates [N, 2] (centre of the first = 0.5): [C, N]; and how far
    outside the frame each lies, in pixels [N]."""
    size = pixels.new_tensor([image.shape[3], image.shape[2]])
    inside = torch.minimum(pixels.clamp(min=0.5), size - 0.5)
    grid = (2 * inside / size - 1)[None, None]
    values = functional.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values[0, :, 0], (pixels - inside).norm(dim=1)


def axis_groups(cameras: Sequence[Camera]) -> tuple[int, ...]:
    """A number per view from 0, the same for views along one axis (front and back, say)."""
    axes: list[np.ndarray] = []
    groups = []
    for camera in cameras:
        axis = camera.cam_to_world[:3, 2]
        near = [i for i, other in enumerate(axes) if abs(float(axis @ other)) > np.cos(np.radians(SAME_AXIS))]
        if not near:
            axes.append(axis)
        groups.append(near[0] if near else len(axes) - 1)
    return tuple(groups)


@dataclass(frozen=True)
class Rays:
    """What lies along the rays of one view.

    room: what the views on other axes leave; met: [views + 1, R, R] the greatest distance to the cones of all other
    views along each ray (world units, negative = missed), the k-th without view k, the last without none; own: [R, R]
    the view's own distance in pixels.
    """

    room: DepthOfView
    met: Tensor
    own: Tensor


@dataclass(frozen=True)
class DepthOfView:
    """room: [1, 1, R, R], how thick (squared, world units) the other views' hull is at its thickest along each ray of
    a grid over ``box`` (pixels)."""

    room: Tensor
    box: tuple[float, ...]

    def at(self, pixels: Tensor) -> Tensor:
        """[N] room at pixel coordinates [N, 2]."""
        x0, y0, x1, y1 = self.box
        count = self.room.shape[2]
        scale = pixels.new_tensor([(count - 1) / (x1 - x0), (count - 1) / (y1 - y0)])
        return sample(self.room, (pixels - pixels.new_tensor([x0, y0])) * scale + 0.5)[0][0]


def _peak(values: Tensor) -> Tensor:
    """[R, R, S] -> [R, R] the maximum over S of the parabola through the largest sample and its neighbours."""
    best = values.argmax(dim=-1, keepdim=True).clamp(1, values.shape[-1] - 2)
    before, here, after = (values.gather(-1, best + shift)[..., 0] for shift in (-1, 0, 1))
    bend = (2 * here - before - after).clamp(min=1e-12)
    return here + torch.where(here > 0, (after - before) ** 2 / (8 * bend), 0).clamp(max=bend / 8)


def rays_through(
    silhouettes: Sequence[Silhouette], groups: Sequence[int], center: Tensor, radius: float, progress: Progress
) -> tuple[Rays, ...]:
    """Every silhouette along the rays of every view, within ``radius`` of ``center`` [3].

    Twice: once to find where along each ray the hull of the other axes can be, then finely there, for thin parts.
    """
    out = []
    for view, silhouette in enumerate(silhouettes):
        progress.update(view, len(silhouettes), "look through the views")
        middle = float(silhouette.pixels(center[None])[1])
        aim, own, box = silhouette.ray_grid(RAYS)
        share = torch.linspace(0, 1, SAMPLES, device=aim.device)
        near, far = torch.full_like(own, max(middle - radius, 1e-3)), torch.full_like(own, middle + radius)
        others = [i for i, group in enumerate(groups) if group != groups[view]] or list(range(len(groups)))
        depth = near[..., None] + (far - near)[..., None] * share
        first = _along([silhouettes[i] for i in others], silhouette.camera, aim, depth, progress)
        near, far = _interval(first[:, 0].min(dim=0).values, depth)
        depth = near[..., None] + (far - near)[..., None] * share
        along = _along(silhouettes, silhouette.camera, aim, depth, progress)
        room = DepthOfView(_peak(along[others, 1].min(dim=0).values)[None, None], box)
        out.append(Rays(room, _met(along[:, 0], view), own))
    return tuple(out)


def _met(distances: Tensor, view: int) -> Tensor:
    """[views, R, R, S] distances along the rays of ``view`` -> ``Rays.met``."""
    count = len(distances)
    out = []
    for without in range(count + 1):
        others = [i for i in range(count) if i not in (view, without)]
        nearest = distances[others].min(dim=0).values if others else torch.full_like(distances[0], torch.inf)
        out.append(nearest.max(dim=-1).values)
    return torch.stack(out)


def _interval(values: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """Nearest and farthest depth [R, R] where a distance [R, R, S] can be positive; all of it where it nowhere can."""
    step = (depth[..., 1:2] - depth[..., :1]) * 1.2
    possible = values > -step
    possible |= ~possible.any(dim=-1, keepdim=True)
    infinite = torch.full_like(depth, torch.inf)
    near = torch.where(possible, depth, infinite).amin(dim=-1) - step[..., 0]
    far = torch.where(possible, depth, -infinite).amax(dim=-1) + step[..., 0]
    return near.clamp(min=1e-3), far


def _along(silhouettes: Sequence[Silhouette], camera: Camera, aim: Tensor, depth: Tensor, progress: Progress) -> Tensor:
    """[views, 2, R, R, S]: ``Silhouette.at`` of each at the points of ``depth`` [R, R, S] along rays [R, R, 3]."""
    eye = aim.new_tensor(camera.position)
    points = (aim[:, :, None] * depth[..., None] + eye).reshape(-1, 3)
    found = [_in_blocks(s.at, points, progress) for s in silhouettes]
    return torch.stack(found).reshape(len(silhouettes), 2, *depth.shape)


def _in_blocks(field: Callable[[Tensor], Tensor], points: Tensor, progress: Progress) -> Tensor:
    parts = []
    for block in points.split(1 << 18):
        progress.check()
        parts.append(field(block))
    return torch.cat(parts, dim=-1)


@dataclass(frozen=True)
class RoundedHull:
    """A field over world points, larger = inside, about a distance in world units near the surface.

    With T the squared thickness that the silhouettes of the other axes give a point, and room the largest T along the
    ray of view i, the lack of view i is 1 - T / room: 0 in the middle of the ray, 1 on a wall of another view. A point
    is inside where its two least lacks l, m fulfil l^q + m^q < 1, q = exponent / 2: for two views at right angles of
    stripes |x| < a and |z| < b that is (x / a)^(2q) + (z / b)^(2q) < 1, for two discs it is the ball. On a view's
    outline lack 0 is reached along each ray, so its silhouette stays.
    """

    silhouettes: tuple[Silhouette, ...]
    groups: tuple[int, ...]
    depths: tuple[DepthOfView, ...]
    exponent: float
    least: float

    def bound(self, points: Tensor) -> Tensor:
        """[N] true distance to the nearest cone's wall, world units: nothing is inside where it is negative."""
        return torch.stack([s.at(points)[0] for s in self.silhouettes]).min(dim=0).values

    def __call__(self, points: Tensor) -> Tensor:
        """points: [N, 3] -> [N]."""
        values = torch.stack([s.at(points)[1] for s in self.silhouettes])
        rooms = torch.stack(
            [
                depth.at(silhouette.pixels(points)[0]).clamp(min=self.least**2)
                for silhouette, depth in zip(self.silhouettes, self.depths, strict=True)
            ]
        )
        axes = self._axes(values, rooms)
        lacks = []
        for view, group in enumerate(self.groups):
            others = [i for i in range(len(axes)) if i != group]
            lack = 1 - axes[others].min(dim=0).values / rooms[view]
            lacks.append(((lack - TOUCH) / (1 - TOUCH)).clamp(min=0))
        lack, room = _per_axis(torch.stack(lacks), rooms, self.groups)
        least, which = lack.topk(2, dim=0, largest=False)
        total = (least ** (self.exponent / 2)).sum(dim=0)
        return 0.5 * room.gather(0, which).min(dim=0).values.sqrt() * (1 - total.clamp(max=4))

    def _axes(self, values: Tensor, rooms: Tensor) -> Tensor:
        """[axes, N] thickness that the views along each axis leave, smooth where the cones of two of them meet."""
        out = []
        for group in range(max(self.groups) + 1):
            members = [i for i, g in enumerate(self.groups) if g == group]
            width = CREASE * rooms[[i for i, g in enumerate(self.groups) if g != group]].min(dim=0).values
            value = values[members[0]]
            for member in members[1:]:
                value = smooth_min(value, values[member], width)
            out.append(value)
        return torch.stack(out)


def smooth_min(a: Tensor, b: Tensor, width: Tensor) -> Tensor:
    """The minimum, with a parabola in place of the crease where the two differ by less than ``width``."""
    near = (1 - (a - b).abs() / width).clamp(min=0)
    return torch.minimum(a, b) - 0.25 * width * near**2


def _per_axis(lack: Tensor, room: Tensor, groups: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Of the views along one axis the one with the least lack: [views, N] -> [axes, N]."""
    lacks, rooms = [], []
    for group in sorted(set(groups)):
        members = [i for i, g in enumerate(groups) if g == group]
        best = lack[members].min(dim=0)
        lacks.append(best.values)
        rooms.append(room[members].gather(0, best.indices[None])[0])
    return torch.stack(lacks), torch.stack(rooms)
