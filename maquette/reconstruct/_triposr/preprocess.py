"""From a cut-out picture to the square that the network sees, the way the published code does it.

Its crop loses the box's last row and column and its background is 127, not 128; the model was used that way, so both
are kept (the golden files hold them).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor
from torch.nn import functional

from ...data import FloatArray, View
from ...errors import BadMaskError

RATIO = 0.85
"""Share of the frame that the subject's longer side takes in the published demo."""
GREY = 0.5


def resize_foreground(rgba: npt.NDArray[np.uint8], ratio: float = RATIO) -> npt.NDArray[np.uint8]:
    """The subject in a square of which it takes ``ratio``; nothing is scaled, so the square has any size.

    rgba: [H, W, 4] uint8; the box is that of alpha > 0. Raises BadMaskError where the original crashes or gives an
    empty picture (no subject, or one that is a single pixel wide or high).
    """
    rows, columns = np.nonzero(rgba[..., 3])
    if len(rows) == 0:
        raise BadMaskError("the picture is fully transparent; there is nothing to reconstruct: check the mask")
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    if top == bottom or left == right:
        raise BadMaskError(
            f"the subject is {bottom - top + 1} x {right - left + 1} pixels (height x width); at least 2 x 2 are needed"
        )
    square = _padded(rgba[top:bottom, left:right], int(max(bottom - top, right - left)))
    return _padded(square, int(len(square) / ratio))


def _padded(array: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """``array`` in the middle of a transparent square; an odd pixel goes after it."""
    height, width = array.shape[:2]
    top, left = (size - height) // 2, (size - width) // 2
    return np.pad(array, ((top, size - height - top), (left, size - width - left), (0, 0)))


def composite(rgba: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """[H, W, 4] -> [H, W, 3] uint8 over grey, computed in float32 and truncated."""
    scaled = rgba.astype(np.float32) / 255.0
    alpha = scaled[..., 3:]
    over = scaled[..., :3] * alpha + (1 - alpha) * GREY
    return (over * 255.0).astype(np.uint8)


def condition(
    images: Tensor,  # [B, H, W, 3] float32 in [0, 1]
    size: int,
) -> Tensor:
    """[B, size, size, 3]: bilinear, antialiased, half-pixel centres; the aspect is not kept."""
    resized = functional.interpolate(
        images.permute(0, 3, 1, 2), (size, size), mode="bilinear", align_corners=False, antialias=True
    )
    return resized.permute(0, 2, 3, 1)


def view_to_image(view: View) -> FloatArray:
    """[S, S, 3] float32 in [0, 1]: a prepared view's subject, framed and composited as the model expects it.

    Raises BadMaskError for an empty subject.
    """
    rgb = np.clip(np.nan_to_num(view.rgb), 0.0, 1.0)
    levels = np.concatenate([rgb, np.clip(view.mask, 0.0, 1.0)[..., None]], axis=2) * 255.0
    rgba = np.floor(levels + 0.5).astype(np.uint8)
    return composite(resize_foreground(rgba)).astype(np.float32) / 255.0
