"""What the three backends have in common."""

from __future__ import annotations

import numpy as np

from ...backends import Spec
from ...data import DepthMap, FloatArray, View
from ...geometry.frame import picture_camera
from ...progress import Progress

FARTHEST = 0.01
"""Disparity, as a share of the nearest, below which everything counts as equally far (the sky has none at all)."""


def estimate_with(spec: Spec, view: View, device: str, progress: Progress, *, tiled: bool = False) -> DepthMap:
    """Load, run, give back. WeightsError when the files are not here."""
    from ...memory import own
    from ...weights.ready import folder
    from .run import disparity, open_model

    place = folder(spec, progress.part(0, 0.2))
    need = 3 * sum(file.size or 0 for file in spec.weights)
    with own(device, need=need, progress=progress) as lease, lease.stage(spec.name):
        progress.update(2, 10, "loading the model")
        model = open_model(place, device)
        progress.update(4, 10, "depth")
        near = disparity(model, view.rgb, progress.part(0.4, 1.0), tiled=tiled)
        del model
    progress.update(1, 1, "depth")
    return depth_map(near, view)


def depth_map(near: FloatArray, view: View) -> DepthMap:
    """Relative depth 1 / disparity (no unit, not metric), NaN outside the view's mask."""
    floor = max(FARTHEST * float(near.max()), 1e-6)
    depth = np.where(view.mask >= 0.5, 1.0 / np.maximum(near, floor), np.nan)
    height, width = near.shape
    return DepthMap(depth.astype(np.float32), metric=False, camera=view.camera or picture_camera(width, height))
