"""Test-only nodes: things that other packs and core would bring into a graph."""

from __future__ import annotations

import json

import numpy as np
import torch
from comfy_api.latest import ComfyExtension, io

TRIMESH = io.Custom("TRIMESH")


def core_class():
    import comfy_api.latest as api

    found = getattr(getattr(api, "Types", None), "MESH", None)
    if found is None:
        from comfy_extras import nodes_hunyuan3d

        found = nodes_hunyuan3d.MESH
    return found


def box(size=0.5, offset=0.0):
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float32) * size + offset
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return torch.from_numpy(corners), torch.tensor(faces, dtype=torch.int64)


class TestVoxelBall(io.ComfyNode):
    """A VOXEL, so that core's own VoxelToMesh makes a core MESH without any model."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="TestVoxelBall", category="test", inputs=[], outputs=[io.Custom("VOXEL").Output()])

    @classmethod
    def execute(cls):
        axis = torch.linspace(-1, 1, 32)
        z, y, x = torch.meshgrid(axis, axis, axis, indexing="ij")
        ball = ((x**2 + y**2 + z**2).sqrt() < 0.7).float()
        from comfy_extras.nodes_hunyuan3d import VOXEL

        return io.NodeOutput(VOXEL(ball[None]))


class TestMesh(io.ComfyNode):
    """Meshes as other nodes make them, good and bad."""

    @classmethod
    def define_schema(cls):
        kinds = ["plain", "rich", "padded", "empty", "nan", "range", "inside_out", "duck"]
        return io.Schema(
            node_id="TestMesh",
            category="test",
            inputs=[io.Combo.Input("kind", options=kinds)],
            outputs=[io.Mesh.Output()],
        )

    @classmethod
    def execute(cls, kind):
        vertices, faces = box()
        if kind == "nan":
            vertices[0, 0] = float("nan")
        if kind == "range":
            faces[0, 0] = 99
        if kind == "inside_out":
            faces = faces.flip(1)
        if kind == "empty":
            vertices, faces = vertices[:0], faces[:0]
        mesh = core_class()(vertices=vertices[None], faces=faces[None])
        if kind == "duck":
            mesh = type("Duck", (), {"vertices": vertices[None].half(), "faces": faces[None].int()})()
        if kind == "rich":
            mesh.uvs = torch.rand(1, 8, 2)
            mesh.texture = torch.rand(1, 16, 16, 4)
            mesh.vertex_colors = torch.rand(1, 8, 4)
        if kind == "padded":
            small = torch.cat([vertices * 0.5, torch.zeros(4, 3)])
            more = torch.cat([vertices, torch.tensor([[0.0, 0.9, 0.0]] * 4)])
            mesh = core_class()(vertices=torch.stack([small, more]), faces=torch.stack([faces, faces]))
            mesh.vertex_counts = torch.tensor([8, 8])
            mesh.face_counts = torch.tensor([12, 12])
        return io.NodeOutput(mesh)


class TestMeshFacts(io.ComfyNode):
    """What a node downstream sees of a MESH."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestMeshFacts",
            category="test",
            is_output_node=True,
            inputs=[io.Mesh.Input("mesh")],
            outputs=[],
        )

    @classmethod
    def execute(cls, mesh):
        facts = {"class": f"{type(mesh).__module__}.{type(mesh).__name__}", "is_core": isinstance(mesh, core_class())}
        for name, value in vars(mesh).items():
            if isinstance(value, torch.Tensor):
                facts[name] = {"shape": list(value.shape), "dtype": str(value.dtype), "device": str(value.device)}
            else:
                facts[name] = value
        return io.NodeOutput(ui={"text": [json.dumps(facts)]})


class TestSubdivide(io.ComfyNode):
    """A large mesh from a small one."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestSubdivide",
            category="test",
            inputs=[io.Mesh.Input("mesh"), io.Int.Input("times", default=1, min=0, max=6)],
            outputs=[io.Mesh.Output()],
        )

    @classmethod
    def execute(cls, mesh, times):
        import trimesh

        made = trimesh.Trimesh(mesh.vertices[0].numpy(), mesh.faces[0].numpy())
        for _ in range(times):
            made = made.subdivide()
        vertices = torch.from_numpy(np.array(made.vertices, np.float32))
        return io.NodeOutput(core_class()(vertices[None], torch.from_numpy(np.array(made.faces, np.int64))[None]))


class TestTrimesh(io.ComfyNode):
    """A community pack's TRIMESH."""

    @classmethod
    def define_schema(cls):
        return io.Schema(node_id="TestTrimesh", category="test", inputs=[], outputs=[TRIMESH.Output()])

    @classmethod
    def execute(cls):
        import trimesh

        mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
        mesh.visual.vertex_colors = np.tile(np.array([200, 60, 20, 255], np.uint8), (len(mesh.vertices), 1))
        return io.NodeOutput(mesh)


class TestTrimeshFacts(io.ComfyNode):
    """A community node that takes TRIMESH."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="TestTrimeshFacts",
            category="test",
            is_output_node=True,
            inputs=[TRIMESH.Input("trimesh")],
            outputs=[],
        )

    @classmethod
    def execute(cls, trimesh):
        import trimesh as library

        facts = {
            "is_trimesh": isinstance(trimesh, library.Trimesh),
            "faces": len(trimesh.faces),
            "watertight": bool(trimesh.is_watertight),
            "kind": trimesh.visual.kind,
        }
        return io.NodeOutput(ui={"text": [json.dumps(facts)]})


class TestImage(io.ComfyNode):
    """IMAGE tensors that no file would give."""

    @classmethod
    def define_schema(cls):
        kinds = ["nan", "range", "uniform", "tiny", "batch4"]
        return io.Schema(
            node_id="TestImage",
            category="test",
            inputs=[io.Combo.Input("kind", options=kinds)],
            outputs=[io.Image.Output(), io.Mask.Output()],
        )

    @classmethod
    def execute(cls, kind):
        image = torch.full((1, 64, 64, 3), 0.5)
        mask = torch.zeros(1, 64, 64)
        mask[:, 16:48, 16:48] = 1
        if kind == "nan":
            image[0, 3, 3, 1] = float("nan")
        if kind == "range":
            image[0, 3, 3, 1] = 7.0
        if kind == "tiny":
            image, mask = image[:, :1, :1], mask[:, :1, :1]
        if kind == "batch4":
            image = image.repeat(4, 1, 1, 1)
        return io.NodeOutput(image, mask)


class RedIsSubject:
    """What core's loader gives to core's Remove Background, with a rule in place of a network: 1 = subject."""

    def encode_image(self, image):
        return (image[..., 0] - image[..., 1:].amax(dim=-1) > 0.25).float()


class TestBackgroundModel(io.ComfyNode):
    """A model for core's own Remove Background node that needs no file."""

    @classmethod
    def define_schema(cls):
        output = io.Custom("BACKGROUND_REMOVAL").Output()
        return io.Schema(node_id="TestBackgroundModel", category="test", inputs=[], outputs=[output])

    @classmethod
    def execute(cls):
        return io.NodeOutput(RedIsSubject())


class Helpers(ComfyExtension):
    async def get_node_list(self):
        meshes = [TestVoxelBall, TestMesh, TestMeshFacts, TestSubdivide, TestTrimesh, TestTrimeshFacts]
        return [*meshes, TestImage, TestBackgroundModel]


def comfy_entrypoint():
    return Helpers()
