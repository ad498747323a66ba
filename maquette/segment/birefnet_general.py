"""BiRefNet general (MIT): the subject of a photo at 1024 px, through rembg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._rembg import spec

if TYPE_CHECKING:
    from . import PictureLike

SPEC = spec(
    "birefnet-general",
    "BiRefNet general",
    "MIT",
    972_666_916,
    "58f621f00f5d756097615970a88a791584600dcf7c45b18a0a6267535a1ebd3c",
    8,
    7000,
    "BiRefNet-general-epoch_244.onnx",
)


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of the subject; of several, those that the prior speaks for."""
    from ._rembg import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
