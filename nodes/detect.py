"""Detect Objects: one picture, many assets."""

from __future__ import annotations

import time
from typing import Any

from comfy_api.latest import io

from ._comfy import at_home, give_back, job
from ._comfy import device as pick_device
from ._pictures import image_tensor, pictures
from ._schema import backend_input, device_input, schema


class DetectObjects(io.ComfyNode):
    """A picture and a text -> a list of crops, one per object."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import detect

        return schema(
            node_id="MaquetteDetectObjects",
            display_name="Detect Objects",
            category="Maquette/image",
            description="Find what a text names and crop the picture to each object, so that one picture becomes"
            " several assets.",
            search_aliases=["grounding", "boxes", "crop objects"],
            inputs=[
                io.Image.Input("image", tooltip="One picture with one or more objects."),
                io.String.Input("text", default="", tooltip="What to look for, for example: cup, spoon"),
                backend_input(detect, "method", "How to find the objects."),
                io.Int.Input("most", default=20, min=1, max=100, tooltip="Keep at most this many objects, best first."),
                io.Float.Input(
                    "padding",
                    default=0.1,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="Margin around each object, as a share of its longer side.",
                ),
                device_input(),
                io.String.Input(
                    "folder",
                    optional=True,
                    default="3d/objects",
                    tooltip="Where prefixes points: a folder below output/; the time is added to its name.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="objects",
                    is_output_list=True,
                    tooltip="A list: one picture per object, the surest first. What follows runs once for each.",
                ),
                io.Image.Output(display_name="boxes", tooltip="The picture with the boxes drawn on it."),
                io.String.Output(display_name="labels", is_output_list=True, tooltip="What each object is, as a list."),
                io.String.Output(
                    display_name="prefixes",
                    is_output_list=True,
                    tooltip="A list for Save 3D Asset's filename_prefix: one folder per run, a name per object.",
                ),
                io.String.Output(display_name="notes", tooltip="Which method was used and what to know about it."),
            ],
        )

    @classmethod
    def execute(
        cls,
        image: Any,
        text: str = "",
        method: str = "auto",
        most: int = 20,
        padding: float = 0.1,
        device: str = "auto",
        folder: str = "3d/objects",
    ) -> io.NodeOutput:
        from ..maquette import detect
        from ..maquette.errors import BadInputError

        found, on = pictures(image), pick_device(device, helper=True)
        if len(found) != 1:
            raise BadInputError(f"image: Detect Objects takes one picture, got a batch of {len(found)}; pick one")
        with at_home():
            made = detect.detect(found[0], text, method, device=on, progress=job())
        give_back(on)
        boxes = made.boxes[:most]
        crops = [image_tensor([detect.crop(found[0].rgb, box, padding)]) for box in boxes]
        drawn = image_tensor([detect.draw(found[0].rgb, boxes)])
        place = f"{folder.rstrip('/') or '3d/objects'}_{time.strftime('%Y-%m-%d_%H-%M-%S')}"
        prefixes = [f"{place}/{detect.file_stem(box, index)}" for index, box in enumerate(boxes)]
        notes = "\n".join([f"{made.method}: {len(boxes)} of {len(made.boxes)} objects", *made.notes])
        return io.NodeOutput(crops, drawn, [box.label for box in boxes], prefixes, notes)
