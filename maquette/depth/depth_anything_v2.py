"""Depth Anything V2 Small (Apache-2.0): relative depth of the whole picture, through transformers."""

from __future__ import annotations

from ..data import DepthMap, View
from ..progress import Progress
from ._depth_anything.spec import spec

SPEC = spec(
    "small",
    "5426e4f0f36572d16453bbda7a8389317b1bef99",
    99_173_660,
    "3152477ce0d8d6978d76b995120de97cb5b928701fd0f817769f59e249a16b70",
    "revision, size and hash as pinned by several independent public projects",
    free=True,
)
WHOLE_PICTURE = True
"""It sees the whole picture: the mask only says what is kept."""


def estimate(view: View, *, device: str, progress: Progress, tiled: bool = False) -> DepthMap:
    """Relative z-depth [H, W] (1 / disparity), NaN outside the mask. tiled: finer detail in pictures over 1036 px."""
    from ._depth_anything.face import estimate_with

    return estimate_with(SPEC, view, device, progress, tiled=tiled)
