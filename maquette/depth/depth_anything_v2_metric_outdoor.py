"""Depth Anything V2 Metric Outdoor Small (Apache-2.0): depth in metres, through transformers."""

from __future__ import annotations

from ..data import DepthMap, View
from ..progress import Progress
from ._depth_anything.spec import spec

SPEC = spec(
    "small",
    "fd2c22027eaf20374204f14099b8341e1925ad39",
    99_173_660,
    "ad065c77a7421ca55159a1f0db9433397a607690f2d76bb8a6fc54b1be7a3124",
    "revision, size and hash as pinned by several independent public projects",
    free=True,
    metric="outdoor",
)
WHOLE_PICTURE = True
"""It sees the whole picture: the mask only says what is kept."""


def estimate(view: View, *, device: str, progress: Progress, tiled: bool = False) -> DepthMap:
    """Metric z-depth [H, W] in metres, NaN outside the mask. tiled: finer detail in pictures over 1036 px."""
    from ._depth_anything.face import estimate_with

    return estimate_with(SPEC, view, device, progress, tiled=tiled, metric=True)
