"""The batch's result page, opened from the disk in a headless Chromium: filter, search, and the 3D viewer."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from test_browser import chromium, playwright

from maquette.batch.ledger import Ledger
from maquette.batch.page import write_page

pytestmark = pytest.mark.browser
EVIL = '</script><img src=x onerror="window.pwned=1"><b>\'"&'


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser saw of a page with a textured model, a coloured one, a failure and a hostile name."""
    folder = tmp_path_factory.mktemp("page")
    shots = Path(os.environ.get("MAQUETTE_SCREENSHOTS") or folder)
    shots.mkdir(parents=True, exist_ok=True)
    page = write_example(folder / "out")
    job = {"playwright": playwright(), "chromium": chromium(), "page": str(page), "out": str(shots), "item": "textured"}
    script = Path(__file__).with_name("page.cjs")
    done = subprocess.run(["node", str(script), json.dumps(job)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def write_example(out: Path) -> Path:
    ball = trimesh.creation.icosphere(subdivisions=3)
    angle = np.arctan2(ball.vertices[:, 2], ball.vertices[:, 0])
    uv = np.stack([angle / (2 * np.pi) + 0.5, ball.vertices[:, 1] / 2 + 0.5], axis=1)
    chess = (np.indices((64, 64)) // 8).sum(axis=0) % 2 * 200 + 40
    picture = Image.fromarray(np.stack([chess, chess[::-1], 255 - chess], axis=2).astype(np.uint8))
    textured = ball.copy()
    textured.visual = trimesh.visual.TextureVisuals(uv=uv, image=picture)
    coloured = ball.copy()
    coloured.visual = trimesh.visual.ColorVisuals(coloured, vertex_colors=[[200, 60, 40, 255]] * len(ball.vertices))
    with Ledger(out / "ledger.sqlite") as ledger:
        for name, mesh in (("textured", textured), ("coloured", coloured)):
            (out / name).mkdir()
            data = mesh.export(file_type="glb")
            (out / name / "asset.glb").write_bytes(data)
            picture.resize((512, 128)).save(out / name / "turntable.png")
            ledger.add([(name, name)])
            files = [{"path": f"{name}/{f}", "sha256": "", "bytes": 1} for f in ("asset.glb", "turntable.png")]
            ledger.done(name, files, 12.5, 1.0)
        ledger.add([("bad", "bad picture"), ("evil", EVIL), ("wait", "not yet")])
        (out / "dead_letter" / "bad picture").mkdir(parents=True)
        picture.save(out / "dead_letter" / "bad picture" / "front.png")
        ledger.dead("bad", "input", "Load Image: UnidentifiedImageError: cannot identify image file", 1.0)
        ledger.dead("evil", "node", EVIL, 1.0)
        return write_page(out, ledger).resolve()


def test_the_page_lists_filters_and_finds(seen: dict[str, Any]) -> None:
    assert seen["all"] == ["textured", "coloured", "bad picture", EVIL, "not yet"]
    assert seen["dead"] == ["bad picture", EVIL] and seen["found"] == ["textured"]


def test_the_viewer_draws_turns_and_zooms(seen: dict[str, Any]) -> None:
    """With its texture: many colours; each movement changes the picture; further away it covers less."""
    assert not seen["trouble"]
    assert seen["before"]["colours"] > 20 and seen["before"]["share"] > 0.1
    assert seen["turned"]["sum"] != seen["before"]["sum"]
    assert seen["away"]["share"] < seen["turned"]["share"]
    assert seen["next"] == "coloured" and seen["again"] == "textured"


def test_nothing_is_asked_of_the_network_and_nothing_hostile_runs(seen: dict[str, Any]) -> None:
    assert not seen["outside"] and not seen["complaints"] and not seen["scripts"]
