"""Segment: which pixels are the object."""

from __future__ import annotations

from typing import Any

import numpy as np
from comfy_api.latest import io

from ._comfy import at_home, device, give_back, job
from ._pictures import alphas_of, image_tensor, mask_tensor, pictures, priors
from ._schema import backend_input, device_input, schema

_GREY = 0.5


class Segment(io.ComfyNode):
    """Picture -> soft mask, 1 = subject."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import segment

        return schema(
            node_id="MaquetteSegment",
            display_name="Segment",
            category="Maquette/image",
            description="Find the object in a picture: uses the picture's own transparency when there is one.",
            search_aliases=["remove background", "mask", "cutout", "matting"],
            inputs=[
                io.Image.Input("image", tooltip="The picture, or a batch of pictures."),
                io.Mask.Input(
                    "transparency",
                    optional=True,
                    tooltip="The MASK output of Load Image (1 = transparent); it is turned round here. A picture"
                    " without alpha gives an empty one, which is ignored.",
                ),
                io.MultiType.Input(
                    "prior",
                    types=[io.Mask, io.Image],
                    optional=True,
                    tooltip="A hint where the object is: a rough painted mask, or a depth picture with near = bright.",
                ),
                backend_input(segment, "method", "How to find the object."),
                device_input(),
            ],
            outputs=[
                io.Mask.Output(display_name="mask", tooltip="1 = subject, with a soft edge."),
                io.Image.Output(display_name="cutout", tooltip="The object on grey, to look at."),
                io.String.Output(display_name="notes", tooltip="Which method was used and what to know about it."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        transparency: Any = None,
        prior: Any = None,
        method: str = "auto",
        device: str = "auto",
    ) -> io.NodeOutput:
        masks, notes, cutouts = [], [], []
        found = pictures(image, alphas_of(transparency, image))
        for picture, mask, said in cut_out(found, method, device, prior):
            masks.append(mask)
            cutouts.append(picture.rgb * mask[..., None] + _GREY * (1 - mask[..., None]))
            notes.extend(said)
        return io.NodeOutput(mask_tensor(masks), image_tensor(cutouts), "\n".join(notes))


def cut_out(
    found: Any, method: str, where: str, prior: Any = None
) -> list[tuple[Any, np.ndarray[Any, Any], list[str]]]:
    """(picture, mask, notes) for every Picture of ``found``."""
    from ..maquette.segment import segment

    progress, on = job(), device(where, helper=True)
    hints = priors(prior, len(found))
    out = []
    for index, (picture, hint) in enumerate(zip(found, hints, strict=True)):
        window = progress.part(index / len(found), (index + 1) / len(found))
        with at_home():
            cut = segment(picture, method, prior=hint, device=on, progress=window)
        out.append((picture, cut.mask, [f"{picture.name}: {cut.method}", *cut.notes]))
    give_back(on)
    return out
