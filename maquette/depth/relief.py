"""Weights-free depth: the front of the solid inflated from the mask, with a mild relief from shading."""

from __future__ import annotations

from ..backends import Spec
from ..data import DepthMap, View
from ..geometry.frame import picture_camera
from ..progress import Progress

SPEC = Spec(
    name="relief",
    title="Relief (no weights)",
    summary="depth of the solid inflated from the mask, with fine detail from shading; not metric",
    default_rank=50,
)


def estimate(view: View, *, device: str, progress: Progress) -> DepthMap:
    """z-depth [H, W] from the view's camera (the front camera when it has none), NaN outside the mask.

    World units of an object of about size 1 at the origin. ``device`` is not used: a fraction of a second on one core.
    """
    from ..geometry.inflate import inflate
    from ..geometry.shading import shading_relief

    del device
    height, width = view.mask.shape
    camera = view.camera or picture_camera(width, height)
    progress.update(0, 1, "inflate")
    solid = inflate(view.mask, camera, relief=shading_relief(view.rgb, view.mask), progress=progress)
    progress.update(1, 1, "depth")
    return DepthMap(solid.front(), metric=False, camera=camera)
