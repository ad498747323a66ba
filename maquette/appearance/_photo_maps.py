"""One picture made ready for projection: depth of the mesh, colours drawn out over the edge, distance to edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ..data import Camera, FloatArray, Mesh, View
from ..errors import BadViewsError
from ..geometry.camera import resized
from ..geometry.nearest_pixel import WIDEST
from ..geometry.raster import render_depth
from .sampling import bilinear, tensor

if TYPE_CHECKING:
    import numpy.typing as npt

_DEPTH_SIDE = 1024
_JUMP = 0.03
"""A step between neighbouring depths above this share of the object's size is an edge between two surfaces ..."""
_STEEP = 8.0
"""... when it also is more than this many pixels, which a surface seen at a grazing angle may be."""
_BIAS = 0.004
"""Depth by which a point may lie behind the drawn surface, as a share of the object's size."""
_FEATHER = (0.002, 0.008)
"""Distance to the nearest edge at which a pixel starts to count and counts in full, as a share of the picture."""


def smoothstep(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """0 below ``low``, 1 above ``high``, smooth between."""
    t = ((x - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


@dataclass(frozen=True)
class Seen:
    """What one view says of N points: color [N, 3] sRGB; visible, clear (away from all edges), apart (away from the
    edges between two surfaces), cosine [N]."""

    color: Tensor
    visible: Tensor
    clear: Tensor
    apart: Tensor
    cosine: Tensor


@dataclass(frozen=True)
class PhotoMaps:
    """rgb: [H, W, 3], background replaced by the nearest subject colour; clear: [H, W, 2], the two shares of ``Seen``;
    depth: [h, w]; size: of the object in world units."""

    camera: Camera
    rgb: Tensor
    clear: Tensor
    depth: Tensor
    size: float

    @staticmethod
    def of(mesh: Mesh, view: View, size: float, device: str | torch.device) -> PhotoMaps:
        """Draw the mesh from the view's camera and measure the picture."""
        if view.camera is None:
            raise BadViewsError(
                f"view '{view.name}' has no camera, so its picture cannot be projected; reconstruct first"
            )
        height, width = view.mask.shape
        camera = resized(view.camera, width, height)
        shrink = min(1.0, _DEPTH_SIDE / max(height, width))
        drawn = resized(camera, max(1, round(width * shrink)), max(1, round(height * shrink)))
        depth = render_depth(mesh, drawn, device)
        pixel = float(depth.amin().nan_to_num(0.0, 0.0, 0.0)) / float(drawn.intrinsics[0, 0])
        rgb, clear = _prepared(view, depth, max(_JUMP * size, _STEEP * pixel))
        return PhotoMaps(camera, rgb, clear, depth, size)

    def look(self, points: Tensor, normals: Tensor) -> Seen:
        """What this view saw at ``points`` with ``normals``, both [N, 3]."""
        xy, z = self._project(points)
        cosine = self._cosine(points, normals)
        clear = bilinear(self.clear, xy)
        return Seen(bilinear(self.rgb, xy), self._visible(xy, z, cosine), clear[:, 0], clear[:, 1], cosine)

    def mirrored(self, points: Tensor, normals: Tensor, center: FloatArray) -> tuple[Tensor, Tensor]:
        """Colour [N, 3] of the points opposite (through the plane across the line of sight) and how far each faces
        away from the camera [N] in [0, 1]."""
        forward = -tensor(self.camera.cam_to_world[:3, 2], points)
        offset = (points - tensor(center, points)) @ forward
        opposite = points - 2 * offset[:, None] * forward
        color = bilinear(self.rgb, self._project(opposite)[0])
        return color, (normals @ forward).clamp(min=0) ** 2

    def _project(self, points: Tensor) -> tuple[Tensor, Tensor]:
        world_to_cam = tensor(np.linalg.inv(self.camera.cam_to_world), points)
        local = points @ world_to_cam[:3, :3].T + world_to_cam[:3, 3]
        z = -local[:, 2]
        k, safe = self.camera.intrinsics, z.clamp(min=1e-6)
        x = float(k[0, 0]) * local[:, 0] / safe + float(k[0, 2])
        y = -float(k[1, 1]) * local[:, 1] / safe + float(k[1, 2])
        return torch.stack([x, y], dim=1), z

    def _cosine(self, points: Tensor, normals: Tensor) -> Tensor:
        towards = tensor(self.camera.position, points) - points
        return (torch.nn.functional.normalize(towards, dim=1) * normals).sum(dim=1)

    def _visible(self, xy: Tensor, z: Tensor, cosine: Tensor) -> Tensor:
        """[N] 1 where nothing drawn lies before the point; the farthest of the four depths around, and a bias that
        grows with the slope, keep the surface from shadowing itself."""
        depth = self.depth.to(xy.device)
        height, width = depth.shape
        scale = tensor([width / self.camera.width, height / self.camera.height], xy)
        cell = torch.floor(xy * scale - 0.5)
        inside = ((xy >= 0) & (xy * scale < tensor([width, height], xy))).all(dim=1) & (z > 0)
        far = torch.full_like(z, -1.0)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            column = (cell[:, 0] + dx).nan_to_num().clamp(0, width - 1).to(torch.int64)
            row = (cell[:, 1] + dy).nan_to_num().clamp(0, height - 1).to(torch.int64)
            here = depth[row, column]
            far = torch.maximum(far, torch.where(torch.isfinite(here), here, torch.full_like(here, -1.0)))
        pixel = z / (float(self.camera.intrinsics[0, 0]) * width / self.camera.width)
        slope = (1 - cosine**2).clamp(min=0).sqrt() / cosine.abs().clamp(min=0.1)
        return (inside & (cosine > 0) & (z <= far + _BIAS * self.size + pixel * slope)).to(z.dtype)


def _prepared(view: View, depth: Tensor, jump: float) -> tuple[Tensor, Tensor]:
    """``PhotoMaps.rgb`` and ``clear``, on the device of ``depth``; a CUDA device computes them itself."""
    if depth.device.type != "cuda" or max(view.mask.shape) > WIDEST:
        clear = _clear(view.mask, depth.cpu().numpy(), jump)
        return tensor(extended(view.rgb, view.mask), depth), tensor(clear, depth)
    from ._photo_rims import clear_on_device, extended_on_device

    mask = tensor(view.mask, depth)
    return extended_on_device(tensor(view.rgb, depth), mask), clear_on_device(mask, depth, jump, _FEATHER)


def extended(rgb: FloatArray, mask: FloatArray) -> FloatArray:
    """[H, W, 3] the picture with all outside the subject, and its mixed rim, replaced by the nearest safe colour."""
    from scipy.ndimage import distance_transform_edt

    inside = _distance(mask > 0.5)
    rim = max(1.0, 0.003 * max(mask.shape))
    safe = inside > np.minimum(rim, 0.5 * _local_width(inside, rim))
    if not safe.any():
        safe = mask >= mask.max()
    nearest = distance_transform_edt(~safe, return_distances=False, return_indices=True)
    return np.ascontiguousarray(rgb[nearest[0], nearest[1]], dtype=np.float32)


def _clear(mask: FloatArray, depth: FloatArray, jump: float) -> FloatArray:
    """[H, W, 2] in [0, 1]: how far from any edge, and how far from edges between two surfaces; 0 on the edge, 1 well
    inside. Thin parts keep their middle."""
    outside, jumps = _edges(depth, jump)
    scale = max(mask.shape) / max(depth.shape)
    between = _resized_nearest(_distance(~jumps) * scale, mask.shape)
    around = _resized_nearest(_distance(~outside) * scale, mask.shape)
    inside = np.minimum(_distance(mask > 0.5), around)
    return np.stack([_feathered(np.minimum(inside, between)), _feathered(between)], axis=2)


def _feathered(distance: npt.NDArray[Any]) -> FloatArray:
    """Distances to an edge in pixels [H, W] -> 0 beside it, 1 beyond the feather, narrower on thin parts."""
    low, high = (share * max(distance.shape) for share in _FEATHER)
    width = _local_width(distance, high)
    low, high = np.minimum(low, 0.25 * width), np.minimum(high, 0.75 * width)
    t = ((distance - low) / np.maximum(high - low, 1e-6)).clip(0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def _edges(depth: FloatArray, least: float) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """[h, w] True outside the object; [h, w] True on both sides of a depth jump of ``least`` or more within it."""
    solid = np.isfinite(depth)
    filled = np.where(solid, depth, 0.0)
    jumps = np.zeros(depth.shape, bool)
    for axis in (0, 1):
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        one, two = tuple(before), tuple(after)
        jump = (np.abs(filled[one] - filled[two]) > least) & solid[one] & solid[two]
        jumps[one] |= jump
        jumps[two] |= jump
    return ~solid, jumps


def _distance(where: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """[H, W] pixels to the nearest False; the frame itself is no edge."""
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(where) if not where.all() else np.full(where.shape, float(max(where.shape)))


def _local_width(inside: npt.NDArray[Any], reach: float) -> npt.NDArray[Any]:
    """[H, W] the largest ``inside`` near each pixel: half the width of the part that it belongs to."""
    from scipy.ndimage import maximum_filter

    return maximum_filter(inside, size=2 * int(np.ceil(reach)) + 1)


def _resized_nearest(values: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    rows = (np.arange(shape[0]) * values.shape[0] // shape[0]).clip(0, values.shape[0] - 1)
    columns = (np.arange(shape[1]) * values.shape[1] // shape[1]).clip(0, values.shape[1] - 1)
    return values[rows[:, None], columns[None, :]]
