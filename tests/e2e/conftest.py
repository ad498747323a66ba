"""One server per ComfyUI version found; all tests of a version share it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trimesh
from comfy_installs import NONE_FOUND, ROOT, Install, installs
from comfy_server import Server, serving

INSTALLS = installs()
if not INSTALLS:
    warnings.warn(NONE_FOUND, stacklevel=1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test that asks for ``install`` or ``server`` runs on every version."""
    if "install" in metafunc.fixturenames:
        none = [pytest.param(None, marks=pytest.mark.skip(reason=NONE_FOUND), id="none")]
        given = [pytest.param(x, id=f"comfyui-{x.version}") for x in INSTALLS] or none
        metafunc.parametrize("install", given, indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this folder is end to end; it takes minutes."""
    here = Path(__file__).resolve().parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.e2e)
            if item.get_closest_marker("timeout") is None:  # a limit for what hangs, not for a busy machine
                item.add_marker(pytest.mark.timeout(2400))


@pytest.fixture(scope="session")
def install(request: pytest.FixtureRequest) -> Install:
    """One ComfyUI of this machine."""
    found: Install = request.param
    return found


@pytest.fixture(scope="session")
def server(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server of ``install`` with the pack, and what the shipped workflows need in its input folder."""
    with serving(install, tmp_path_factory.mktemp(f"comfyui-{install.version}")) as running:
        running.upload_pictures()
        trimesh.creation.torus(0.4, 0.15).export(running.base / "input" / "torus.ply")
        (running.base / "input" / "3d").mkdir(exist_ok=True)
        coloured_cup().export(running.base / "input" / "3d" / "example.glb")
        yield running


def coloured_cup() -> trimesh.Trimesh:
    """A mesh in need of cleaning: two colours, a hole and a crumb."""
    body = trimesh.creation.icosphere(subdivisions=5, radius=0.5)
    body.update_faces(body.triangles_center[:, 1] < 0.46)
    crumb = trimesh.creation.box(extents=[0.02] * 3, transform=trimesh.transformations.translation_matrix([0.8, 0, 0]))
    mesh = trimesh.util.concatenate([body, crumb])
    shade = (mesh.vertices[:, :1] + 0.2 * mesh.vertices[:, 1:2] > 0).astype(int)
    mesh.visual.vertex_colors = [[200, 40, 30, 255]] * shade + [[30, 90, 200, 255]] * (1 - shade)
    return mesh


@pytest.fixture(scope="session")
def workflow() -> Callable[[str], dict[str, Any]]:
    """``workflow("single_image")`` -> the API graph that the repository ships."""

    def read(name: str) -> dict[str, Any]:
        return dict(json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text(encoding="utf-8")))

    return read
