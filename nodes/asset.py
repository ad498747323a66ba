"""Image to 3D Asset: the whole river in one node."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from ..maquette.errors import BadInputError
from ._comfy import at_home, give_back, job, make_room, models_dir, need_of
from ._comfy import device as pick_device
from ._look import Look
from ._meshes import core_mesh
from ._pictures import alphas_of, camera_angles, directions, image_tensor, masks, pictures
from ._schema import APPEARANCE, DIRECTIONS_TIP, advanced, backend_input, checked_gate, device_input, schema


class ImageTo3DAsset(io.ComfyNode):
    """Pictures -> a textured, certified mesh."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        from ..maquette import reconstruct, segment

        return schema(
            node_id="MaquetteImageTo3DAsset",
            display_name="Image to 3D Asset",
            category="Maquette",
            description="One picture, or a batch of views of one object, to a clean, textured, certified mesh.",
            search_aliases=["image to 3d", "img2mesh", "one click"],
            inputs=[
                io.Image.Input("image", tooltip="A picture, or a batch with one picture per direction."),
                io.Mask.Input(
                    "transparency",
                    optional=True,
                    tooltip="The MASK output of Load Image (1 = transparent); ignored when the picture has no alpha.",
                ),
                io.Mask.Input("mask", optional=True, tooltip="In place of transparency: a mask with 1 = subject."),
                io.String.Input("directions", default="", tooltip=DIRECTIONS_TIP),
                backend_input(segment, "segment", "How to find the object."),
                backend_input(reconstruct, "backend", "What makes the shape."),
                io.Int.Input(
                    "resolution",
                    default=128,
                    min=32,
                    max=1024,
                    step=16,
                    tooltip="Cells along the longest side: finer detail, more time and memory.",
                ),
                io.Int.Input(
                    "faces", default=20_000, min=0, max=10_000_000, step=100, tooltip="Face budget; 0 keeps all."
                ),
                io.Int.Input(
                    "texture_size",
                    default=1024,
                    min=0,
                    max=8192,
                    step=64,
                    tooltip="Side of the texture in pixels; 0 = vertex colours only.",
                ),
                io.Int.Input("seed", default=0, min=0, max=2**31 - 1, tooltip="For backends that draw random numbers."),
                advanced(
                    io.String.Input,
                    "gate",
                    default="",
                    tooltip="Stop unless this holds for the result, for example: certified and faces <= 20000.",
                ),
                device_input(),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="Textured mesh: connect it to Save 3D Asset."),
                APPEARANCE.Output(display_name="appearance", tooltip="Colours and cameras, for another Bake Texture."),
                io.Image.Output(display_name="sheet", tooltip="The input beside four views of the result."),
                io.String.Output(display_name="report", tooltip="Certificate, times, coverage and notes as JSON."),
            ],
        )

    @classmethod
    def validate_inputs(cls, gate: str | None = "") -> bool | str:
        """A gate that names no field is refused before the run."""
        return checked_gate(gate)

    @classmethod
    def execute(
        cls,
        image: Any,
        transparency: Any = None,
        mask: Any = None,
        directions: str = "",
        segment: str = "auto",
        backend: str = "auto",
        resolution: int = 128,
        faces: int = 20_000,
        texture_size: int = 1024,
        seed: int = 0,
        gate: str = "",
        device: str = "auto",
    ) -> io.NodeOutput:
        from ..maquette.pipeline import GenerateSettings, generate
        from ..maquette.preview import turntable
        from ..maquette.reconstruct import load

        found, method = _pictures(image, transparency, mask, segment)
        on = pick_device(device)
        settings = GenerateSettings(
            segment=method,
            backend=backend,
            resolution=resolution,
            faces=faces,
            texture=texture_size,
            seed=seed,
            gate=gate,
            device=on,
            helper_device=pick_device(device, helper=True),
            models_dir=models_dir(),
            **_directions(directions, len(found)),
        )
        make_room(on, need_of(load(backend).SPEC, resolution))
        progress = job()
        with at_home():
            asset = generate(found, settings, progress.part(0.0, 0.95))
        first = found[0]
        left = first.rgb if first.alpha is None else first.rgb * first.alpha[..., None] + 1 - first.alpha[..., None]
        sheet = turntable(asset.mesh, input_rgb=left, device=on)
        progress.update(1, 1, "done")
        give_back(on)
        made = asset.reconstruction
        report = json.dumps(asset.as_dict(), indent=2, default=float)
        return io.NodeOutput(core_mesh(asset.mesh), Look(made.appearance, made.views), image_tensor([sheet]), report)


def _pictures(image: Any, transparency: Any, mask: Any, method: str) -> tuple[Any, str]:
    """Pictures with their alpha, and the segmentation method: a given mask is the alpha and settles the matter."""
    if mask is not None and transparency is not None:
        raise BadInputError("connect either transparency (from Load Image) or mask (1 = subject), not both")
    if mask is None:
        return pictures(image, alphas_of(transparency, image)), method
    return pictures(image, masks(mask, len(image))), "alpha"


def _directions(text: str, count: int) -> dict[str, Any]:
    """``views`` or ``azimuths`` for GenerateSettings."""
    names = directions(text, count)
    angles = camera_angles(names)
    if not angles:
        return {"views": names}
    if any(angles["elevations"]):
        raise BadInputError("directions: top and bottom cannot be mixed with degrees here; use Gather Views instead")
    return {"azimuths": angles["azimuths"]}
