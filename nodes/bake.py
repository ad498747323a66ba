"""Bake Texture: UVs and maps, the last step before saving."""

from __future__ import annotations

import json
from typing import Any

from comfy_api.latest import io

from ..maquette.data import Mesh
from ..maquette.errors import BadMeshError
from ._comfy import at_home, give_back, job, make_room
from ._comfy import device as pick_device
from ._look import Look, look, look_of_mesh
from ._meshes import core_mesh, meshes
from ._schema import APPEARANCE, choice, device_input, mesh_input, schema

UVS = ("fast", "xatlas", "keep")


class BakeTexture(io.ComfyNode):
    """Mesh and appearance -> textured mesh."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteBakeTexture",
            display_name="Bake Texture",
            category="Maquette/mesh",
            description="Unwrap the mesh and paint its texture: from photos where they saw it, else from the model.",
            search_aliases=["texture", "unwrap", "uv", "project photo", "pbr"],
            inputs=[
                mesh_input(tooltip="The final geometry: clean and simplify before this node, never after it."),
                APPEARANCE.Input(
                    "appearance",
                    optional=True,
                    tooltip="From Reconstruct, Fuse Views, Clean Mesh or Load 3D Asset. Empty: the mesh's own look",
                ),
                io.Int.Input(
                    "texture_size", default=1024, min=64, max=8192, step=64, tooltip="Side of the texture in pixels."
                ),
                io.Combo.Input(
                    "uvs",
                    options=list(UVS),
                    default="fast",
                    tooltip="fast = our own unwrapping; xatlas = slower, in a process of its own; keep = use the"
                    " UVs the mesh has.",
                ),
                io.Float.Input(
                    "unwrap_minutes",
                    default=5.0,
                    min=0.5,
                    max=120.0,
                    step=0.5,
                    tooltip="Give up unwrapping after this.",
                ),
                device_input(),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="With UVs, base colour and metal-roughness textures."),
                io.Image.Output(display_name="texture", tooltip="The base colour map, to look at."),
                io.String.Output(
                    display_name="notes", tooltip="Share of texels from photos, model and fill, and notes."
                ),
            ],
        )

    @classmethod
    def execute(
        cls,
        mesh: Any,
        appearance: Any = None,
        texture_size: int = 1024,
        uvs: str = "fast",
        unwrap_minutes: float = 5.0,
        device: str = "auto",
    ) -> io.NodeOutput:
        choice(uvs, UVS, "uvs")
        found, on = meshes(mesh), pick_device(device)
        if appearance is not None and len(found) > 1:
            raise BadMeshError(f"one appearance fits one mesh, got a batch of {len(found)}; bake them one at a time")
        make_room(on, 500 + texture_size**2 * 200 / 2**20)
        progress, baked, notes = job(), [], []
        for index, item in enumerate(found):
            window = progress.part(index / len(found), (index + 1) / len(found))
            seen = look(appearance) if appearance is not None else look_of_mesh(item)
            with at_home():
                made, said = _bake(item, seen, texture_size, uvs, unwrap_minutes * 60, on, window)
            baked.append(made)
            notes.extend(said)
        give_back(on)
        done = core_mesh(baked)
        return io.NodeOutput(done, done.texture, "\n".join(notes))


def _bake(
    mesh: Mesh, seen: Look, size: int, uvs: str, seconds: float, on: str, progress: Any
) -> tuple[Mesh, list[str]]:
    """One mesh: unwrap (first half of the bar), then bake."""
    from ..maquette.bake import bake, unwrap_with_map

    notes: list[str] = []
    if uvs == "keep":
        if mesh.uvs is None:
            raise BadMeshError("uvs: the mesh has none to keep; choose fast or xatlas")
    else:
        # glTF multiplies vertex colours with the texture, so colours that are baked must go
        bare = mesh.replace(uvs=None, texture=None, vertex_colors=None)
        cut = unwrap_with_map(bare, size=size, method=uvs, timeout=seconds, progress=progress.part(0.0, 0.5))
        mesh, notes = cut.mesh, list(cut.notes)
    result = bake(mesh, seen.appearance, views=seen.views, size=size, device=on, progress=progress.part(0.5, 1.0))
    progress.update(1, 1, "bake")
    return result.mesh, [json.dumps({"coverage": result.coverage}, default=float), *notes, *result.notes]
