"""Depth Anything V2 Base (CC BY-NC 4.0): relative depth of the whole picture, through transformers."""

from __future__ import annotations

from ..data import DepthMap, View
from ..progress import Progress
from ._depth_anything.spec import spec

SPEC = spec(
    "base",
    "b1958afc87fb45a9e3746cb387596094de553ed8",
    None,
    None,
    "revision as pinned by several independent public projects; size and hash unverified",
    free=False,
)
WHOLE_PICTURE = True
"""It sees the whole picture: the mask only says what is kept."""


def estimate(view: View, *, device: str, progress: Progress, tiled: bool = False) -> DepthMap:
    """Relative z-depth [H, W] (1 / disparity), NaN outside the mask. tiled: finer detail in pictures over 1036 px."""
    from ._depth_anything.face import estimate_with

    return estimate_with(SPEC, view, device, progress, tiled=tiled)
