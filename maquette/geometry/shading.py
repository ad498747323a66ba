"""A mild relief from shading: what is darker than its surroundings lies deeper (dark-is-deep, Langer and Zucker 1994).

True only under soft light and for one paint, so it gives fine detail, small in depth, and never the shape.
"""

from __future__ import annotations

import numpy as np

from ..data import FloatArray
from .signed_distance import LEVEL

FINE, COARSE = 0.0025, 0.03
"""Standard deviations, as shares of the picture's longer side, between which shading is read as relief."""
CONTRAST = 0.35
"""Difference of lightness to the surroundings that gives the full relief."""


def shading_relief(rgb: FloatArray, mask: FloatArray) -> FloatArray:
    """[H, W] float32 in [-1, 1], positive = towards the viewer; 0 outside ``mask`` and towards its rim.

    rgb: [H, W, 3] sRGB in [0, 1]; mask: [H, W] in [0, 1]. Only pixels of the subject are compared with each other.
    """
    from scipy.ndimage import distance_transform_edt

    side = max(mask.shape)
    inside = (mask >= LEVEL).astype(np.float32)
    light = rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    detail = _blurred(light, inside, FINE * side) - _blurred(light, inside, COARSE * side)
    rim = np.clip(distance_transform_edt(inside) / (COARSE * side), 0.0, 1.0)
    return np.asarray(np.tanh(detail / CONTRAST) * rim * inside, np.float32)


def _blurred(values: FloatArray, inside: FloatArray, sigma: float) -> FloatArray:
    """Gaussian mean over the subject's pixels only."""
    from scipy.ndimage import gaussian_filter

    weight = gaussian_filter(inside, sigma)
    return np.asarray(gaussian_filter(values * inside, sigma) / np.maximum(weight, 1e-4), np.float32)
