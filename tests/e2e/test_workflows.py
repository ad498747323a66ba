"""Every shipped workflow runs on the real server and its files are what they claim to be."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from comfy_installs import ROOT
from comfy_server import Server
from glb_file import assert_certified_asset
from PIL import Image

MANY = "many_objects"
APART = (MANY, "triposr_single", "triposr_four_views")
"""Tested on their own: many saved files; weights to download (test_triposr.py)."""
NAMES = sorted(p.stem for p in (ROOT / "workflows" / "api").glob("*.json") if p.stem not in APART)


def budget(graph: dict[str, Any]) -> int:
    """The face count that the graph asks for."""
    return next(int(node["inputs"]["faces"]) for node in graph.values() if "faces" in node["inputs"])


@pytest.mark.parametrize("name", NAMES)
def test_workflow_runs_and_its_files_are_sound(
    server: Server, workflow: Callable[[str], dict[str, Any]], name: str
) -> None:
    """The saved GLB is certified and textured, Preview 3D points at it, every picture shows something."""
    graph = workflow(name)
    outputs = server.run(graph)
    files = [item for out in outputs.values() for item in out.get("3d", [])]
    assert len(files) == 1 and files[0]["type"] == "output"
    assert_certified_asset(server.fetch(files[0]), budget(graph))
    (shown,) = [out["result"][0] for out in outputs.values() if "result" in out]
    assert shown == f"{files[0]['subfolder']}/{files[0]['filename']}"
    pictures = [item for out in outputs.values() for item in out.get("images", [])]
    assert pictures
    for item in pictures:
        pixels = np.asarray(Image.open(io.BytesIO(server.fetch(item))).convert("RGB"), np.float32)
        assert pixels.std() > 3, item
    texts = [text for out in outputs.values() for text in out.get("text", [])]
    assert any('"certified": true' in text for text in texts)


def test_each_of_many_objects_becomes_a_file_in_one_folder(
    server: Server, workflow: Callable[[str], dict[str, Any]]
) -> None:
    """Three things on one picture, found without a model: three certified files, one new folder named by the time."""
    graph = workflow(MANY)
    outputs = server.run(graph)
    files = [item for out in outputs.values() for item in out.get("3d", [])]
    (folder,) = {item["subfolder"] for item in files}
    assert re.fullmatch(r"3d/objects_\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d", folder)
    assert sorted(item["filename"][:10] for item in files) == ["01_object_", "02_object_", "03_object_"]
    assert len(list((server.base / "output" / folder).glob("*.glb"))) == 3
    contents = [server.fetch(item) for item in files]
    assert len(set(contents)) == 3
    for data in contents:
        assert_certified_asset(data, budget(graph))
    texts = [text for out in outputs.values() for text in out.get("text", [])]
    assert any("apart: 3 of 3 objects" in text and "does not read the text" in text for text in texts)


def test_a_second_run_saves_a_second_file(server: Server, workflow: Callable[[str], dict[str, Any]]) -> None:
    """A changed seed runs again; nothing is overwritten."""
    graph = workflow("image_to_3d_asset")
    before = set((server.base / "output" / "3d").glob("Maquette_*.glb"))
    for node in graph.values():
        if node["class_type"] == "MaquetteImageTo3DAsset":
            node["inputs"] |= {"resolution": 48, "faces": 1000, "texture_size": 256, "seed": 5}
    server.run(graph)
    after = set((server.base / "output" / "3d").glob("Maquette_*.glb"))
    assert len(after - before) == 1 and before <= after


@pytest.mark.parametrize("kind", ["glb", "obj", "ply", "stl", "3mf"])
def test_every_format_is_written_and_served(server: Server, kind: str) -> None:
    """All formats save a mesh of core's kind and come back through /view; what we saved, we load."""
    graph = {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "torus.ply"}},
        "2": {
            "class_type": "MaquetteSave3DAsset",
            "inputs": save(["1", 0], filename_prefix=f"formats/{kind}", format=kind),
        },
    }
    (item,) = server.run(graph)["2"]["3d"]
    assert item["filename"].endswith(f".{kind}")
    assert len(server.fetch(item)) > 1000
    again = {
        "1": {
            "class_type": "MaquetteLoad3DAsset",
            "inputs": {"file": f"{item['subfolder']}/{item['filename']} [output]"},
        },
        "2": {"class_type": "MaquetteMeshReport", "inputs": {"mesh": ["1", 0], "gate": ""}},
    }
    report = json.loads(server.run(again)["2"]["text"][0])
    assert report["watertight"] and report["genus"] == 1


def save(mesh: list[Any], **changes: Any) -> dict[str, Any]:
    """Inputs of Save 3D Asset."""
    plain = {"mesh": mesh, "filename_prefix": "3d/test", "format": "glb", "certify": True, "gate": ""}
    return {**plain, **changes}


def test_preview_mesh_points_at_a_temporary_file(server: Server) -> None:
    """The sheet is drawn and the path names a GLB that /view serves from temp/."""
    graph = {
        "1": {"class_type": "MaquetteLoad3DAsset", "inputs": {"file": "torus.ply"}},
        "2": {
            "class_type": "MaquettePreviewMesh",
            "inputs": {"mesh": ["1", 0], "views": 3, "size": 96, "device": "auto"},
        },
        "3": {"class_type": "Preview3D", "inputs": {"model_file": ["2", 1]}},
    }
    outputs = server.run(graph)
    (sheet,) = outputs["2"]["images"]
    assert Image.open(io.BytesIO(server.fetch(sheet))).size == (3 * 96, 96)
    path = outputs["3"]["result"][0]
    assert path.endswith(".glb [temp]")
    data = server.fetch({"filename": path.removesuffix(" [temp]"), "subfolder": "", "type": "temp"})
    assert data[:4] == b"glTF"


def test_doctor_reports(server: Server) -> None:
    """The node says the default path is healthy on a real ComfyUI."""
    graph = {
        "1": {"class_type": "MaquetteDoctor", "inputs": {"as_json": True}},
        "2": {"class_type": "PreviewAny", "inputs": {"source": ["1", 1]}},
    }
    outputs = server.run(graph)
    findings = json.loads(outputs["1"]["text"][0])
    troubles = [x for x in findings if x["state"] in ("missing", "broken")]
    assert not troubles, troubles
    assert outputs["2"]["text"] == ["True"]
