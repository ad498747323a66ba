"""SAM 2.1 Small (Apache-2.0): cut out what depth-guided prompts point at, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._sam2 import notes, spec

if TYPE_CHECKING:
    from . import PictureLike

__all__ = ["FOLLOWS_PRIOR", "SPEC", "notes", "segment"]
SPEC = spec(
    "small",
    "ee5bba1d82bb8749febdf90f45e84b687142ba03",
    184_305_280,
    "0a4067b11ce1e23d5229203f11c718a823060d15a4b23fa2372a7d4b77cbbc60",
    "revision, size and hash as pinned by several independent public projects",
    16,
)
FOLLOWS_PRIOR = True


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of what the prior (depth, near = 1, or a rough mask) points at; colour points without one."""
    from ._sam2 import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
