"""Estimate Depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from comfy_api.latest import io

from ..maquette.data import DepthMap, FloatArray
from ._comfy import at_home, give_back, job, make_room, need_of
from ._comfy import device as pick_device
from ._pictures import image_tensor
from ._schema import VIEWS, backend_input, device_input, schema
from .image import views as checked


class EstimateDepth(io.ComfyNode):
    """Prepared views -> depth pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import depth

        return schema(
            node_id="MaquetteEstimateDepth",
            display_name="Estimate Depth",
            category="Maquette/image",
            description="How far away each part of the object is. The offline method infers a relief from the outline"
            " and the shading.",
            search_aliases=["depth map", "disparity"],
            inputs=[
                VIEWS.Input("views", tooltip="From Prepare Image or Gather Views."),
                backend_input(depth, "method", "How to estimate the depth."),
                device_input(),
            ],
            outputs=[
                io.Image.Output(
                    display_name="near",
                    tooltip="Near = white, far = dark, background black; also fits Segment's prior.",
                ),
            ],
        )

    @classmethod
    def execute(cls, views: Any, method: str = "auto", device: str = "auto") -> io.NodeOutput:
        from ..maquette import depth

        found, on, progress = checked(views), pick_device(device), job()
        make_room(on, need_of(depth.load(method).SPEC, found[0].rgb.shape[0]))
        shown = []
        for index, view in enumerate(found):
            window = progress.part(index / len(found), (index + 1) / len(found))
            with at_home():
                shown.append(nearness(depth.estimate(view, method, device=on, progress=window)))
        give_back(on)
        return io.NodeOutput(image_tensor(shown))


def nearness(found: DepthMap) -> FloatArray:
    """[H, W, 3]: the nearest point 1, the farthest 0.1, nothing 0."""
    depth = np.asarray(found.depth)
    known = np.isfinite(depth)
    out = np.zeros(depth.shape, np.float32)
    if known.any():
        near, far = float(depth[known].min()), float(depth[known].max())
        out[known] = 1.0 - 0.9 * (depth[known] - near) / max(far - near, 1e-6)
    return np.repeat(out[..., None], 3, axis=2)
