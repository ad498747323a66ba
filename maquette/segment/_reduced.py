"""Reduced copies to work on: what a segmentation must know does not need every pixel."""

from __future__ import annotations

import numpy as np

from ..data import FloatArray
from ..errors import BadMaskError
from ._mixture import Doubles

LEAST_CONTRAST = 1.0
"""CIELAB units: a picture that varies less than this shows nothing."""


def reduced_lab(rgb: FloatArray, side: int, name: str) -> Doubles:
    """[h, w, 3] CIELAB of ``rgb`` [H, W, 3] reduced so that its longer side is at most ``side``.

    BadMaskError for a picture of one colour.
    """
    from skimage.color import rgb2lab

    height, width = rgb.shape[:2]
    scale = min(1.0, side / max(height, width))
    shape = (max(4, round(height * scale)), max(4, round(width * scale)))
    lab = np.asarray(rgb2lab(np.clip(resized(rgb, shape), 0, 1)), np.float64)
    if float(lab.reshape(-1, 3).std(axis=0).max()) < LEAST_CONTRAST:
        raise BadMaskError(
            f"'{name}' is one even colour: no subject stands out from the background; use another picture, or give a"
            " mask"
        )
    return lab


def resized(values: FloatArray, shape: tuple[int, int]) -> FloatArray:
    """[H, W] or [H, W, C] brought to ``shape`` (height, width): averaged when smaller, linear when larger."""
    from PIL import Image

    planes = values[..., None] if values.ndim == 2 else values
    size = (shape[1], shape[0])
    out = [
        np.asarray(
            Image.fromarray(np.ascontiguousarray(planes[..., c], np.float32)).resize(size, Image.Resampling.BILINEAR)
        )
        for c in range(planes.shape[2])
    ]
    return out[0] if values.ndim == 2 else np.stack(out, axis=2)
