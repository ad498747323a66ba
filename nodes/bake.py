"""Unwrap Mesh and Bake Texture: UVs and maps, the last steps before saving."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io

from ..maquette.data import Mesh, View
from ..maquette.errors import BadMeshError
from ._comfy import at_home, give_back, job, make_room
from ._comfy import device as pick_device
from ._look import Look, look, look_of_mesh
from ._meshes import core_mesh, meshes, one_mesh
from ._schema import APPEARANCE, VIEWS, advanced, choice, device_input, mesh_input, schema
from .image import views as checked_views

METHODS = ("fast", "xatlas")
UVS = (*METHODS, "keep")


class UnwrapMesh(io.ComfyNode):
    """Mesh -> the same mesh with UVs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteUnwrapMesh",
            display_name="Unwrap Mesh",
            category="Maquette/mesh",
            description="Give the mesh UVs, laid out for a square texture; Bake Texture does this by itself.",
            search_aliases=["uv", "uv unwrap", "atlas", "xatlas"],
            inputs=[
                mesh_input(tooltip="The final geometry; a batch is unwrapped one by one."),
                io.Int.Input(
                    "texture_size",
                    default=1024,
                    min=64,
                    max=8192,
                    step=64,
                    tooltip="Side of the texture that will be painted, for the gaps between charts.",
                ),
                io.Combo.Input(
                    "method",
                    options=list(METHODS),
                    default="fast",
                    tooltip="fast = our own unwrapping; xatlas = slower, in a process of its own.",
                ),
                advanced(
                    io.Float.Input,
                    "minutes",
                    optional=True,
                    default=5.0,
                    min=0.5,
                    max=120.0,
                    step=0.5,
                    tooltip="Give up after this.",
                ),
            ],
            outputs=[
                io.Mesh.Output(display_name="mesh", tooltip="With UVs and colours; a texture of old UVs is left out."),
                APPEARANCE.Output(
                    display_name="appearance", tooltip="What the incoming mesh showed: for Bake Texture, uvs = keep."
                ),
                io.String.Output(display_name="notes", tooltip="Charts, share of the square in use, overlap."),
            ],
        )

    @classmethod
    def execute(cls, mesh: Any, texture_size: int = 1024, method: str = "fast", minutes: float = 5.0) -> io.NodeOutput:
        from ..maquette.bake import unwrap_with_map

        choice(method, METHODS, "method")
        found, progress, cut, notes = meshes(mesh), job(), [], []
        for index, item in enumerate(found):
            window = progress.part(index / len(found), (index + 1) / len(found))
            bare = item.replace(uvs=None, texture=None)
            done = unwrap_with_map(bare, size=texture_size, method=method, timeout=minutes * 60, progress=window)
            cut.append(done.mesh)
            figures = {"charts": done.charts, "utilisation": done.utilisation, "overlap": done.overlap}
            notes += [json.dumps(figures), *done.notes]
        return io.NodeOutput(core_mesh(cut), look_of_mesh(found[0]), "\n".join(notes))


class BakeTexture(io.ComfyNode):
    """Mesh and appearance -> textured mesh."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteBakeTexture",
            display_name="Bake Texture",
            category="Maquette/mesh",
            description="Unwrap the mesh and paint its maps: from photos, from the model, or from a finer mesh.",
            search_aliases=["texture", "unwrap", "uv", "project photo", "pbr", "normal map", "ambient occlusion"],
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
                *_more_inputs(),
            ],
            outputs=[
                io.Mesh.Output(
                    display_name="mesh",
                    tooltip="With UVs, base colour and metal-roughness; normal and occlusion maps where asked for.",
                ),
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
        high_poly: Any = None,
        views: Any = None,
        occlusion: bool = False,
        delight: float = 0.0,
    ) -> io.NodeOutput:
        choice(uvs, UVS, "uvs")
        found, on = meshes(mesh), pick_device(device)
        finer = None if high_poly is None else one_mesh(high_poly, "high_poly")
        photos = () if views is None else checked_views(views)
        one = [name for name, value in (("appearance", appearance), ("high_poly", finer)) if value is not None]
        one += ["set of views"] if photos else []
        if one and len(found) > 1:
            raise BadMeshError(f"one {one[0]} fits one mesh, got a batch of {len(found)}; bake them one at a time")
        make_room(on, 500 + texture_size**2 * 200 / 2**20)
        options: dict[str, Any] = {"size": texture_size, "uvs": uvs, "timeout": unwrap_minutes * 60, "device": on}
        options |= {"detail": finer, "occlusion": occlusion, "delight": delight}
        progress, baked, notes = job(), [], []
        for index, item in enumerate(found):
            window = progress.part(index / len(found), (index + 1) / len(found))
            with at_home():
                made, said = _dressed(item, _seen(appearance, finer, item), photos, options, window)
            baked.append(made)
            notes.extend(said)
        give_back(on)
        done = core_mesh(baked)
        return io.NodeOutput(done, done.texture, "\n".join(notes))


def _more_inputs() -> list[Any]:
    """What else can be baked than the look of the mesh."""
    return [
        mesh_input(
            "high_poly",
            optional=True,
            tooltip="A finer mesh in the same place: its shape becomes a normal map, and its colours the"
            " texture where no appearance is connected.",
        ),
        VIEWS.Input(
            "views",
            optional=True,
            tooltip="Pictures from Prepare Image or Gather Views to lay over a mesh of any origin (front to +z).",
        ),
        io.Boolean.Input(
            "occlusion",
            optional=True,
            default=False,
            tooltip="Bake ambient occlusion too: how open each place lies.",
        ),
        advanced(
            io.Float.Input,
            "delight",
            optional=True,
            default=0.0,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="Share of the soft shading to take out of the colours; edges of the paint stay. 0 = none.",
        ),
    ]


def _seen(appearance: Any, finer: Mesh | None, mesh: Mesh) -> Look | None:
    """Where the colours come from: what is connected, else the finer mesh's paint, else the mesh's; None = plain."""
    from ..maquette.appearance import OwnLook

    if appearance is not None:
        return look(appearance)
    for item in (finer, mesh):
        if item is not None and OwnLook(item).is_painted:
            return look_of_mesh(item)
    return None


def _dressed(
    mesh: Mesh, seen: Look | None, photos: Sequence[View], options: dict[str, Any], progress: Any
) -> tuple[Mesh, list[str]]:
    """One mesh, with the connected views laid over it, else with those of its look."""
    from ..maquette.appearance import ProjectedPhotos
    from ..maquette.bake import dress
    from ..maquette.geometry.fitting import views_on

    views = views_on(mesh, photos) if photos else (() if seen is None else seen.views)
    below: Any = seen.appearance if seen is not None else None
    if below is None:
        plain = look_of_mesh(mesh).appearance
        below = ProjectedPhotos(mesh, views, device=options["device"]) if views else plain
    result = dress(mesh, below, views=views, progress=progress, **options)
    return result.mesh, [json.dumps({"coverage": result.coverage}, default=float), *result.notes]
