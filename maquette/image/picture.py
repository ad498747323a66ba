"""A picture as it came, before anything is cut out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import FloatArray, frozen_array
from ..errors import BadImageError, BadMaskError

MIN_SIDE = 4
"""Pixels; below that there is no picture to speak of."""
TOLERANCE = 1e-3
"""How far rounding may take a value out of [0, 1] before it is called wrong."""


@dataclass(frozen=True)
class Picture:
    """rgb: [H, W, 3] float32 sRGB in [0, 1]; alpha: [H, W] float32 in [0, 1] (1 = opaque), None when there is none.

    Alpha is straight (not multiplied into ``rgb``). name: for messages, mostly the file's name without its ending.
    """

    rgb: FloatArray
    alpha: FloatArray | None = None
    name: str = "picture"

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]


def from_array(rgb: npt.ArrayLike, alpha: npt.ArrayLike | None = None, name: str = "picture") -> Picture:
    """A checked Picture from arrays; the inputs are copied, never kept.

    rgb: [H, W, 3] or [H, W, 4] (the fourth channel is alpha unless ``alpha`` is given), floats in [0, 1] or 8- or
    16-bit unsigned integers; alpha: [H, W] alike, 1 = opaque. Raises BadImageError for another shape, NaN, values
    outside [0, 1] and pictures below 4 pixels a side; BadMaskError when alpha has another size.
    """
    colour = _unit_range(np.asarray(rgb), name, "the picture")
    if colour.ndim != 3 or colour.shape[2] not in (3, 4):
        raise BadImageError(f"'{name}': a picture must be [height, width, 3 or 4], got {list(colour.shape)}")
    check_size(colour.shape[1], colour.shape[0], name)
    if alpha is None:
        cover = colour[..., 3] if colour.shape[2] == 4 else None
    else:
        cover = _unit_range(np.asarray(alpha), name, "its alpha")
        if cover.shape != colour.shape[:2]:
            raise BadMaskError(
                f"'{name}': alpha is {list(cover.shape)} but the picture is {list(colour.shape[:2])} (height, width);"
                " resize one to the other first"
            )
    return Picture(frozen_array(colour[..., :3], np.float32), None if cover is None else _frozen(cover), name)


def check_size(width: int, height: int, name: str) -> None:
    """BadImageError for a picture that is empty or only a few pixels large."""
    if min(width, height) < MIN_SIDE:
        raise BadImageError(
            f"'{name}' is {width} x {height} pixels; a picture needs at least {MIN_SIDE} x {MIN_SIDE}"
            " (several hundred for a good result); give a larger one"
        )


def _frozen(values: npt.NDArray[Any]) -> FloatArray:
    return frozen_array(values, np.float32)


def _unit_range(values: npt.NDArray[Any], name: str, what: str) -> FloatArray:
    """A float32 copy in [0, 1]; integers are scaled by the largest value of their type."""
    if values.dtype in (np.uint8, np.uint16):
        return np.divide(values, np.float32(np.iinfo(values.dtype).max), dtype=np.float32)
    if values.dtype == bool:
        return values.astype(np.float32)
    if values.dtype.kind != "f":
        raise BadImageError(f"'{name}': {what} holds {values.dtype} values; give floats in [0, 1] or 8-bit integers")
    if values.size == 0:
        return values.astype(np.float32)
    if not np.isfinite(values).all():
        bad = int((~np.isfinite(values)).sum())
        raise BadImageError(
            f"'{name}': {what} holds {bad} NaN or infinite values; the step that made it failed (often half"
            " precision): make it again"
        )
    low, high = float(values.min()), float(values.max())
    if values.dtype == np.float32 and low >= 0 and high <= 1:
        return values.copy()
    if low < -TOLERANCE or high > 1 + TOLERANCE:
        hint = "divide by 255" if 1.5 < high <= 255 and low >= 0 else "scale or clamp it first"
        raise BadImageError(f"'{name}': {what} runs from {low:.4g} to {high:.4g} but must lie in [0, 1]; {hint}")
    return np.clip(values, 0, 1).astype(np.float32)
