"""What ComfyUI-Manager runs after ``requirements.txt``, and what people run for the optional parts.

Without options it looks at what is there and says what is missing: nothing is installed, compiled or downloaded. With
options it only ever ADDS: every distribution that is installed stays at its version (all of them are constraints).

    python install.py --check                    the doctor
    python install.py --extras models,matting    optional packages (pyproject.toml lists them)
    python install.py --extensions [--cpu]       compile the kernels in place
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
NEVER_FROM_SOURCE = ("flash-attn", "open3d", "spconv-cu120", "onnxruntime")
"""Building these takes hours or fails: a wheel or nothing."""
_LIST = """
import importlib.metadata, json
print(json.dumps([(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()]))
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when all that was asked for is done."""
    p = argparse.ArgumentParser(description="Optional parts of Maquette. Without options: look, change nothing.")
    p.add_argument("--check", action="store_true", help="run the doctor")
    p.add_argument("--extras", default="", help=f"comma-separated: {', '.join(extras())}")
    p.add_argument("--extensions", action="store_true", help="compile the C++/CUDA kernels in place")
    p.add_argument("--cpu", action="store_true", help="with --extensions: leave out the CUDA kernels")
    p.add_argument("--python", type=Path, help="ComfyUI's interpreter (default: found by itself)")
    p.add_argument("--dry-run", action="store_true", help="print the commands, run none")
    options = p.parse_args(arguments)
    python = options.python or find_python()
    names = [name.strip() for name in options.extras.split(",") if name.strip()]
    unknown = sorted(set(names) - set(extras()))
    if unknown:
        print(f"install: there is no extra '{', '.join(unknown)}'; choose from {', '.join(extras())}")
        return 2
    print(f"Maquette: interpreter {python}")
    if not (names or options.extensions or options.check):
        return look(python)
    failures = 0
    if names:
        failures += add(python, [need for name in names for need in extras()[name]], dry=options.dry_run)
    if options.extensions:
        build = [str(python), str(ROOT / "extensions" / "build.py"), *(["--cpu"] if options.cpu else [])]
        failures += run(build, dry=options.dry_run)
    if options.check:
        failures += run([str(python), "-m", "maquette", "doctor"], dry=options.dry_run)
    return 1 if failures else 0


def find_python() -> Path:
    """The interpreter that runs ComfyUI: this one when it has torch, else one that lies around this folder."""
    given = os.environ.get("COMFYUI_PYTHON")
    if given:
        return Path(given)
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return next((path for path in candidates(ROOT) if path.is_file()), Path(sys.executable))
    return Path(sys.executable)


def candidates(pack: Path) -> list[Path]:
    """Where ComfyUI keeps its Python, seen from ``ComfyUI/custom_nodes/<pack>``: portable, Desktop and git installs."""
    comfy = pack.parent.parent
    folders = [comfy / ".venv", comfy / "venv", pack / ".venv"]
    places = [comfy.parent / "python_embeded" / "python.exe", comfy.parent / "python_embedded" / "python.exe"]
    return places + [place for v in folders for place in (v / "Scripts" / "python.exe", v / "bin" / "python")]


def extras() -> dict[str, list[str]]:
    """``[project.optional-dependencies]`` of pyproject.toml (read by hand: Python 3.10 has no tomllib)."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text.split("[project.optional-dependencies]", 1)[1].split("\n[", 1)[0]
    return {
        m[1]: list(ast.literal_eval(m[2])) for m in re.finditer(r"^([\w-]+)\s*=\s*(\[.*?\])\s*$", section, re.M | re.S)
    }


def needs() -> dict[str, str]:
    """Distribution names of requirements.txt, each with its lowest version."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition(">=") for line in lines if line.strip() and not line.startswith("#"))
    return {name.strip(): lowest.strip() for name, _, lowest in pairs}


def lacking(have: dict[str, str]) -> list[str]:
    """What is not there, or too old, in words."""
    out = []
    for name, lowest in needs().items():
        found = have.get(normal(name))
        if found is None:
            out.append(name)
        elif numbers(found) < numbers(lowest):
            out.append(f"{name} {lowest} or newer (there is {found})")
    return out


def normal(name: str) -> str:
    """A distribution's name as PEP 503 normalises it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def numbers(version: str) -> list[int]:
    """The release part of a version: "2.6.0rc1+cu124" -> [2, 6, 0]."""
    match = re.match(r"\d+(\.\d+)*", version)
    return [int(n) for n in match[0].split(".")] if match else []


def installed(python: Path) -> dict[str, str]:
    """Distributions of an interpreter, normalised name -> version."""
    done = subprocess.run([str(python), *_isolated(python), "-c", _LIST], capture_output=True, text=True, check=True)
    return {normal(str(name)): version for name, version in json.loads(done.stdout) if name}


def look(python: Path) -> int:
    """Say what is missing and how to get it. Always 0: an installer that fails leaves a pack that could run."""
    try:
        have = installed(python)
    except (OSError, subprocess.CalledProcessError, ValueError) as error:
        print(f"Maquette: cannot ask {python} ({error}); give --python")
        return 0
    missing = lacking(have)
    if missing:
        print(f"Maquette: missing {', '.join(missing)}; run:")
        print("  " + shown([*pip(python), "-r", str(ROOT / "requirements.txt")]))
    else:
        print("Maquette: everything the default path needs is here. Optional: --check, --extras, --extensions")
    return 0


def pip(python: Path) -> list[str]:
    """``pip install`` of an interpreter (the portable one must not see the user's own site folder)."""
    return [str(python), *_isolated(python), "-m", "pip", "install", "--disable-pip-version-check"]


def _isolated(python: Path) -> list[str]:
    return ["-s"] if "python_embed" in str(python) else []


def add(python: Path, wanted: Sequence[str], *, dry: bool) -> int:
    """Install with everything that is there held at its version; pip refuses rather than replaces."""
    have = installed(python)
    with tempfile.TemporaryDirectory() as folder:
        hold = Path(folder) / "installed.txt"
        # a local build ("2.6.0+cu124") is a version like any other here; a path install has none to hold
        hold.write_text("".join(f"{name}=={version}\n" for name, version in sorted(have.items()) if version))
        never = ",".join(NEVER_FROM_SOURCE)
        command = [*pip(python), "--prefer-binary", "--only-binary", never, "-c", str(hold), *wanted]
        failed = run(command, dry=dry)
    if failed:
        print(
            "install: pip could not add these without replacing a package of this ComfyUI, or there is no wheel for"
            " this Python and torch. Nothing was changed; Maquette works without them."
        )
    return failed


def shown(command: Sequence[str]) -> str:
    """A command as it is typed here: cmd.exe knows no single quotes."""
    return subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command)


def run(command: Sequence[str], *, dry: bool) -> int:
    """Print a command, run it in the pack's folder; 0 or 1."""
    print("$ " + shown(command), flush=True)
    return 0 if dry else int(subprocess.run(list(command), cwd=ROOT, check=False).returncode != 0)


if __name__ == "__main__":
    raise SystemExit(main())
