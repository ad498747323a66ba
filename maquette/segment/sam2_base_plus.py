"""SAM 2.1 Base-plus (Apache-2.0): cut out what depth-guided prompts point at, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._sam2 import notes, spec

if TYPE_CHECKING:
    from . import PictureLike

__all__ = ["FOLLOWS_PRIOR", "SPEC", "notes", "segment"]
SPEC = spec(
    "base-plus",
    "b7320756a13354e7530a63935656d35b2f91a290",
    None,
    None,
    "revision as pinned by several independent public projects; size and hash unverified",
    15,
)
FOLLOWS_PRIOR = True


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of what the prior (depth, near = 1, or a rough mask) points at; colour points without one."""
    from ._sam2 import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
