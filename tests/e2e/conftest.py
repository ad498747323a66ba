"""One server per ComfyUI version found; all tests of a version share it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
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


@pytest.fixture(scope="session")
def install(request: pytest.FixtureRequest) -> Install:
    """One ComfyUI of this machine."""
    found: Install = request.param
    return found


@pytest.fixture(scope="session")
def server(install: Install, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server of ``install`` with the pack."""
    with serving(install, tmp_path_factory.mktemp(f"comfyui-{install.version}")) as running:
        yield running


@pytest.fixture(scope="session")
def pictures() -> Path:
    """The repository's own example pictures."""
    return ROOT / "examples"
