"""A view -> what the network takes: the subject's square, resampled, grey around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...data import FloatArray, View
from ...geometry.camera import FILL
from ...geometry.signed_distance import LEVEL

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Crop:
    """A square of a picture: left upper corner and side in pixels (it may reach beyond the picture)."""

    left: int
    top: int
    side: int


def crop_of(mask: FloatArray) -> Crop:
    """The square around the subject of ``mask`` [H, W] in which its longer side takes ``FILL``."""
    inside = mask >= LEVEL
    ends = [np.flatnonzero(inside.any(axis=axis))[[0, -1]] for axis in (0, 1)]
    low, high = (np.array([x, y]) for x, y in zip(*ends, strict=True))
    high += 1
    side = max(round(float((high - low).max()) / FILL), 8)
    left, top = np.round((low + high) / 2 - side / 2)
    return Crop(int(left), int(top), side)


def cut(values: FloatArray, crop: Crop) -> FloatArray:
    """[H, W] or [H, W, C] -> the square [side, side, ...], zeros beyond the picture."""
    height, width = values.shape[:2]
    out = np.zeros((crop.side, crop.side, *values.shape[2:]), np.float32)
    x0, y0 = max(crop.left, 0), max(crop.top, 0)
    x1, y1 = min(crop.left + crop.side, width), min(crop.top + crop.side, height)
    out[y0 - crop.top : y1 - crop.top, x0 - crop.left : x1 - crop.left] = values[y0:y1, x0:x1]
    return out


def network_input(view: View, mask: FloatArray, crop: Crop, size: int, device: str = "cpu") -> Tensor:
    """[1, 4, size, size] on ``device``: sRGB, grey outside ``mask`` [H, W] (the view's, made tidy), and the mask."""
    import torch
    from torch.nn import functional

    alpha = torch.from_numpy(cut(mask, crop)).to(device)[None, None]
    rgb = torch.from_numpy(cut(view.rgb, crop)).to(device).permute(2, 0, 1)[None]
    whole = torch.cat([rgb * alpha + 0.5 * (1 - alpha), alpha], 1)
    return functional.interpolate(whole, (size, size), mode="bilinear", antialias=True, align_corners=False).clamp(0, 1)
