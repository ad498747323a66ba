"""IS-Net general use (Apache-2.0): the subject of a photo at 1024 px, through rembg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._rembg import spec

if TYPE_CHECKING:
    from . import PictureLike

SPEC = spec(
    "isnet-general-use",
    "IS-Net general use",
    "Apache-2.0",
    178_648_008,
    "60920e99c45464f2ba57bee2ad08c919a52bbf852739e96947fbb4358c0d964a",
    10,
    2000,
)


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of the subject; of several, those that the prior speaks for."""
    from ._rembg import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
