"""SAM 2.1 Tiny (Apache-2.0): cut out what depth-guided prompts point at, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._sam2 import notes, spec

if TYPE_CHECKING:
    from . import PictureLike

__all__ = ["FOLLOWS_PRIOR", "SPEC", "notes", "segment"]
SPEC = spec(
    "tiny",
    "de431c4043854a71d8101e17995dfe596bf101a5",
    155_908_064,
    "48c14467e5cf9e51870511feb72c89688e82dd74523142c0538b663e193ac2a7",
    "revision, size and hash as pinned by several independent public projects",
    17,
)
FOLLOWS_PRIOR = True


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of what the prior (depth, near = 1, or a rough mask) points at; colour points without one."""
    from ._sam2 import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
