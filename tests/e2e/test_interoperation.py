"""Our meshes in core's and the community's nodes, theirs in ours."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from comfy_installs import ROOT
from comfy_server import Server
from glb_file import assert_textured, document, mesh_of, welded
from PIL import Image

CLEAN = {"weld": True, "floaters": 0.01, "fill_holes": True, "repair": "fix"}
BAKE = {"texture_size": 256, "uvs": "fast", "unwrap_minutes": 5.0, "device": "auto"}
AUTO = {"method": "auto", "device": "auto"}
SAVE = {"filename_prefix": "mixed/x", "format": "glb", "certify": True, "gate": "watertight"}


def textured() -> dict[str, Any]:
    """Nodes 1 to 4: file -> clean -> simplify -> bake; 4 is a small textured mesh."""
    return {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "3d/example.glb"}},
        "2": {"class_type": "MaquetteCleanMesh", "inputs": {"mesh": ["1", 0], **CLEAN}},
        "3": {"class_type": "MaquetteSimplifyMesh", "inputs": {"mesh": ["2", 0], "faces": 1500}},
        "4": {"class_type": "MaquetteBakeTexture", "inputs": {"mesh": ["3", 0], "appearance": ["2", 1], **BAKE}},
    }


def has(server: Server, node: str) -> bool:
    return server.get(f"/object_info/{node}").json().get(node) is not None


def need(server: Server, *nodes: str) -> None:
    """Skip on a core that does not have these nodes yet."""
    lacking = [node for node in nodes if not has(server, node)]
    if lacking:
        pytest.skip(f"ComfyUI {server.install.version} has no {', '.join(lacking)}")


def test_core_mesh_in_core_save_out(server: Server) -> None:
    """VOXEL -> core's VoxelToMesh -> our clean and simplify -> core's SaveGLB, on every version."""
    graph = {
        "1": {"class_type": "TestVoxelBall", "inputs": {}},
        "2": {"class_type": "VoxelToMeshBasic", "inputs": {"voxel": ["1", 0], "threshold": 0.5}},
        "3": {"class_type": "MaquetteCleanMesh", "inputs": {"mesh": ["2", 0], **CLEAN}},
        "4": {"class_type": "MaquetteSimplifyMesh", "inputs": {"mesh": ["3", 0], "faces": 600}},
        "5": {"class_type": "SaveGLB", "inputs": {"mesh": ["4", 0], "filename_prefix": "mixed/core"}},
    }
    (item,) = server.run(graph)["5"]["3d"]
    mesh = mesh_of(server.fetch(item))
    assert welded(mesh).is_watertight and 588 <= len(mesh.faces) <= 612


def test_our_mesh_is_cores_own_class_with_every_attribute(server: Server) -> None:
    """What a core node sees: its class, batched CPU tensors, textures of three channels, all newer attributes."""
    graph = textured() | {"9": {"class_type": "TestMeshFacts", "inputs": {"mesh": ["4", 0]}}}
    facts = json.loads(server.run(graph)["9"]["text"][0])
    assert facts["is_core"]
    assert facts["vertices"]["dtype"] == "torch.float32" and facts["faces"]["dtype"] == "torch.int64"
    assert facts["texture"]["shape"] == [1, 256, 256, 3]
    count = facts["vertices"]["shape"][1]
    assert facts["uvs"]["shape"] == [1, count, 2] and facts["normals"]["shape"] == [1, count, 3]
    assert {"vertex_counts", "face_counts", "tangents", "emissive", "material", "unlit"} <= facts.keys()
    assert {x["device"] for x in facts.values() if isinstance(x, dict) and "device" in x} == {"cpu"}


def test_core_save_writes_our_texture_where_it_can(server: Server) -> None:
    """SaveGLB takes our textured mesh everywhere; where core knows textures, the file has ours."""
    graph = textured() | {
        "9": {"class_type": "SaveGLB", "inputs": {"mesh": ["4", 0], "filename_prefix": "mixed/textured"}}
    }
    (item,) = server.run(graph)["9"]["3d"]
    data = server.fetch(item)
    mesh = mesh_of(data)
    assert welded(mesh).is_watertight
    if has(server, "DecimateMesh"):
        assert_textured(document(data), mesh)
        assert "NORMAL" in document(data)["meshes"][0]["primitives"][0]["attributes"]


def test_core_clean_up_in_the_middle_keeps_the_look(server: Server) -> None:
    """Ours -> core's WeldVertices and FillHoles (which drop UVs) -> our bake with the appearance taken before them."""
    need(server, "WeldVertices", "FillHoles")
    weld = server.get("/object_info/WeldVertices").json()["WeldVertices"]["input"]["required"]
    holes = server.get("/object_info/FillHoles").json()["FillHoles"]["input"]["required"]
    graph = textured() | {
        "5": {"class_type": "WeldVertices", "inputs": {**defaults(weld), "mesh": ["4", 0]}},
        "6": {"class_type": "FillHoles", "inputs": {**defaults(holes), "mesh": ["5", 0]}},
        "7": {"class_type": "MaquetteBakeTexture", "inputs": {"mesh": ["6", 0], "appearance": ["2", 1], **BAKE}},
        "8": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["7", 0], **SAVE}},
    }
    (item,) = server.run(graph)["8"]["3d"]
    data = server.fetch(item)
    assert_textured(document(data), mesh_of(data))
    colors = red_and_blue(mesh_of(data))
    assert colors[0] > 0.2 and colors[1] > 0.2, colors


def defaults(inputs: dict[str, Any]) -> dict[str, Any]:
    """The default of every widget of a node."""
    return {name: spec[1]["default"] for name, spec in inputs.items() if len(spec) > 1 and "default" in spec[1]}


def red_and_blue(mesh: Any) -> tuple[float, float]:
    """Shares of the texture that are mostly red, mostly blue."""
    import numpy as np

    pixels = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"), np.float32)
    red = (pixels[..., 0] > pixels[..., 2] + 30).mean()
    return float(red), float((pixels[..., 2] > pixels[..., 0] + 30).mean())


def test_the_look_of_a_coloured_file_survives_clean_simplify_bake(server: Server) -> None:
    """Vertex colours of the input are on the texture of the output, in both colours."""
    graph = textured() | {"9": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["4", 0], **SAVE}}}
    (item,) = server.run(graph)["9"]["3d"]
    red, blue = red_and_blue(mesh_of(server.fetch(item)))
    assert red > 0.2 and blue > 0.2


def test_core_nodes_take_and_give(server: Server) -> None:
    """DecimateMesh and MeshSmoothNormals between two of ours; MeshToFile3D's FILE_3D goes into our mesh socket."""
    need(server, "MeshSmoothNormals", "MeshToFile3D")
    smooth = server.get("/object_info/MeshSmoothNormals").json()["MeshSmoothNormals"]["input"]["required"]
    file3d = server.get("/object_info/MeshToFile3D").json()["MeshToFile3D"]["input"]["required"]
    graph = textured() | {
        "5": {"class_type": "MeshSmoothNormals", "inputs": {**defaults(smooth), "mesh": ["4", 0]}},
        "6": {"class_type": "MeshToFile3D", "inputs": {**defaults(file3d), "mesh": ["5", 0]}},
        "7": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["6", 0], "gate": "watertight"}},
        "8": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["7", 0], **SAVE}},
    }
    (item,) = server.run(graph)["8"]["3d"]
    data = server.fetch(item)
    assert_textured(document(data), mesh_of(data))


def test_trimesh_both_ways(server: Server) -> None:
    """A community TRIMESH goes straight into Clean Mesh, and ours comes out as a real trimesh.Trimesh."""
    graph = {
        "1": {"class_type": "TestTrimesh", "inputs": {}},
        "2": {"class_type": "MaquetteCleanMesh", "inputs": {"mesh": ["1", 0], **CLEAN}},
        "3": {"class_type": "MaquetteBakeTexture", "inputs": {"mesh": ["2", 0], "appearance": ["2", 1], **BAKE}},
        "4": {"class_type": "MaquetteMeshToTrimesh", "inputs": {"mesh": ["3", 0]}},
        "5": {"class_type": "TestTrimeshFacts", "inputs": {"trimesh": ["4", 0]}},
        "6": {"class_type": "MaquetteTrimeshToMesh", "inputs": {"trimesh": ["4", 0]}},
        "7": {"class_type": "SaveGLB", "inputs": {"mesh": ["6", 0], "filename_prefix": "mixed/trimesh"}},
    }
    outputs = server.run(graph)
    facts = json.loads(outputs["5"]["text"][0])
    assert facts["is_trimesh"] and facts["faces"] == 1280 and facts["kind"] == "texture"
    assert welded(mesh_of(server.fetch(outputs["7"]["3d"][0]))).is_watertight


def test_a_batch_is_saved_item_by_item(server: Server) -> None:
    """Core's padded batch (counts on any version) gives one clean file per item."""
    graph = {
        "1": {"class_type": "TestMesh", "inputs": {"kind": "padded"}},
        "2": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["1", 0], **SAVE}},
    }
    files = server.run(graph)["2"]["3d"]
    assert len(files) == 2 and len({x["filename"] for x in files}) == 2
    for item in files:
        mesh = mesh_of(server.fetch(item))
        assert len(mesh.faces) == 12 and welded(mesh).is_watertight


def test_fuse_segment_and_depth_on_the_server(server: Server) -> None:
    """Two meshes in one frame fuse into a closed solid; a depth picture is Segment's hint."""
    image = {"1": {"class_type": "LoadImage", "inputs": {"image": "mug.png"}}}
    server.upload(ROOT / "examples" / "mug.png")
    graph = image | {
        "2": {"class_type": "MaquetteSegment", "inputs": {"image": ["1", 0], "transparency": ["1", 1], **AUTO}},
        "3": {
            "class_type": "MaquettePrepareImage",
            "inputs": {"image": ["1", 0], "mask": ["2", 0], "directions": "", "size": 128, "fill": 0.85},
        },
        "4": {"class_type": "MaquetteEstimateDepth", "inputs": {"views": ["3", 2], **AUTO}},
        "5": {
            "class_type": "MaquetteSegment",
            "inputs": {"image": ["3", 0], "prior": ["4", 0], "method": "walker", "device": "auto"},
        },
        "6": {"class_type": "MaskToImage", "inputs": {"mask": ["5", 0]}},
        "7": {"class_type": "PreviewImage", "inputs": {"images": ["6", 0]}},
        "8": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "torus.ply"}},
        "9": {
            "class_type": "MaquetteFuseViews",
            "inputs": {"front": ["8", 0], "right": ["8", 0], "poses": "aligned", "threshold": 0.5, "resolution": 64},
        },
        "10": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["9", 0], "gate": "watertight and genus == 1"}},
    }
    outputs = server.run(graph)
    assert outputs["7"]["images"] and json.loads(outputs["10"]["text"][0])["certified"]


def test_the_mask_of_cores_remove_background_is_taken_as_it_is(server: Server, tmp_path: Path) -> None:
    """Core's node says 1 = subject, as we do: of a red and a blue ball the red one is framed, and is the one that
    Segment takes when the mask is its prior."""
    need(server, "RemoveBackground")
    y, x = np.mgrid[:160, :240]
    red, blue = np.hypot(x - 60, y - 70) < 30, np.hypot(x - 170, y - 90) < 30
    pixels = np.full((160, 240, 3), 170, np.uint8)
    pixels[red], pixels[blue] = (210, 30, 30), (30, 40, 200)
    Image.fromarray(pixels).save(tmp_path / "two_balls.png")
    graph = {
        "1": {"class_type": "LoadImage", "inputs": {"image": server.upload(tmp_path / "two_balls.png")}},
        "2": {"class_type": "TestBackgroundModel", "inputs": {}},
        "3": {"class_type": "RemoveBackground", "inputs": {"bg_removal_model": ["2", 0], "image": ["1", 0]}},
        "4": {
            "class_type": "MaquettePrepareImage",
            "inputs": {"image": ["1", 0], "mask": ["3", 0], "directions": "front", "size": 256, "fill": 0.85},
        },
        "5": {"class_type": "MaskToImage", "inputs": {"mask": ["4", 1]}},
        "6": {"class_type": "PreviewImage", "inputs": {"images": ["5", 0]}},
        "7": {"class_type": "MaquetteSegment", "inputs": {"image": ["1", 0], "prior": ["3", 0], **AUTO}},
        "8": {"class_type": "MaskToImage", "inputs": {"mask": ["7", 0]}},
        "9": {"class_type": "PreviewImage", "inputs": {"images": ["8", 0]}},
    }
    outputs = server.run(graph)
    framed, found = (mask_of(server, outputs[node]["images"][0]) for node in ("6", "9"))
    assert abs(float(framed.mean()) - np.pi / 4 * 0.85**2) < 0.02, "one ball, 85 % of the frame"
    assert found[70, 60] > 0.9 and found[90, 170] < 0.1 and abs(float((found > 0.5).sum()) / red.sum() - 1) < 0.1


def mask_of(server: Server, item: dict[str, str]) -> Any:
    """[H, W] in [0, 1] of a previewed mask."""
    return np.asarray(Image.open(io.BytesIO(server.fetch(item))).convert("L"), np.float32) / 255
