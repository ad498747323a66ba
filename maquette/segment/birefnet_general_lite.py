"""BiRefNet general lite (MIT): the subject of a photo at 1024 px, through rembg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._rembg import spec

if TYPE_CHECKING:
    from . import PictureLike

SPEC = spec(
    "birefnet-general-lite",
    "BiRefNet general lite",
    "MIT",
    224_005_088,
    "5600024376f572a557870a5eb0afb1e5961636bef4e1e22132025467d0f03333",
    9,
    4500,
    "BiRefNet-general-bb_swin_v1_tiny-epoch_232.onnx",
)


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of the subject; of several, those that the prior speaks for."""
    from ._rembg import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
