"""Depth Anything V2 Large (CC BY-NC 4.0): relative depth of the whole picture, through transformers."""

from __future__ import annotations

from ..data import DepthMap, View
from ..progress import Progress
from ._depth_anything.spec import spec

SPEC = spec(
    "large",
    "7581137eff8d4e94f6e796d3baea0e9fa79b22d2",
    1_341_322_868,
    "4e01e34ed5549b529b70b92d53226bc370f03041977b390d3dde45d47f516cf9",
    "revision, size and hash as pinned by several independent public projects",
    free=False,
)
WHOLE_PICTURE = True
"""It sees the whole picture: the mask only says what is kept."""


def estimate(view: View, *, device: str, progress: Progress, tiled: bool = False) -> DepthMap:
    """Relative z-depth [H, W] (1 / disparity), NaN outside the mask. tiled: finer detail in pictures over 1036 px."""
    from ._depth_anything.face import estimate_with

    return estimate_with(SPEC, view, device, progress, tiled=tiled)
