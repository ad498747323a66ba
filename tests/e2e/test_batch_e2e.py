"""The batch driver against a real ComfyUI: meshes come down whole and certified, a second run skips them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from comfy_installs import ROOT
from comfy_server import Server
from glb_file import assert_certified_asset

from maquette.batch.cli import main

SMALL = ("5.resolution=48", "7.faces=1500", "8.texture_size=256", "14.size=128")


def test_two_pictures_become_certified_meshes_and_resume_skips(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Upload, prompt, history, /view with the shipped workflow; the page has its turntables; nothing runs twice."""
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for name in ("mug.png", "teapot.png"):
        shutil.copy(ROOT / "examples" / name, source / name)
    shutil.copy(ROOT / "examples" / "mug.png", source / "Tasse blau é.png")  # equal pictures are made once
    arguments = [str(source), "-o", str(out), "--server", server.url, "--gate", "watertight and faces<=1530"]
    for value in SMALL:
        arguments += ["--set", value]
    assert main([*arguments, "--dry-run"]) == 0
    assert main(arguments) == 0, capsys.readouterr().out
    assert "Total: 2 | Success: 2 | Skipped: 0 | Failed: 0" in capsys.readouterr().out
    folders = [path for path in out.iterdir() if (path / "item.json").is_file()]
    assert len(folders) == 2
    for folder in folders:
        (mesh,) = folder.glob("*.glb")
        assert_certified_asset(mesh.read_bytes(), 1500)
        assert (folder / "turntable.png").stat().st_size > 1000
    prompts = len(server.get("/history").json())
    assert main(arguments) == 0
    assert "Total: 2 | Success: 0 | Skipped: 2" in capsys.readouterr().out
    assert len(server.get("/history").json()) == prompts


def test_a_broken_picture_is_an_input_error_on_a_real_server(server: Server, tmp_path: Path) -> None:
    """Refused once, with the server's own words, and not repeated."""
    (tmp_path / "broken.png").write_bytes(b"this is no picture")
    out = tmp_path / "out"
    assert main([str(tmp_path / "broken.png"), "-o", str(out), "--server", server.url]) == 4
    letter = json.loads((out / "dead_letter" / "broken" / "error.json").read_text())
    assert letter["failure"] == "input", letter
