"""U2-Net small (Apache-2.0): the subject of a photo at 320 px, through rembg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._rembg import spec

if TYPE_CHECKING:
    from . import PictureLike

SPEC = spec(
    "u2netp",
    "U2-Net small",
    "Apache-2.0",
    4_574_861,
    "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    18,
    500,
)


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of the subject; of several, those that the prior speaks for."""
    from ._rembg import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
