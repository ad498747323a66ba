"""Mesh to TRIMESH and back, for graphs with community packs."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ._meshes import core_mesh, meshes, one_mesh
from ._schema import TRIMESH, mesh_input, schema


class MeshToTrimesh(io.ComfyNode):
    """MESH -> trimesh.Trimesh."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteMeshToTrimesh",
            display_name="Mesh to TRIMESH",
            category="Maquette/convert",
            description="For community nodes that take TRIMESH (Hunyuan3D wrappers and others).",
            search_aliases=["convert", "trimesh"],
            inputs=[mesh_input(tooltip="One mesh; UVs, texture and colours go along.")],
            outputs=[TRIMESH.Output(display_name="trimesh", tooltip="A new trimesh.Trimesh object.")],
        )

    @classmethod
    def execute(cls, mesh: Any) -> io.NodeOutput:
        from ._trimesh import to_trimesh

        return io.NodeOutput(to_trimesh(one_mesh(mesh, "Mesh to TRIMESH")))


class TrimeshToMesh(io.ComfyNode):
    """trimesh.Trimesh or Scene -> MESH."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            node_id="MaquetteTrimeshToMesh",
            display_name="TRIMESH to Mesh",
            category="Maquette/convert",
            description="From community nodes to core's MESH, with UVs, texture and colours.",
            search_aliases=["convert", "trimesh"],
            inputs=[TRIMESH.Input("trimesh", tooltip="A trimesh.Trimesh or trimesh.Scene.")],
            outputs=[io.Mesh.Output(display_name="mesh", tooltip="Core's MESH.")],
        )

    @classmethod
    def execute(cls, trimesh: Any) -> io.NodeOutput:
        return io.NodeOutput(core_mesh(meshes(trimesh)))
