"""The sRGB curve (IEC 61966-2-1) on numpy arrays and torch tensors alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

if TYPE_CHECKING:
    import torch

    Values = TypeVar("Values", np.ndarray[Any, Any], torch.Tensor)


def srgb_to_linear(srgb: Values) -> Values:
    """sRGB in [0, 1] of any shape -> linear light in [0, 1]; the kind of array and the dtype stay."""
    if isinstance(srgb, np.ndarray):
        high = ((np.maximum(srgb, 0) + 0.055) / 1.055) ** 2.4
        return np.where(srgb <= 0.04045, srgb / 12.92, high).astype(srgb.dtype)
    from ..appearance.color import to_linear

    return to_linear(srgb)


def linear_to_srgb(linear: Values) -> Values:
    """Linear light -> sRGB, both in [0, 1] (clamped); the kind of array and the dtype stay."""
    if isinstance(linear, np.ndarray):
        light = np.clip(linear, 0, 1)
        high = 1.055 * light ** (1 / 2.4) - 0.055
        return np.where(light <= 0.0031308, light * 12.92, high).astype(linear.dtype)
    from ..appearance.color import to_srgb

    return to_srgb(linear)
