"""Reconstruct: views of an object -> its mesh and its appearance."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..maquette.data import View
from ..maquette.errors import BadViewsError
from ._comfy import at_home, give_back, job, make_room, models_dir, need_of
from ._comfy import device as pick_device
from ._look import Look
from ._meshes import core_mesh
from ._pictures import camera_angles
from ._schema import APPEARANCE, DIRECTIONS_TIP, VIEWS, advanced, backend_input, device_input, schema
from .image import views as checked
from .image import views_of


class Reconstruct(io.ComfyNode):
    """Views -> MESH and MAQUETTE_APPEARANCE."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import reconstruct

        return schema(
            node_id="MaquetteReconstruct",
            display_name="Reconstruct",
            category="Maquette/3d",
            description="Make a 3D mesh from one picture or from several views of one object.",
            search_aliases=["image to 3d", "mesh", "silhouette", "triposr", "visual hull"],
            inputs=[
                *_picture_inputs(),
                backend_input(reconstruct, "backend", "What makes the shape."),
                io.Int.Input(
                    "resolution",
                    default=128,
                    min=16,
                    max=1024,
                    step=16,
                    tooltip="Cells along the longest side: finer detail, more time and memory.",
                ),
                io.Int.Input("seed", default=0, min=0, max=2**31 - 1, tooltip="For backends that draw random numbers."),
                *_advanced_inputs(),
                device_input(),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="Centred, longest side 1, y up, front towards +z."),
                APPEARANCE.Output(
                    display_name="appearance", tooltip="Colours and cameras: connect it to Bake Texture."
                ),
                io.String.Output(display_name="notes", tooltip="Which backend was used and what to know about it."),
            ],
        )

    @classmethod
    def execute(
        cls,
        views: Any = None,
        image: Any = None,
        mask: Any = None,
        directions: str = "",
        backend: str = "auto",
        resolution: int = 128,
        seed: int = 0,
        field_of_view: float = 40.0,
        threshold: float = 0.0,
        vram_budget_mb: int = 0,
        device: str = "auto",
    ) -> io.NodeOutput:
        from ..maquette.reconstruct import Settings, load, reconstruct

        found, on = _views(views, image, mask, directions), pick_device(device)
        settings = Settings(
            resolution=resolution,
            field_of_view=field_of_view,
            seed=seed,
            threshold=threshold or "adaptive",
            device=on,
            vram_budget_mb=vram_budget_mb or None,
            models_dir=models_dir(),
            **camera_angles([view.name for view in found]),
        )
        with at_home():
            make_room(on, vram_budget_mb or need_of(load(backend).SPEC, resolution))
            made = reconstruct(found, backend, settings, job())
        give_back(on)
        notes = "\n".join([f"backend: {made.backend}", *made.notes])
        return io.NodeOutput(core_mesh(made.mesh), Look(made.appearance, made.views), notes)


def _picture_inputs() -> list[Any]:
    """What the object is seen in: prepared views, or pictures with their masks."""
    return [
        VIEWS.Input("views", optional=True, tooltip="From Prepare Image or Gather Views (up to six named views)."),
        io.Image.Input(
            "image",
            optional=True,
            tooltip="In place of views: a picture, or a batch with one picture per direction.",
        ),
        io.Mask.Input("mask", optional=True, tooltip="Needed with image: 1 = subject, one per picture or one for all."),
        io.String.Input("directions", default="", tooltip="Used with image. " + DIRECTIONS_TIP),
    ]


def _advanced_inputs() -> list[Any]:
    """What most people leave alone."""
    return [
        advanced(
            io.Float.Input,
            "field_of_view",
            default=40.0,
            min=5.0,
            max=120.0,
            step=0.5,
            tooltip="Vertical angle of the camera in degrees; 40 when you do not know it.",
        ),
        advanced(
            io.Float.Input,
            "threshold",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.5,
            tooltip="Density of the surface for backends that have one; 0 = found from the data.",
        ),
        advanced(
            io.Int.Input,
            "vram_budget_mb",
            default=0,
            min=0,
            max=1_000_000,
            tooltip="GPU megabytes the backend may use; 0 = what is free.",
        ),
    ]


def _views(views: Any, image: Any, mask: Any, text: str) -> tuple[View, ...]:
    """The views socket, or image and mask framed here."""
    if views is not None and image is not None:
        raise BadViewsError("connect either views or image and mask, not both")
    if views is not None:
        return checked(views)
    if image is None or mask is None:
        raise BadViewsError("connect views (from Prepare Image or Gather Views), or image together with mask")
    return views_of(image, mask, text)
