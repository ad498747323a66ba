"""Depth Anything V2 Metric Indoor Small (Apache-2.0): depth in metres, through transformers."""

from __future__ import annotations

from ..data import DepthMap, View
from ..progress import Progress
from ._depth_anything.spec import spec

SPEC = spec(
    "small",
    "8078d68a9c75a972131914f6afd0c1723be0da7f",
    99_173_660,
    "e990eb82fbf11b05b7813261196a2b841bdcf5a05f64396724a8987fa90504a3",
    "revision, size and hash as pinned by several independent public projects",
    free=True,
    metric="indoor",
)
WHOLE_PICTURE = True
"""It sees the whole picture: the mask only says what is kept."""


def estimate(view: View, *, device: str, progress: Progress, tiled: bool = False) -> DepthMap:
    """Metric z-depth [H, W] in metres, NaN outside the mask. tiled: finer detail in pictures over 1036 px."""
    from ._depth_anything.face import estimate_with

    return estimate_with(SPEC, view, device, progress, tiled=tiled, metric=True)
