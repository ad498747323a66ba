"""Pictures through a real ComfyUI that is killed -9 in the middle, by a driver that is killed -9 twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from comfy_installs import ROOT, Install
from comfy_server import free_port, serving
from glb_file import assert_certified_asset
from PIL import Image
from test_batch_e2e import SMALL

COUNT = int(os.environ.get("MAQUETTE_SOAK", "6"))
"""Enough for a kill at each stage; MAQUETTE_SOAK=20 and more for a night."""


@pytest.mark.slow
def test_a_soak_with_kills_of_driver_and_server_ends_complete(install: Install, tmp_path: Path) -> None:
    """Nothing lost, nothing half-written, and nothing computed twice but what the killed server had under way."""
    source, out, port, chance = tmp_path / "in", tmp_path / "out", free_port(), random.Random(5)
    make_pictures(source)
    command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out)]
    command += ["--server", f"http://127.0.0.1:{port}", "--gate", "watertight and faces <= 1530"]
    for value in SMALL:
        command += ["--set", value]
    with serving(install, tmp_path, port) as server:
        for share in (0.2, 0.4):  # the driver is killed; the server goes on with what it has
            driver = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            wait_for(lambda share=share: finished(out) >= COUNT * share)
            time.sleep(chance.random() * 2)
            driver.send_signal(signal.SIGKILL)
            driver.wait()
        driver = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        wait_for(lambda: finished(out) >= COUNT * 0.6)
        server.process.send_signal(signal.SIGKILL)  # under the running driver
        server.process.wait()
    with serving(install, tmp_path, port) as server:
        text, _ = driver.communicate(timeout=1200)
        assert driver.returncode == 0, text
        made = list((server.base / "output").rglob("*.glb"))
    assert f"Total: {COUNT} |" in text and "Failed: 0" in text
    assert COUNT <= len(made) <= COUNT + 1, sorted(path.name for path in made)
    folders = [path.parent for path in out.glob("*/item.json")]
    assert len(folders) == COUNT
    for folder in folders:
        (mesh,) = folder.glob("*.glb")
        assert_certified_asset(mesh.read_bytes(), 1500)
    assert not list((out / ".work").glob("*"))
    events = [json.loads(line)["event"] for line in (out / "events.jsonl").read_text().splitlines()]
    assert COUNT <= events.count("done") <= COUNT + 2  # a kill may fall between the file's place and the ledger's word


def make_pictures(folder: Path) -> None:
    """Different pictures of the shipped examples: turned and tinted."""
    folder.mkdir()
    sources = [ROOT / "examples" / name for name in ("mug.png", "teapot.png")]
    for number in range(COUNT):
        with Image.open(sources[number % 2]) as picture:
            turned = picture.convert("RGBA").resize((256, 256)).rotate(number * 7 - 60)
        turned.save(folder / f"thing {number:02}.png")


def finished(out: Path) -> int:
    return len(list(out.glob("*/item.json")))


def wait_for(truth: Callable[[], bool], seconds: float = 900) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
