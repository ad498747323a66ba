"""The TripoSR workflows: without weights an error at once; with a full-size file of random weights a whole asset."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from comfy_installs import ROOT, Install
from comfy_server import Server, serving
from glb_file import assert_certified_asset
from random_triposr import write_checkpoint

NAMES = ("triposr_single", "triposr_four_views")
GIB = 1024**2
"""In kB, which /proc counts in."""


@pytest.mark.parametrize("name", NAMES)
def test_without_weights_the_error_says_how_to_get_them(
    server: Server, workflow: Callable[[str], dict[str, Any]], name: str
) -> None:
    """The node that needs them stops the prompt, before any mesh is made; nothing is written, whether or not downloads
    are switched off (tests/test_weights.py asks a server whether it was called)."""
    said = server.fail(workflow(name), timeout=60)
    assert said["node_type"] == "MaquetteReconstruct"
    text = said["exception_message"]
    assert "model.ckpt" in text and "1677 MB" in text
    assert "maquette models fetch triposr" in text
    assert str(server.base / "models" / "triposr") in text
    done = {workflow(name)[node]["class_type"] for node in said["executed"]}
    assert done <= {"LoadImage", "MaquetteSegment", "MaquettePrepareImage", "PreviewImage"}, done
    assert not list((server.base / "output").rglob(f"{name}*"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """1.7 GB, removed afterwards."""
    path = write_checkpoint(tmp_path_factory.mktemp("triposr") / "model.safetensors")
    yield path
    path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not os.environ.get("MAQUETTE_TRIPOSR_E2E"), reason="1.7 GB and minutes: set MAQUETTE_TRIPOSR_E2E=1")
def test_full_size_on_the_cpu(
    install: Install,
    checkpoint: Path,
    workflow: Callable[[str], dict[str, Any]],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Both workflows give a certified, textured GLB; one picture takes less than 4 GiB beside the idle server."""
    with serving(install, tmp_path) as server:
        server.upload_pictures()
        folder = server.base / "models" / "triposr"
        folder.mkdir(parents=True)
        (folder / checkpoint.name).symlink_to(checkpoint)
        idle, figures = _peak(server), {}
        for name in NAMES:
            graph = workflow(name)
            for node in graph.values():
                if node["class_type"] == "MaquetteReconstruct":
                    node["inputs"]["resolution"] = 128
            began = time.monotonic()
            outputs = server.run(graph, timeout=1700)
            figures[name] = {"seconds": round(time.monotonic() - began), "peak_gib": round(_peak(server) / GIB, 2)}
            (file,) = [item for out in outputs.values() for item in out.get("3d", [])]
            faces = next(node["inputs"]["faces"] for node in graph.values() if "faces" in node["inputs"])
            assert_certified_asset(server.fetch(file), faces)
            if name == "triposr_single":
                assert _peak(server) - idle < 4 * GIB
            else:
                _all_views_fitted(outputs)
        record_property("figures", {"idle_gib": round(idle / GIB, 2), **figures})  # pytest --junitxml shows them


def _all_views_fitted(outputs: dict[str, Any]) -> None:
    """Fuse Views says so, line by line."""
    texts = [text for out in outputs.values() for text in out.get("text", []) if '"fitness"' in text]
    views = [json.loads(line) for line in texts[0].splitlines() if line.startswith("{")]
    assert [view["name"] for view in views] == ["front", "right", "back", "left"]
    assert all(view["accepted"] for view in views), views


def _peak(server: Server) -> int:
    """Highest resident memory of the server so far, kB."""
    status = Path(f"/proc/{server.process.pid}/status")
    if not status.exists():
        pytest.skip("the peak memory of another process is read from /proc")
    (line,) = [x for x in status.read_text().splitlines() if x.startswith("VmHWM")]
    return int(line.split()[1])


def test_the_workflows_are_listed() -> None:
    """Both files of both are there, and with a picture for the template browser."""
    for name in NAMES:
        for path in (ROOT / "workflows/api" / f"{name}.json", ROOT / "example_workflows" / f"{name}.json"):
            assert path.is_file()
        assert (ROOT / "example_workflows" / f"{name}.jpg").stat().st_size > 10_000
