"""What ComfyUI's menus, help and translations show of every node."""

from __future__ import annotations

import asyncio
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

IDS = {
    "MaquetteImageTo3DAsset",
    "MaquetteDetectObjects",
    "MaquetteSegment",
    "MaquettePrepareImage",
    "MaquetteGatherViews",
    "MaquetteEstimateDepth",
    "MaquetteReconstruct",
    "MaquetteFuseViews",
    "MaquetteCleanMesh",
    "MaquetteSimplifyMesh",
    "MaquetteMeshReport",
    "MaquetteUnwrapMesh",
    "MaquetteBakeTexture",
    "MaquetteLoad3DAsset",
    "MaquetteSave3DAsset",
    "MaquettePreviewMesh",
    "MaquetteMeshToTrimesh",
    "MaquetteTrimeshToMesh",
    "MaquetteDoctor",
}
MENUS = {"method", "backend", "segment"}
"""Their tooltips say what can run on this machine, so no translation may replace them in English."""


@pytest.fixture
def schemas(pack: Any) -> list[Any]:
    nodes = asyncio.run(pack.comfy_entrypoint().get_node_list())
    return [x.define_schema() for x in nodes]


def test_the_ids_of_saved_workflows_stay(schemas: list[Any]) -> None:
    """A renamed id breaks every saved workflow: this list only grows."""
    assert {x.node_id for x in schemas} == IDS


def test_the_door_exports_the_v3_entry_only(pack: Any, root: Path) -> None:
    """NODE_CLASS_MAPPINGS would switch comfy_entrypoint off; the web folder must exist."""
    assert not hasattr(pack, "NODE_CLASS_MAPPINGS")
    assert (root / pack.WEB_DIRECTORY).is_dir()


def test_detect_keeps_the_inputs_of_older_workflows(schemas: list[Any]) -> None:
    """A page stores values by position and a graph for the API leaves new ones out: new inputs go last, optional."""
    found = next(x for x in schemas if x.node_id == "MaquetteDetectObjects").inputs
    assert [x.id for x in found] == ["image", "text", "method", "most", "padding", "device", "folder"]
    assert [x.id for x in found if x.optional] == ["folder"]


def test_example_workflows_hold_their_values_in_the_pages_order(schemas: list[Any], root: Path) -> None:
    """Required inputs first, then the optional ones: values are stored by position."""
    order = {x.node_id: [s.id for s in sorted(x.inputs, key=lambda s: bool(s.optional))] for x in schemas}
    nodes = [n for p in (root / "example_workflows").glob("*.json") for n in json.loads(p.read_text("utf-8"))["nodes"]]
    ours = [node for node in nodes if node["type"] in order]
    assert len(ours) > 10
    for node in ours:
        names = [x["name"] for x in node["inputs"] if "widget" in x]
        assert names == sorted(names, key=order[node["type"]].index), node["type"]


def test_every_node_is_named_described_and_placed(schemas: list[Any]) -> None:
    """A title, a sentence and a category below Maquette."""
    for schema in schemas:
        assert schema.display_name and schema.description.endswith("."), schema.node_id
        assert schema.category.split("/")[0] == "Maquette", schema.node_id


def test_every_socket_explains_itself(schemas: list[Any]) -> None:
    """Each input and output has a tooltip, each output a name, ids are unique."""
    for schema in schemas:
        ids = [x.id for x in schema.inputs]
        assert len(ids) == len(set(ids)), schema.node_id
        for socket in schema.inputs:
            assert socket.tooltip, f"{schema.node_id}.{socket.id}"
        for socket in schema.outputs:
            assert socket.tooltip and socket.display_name, f"{schema.node_id} output"


def test_execute_takes_what_the_schema_offers(pack: Any) -> None:
    """An input that execute does not know is a TypeError at run time; optional ones need a default."""
    import inspect

    for node in importlib.import_module("pack.nodes").NODES:
        taken = inspect.signature(node.execute).parameters
        catch_all = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in taken.values())
        for socket in node.define_schema().inputs:
            assert socket.id in taken or catch_all, f"{node.__name__}.{socket.id}"
            if socket.optional and socket.id in taken:
                assert taken[socket.id].default is not inspect.Parameter.empty, f"{node.__name__}.{socket.id}"
            if socket.id in taken and socket.default is not None:
                assert taken[socket.id].default == socket.default, f"{node.__name__}.{socket.id}: two defaults"


def test_defaults_lie_on_the_widgets_grid(schemas: list[Any]) -> None:
    """The page rounds a number to min + k * step: a default off that grid would change by itself."""
    for schema in schemas:
        for socket in schema.inputs:
            settings = socket.settings
            if "step" in settings:
                steps = (settings["default"] - settings["min"]) / settings["step"]
                assert abs(steps - round(steps)) < 1e-6, f"{schema.node_id}.{socket.id}"
                assert settings["min"] <= settings["default"] <= settings["max"]


def test_mesh_sockets_take_trimesh_everywhere(schemas: list[Any]) -> None:
    """Whatever takes MESH takes TRIMESH too."""
    kinds = [(s.node_id, x.id, x.kind) for s in schemas for x in s.inputs if "MESH" in x.kind and x.kind != "TRIMESH"]
    assert len(kinds) >= 8
    assert all(kind.split(",")[:2] == ["MESH", "TRIMESH"] for _, _, kind in kinds), kinds


def test_every_node_has_a_help_page_that_names_its_sockets(schemas: list[Any], root: Path) -> None:
    """web/docs/<id>.md: what, inputs, outputs, place in a mixed graph; and no page without a node."""
    for schema in schemas:
        text = (root / "web" / "docs" / f"{schema.node_id}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {schema.display_name}\n"), schema.node_id
        assert "mixed graph" in text, schema.node_id
        for name in [x.id for x in schema.inputs] + [x.display_name for x in schema.outputs]:
            assert f"`{name}`" in text, f"{schema.node_id}: {name}"
    assert {p.stem for p in (root / "web" / "docs").glob("*.md")} == IDS


def english(schemas: list[Any]) -> dict[str, Any]:
    """What locales/en/nodeDefs.json must hold: the schemas' own words."""
    out: dict[str, Any] = {}
    for schema in schemas:
        inputs = {}
        for socket in schema.inputs:
            inputs[socket.id] = {"name": socket.id.replace("_", " ")}
            if socket.id not in MENUS:
                inputs[socket.id]["tooltip"] = socket.tooltip
        outputs = {str(k): {"name": x.display_name, "tooltip": x.tooltip} for k, x in enumerate(schema.outputs)}
        words = {"display_name": schema.display_name, "description": schema.description}
        out[schema.node_id] = {**words, "inputs": inputs, "outputs": outputs}
    return out


def test_english_locale_equals_the_schemas(schemas: list[Any], root: Path) -> None:
    """One source of words: the schema."""
    path = root / "locales" / "en" / "nodeDefs.json"
    expected = json.dumps(english(schemas), indent=2, ensure_ascii=False) + "\n"
    assert path.read_text(encoding="utf-8") == expected, "write the expected text into locales/en/nodeDefs.json"


def test_chinese_locale_is_complete(schemas: list[Any], root: Path) -> None:
    """Every node, input and output is translated, nothing else is, and it is really Chinese."""
    words = json.loads((root / "locales" / "zh" / "nodeDefs.json").read_text(encoding="utf-8"))
    expected = english(schemas)
    assert words.keys() == expected.keys()
    for node, entry in expected.items():
        assert words[node]["inputs"].keys() == entry["inputs"].keys(), node
        assert words[node]["outputs"].keys() == entry["outputs"].keys(), node
        texts = [words[node]["description"], *(x["tooltip"] for x in words[node]["inputs"].values())]
        texts += [x["tooltip"] for x in words[node]["outputs"].values()]
        assert all(re.search(r"[\u4e00-\u9fff]", text) for text in texts), node


def test_main_locales_agree(root: Path) -> None:
    """The same keys in both languages."""

    def keys(value: Any) -> Any:
        return {k: keys(v) for k, v in value.items()} if isinstance(value, dict) else None

    both = [json.loads((root / "locales" / x / "main.json").read_text(encoding="utf-8")) for x in ("en", "zh")]
    assert keys(both[0]) == keys(both[1])


IMPORT = """
import sys, json, pathlib, importlib.util
sys.path.insert(0, sys.argv[1] + "/tests/nodes")
import torch, numpy, fake_comfy
root = pathlib.Path(sys.argv[1])
put = sys.modules.__setitem__
with fake_comfy.installed(pathlib.Path(sys.argv[2]), fake_comfy.OldMesh, put):
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
    pack = importlib.util.module_from_spec(spec)
    sys.modules["pack"] = pack
    spec.loader.exec_module(pack)
    import asyncio
    for node in asyncio.run(pack.comfy_entrypoint().get_node_list()):
        node.define_schema()
    print(json.dumps(sorted({x.split(".")[0] for x in set(sys.modules) - before})))
"""
HEAVY = {"scipy", "skimage", "trimesh", "xatlas", "manifold3d", "fast_simplification", "small_gicp", "cv2", "open3d"}
HEAVY |= {"transformers", "huggingface_hub", "safetensors", "rembg", "onnxruntime", "requests", "rich", "lxml"}


def test_registration_imports_nothing_heavy(root: Path, tmp_path: Path) -> None:
    """Importing the pack and making all schemas loads no mesh, image or model library."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, str(root), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "pack" in loaded
    assert not loaded & HEAVY, loaded & HEAVY
