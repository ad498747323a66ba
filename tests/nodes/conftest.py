"""The pack loaded under the name ``pack`` on a fake ComfyUI, once in an old and once in a new shape."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import fake_comfy
import pytest
import torch


@pytest.fixture(params=[fake_comfy.OldMesh, fake_comfy.NewMesh], ids=["old-mesh", "new-mesh"])
def comfy(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[fake_comfy.State]:
    """A fake ComfyUI in ``sys.modules`` and fresh input, output and temp folders."""

    def put(name: str, module: ModuleType) -> None:
        monkeypatch.setitem(sys.modules, name, module)

    for name in [x for x in sys.modules if x == "pack" or x.startswith("pack.nodes")]:
        monkeypatch.delitem(sys.modules, name)
    with fake_comfy.installed(tmp_path, request.param, put) as state, torch.inference_mode():
        yield state  # in inference mode, as ComfyUI runs its nodes


@pytest.fixture
def pack(comfy: fake_comfy.State, root: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The pack, imported by path as ComfyUI does it. ``pack.maquette`` stays loaded between tests."""
    spec = importlib.util.spec_from_file_location("pack", root / "__init__.py", submodule_search_locations=[str(root)])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "pack", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def part(pack: Any) -> Any:
    """``part("_meshes")`` -> the module ``pack.nodes._meshes``."""
    importlib.import_module("pack.nodes")
    return lambda name: importlib.import_module(f"pack.nodes.{name}")


@pytest.fixture
def node(pack: Any) -> Any:
    """``node("MaquetteSegment")`` -> the node class."""
    registry = importlib.import_module("pack.nodes")
    found = {x.define_schema().node_id: x for x in registry.NODES}
    return found.__getitem__
