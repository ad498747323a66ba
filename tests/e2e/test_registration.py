"""A started ComfyUI knows our nodes, their help, translations and templates."""

from __future__ import annotations

import json
import re

import pytest
from comfy_installs import ROOT
from comfy_server import PACK, Server

HELP = sorted(p.stem for p in (ROOT / "web" / "docs").glob("*.md"))


def test_every_node_is_registered(server: Server) -> None:
    """/object_info lists each node that has a help page, from our pack, with category and outputs."""
    info = server.get("/object_info").json()
    ours = {k: v for k, v in info.items() if v["python_module"] == f"custom_nodes.{PACK}"}
    assert sorted(ours) == HELP
    for name, entry in ours.items():
        assert entry["category"].split("/")[0] == "Maquette", name
        assert len(entry["output"]) == len(entry["output_name"]) >= 1


def test_mesh_sockets_say_mesh_and_trimesh(server: Server) -> None:
    """The comma type works on both versions."""
    info = server.get("/object_info/MaquetteCleanMesh").json()["MaquetteCleanMesh"]
    assert info["input"]["required"]["mesh"][0].split(",")[:2] == ["MESH", "TRIMESH"]


def test_the_pack_loads_in_under_a_second(server: Server) -> None:
    """ComfyUI's own import timer."""
    log = server.log.read_text(errors="replace")
    assert "IMPORT FAILED" not in log
    seconds = re.search(rf"([\d.]+) seconds: .*{PACK}", log)
    assert seconds and float(seconds[1]) < 1.0, seconds


@pytest.mark.parametrize("name", HELP)
def test_help_pages_are_served(server: Server, name: str) -> None:
    """Where the browser asks for them."""
    answer = server.get(f"/extensions/{PACK}/docs/{name}.md")
    assert answer.status_code == 200 and answer.text.startswith("# ")


def test_templates_are_listed_and_served(server: Server) -> None:
    """Exactly the UI files, each of them loadable: no stray JSON of ours appears as a template."""
    listed = server.get("/workflow_templates").json()[PACK]
    names = sorted(p.stem for p in (ROOT / "example_workflows").glob("*.json"))
    assert sorted(listed) == names
    for name in names:
        answer = server.get(f"/api/workflow_templates/{PACK}/{name}.json")
        assert answer.status_code == 200 and answer.json()["nodes"], name


def test_translations_are_served(server: Server) -> None:
    """/i18n carries both languages."""
    words = server.get("/i18n").json()
    for language in ("en", "zh"):
        assert set(HELP) <= words[language]["nodeDefs"].keys()
    assert words["zh"]["nodeDefs"]["MaquetteSegment"]["display_name"] == "分割"


def test_api_workflows_fit_the_schemas(server: Server) -> None:
    """Every shipped API graph uses known nodes and sends exactly the required inputs or more."""
    info = server.get("/object_info").json()
    for path in (ROOT / "workflows" / "api").glob("*.json"):
        for node in json.loads(path.read_text()).values():
            sockets = info[node["class_type"]]["input"]
            known = {**sockets.get("required", {}), **sockets.get("optional", {})}
            assert set(node["inputs"]) <= set(known), f"{path.name}: {node['class_type']}"
            assert set(sockets.get("required", {})) <= set(node["inputs"]), f"{path.name}: {node['class_type']}"
