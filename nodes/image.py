"""Prepare Image and Gather Views: pictures in the frame that the cameras expect."""

from __future__ import annotations

from typing import Any

import numpy as np
from comfy_api.latest import io

from ..maquette.data import View
from ..maquette.errors import BadViewsError
from ._pictures import alphas_of, directions, image_tensor, mask_tensor, masks, pictures
from ._schema import DIRECTIONS_TIP, VIEWS, backend_input, device_input, schema

NAMES = ("front", "right", "back", "left", "top", "bottom")


def _frame_inputs() -> list[Any]:
    return [
        io.Int.Input("size", default=512, min=64, max=2048, step=64, tooltip="Side of the square picture in pixels."),
        io.Float.Input(
            "fill",
            default=0.85,
            min=0.3,
            max=0.98,
            step=0.01,
            tooltip="Share of the square that the object's longer side takes; Reconstruct expects 0.85.",
        ),
    ]


def _outputs() -> list[Any]:
    return [
        io.Image.Output(display_name="image", tooltip="Square pictures, object centred, edge colours cleaned."),
        io.Mask.Output(display_name="mask", tooltip="1 = subject."),
        VIEWS.Output(display_name="views", tooltip="The same with their directions: connect it to Reconstruct."),
    ]


class PrepareImage(io.ComfyNode):
    """Picture and mask -> the object centred in a square, free of background colour."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquettePrepareImage",
            display_name="Prepare Image",
            category="Maquette/image",
            description="Crop and centre the object in a square and remove background colour from its soft edge.",
            search_aliases=["crop", "center", "preprocess"],
            inputs=[
                io.Image.Input("image", tooltip="The picture, or a batch: several views of one object."),
                io.Mask.Input("mask", tooltip="1 = subject, from Segment: one per picture, or one for all."),
                io.String.Input("directions", default="", tooltip=DIRECTIONS_TIP),
                *_frame_inputs(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, image: Any, mask: Any, directions: str = "", size: int = 512, fill: float = 0.85) -> io.NodeOutput:
        return shown(views_of(image, mask, directions, size, fill))


class GatherViews(io.ComfyNode):
    """Up to six named pictures of one object, each cut out by itself, framed with one common scale."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import segment

        sockets: list[Any] = []
        for name in NAMES:
            sockets.append(io.Image.Input(name, optional=True, tooltip=f"The {name} view: one picture of any size."))
            tip = f"The MASK of the {name} picture's Load Image (1 = transparent). Empty: the object is searched."
            sockets.append(io.Mask.Input(f"{name}_transparency", optional=True, tooltip=tip))
        return schema(
            node_id="MaquetteGatherViews",
            display_name="Gather Views",
            category="Maquette/image",
            description="Cut out and frame up to six views of one object; right = the viewer's right hand.",
            search_aliases=["multi view", "multiview", "four views"],
            inputs=[
                *sockets,
                backend_input(segment, "method", "How to find the object."),
                *_frame_inputs(),
                device_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, method: str = "auto", size: int = 512, fill: float = 0.85, device: str = "auto", **sockets: Any
    ) -> io.NodeOutput:
        from ..maquette.image import prepare_views
        from .segment import cut_out

        found: list[Any] = []
        names = []
        for name in NAMES:
            image = sockets.get(name)
            if image is None:
                continue
            if image.ndim == 4 and len(image) != 1:
                raise BadViewsError(f"{name}: one picture was expected, got a batch of {len(image)}")
            found.extend(pictures(image, alphas_of(sockets.get(f"{name}_transparency"), image)))
            names.append(name)
        if not found:
            raise BadViewsError("no view is connected; connect at least one picture, for example to front")
        cuts = [mask for _, mask, _ in cut_out(found, method, device)]
        return shown(prepare_views(found, cuts, names, size=size, fill=fill))


def views_of(image: Any, mask: Any, text: str, size: int = 512, fill: float = 0.85) -> tuple[View, ...]:
    """Prepared views of an IMAGE batch and its MASK (1 = subject)."""
    from ..maquette.image import prepare, prepare_views

    found = pictures(image)
    names = directions(text, len(found))
    cuts = masks(mask, len(found))
    if len(found) == 1:
        return (prepare(found[0], cuts[0], size=size, fill=fill, name=names[0]),)
    return prepare_views(found, cuts, names, size=size, fill=fill)


def views(value: Any) -> tuple[View, ...]:
    """A MAQUETTE_VIEWS socket value, checked."""
    if isinstance(value, tuple) and value and all(isinstance(item, View) for item in value):
        return value
    raise BadViewsError(f"views: connect Prepare Image or Gather Views; got {type(value).__name__}")


def shown(prepared: tuple[View, ...]) -> io.NodeOutput:
    """IMAGE, MASK and the views themselves."""
    return io.NodeOutput(
        image_tensor([np.asarray(view.rgb) for view in prepared]),
        mask_tensor([np.asarray(view.mask) for view in prepared]),
        prepared,
    )


__all__ = ["GatherViews", "PrepareImage", "shown", "views", "views_of"]
