"""Colour at a soft edge: what belongs to the subject, without the background that shone through.

A pixel on the outline shows C = alpha F + (1 - alpha) B. Textures must get F: with C a bright rim of background would
be baked onto the model. F and B are first spread outwards from where each is pure, then moved by the least amount that
explains C (the closed form of a two-unknown least-squares problem per pixel and channel).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data import FloatArray

DOUBT = 0.1
"""Weight of the spread colours against the pixel's own colour: masks are never exact to the last percent."""
PURITY = 8
"""alpha to this power is how far a pixel's colour is trusted as the subject's own."""


def clean_edges(rgb: npt.ArrayLike, alpha: npt.ArrayLike) -> FloatArray:
    """The subject's own colour [H, W, 3], spread over the whole picture beyond its edge.

    rgb: [H, W, 3] in [0, 1] as photographed, background included; alpha: [H, W] in [0, 1], 1 = subject. Where alpha is
    1 the colour stays as it is. A picture without any background, or without a subject, is returned as it came.
    """
    colour, cover = np.asarray(rgb, np.float32), np.asarray(alpha, np.float32)
    if float(cover.min()) > 0.98 or float(cover.max()) < 0.02:
        return colour.copy()
    front = spread(colour, _pure(cover))
    back = spread(colour, _pure(1 - cover))
    a = cover[..., None]
    gap = colour - a * front - (1 - a) * back
    own = front + a * gap / (a**2 + (1 - a) ** 2 + DOUBT)
    sure = np.clip((a - 0.9) / 0.1, 0, 1)
    return np.clip(own + sure * (colour - own), 0, 1)


def spread(rgb: npt.ArrayLike, weight: npt.ArrayLike) -> FloatArray:
    """Fill a picture from its trusted pixels, smoothly and without seams (a push-pull pyramid).

    rgb: [H, W, 3]; weight: [H, W] in [0, 1], 1 = keep, 0 = make up from around. Returns [H, W, 3]; where no pixel is
    trusted at all the mean colour is given.
    """
    colour, trust = np.asarray(rgb, np.float32), np.asarray(weight, np.float32)[..., None]
    if float(trust.max()) <= 0:
        return np.broadcast_to(colour.mean(axis=(0, 1)), colour.shape).copy()
    return _filled(colour * trust, trust)


def _filled(weighted: FloatArray, trust: FloatArray) -> FloatArray:
    """weighted: [H, W, 3] colours times trust [H, W, 1]. Coarser levels answer where finer ones know too little."""
    height, width = trust.shape[:2]
    if height <= 1 and width <= 1:
        return np.asarray(weighted / np.maximum(trust, 1e-12), np.float32)
    coarse = _filled(*(_saturated(_halved(weighted), _halved(trust))))
    around = _doubled(coarse)[:height, :width]
    return weighted + (1 - trust) * around


def _saturated(weighted: FloatArray, trust: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Sums over four pixels -> trust at most 1, so that one trusted pixel of four already settles its block."""
    return np.asarray(weighted / np.maximum(trust, 1), np.float32), np.minimum(trust, 1)


def _halved(values: FloatArray) -> FloatArray:
    """Sum over blocks of 2 x 2 pixels; an odd side is padded with nothing."""
    height, width = values.shape[:2]
    even = np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)))
    sums: FloatArray = even[0::2, 0::2] + even[1::2, 0::2] + even[0::2, 1::2] + even[1::2, 1::2]
    return sums


def _doubled(values: FloatArray) -> FloatArray:
    """Twice the size by linear interpolation (weights 3/4 and 1/4)."""
    for axis in (0, 1):
        ends = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        wide = np.pad(values, ends, mode="edge")
        n = values.shape[axis]
        here = np.take(wide, range(1, n + 1), axis)
        before, after = np.take(wide, range(n), axis), np.take(wide, range(2, n + 2), axis)
        pair = np.stack([0.75 * here + 0.25 * before, 0.75 * here + 0.25 * after], axis=axis + 1)
        shape = list(values.shape)
        shape[axis] = 2 * n
        values = pair.reshape(shape).astype(np.float32)
    return values


def _pure(cover: FloatArray) -> FloatArray:
    """Trust [H, W]: high where the pixel and its neighbours are wholly covered, low but not nothing on thin parts."""
    from scipy.ndimage import minimum_filter

    inner = minimum_filter(cover, size=3, mode="nearest")
    trust: FloatArray = 0.98 * inner**PURITY + 0.02 * cover**PURITY
    return trust
