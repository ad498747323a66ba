"""Unwrap, Bake and the gate on real ComfyUIs: maps arrive in core's mesh and file, a blocked branch stays blocked."""

from __future__ import annotations

import json

from comfy_server import Server
from glb_file import document
from test_interoperation import BAKE, CLEAN, SAVE, has, textured


def test_a_gate_can_block_its_branch_and_leave_the_rest(server: Server) -> None:
    """The report still comes out, the file behind the mesh is not written, and the run is no failure."""
    refused = {"gate": "faces < 10", "on_failure": "block this branch"}
    graph = {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "3d/example.glb"}},
        "2": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["1", 0], **refused}},
        "3": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["2", 0], **SAVE, "filename_prefix": "no/x"}},
    }
    outputs = server.run(graph)
    assert json.loads(outputs["2"]["text"][0])["faces"] > 10
    assert not outputs.get("3", {}).get("3d")
    assert not list((server.base / "output").glob("no/*"))


def test_a_finer_mesh_bakes_into_maps_of_cores_file(server: Server) -> None:
    """High poly to low poly on UVs of Unwrap Mesh; core's SaveGLB writes normal and occlusion where it knows them."""
    bake = {**BAKE, "uvs": "keep", "occlusion": True, "delight": 0.2}
    graph = {
        **{key: value for key, value in textured().items() if key != "4"},
        "5": {"class_type": "MaquetteUnwrapMesh", "inputs": {"mesh": ["3", 0], "texture_size": 256, "method": "fast"}},
        "6": {"class_type": "MaquetteBakeTexture", "inputs": {"mesh": ["5", 0], "high_poly": ["2", 0], **bake}},
        "7": {"class_type": "MaquetteSave3DAsset", "inputs": {"mesh": ["6", 0], **SAVE, "filename_prefix": "maps/own"}},
        "8": {"class_type": "SaveGLB", "inputs": {"mesh": ["6", 0], "filename_prefix": "maps/core"}},
        "9": {"class_type": "TestMeshFacts", "inputs": {"mesh": ["6", 0]}},
    }
    outputs = server.run(graph)
    material = document(server.fetch(outputs["7"]["3d"][0]))["materials"][0]
    assert {"normalTexture", "occlusionTexture"} <= material.keys() and material["alphaMode"] == "OPAQUE"
    facts = json.loads(outputs["9"]["text"][0])
    assert facts["normal_map"]["shape"] == facts["metallic_roughness"]["shape"] == [1, 256, 256, 3]
    if has(server, "BakeNormalMapFromMesh"):
        material = document(server.fetch(outputs["8"]["3d"][0]))["materials"][0]
        assert {"normalTexture", "occlusionTexture"} <= material.keys()


def test_old_workflows_run_without_the_new_inputs(server: Server) -> None:
    """An API graph saved before inputs were added, with the old name of a level, is still valid."""
    graph = {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "3d/example.glb"}},
        "2": {"class_type": "MaquetteCleanMesh", "inputs": {"mesh": ["1", 0], **CLEAN, "repair": "none"}},
        "3": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["2", 0], "gate": ""}},
    }
    assert not json.loads(server.run(graph)["3"]["text"][0])["certified"]
