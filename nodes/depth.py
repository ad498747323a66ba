"""Estimate Depth."""

from __future__ import annotations

from typing import Any

import numpy as np
from comfy_api.latest import io

from ..maquette.data import View
from ..maquette.errors import BadInputError, BadViewsError
from ._comfy import at_home, give_back, job
from ._comfy import device as pick_device
from ._pictures import image_tensor, pictures
from ._schema import VIEWS, advanced, backend_input, device_input, schema
from .image import views as checked


class EstimateDepth(io.ComfyNode):
    """Prepared views, or whole pictures -> depth pictures."""

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
                VIEWS.Input("views", optional=True, tooltip="From Prepare Image or Gather Views."),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="In place of views: the whole picture, for a model that sees all of it (Depth Anything)."
                    " Its depth, as Segment's prior, guides the cut-out.",
                ),
                backend_input(depth, "method", "How to estimate the depth."),
                advanced(
                    io.Boolean.Input,
                    "tiled",
                    default=False,
                    optional=True,
                    tooltip="Finer detail in pictures over 1036 pixels; for models that see the whole picture.",
                ),
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
    def execute(
        cls, views: Any = None, method: str = "auto", device: str = "auto", image: Any = None, tiled: bool = False
    ) -> io.NodeOutput:
        from ..maquette import depth

        on, progress = pick_device(device, helper=True), job()
        with at_home():
            found = _views(views, image, depth.load(method))
            shown = []
            for index, view in enumerate(found):
                window = progress.part(index / len(found), (index + 1) / len(found))
                near = depth.estimate(view, method, device=on, progress=window, tiled=tiled).nearness
                shown.append(np.repeat(near[..., None], 3, axis=2))
        give_back(on)
        return io.NodeOutput(image_tensor(shown))


def _views(views: Any, image: Any, backend: Any) -> tuple[View, ...]:
    """The views socket, or each picture as a view of which nothing is masked out."""
    if (views is None) == (image is None):
        raise BadViewsError("connect either views or image: views from Prepare Image, image for the whole picture")
    if image is None:
        return checked(views)
    if not getattr(backend, "WHOLE_PICTURE", False):
        raise BadInputError(
            f"method: '{backend.SPEC.name}' needs the object's outline: connect views in place of image, or choose a"
            " model that sees the whole picture (Depth Anything)"
        )
    return tuple(View(p.rgb, np.ones(p.rgb.shape[:2], np.float32), name=p.name) for p in pictures(image))
