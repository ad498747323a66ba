"""Where the subject lies in a picture, to a fraction of a pixel, and how a window of the picture is resampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import FloatArray
from ..errors import BadMaskError
from .picture import TOLERANCE, Picture

LEVEL = 0.5
MIN_WIDTH = 2.5
"""Pixels: a subject narrower than this has no outline to speak of."""


@dataclass(frozen=True)
class Box:
    """Sides of the subject's box in pixels, x right, y down; the first pixel spans 0 to 1."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels."""
        return self.bottom - self.top

    @property
    def center_x(self) -> float:
        """Pixels from the left."""
        return (self.left + self.right) / 2

    @property
    def center_y(self) -> float:
        """Pixels from the top."""
        return (self.top + self.bottom) / 2


@dataclass(frozen=True)
class Window:
    """A square part of a picture, in its pixels; it may reach beyond the picture."""

    center_x: float
    center_y: float
    side: float


def checked_mask(mask: npt.ArrayLike, picture: Picture, name: str) -> FloatArray:
    """[H, W] float32 in [0, 1] of the picture's size, or BadMaskError."""
    values = np.asarray(mask, np.float32)
    if values.shape != picture.size:
        raise BadMaskError(
            f"view '{name}': the mask is {list(values.shape)} but the picture is {list(picture.size)} (height, width);"
            " resize one to the other, or segment this very picture"
        )
    if not np.isfinite(values).all():
        raise BadMaskError(f"view '{name}': the mask holds NaN or infinite values; make it again")
    if float(values.min()) < -TOLERANCE or float(values.max()) > 1 + TOLERANCE:
        raise BadMaskError(
            f"view '{name}': the mask runs from {values.min():.4g} to {values.max():.4g} but must lie in [0, 1]"
        )
    return np.clip(values, 0, 1)


def subject_box(mask: FloatArray, name: str) -> Box:
    """Where the mask crosses one half, interpolated between pixels. BadMaskError when nothing usable is there."""
    peak = float(mask.max())
    if peak < LEVEL:
        raise BadMaskError(
            f"view '{name}': the mask is empty (its largest value is {peak:.2f}, the subject needs values above"
            f" {LEVEL}); run Segment on the picture, or give another mask. A fully transparent picture has no subject"
        )
    left, right = _extent(mask.max(axis=0))
    top, bottom = _extent(mask.max(axis=1))
    box = Box(left, top, right, bottom)
    if min(box.width, box.height) < MIN_WIDTH:
        raise BadMaskError(
            f"view '{name}': the subject is only {box.width:.1f} x {box.height:.1f} pixels, too thin for an outline;"
            " use a larger picture or a mask that covers the whole object"
        )
    return box


def _extent(profile: FloatArray) -> tuple[float, float]:
    """First and last crossing of one half along a profile whose samples lie at 0.5, 1.5 ..."""
    padded = np.concatenate([[0.0], profile, [0.0]])
    inside = np.flatnonzero(padded >= LEVEL)
    return _crossing(padded, inside[0] - 1, inside[0]), _crossing(padded, inside[-1] + 1, inside[-1])


def _crossing(padded: npt.NDArray[np.floating], out: int, into: int) -> float:
    a, b = float(padded[out]), float(padded[into])
    return (out + (into - out) * (LEVEL - a) / (b - a)) - 0.5


def cut(values: FloatArray, window: Window, size: int, *, outside: float | None) -> FloatArray:
    """The window of [H, W, C] resampled to [size, size, C], anti-aliased.

    outside: what lies beyond the picture; None carries its border on. The result keeps the range of the values.
    """
    from PIL import Image

    low_x, low_y = window.center_x - window.side / 2, window.center_y - window.side / 2
    x0, y0 = int(np.floor(low_x)) - 2, int(np.floor(low_y)) - 2
    whole = int(np.ceil(window.side)) + 5
    patch = _patch(values, x0, y0, whole, outside)
    box = (low_x - x0, low_y - y0, low_x - x0 + window.side, low_y - y0 + window.side)
    smaller = window.side >= size
    method = Image.Resampling.HAMMING if smaller else Image.Resampling.BICUBIC
    planes = [
        np.asarray(Image.fromarray(np.ascontiguousarray(patch[..., c])).resize((size, size), method, box=box))
        for c in range(values.shape[2])
    ]
    return np.clip(np.stack(planes, axis=2), patch.min(), patch.max()).astype(np.float32)


def _patch(values: FloatArray, x0: int, y0: int, whole: int, outside: float | None) -> FloatArray:
    """The square [y0 : y0 + whole, x0 : x0 + whole] of a picture, also where it lies outside."""
    height, width = values.shape[:2]
    rows, columns = np.arange(y0, y0 + whole), np.arange(x0, x0 + whole)
    patch = values[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)]
    if outside is None:
        return patch
    beyond = ((rows < 0) | (rows >= height))[:, None] | ((columns < 0) | (columns >= width))[None, :]
    return np.where(beyond[..., None], np.float32(outside), patch)
