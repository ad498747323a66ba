"""U2-Net (Apache-2.0): the subject of a photo at 320 px, through rembg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._rembg import spec

if TYPE_CHECKING:
    from . import PictureLike

SPEC = spec(
    "u2net",
    "U2-Net",
    "Apache-2.0",
    175_997_641,
    "8d10d2f3bb75ae3b6d527c77944fc5e7dcd94b29809d47a739a7a728a912b491",
    12,
    900,
)


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of the subject; of several, those that the prior speaks for."""
    from ._rembg import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
