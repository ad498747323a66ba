"""From a mask on a reduced copy to a soft edge at full size."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import FloatArray

Floats = npt.NDArray[np.float32]


def refine(rgb: FloatArray, coarse: FloatArray, reach: int) -> FloatArray:
    """Alpha [H, W] that follows the picture's own edges.

    rgb: [H, W, 3]; coarse: [H, W] in [0, 1], right to within ``reach`` pixels. In the band around its outline each
    pixel is placed between the colour of the subject and that of the background nearby; where the two are alike, a
    guided filter (He et al. 2010) decides.
    """
    from scipy.ndimage import binary_dilation, binary_erosion

    inside = coarse >= 0.5
    ball = np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1]) <= reach + 0.3
    sure_in, sure_out = binary_erosion(inside, ball, border_value=1), ~binary_dilation(inside, ball)
    band = ~(sure_in | sure_out)
    if not band.any():
        return inside.astype(np.float32)
    smooth = guided(rgb, coarse.astype(np.float32), reach + 1, 1e-3)
    placed, trust = _between(rgb, inside, sure_in, sure_out, reach)
    alpha = np.where(band, trust * placed + (1 - trust) * smooth, inside)
    return _sharpened(alpha).astype(np.float32)


def _between(
    rgb: FloatArray,
    inside: npt.NDArray[np.bool_],
    sure_in: npt.NDArray[np.bool_],
    sure_out: npt.NDArray[np.bool_],
    reach: int,
) -> tuple[Floats, Floats]:
    """Where each colour lies on the way from the local background's to the local subject's, and how far to trust it."""
    front, known_front = _local_mean(rgb, np.where(sure_in, 1.0, 0.15 * inside), 2 * reach)
    back, known_back = _local_mean(rgb, np.where(sure_out, 1.0, 0.15 * ~inside), 2 * reach)
    way = front - back
    length = (way * way).sum(axis=2)
    place = ((rgb - back) * way).sum(axis=2) / np.maximum(length, 1e-6)
    off = ((rgb - back - place[..., None] * way) ** 2).sum(axis=2)
    trust = length / (length + 0.02) * np.exp(-off / (0.25 * length + 0.004)) * known_front * known_back
    return np.clip(place, 0, 1).astype(np.float32), trust.astype(np.float32)


def _local_mean(rgb: FloatArray, weight: npt.NDArray[np.floating], reach: int) -> tuple[Floats, Floats]:
    """Mean colour [H, W, 3] of the weighted pixels around each pixel, and whether there were any, in [0, 1]."""
    from scipy.ndimage import gaussian_filter

    w = np.asarray(weight, np.float32)
    total = gaussian_filter(w, reach / 2)
    mean = np.stack([gaussian_filter(rgb[..., c] * w, reach / 2) for c in range(3)], axis=2)
    return mean / np.maximum(total, 1e-6)[..., None], np.clip(total / 0.02, 0, 1)


def guided(guide: FloatArray, values: FloatArray, radius: int, smoothness: float) -> Floats:
    """The guided filter with the picture's brightness and colours as guide (one channel at a time, averaged)."""
    from scipy.ndimage import uniform_filter

    size = 2 * radius + 1

    def mean(a: npt.NDArray[Any]) -> Floats:
        return np.asarray(uniform_filter(a, size, mode="nearest"), np.float32)

    out = np.zeros(values.shape, np.float32)
    total = np.zeros(values.shape, np.float32)
    mean_v = mean(values)
    for c in range(3):
        g = np.asarray(guide[..., c], np.float32)
        mean_g = mean(g)
        variance = mean(g * g) - mean_g * mean_g
        covariance = mean(g * values) - mean_g * mean_v
        slope = covariance / (variance + smoothness)
        certainty = covariance * slope + 1e-6  # variance of the mask that this channel explains
        out += certainty * (mean(slope) * g + mean(mean_v - slope * mean_g))
        total += certainty
    return np.clip(out / total, 0, 1)


def _sharpened(alpha: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """Noise at both ends of [0, 1] is taken off."""
    return np.clip((alpha - 0.06) / 0.88, 0, 1)
