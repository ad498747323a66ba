"""What the backends have in common."""

from __future__ import annotations

import numpy as np

from ...backends import Spec
from ...data import DepthMap, FloatArray, View
from ...errors import WeightsError
from ...geometry.frame import picture_camera
from ...progress import Progress

FARTHEST = 0.01
"""Disparity, as a share of the nearest, below which everything counts as equally far (the sky has none at all)."""


def estimate_with(
    spec: Spec, view: View, device: str, progress: Progress, *, tiled: bool = False, metric: bool = False
) -> DepthMap:
    """Load, run, give back. metric: the network answers in metres. WeightsError when the files are not here, or are of
    the other kind."""
    from ...memory import own
    from ...weights.ready import folder
    from .run import answer, open_model

    place = folder(spec, progress.part(0, 0.2))
    with own(device, need=spec.room, progress=progress) as lease, lease.stage(spec.name):
        progress.update(2, 10, "loading the model")
        model = open_model(place, device)
        if (getattr(model.config, "depth_estimation_type", "relative") == "metric") != metric:
            kind = "relative" if metric else "metric"
            raise WeightsError(f"'{place}' holds the {kind} model, not {spec.title}; delete it and fetch it again")
        progress.update(4, 10, "depth")
        values = answer(model, view.rgb, progress.part(0.4, 1.0), tiled=tiled)
        del model
    progress.update(1, 1, "depth")
    return depth_map(values, view, metric=metric)


def depth_map(values: FloatArray, view: View, *, metric: bool = False) -> DepthMap:
    """values: [H, W] metres, or relative disparity whose inverse is depth without unit; NaN outside the view's mask."""
    height, width = values.shape
    if metric:
        depth = np.maximum(values, 1e-3)
    else:
        depth = 1.0 / np.maximum(values, max(FARTHEST * float(values.max()), 1e-6))
    known = np.where(view.mask >= 0.5, depth, np.nan).astype(np.float32)
    return DepthMap(known, metric=metric, camera=view.camera or picture_camera(width, height))
