"""Find the ComfyUIs of this machine, and give each what the pack needs without touching its environment.

``COMFYUI_PATH`` (one or more folders, separated like PATH; ``COMFYUI_PYTHON`` = their interpreter) wins; else every
checkout in the test host's cache counts (``comfyui-test-host/src-*`` beside ``venv-<version>-*``).
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements.txt"
NONE_FOUND = "NO COMFYUI FOUND: the end-to-end tests did not run; set COMFYUI_PATH (and COMFYUI_PYTHON) to run them"


def cache() -> Path:
    """The test host's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "comfyui-test-host"


@dataclass(frozen=True)
class Install:
    """One ComfyUI: its version, its folder and the interpreter it runs on."""

    version: str
    source: Path
    python: Path

    @cached_property
    def resolution(self) -> list[tuple[str, str]]:
        """(name, version) of each distribution that pip would install for our requirements, by a dry run."""
        done = self.pip("install", "--dry-run", "--quiet", "--report", "-", "-r", str(REQUIREMENTS))
        return [(x["metadata"]["name"], x["metadata"]["version"]) for x in json.loads(done)["install"]]

    @cached_property
    def frozen(self) -> dict[str, str]:
        """Every distribution that is there now: name (normalised) -> version."""
        listed = json.loads(self.pip("list", "--format", "json"))
        return {normal(x["name"]): x["version"] for x in listed}

    def pip(self, *arguments: str) -> str:
        """Standard output of this environment's pip; raises with its complaint."""
        done = subprocess.run(
            [str(self.python), "-m", "pip", "--disable-pip-version-check", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )
        if done.returncode:
            raise RuntimeError(f"pip {' '.join(arguments)}: {done.stderr[-1500:]}")
        return done.stdout

    def overlay(self) -> Path:
        """A folder with exactly what the environment lacks, for PYTHONPATH; the environment stays as it is."""
        key = hashlib.sha256(REQUIREMENTS.read_bytes() + str(self.python).encode()).hexdigest()[:12]
        folder = cache() / f"maquette-extra-{self.version}-{key}"
        if not (folder / ".complete").exists():
            folder.mkdir(parents=True, exist_ok=True)
            wanted = [f"{name}=={version}" for name, version in self.resolution]
            if wanted:
                self.pip("install", "--quiet", "--no-deps", "--upgrade", "--target", str(folder), *wanted)
            (folder / ".complete").touch()
        return folder

    def environment(self) -> dict[str, str]:
        """What a process of this ComfyUI needs in its environment."""
        paths = [str(self.overlay()), os.environ.get("PYTHONPATH", "")]
        calm = {"HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "", "DO_NOT_TRACK": "1"}
        return {**os.environ, **calm, "PYTHONPATH": os.pathsep.join(p for p in paths if p)}


def normal(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installs() -> list[Install]:
    """Every ComfyUI found, oldest version first."""
    given = os.environ.get("COMFYUI_PATH")
    found = [_given(Path(path)) for path in given.split(os.pathsep)] if given else _cached()
    return sorted((x for x in found if x is not None), key=lambda x: [int(n) for n in re.findall(r"\d+", x.version)])


def _given(source: Path) -> Install | None:
    if not (source / "main.py").is_file():
        raise RuntimeError(f"COMFYUI_PATH: there is no main.py in {source}")
    own = [source / "venv", source / ".venv"]
    candidates = [p for v in own for p in (v / "bin" / "python", v / "Scripts" / "python.exe")]
    candidates.append(source.parent / "python_embeded" / "python.exe")
    asked = os.environ.get("COMFYUI_PYTHON")
    python = Path(asked) if asked else next((p for p in candidates if p.exists()), Path(sys.executable))
    return Install(_version(source), source, python)


def _cached() -> list[Install | None]:
    found: list[Install | None] = []
    for source in cache().glob("src-*"):
        pythons = sorted(cache().glob(f"venv-{_version(source)}-*/bin/python"))
        if (source / "main.py").is_file() and pythons:
            found.append(Install(_version(source), source, pythons[-1]))
    return found


def _version(source: Path) -> str:
    file = source / "comfyui_version.py"
    match = re.search(r'__version__ = "([^"]+)"', file.read_text()) if file.is_file() else None
    return match[1] if match else "0"


def run_python(install: Install, code: str, *arguments: str, timeout: float = 120) -> Any:
    """Run ``code`` in this ComfyUI's interpreter and source folder; the last line it prints is JSON."""
    done = subprocess.run(
        [str(install.python), "-c", code, *arguments],
        cwd=install.source,
        env=install.environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.strip().splitlines()[-1])
