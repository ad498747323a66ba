"""SAM 2.1 Large (Apache-2.0): cut out what depth-guided prompts point at, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..data import FloatArray
from ..progress import Progress
from ._sam2 import notes, spec

if TYPE_CHECKING:
    from . import PictureLike

__all__ = ["FOLLOWS_PRIOR", "SPEC", "notes", "segment"]
SPEC = spec(
    "large",
    "665f8e2ad61cf5f53d65644ff27c8ee525124610",
    897_897_416,
    "dc407dce21301fd94abb395c5099b4f2c455fdc8a8f261ac3d0ea6d4cd197230",
    "revision, size and hash as pinned by several independent public projects",
    14,
)
FOLLOWS_PRIOR = True


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask of what the prior (depth, near = 1, or a rough mask) points at; colour points without one."""
    from ._sam2 import segment_with

    return segment_with(SPEC, picture, prior, device, progress)
