"""The page in a headless Chromium: every shipped UI workflow loads, sends what the API file says, and runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from comfy_installs import ROOT, cache
from comfy_server import PACK, Server

pytestmark = pytest.mark.browser
NAMES = sorted(p.stem for p in (ROOT / "example_workflows").glob("*.json"))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str:
    """The browser's path; skips when there is none."""
    found = os.environ.get("CHROMIUM") or next((p for name in BROWSERS if (p := shutil.which(name))), None)
    if not found:
        pytest.skip("NO BROWSER FOUND: set CHROMIUM or install chromium to run the browser test")
    return found


def playwright() -> str:
    """The folder of playwright-core: ``PLAYWRIGHT_CORE``, or our cache, where npm puts it once."""
    given = os.environ.get("PLAYWRIGHT_CORE")
    if given:
        return given
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("NO NODE FOUND: install Node.js (node, npm) to run the browser test")
    folder = cache() / "playwright"
    module = folder / "node_modules" / "playwright-core"
    if not module.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        quiet = {**os.environ, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD": "1"}
        command = ["npm", "install", "--silent", "--no-save", "--prefix", str(folder), "playwright-core@1"]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False, timeout=180)
        if done.returncode or not module.is_dir():
            pytest.skip(f"NO PLAYWRIGHT: npm could not fetch playwright-core: {done.stderr[-300:]}")
    return str(module)


@pytest.fixture(scope="module")
def visit(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the browser saw of all workflows, in one visit; pictures lie in a temporary folder."""
    out = os.environ.get("MAQUETTE_SCREENSHOTS")
    folder = Path(out) / server.install.version if out else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    job: dict[str, Any] = {
        "playwright": playwright(),
        "chromium": chromium(),
        "url": server.url,
        "out": str(folder),
        "workflows": {name: str(ROOT / "example_workflows" / f"{name}.json") for name in NAMES},
    }
    if not out:  # a quick run; pictures to look at are made at full size
        job["small"] = {"resolution": 64, "faces": 3000, "texture_size": 256}
    script = Path(__file__).with_name("browser.cjs")
    done = subprocess.run(
        ["node", str(script), json.dumps(job)], capture_output=True, text=True, check=False, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return {**json.loads(done.stdout.strip().splitlines()[-1]), "folder": folder}


@pytest.mark.parametrize("name", NAMES)
def test_ui_workflow_loads_and_runs(visit: dict[str, Any], name: str) -> None:
    """Every node type is known, no node lies on another, the queue ends."""
    seen = visit["results"][name]
    assert not seen["missing"]
    assert not seen["overlaps"]
    assert seen["done"]
    assert (visit["folder"] / f"{name}-done.png").stat().st_size > 50_000


@pytest.mark.parametrize("name", NAMES)
def test_the_page_sends_what_the_api_file_says(visit: dict[str, Any], name: str) -> None:
    """UI file and API file are one workflow: same nodes, links and values (viewer widgets of core aside)."""
    api = json.loads((ROOT / "workflows" / "api" / f"{name}.json").read_text())
    sent = visit["results"][name]["sent"]
    assert sent.keys() == api.keys()
    for key, node in api.items():
        assert sent[key]["class_type"] == node["class_type"]
        for socket, value in node["inputs"].items():
            assert sent[key]["inputs"][socket] == value, f"node {key} {node['class_type']}.{socket}"


def test_every_run_from_the_page_succeeded(visit: dict[str, Any], server: Server) -> None:
    """The last prompts in the history are the page's; all ended well, but for those whose weights are not here."""
    entries = list(server.get("/history").json().values())[-len(NAMES) :]
    wanted = ["error" if name.startswith("triposr") else "success" for name in NAMES]
    assert [x["status"]["status_str"] for x in entries] == wanted


def test_the_console_has_no_error_of_ours(visit: dict[str, Any]) -> None:
    """Core's own noise aside, nothing in the console names our pack."""
    ours = [text for text in visit["complaints"] if "maquette" in text.lower() or PACK.lower() in text.lower()]
    assert not ours, ours
