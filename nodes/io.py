"""Load 3D Asset, Save 3D Asset and Preview Mesh: files in ComfyUI's own folders, shown by core's own viewer."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io, ui

from ..maquette.data import Mesh
from ..maquette.errors import BadInputError, BadMeshError
from ..maquette.gate import check_form
from ._comfy import device as pick_device
from ._comfy import job
from ._files import find_mesh, input_meshes, next_slot
from ._look import look_of_mesh
from ._meshes import core_mesh, meshes
from ._pictures import host, image_tensor
from ._schema import APPEARANCE, checked_gate, choice, device_input, mesh_input, schema

FORMATS = ("glb", "obj", "ply", "stl", "3mf")


class Load3DAsset(io.ComfyNode):
    """A mesh file -> MESH with its texture, and its look for a new bake."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteLoad3DAsset",
            display_name="Load 3D Asset",
            category="Maquette/3d",
            description="Read a mesh file (GLB, OBJ, PLY, STL, 3MF) with its UVs, texture and colours.",
            search_aliases=["load mesh", "import", "open glb"],
            inputs=[
                io.Combo.Input(
                    "file",
                    options=input_meshes() or [""],
                    tooltip="A file in ComfyUI's input/ or input/3d/ folder. The API also takes 'name.glb [output]'.",
                ),
                io.String.Input(
                    "path",
                    default="",
                    optional=True,
                    tooltip="In place of file: a path below input/, or below output/ with ' [output]' at its end.",
                ),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="As in the file: nothing is merged, moved or scaled."),
                APPEARANCE.Output(display_name="appearance", tooltip="What the file shows, for Bake Texture."),
            ],
        )

    @classmethod
    def validate_inputs(cls, file: str | None = None, path: str | None = None) -> bool | str:
        """Any file below ComfyUI's folders, also one that the menu did not list yet."""
        try:
            name = path or file
            if name:
                find_mesh(name)
        except BadInputError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, file: str = "", path: str = "") -> Any:
        """Run again when the file has changed."""
        try:
            stat = find_mesh(path or file).stat()
        except BadInputError:
            return float("nan")
        return f"{path or file}:{stat.st_mtime_ns}:{stat.st_size}"

    @classmethod
    def execute(cls, file: str = "", path: str = "") -> io.NodeOutput:
        from ..maquette.mesh import read_mesh

        found = find_mesh(path or file)
        try:
            mesh = read_mesh(found).checked()
        except BadMeshError as error:
            raise BadMeshError(f"{found.name}: {error}") from error
        return io.NodeOutput(core_mesh(mesh), look_of_mesh(mesh))


class Save3DAsset(io.ComfyNode):
    """MESH -> a certified file in output/."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteSave3DAsset",
            display_name="Save 3D Asset",
            category="Maquette/3d",
            description="Write the mesh with texture, certificate and workflow into ComfyUI's output folder.",
            search_aliases=["save mesh", "export", "save glb", "save obj", "save stl"],
            is_output_node=True,
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            inputs=[
                mesh_input(tooltip="The mesh to save; a batch gives one file each."),
                io.String.Input(
                    "filename_prefix",
                    default="3d/Maquette",
                    tooltip="Folder and name below output/; a number is added.",
                ),
                io.Combo.Input(
                    "format",
                    options=list(FORMATS),
                    default="glb",
                    tooltip="glb keeps everything; obj writes .mtl and .png beside it; stl and 3mf are for printing.",
                ),
                io.Boolean.Input(
                    "certify", default=True, tooltip="Measure the mesh and write the certificate into the file (GLB)."
                ),
                io.String.Input(
                    "gate",
                    default="",
                    tooltip="Write nothing unless this holds, for example: watertight and faces <= 20000.",
                ),
            ],
            outputs=[
                io.String.Output(display_name="path", tooltip="Path below output/: connect it to core's Preview 3D."),
                io.String.Output(display_name="report", tooltip="The certificate as JSON, empty without certify."),
            ],
        )

    @classmethod
    def validate_inputs(cls, gate: str | None = "") -> bool | str:
        """A gate that names no field is refused before the run."""
        return checked_gate(gate)

    @classmethod
    def execute(
        cls,
        mesh: Any,
        filename_prefix: str = "3d/Maquette",
        format: str = "glb",
        certify: bool = True,
        gate: str = "",
    ) -> io.NodeOutput:
        from ..maquette.mesh import write_mesh

        suffix = "." + choice(format, FORMATS, "format")
        found = meshes(mesh)
        reports = _certified(found, certify, gate)
        slots = []
        for item, report in zip(found, reports, strict=True):
            slot = next_slot(filename_prefix, suffix)
            write_mesh(item, slot.path, report=report, metadata=graph_of(cls))
            slots.append(slot)
        shown = {"3d": [slot.ui for slot in slots]}
        kept = [report for report in reports if report is not None]
        text = json.dumps(kept[0] if len(kept) == 1 else kept, indent=2) if kept else ""
        return io.NodeOutput(slots[0].relative, text, ui=shown)


def _certified(found: tuple[Mesh, ...], certify: bool, gate: str) -> list[dict[str, Any] | None]:
    """A certificate per mesh (None when not asked for), all gates passed before anything is written."""
    if not certify and not gate.strip():
        return [None] * len(found)
    from ..maquette.mesh import certify as measure
    from ..maquette.mesh import gate as check

    progress, out = job(), []
    if gate.strip():
        check_form(gate)
    for index, item in enumerate(found):
        report = measure(item, progress=progress.part(index / len(found), (index + 1) / len(found)))
        if gate.strip():
            check(report, gate)
        out.append(report.as_dict())
    return list(out)


def graph_of(node: Any) -> dict[str, Any]:
    """The prompt and workflow that made this file, as core's SaveGLB stores them; empty with --disable-metadata."""
    from comfy.cli_args import args

    hidden = getattr(node, "hidden", None)
    if hidden is None or args.disable_metadata:
        return {}
    out: dict[str, Any] = {}
    if hidden.prompt is not None:
        out["prompt"] = hidden.prompt
    out |= hidden.extra_pnginfo or {}
    return out


class PreviewMesh(io.ComfyNode):
    """Turntable sheet as IMAGE, and a temporary GLB for core's Preview 3D."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquettePreviewMesh",
            display_name="Preview Mesh",
            category="Maquette/3d",
            description="Draw the mesh from several sides on one picture; no browser 3D needed.",
            search_aliases=["turntable", "render mesh", "contact sheet"],
            is_output_node=True,
            inputs=[
                mesh_input(tooltip="Any mesh; the first of a batch is drawn."),
                io.Image.Input(
                    "picture", optional=True, tooltip="The input picture, drawn at the left for comparison."
                ),
                io.Int.Input("views", default=4, min=1, max=12, tooltip="How many sides to draw."),
                io.Int.Input("size", default=384, min=64, max=1024, step=32, tooltip="Side of each drawing in pixels."),
                device_input(),
            ],
            outputs=[
                io.Image.Output(display_name="sheet", tooltip="The drawings side by side."),
                io.String.Output(
                    display_name="path", tooltip="A temporary GLB: connect it to core's Preview 3D to turn it by hand."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, mesh: Any, picture: Any = None, views: int = 4, size: int = 384, device: str = "auto"
    ) -> io.NodeOutput:
        from ..maquette.mesh import write_mesh
        from ..maquette.preview import turntable

        first = meshes(mesh)[0]
        left = None if picture is None else host(picture, "picture")[0][..., :3]
        progress = job()
        progress.update(0, 1, "draw")
        sheet = image_tensor([turntable(first, views=views, size=size, input_rgb=left, device=pick_device(device))])
        slot = next_slot("Maquette_preview", ".glb", "temp")
        write_mesh(first, slot.path, report=None, metadata=None)
        return io.NodeOutput(sheet, f"{slot.relative} [temp]", ui=ui.PreviewImage(sheet, cls=cls))


__all__ = ["Load3DAsset", "PreviewMesh", "Save3DAsset", "graph_of"]
