"""Clean Mesh, Simplify Mesh and Mesh Report: geometry first, textures afterwards."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..maquette.data import Mesh
from ..maquette.errors import GateError
from ..maquette.gate import check_form
from ._comfy import job
from ._look import look_of_mesh
from ._meshes import core_mesh, material_note, meshes
from ._schema import APPEARANCE, advanced, checked_gate, choice, mesh_input, schema

REPAIRS = ("fix", "keep", "solid")
_OLD_REPAIRS = {"none": "keep"}
"""Names in workflows saved before the levels were called as on the command line."""
FAILING = ("stop the run", "block this branch")
_LOOK_TIP = "What the incoming mesh showed (texture or colours): connect it to Bake Texture to put it back."


def _progress_parts(count: int) -> Any:
    """One window of the running node's bar per mesh of a batch."""
    progress = job()
    return [progress.part(index / count, (index + 1) / count) for index in range(count)]


class CleanMesh(io.ComfyNode):
    """Any mesh -> one closed, manifold, outward solid."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteCleanMesh",
            display_name="Clean Mesh",
            category="Maquette/mesh",
            description="Weld, drop floating crumbs, close holes and repair until the mesh is one closed solid.",
            search_aliases=["repair", "fill holes", "floaters", "watertight", "manifold"],
            inputs=[
                mesh_input(tooltip="Any mesh: ours, core's or the community's TRIMESH."),
                io.Boolean.Input("weld", default=True, tooltip="Join vertices that lie on the same spot."),
                io.Float.Input(
                    "floaters",
                    default=0.01,
                    min=0.0,
                    max=0.9,
                    step=0.005,
                    tooltip="Drop parts below this share of the largest part's volume; the largest always stays.",
                ),
                io.Boolean.Input("fill_holes", default=True, tooltip="Close open borders."),
                *_repair_inputs(),
            ],
            outputs=[
                io.Mesh.Output(
                    display_name="mesh", tooltip="Cleaned geometry; UVs and texture stay on what was only repaired."
                ),
                APPEARANCE.Output(display_name="appearance", tooltip=_LOOK_TIP),
                io.String.Output(
                    display_name="notes", tooltip="What was done, with numbers, and the distance to the input."
                ),
            ],
        )

    @classmethod
    def validate_inputs(cls, repair: str | None = "fix") -> bool | str:
        """The levels, and the names that older workflows hold; a linked value arrives as None."""
        known = repair is None or repair in REPAIRS or repair in _OLD_REPAIRS
        return True if known else f"repair: there is no '{repair}'; choose one of {', '.join(REPAIRS)}"

    @classmethod
    def execute(
        cls,
        mesh: Any,
        weld: bool = True,
        floaters: float = 0.01,
        fill_holes: bool = True,
        repair: str = "fix",
        remove_inner: bool = False,
        faces: int = 0,
        resolution: int = 256,
    ) -> io.NodeOutput:
        from ..maquette.mesh import finish, smooth_normals

        options: dict[str, Any] = {"weld": weld, "floaters": floaters, "fill_holes": fill_holes}
        options |= {"remove_inner": remove_inner, "faces": faces, "resolution": resolution}
        options["repair"] = choice(_OLD_REPAIRS.get(repair, repair), REPAIRS, "repair")
        found = meshes(mesh)
        cleaned, notes = [], []
        for item, window in zip(found, _progress_parts(len(found)), strict=True):
            result = finish(item, progress=window, **options)
            cleaned.append(result.mesh if result.mesh is item else smooth_normals(result.mesh))
            notes.extend(result.notes)
            notes.append(json.dumps({**result.figures, "certified": result.report.certified}, default=str))
        if material_note(cleaned):
            notes.insert(0, material_note(cleaned))
        return io.NodeOutput(core_mesh(cleaned), look_of_mesh(found[0]), "\n".join(notes))


def _repair_inputs() -> list[Any]:
    """How far Clean Mesh may go."""
    return [
        advanced(
            io.Combo.Input,
            "repair",
            options=list(REPAIRS),
            default="fix",
            tooltip="fix = the least change that makes it a manifold; keep = change nothing, only measure;"
            " solid = extract the surface anew where fix is not enough (always printable).",
        ),
        advanced(
            io.Boolean.Input,
            "remove_inner",
            optional=True,
            default=False,
            tooltip="Drop walls that cannot be seen from outside, such as the double walls of voxel models.",
        ),
        advanced(
            io.Int.Input,
            "faces",
            optional=True,
            default=0,
            min=0,
            max=10_000_000,
            step=100,
            tooltip="Face budget, met within 2 percent; 0 = keep all.",
        ),
        advanced(
            io.Int.Input,
            "resolution",
            optional=True,
            default=256,
            min=16,
            max=1024,
            step=16,
            tooltip="Cells along the longest side for repair = solid.",
        ),
    ]


class SimplifyMesh(io.ComfyNode):
    """Fewer faces, still a closed manifold."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteSimplifyMesh",
            display_name="Simplify Mesh",
            category="Maquette/mesh",
            description="Reduce to a face budget, met within 2 percent, always with the same result.",
            search_aliases=["decimate", "reduce", "face count", "lod"],
            inputs=[
                mesh_input(tooltip="A clean mesh: put Clean Mesh before this node."),
                io.Int.Input(
                    "faces",
                    default=20_000,
                    min=100,
                    max=10_000_000,
                    step=100,
                    tooltip="How many triangles to keep. A mesh that has fewer passes unchanged.",
                ),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="Simplified geometry, smooth normals; bake it next."),
                APPEARANCE.Output(display_name="appearance", tooltip=_LOOK_TIP),
            ],
        )

    @classmethod
    def execute(cls, mesh: Any, faces: int = 20_000) -> io.NodeOutput:
        from ..maquette.mesh import simplify, smooth_normals
        from ..maquette.mesh.color import with_vertex_colors

        found = meshes(mesh)
        if all(len(item.faces) <= faces for item in found):
            return io.NodeOutput(core_mesh(found), look_of_mesh(found[0]))
        reduced: list[Mesh] = []
        for item, window in zip(found, _progress_parts(len(found)), strict=True):
            smaller = simplify(item, faces, progress=window)
            if smaller is item:  # a batch is alike: where one texture became colours, all of them do
                smaller = with_vertex_colors(item).replace(uvs=None, texture=None)
            reduced.append(smooth_normals(smaller))
        return io.NodeOutput(core_mesh(reduced), look_of_mesh(found[0]))


class MeshReport(io.ComfyNode):
    """Measure a mesh; refuse it when a gate is given and does not hold."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteMeshReport",
            display_name="Mesh Report",
            category="Maquette/mesh",
            description="Certify a mesh: faces, holes, manifoldness, winding, genus, volume, self-intersections.",
            search_aliases=["certify", "inspect", "mesh info", "quality"],
            is_output_node=True,
            inputs=[
                mesh_input(tooltip="Any mesh, or a batch."),
                io.String.Input(
                    "gate",
                    default="",
                    tooltip="Stop the run unless this holds, for example: watertight and faces <= 20000. Empty = only"
                    " report.",
                ),
                advanced(
                    io.Combo.Input,
                    "on_failure",
                    optional=True,
                    options=list(FAILING),
                    default=FAILING[0],
                    tooltip="What the gate does: stop the whole run with an error, or block only what hangs on the mesh"
                    " output, so that the rest of the graph still runs.",
                ),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="The same mesh, unchanged; blocked when the gate says so."),
                io.String.Output(display_name="report", tooltip="The certificate as JSON (a list for a batch)."),
                io.Boolean.Output(display_name="certified", tooltip="True when every mesh of the batch is certified."),
            ],
        )

    @classmethod
    def validate_inputs(cls, gate: str | None = "") -> bool | str:
        """A gate that names no field is refused before the run."""
        return checked_gate(gate)

    @classmethod
    def execute(cls, mesh: Any, gate: str = "", on_failure: str = FAILING[0]) -> io.NodeOutput:
        from ..maquette.mesh import certify

        choice(on_failure, FAILING, "on_failure")
        if gate.strip():
            check_form(gate)
        found = meshes(mesh)
        windows = _progress_parts(len(found))
        reports = [certify(item, progress=window) for item, window in zip(found, windows, strict=True)]
        refused = _refused(reports, gate)
        if refused is not None and on_failure == FAILING[0]:
            raise refused
        plain: Any = [report.as_dict() for report in reports]
        text = json.dumps(plain[0] if len(plain) == 1 else plain, indent=2)
        passed = core_or_same(mesh) if refused is None else _blocker(str(refused))
        return io.NodeOutput(passed, text, all(r.certified for r in reports), ui={"text": [text]})


def _refused(reports: Sequence[Any], expression: str) -> GateError | None:
    """The gate's first error, None when every mesh passes or there is no gate."""
    from ..maquette.mesh import gate

    for report in reports if expression.strip() else ():
        try:
            gate(report, expression)
        except GateError as error:
            return error
    return None


def _blocker(message: str) -> Any:
    """Core's value that keeps the nodes behind it from running; the page shows ``message`` on the one that it stops."""
    from comfy_execution.graph_utils import ExecutionBlocker

    return ExecutionBlocker(message)


def core_or_same(value: Any) -> Any:
    """A core MESH passes as the very object that came in; anything else is converted."""
    is_core = hasattr(getattr(value, "vertices", None), "detach")
    return value if is_core else core_mesh(meshes(value))
