"""What this machine has, what is missing, and the exact line that mends it. Runs on a broken environment too.

Every check is a small function that returns findings and never raises for what it looks for.
"""

from __future__ import annotations

import http.client
import importlib.metadata
import json
import os
import platform
import re
import shutil
import socket
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from . import __version__
from .memory import total_memory_bytes

State = Literal["ok", "note", "missing", "broken"]
NEEDED = (
    "numpy",
    "scipy",
    "pillow",
    "scikit-image",
    "trimesh",
    "lxml",
    "networkx",
    "xatlas",
    "fast-simplification",
    "manifold3d",
    "small_gicp",
    "safetensors",
    "huggingface_hub",
    "requests",
    "websocket-client",
    "rich",
)
"""Distributions of requirements.txt; torch is looked at on its own."""
COMFYUI_PORT = 8188
_GIB = 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: ``remedy`` is a command or a sentence, empty when nothing is to be done."""

    name: str
    state: State
    value: str
    remedy: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        return asdict(self)


def examine(models_dir: str | None = None) -> list[Finding]:
    """All findings, in the order a person would look."""
    from .weights import searching

    found = [Finding("maquette", "ok", __version__)]
    found += _interpreter()
    found += _libraries()
    found += _torch()
    found += _memory()
    found += _wsl()
    found += _disk()
    found += _surroundings()
    found += _kernels()
    with searching(models_dir):
        found += _backends()
    found += _models(models_dir)
    return found


def healthy(findings: Sequence[Finding]) -> bool:
    """True when the default path can run."""
    return all(finding.state in ("ok", "note") for finding in findings)


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The findings as text."""
    marks = {"ok": "ok     ", "note": "note   ", "missing": "MISSING", "broken": "BROKEN "}
    for finding in findings:
        yield f"{marks[finding.state]} {finding.name:<26} {finding.value}"
        if finding.remedy:
            yield f"{'':<8}{'':<26}   -> {finding.remedy}"
    yield ""
    yield "The default path can run." if healthy(findings) else "The default path cannot run yet: see the lines above."


def pip_command() -> str:
    """The exact pip of this interpreter (portable ComfyUI has its own ``python_embeded``)."""
    executable = f'"{sys.executable}"' if " " in sys.executable else sys.executable
    isolated = " -s" if "python_embeded" in sys.executable else ""
    return f"{executable}{isolated} -m pip install"


def _interpreter() -> list[Finding]:
    kind = "portable" if "python_embeded" in sys.executable else "venv" if sys.prefix != sys.base_prefix else "system"
    value = f"{platform.python_version()} ({kind}) on {platform.system()} {platform.machine()}"
    return [Finding("python", "ok", value)]


def _libraries() -> list[Finding]:
    out = []
    for name in NEEDED:
        try:
            out.append(Finding(name, "ok", importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            out.append(Finding(name, "missing", "not installed", f"{pip_command()} {name}"))
    distributions = [d for d in ("opencv-python", "opencv-python-headless", "opencv-contrib-python") if _has(d)]
    if len(distributions) > 1:
        value = " and ".join(distributions)
        out.append(Finding("opencv", "note", value, "two OpenCV distributions overwrite each other: keep one"))
    return out


def _has(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _torch() -> list[Finding]:
    try:
        import torch
    except ImportError as error:
        remedy = f"{pip_command()} torch (choose the build for your GPU on pytorch.org; ComfyUI brings its own)"
        return [Finding("torch", "missing", str(error), remedy)]
    built = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    out = [Finding("torch", "ok", f"{torch.__version__} ({built})"), _arithmetic("cpu")]
    if not torch.cuda.is_available():
        return [*out, _no_gpu(torch.version.cuda)]
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        out.append(Finding(f"gpu {index}", "ok", f"{name}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free"))
        out.append(_arithmetic(f"cuda:{index}"))
    return out


def _no_gpu(built_for: str | None) -> Finding:
    """A card that torch cannot use is worth another word than no card."""
    value = "torch sees none: everything runs on the CPU"
    if shutil.which("nvidia-smi") is None:
        return Finding("gpu", "note", value)
    remedy = "update the NVIDIA driver" if built_for else "install the CUDA build of torch: see pytorch.org"
    return Finding("gpu", "note", f"{value}, though an NVIDIA driver is installed", remedy)


def _arithmetic(device: str) -> Finding:
    """A wrong or failing sum means a library was replaced underneath torch, or that cuDNN does not fit it."""
    from .selftest import check_device

    troubles = check_device(device)
    if not troubles:
        return Finding(f"arithmetic {device}", "ok", "agrees with numpy")
    remedy = (
        "torch, CUDA and cuDNN do not fit each other, or a package replaced one: `pip check`, then install torch"
        " again with the command from pytorch.org (in ComfyUI portable: run its update script)"
    )
    return Finding(f"arithmetic {device}", "broken", "; ".join(troubles), remedy)


def _memory() -> list[Finding]:
    total = total_memory_bytes()
    if total is None:
        return []
    state: State = "ok" if total > 6 * _GIB else "note"
    return [Finding("memory", state, f"{total / _GIB:.1f} GiB", "" if state == "ok" else "keep --resolution at 128")]


def _wsl() -> list[Finding]:
    if "microsoft" not in platform.release().lower():
        return []
    here = Path(__file__).resolve()
    out = [Finding("wsl", "ok", platform.release())]
    if str(here).startswith("/mnt/"):
        remedy = "move ComfyUI into the Linux file system (for example ~/ComfyUI): /mnt/* is 5 to 20 times slower"
        out.append(Finding("drive", "note", str(here.parent), remedy))
    total = total_memory_bytes()
    if total is not None and total < 12 * _GIB:
        remedy = "raise memory= under [wsl2] in %UserProfile%\\.wslconfig, then `wsl --shutdown`"
        out.append(Finding("wsl memory", "note", f"{total / _GIB:.1f} GiB", remedy))
    return out


def _disk() -> list[Finding]:
    free = shutil.disk_usage(Path.cwd()).free
    state: State = "ok" if free > 2 * _GIB else "note"
    return [Finding("disk", state, f"{free / _GIB:.1f} GiB free here", "" if state == "ok" else "free some space")]


def comfyui_folder() -> Path | None:
    """The ComfyUI that this pack lies in (``ComfyUI/custom_nodes/<pack>``; links are not followed), else None."""
    base = Path(os.path.abspath(__file__)).parents[3]  # noqa: PTH100 - resolve() would follow the link out of ComfyUI
    return base if (base / "custom_nodes").is_dir() else None


def _surroundings() -> list[Finding]:
    """ComfyUI's version, the usual port, and packages known to break each other."""
    out = []
    file = (comfyui_folder() or Path()) / "comfyui_version.py"
    match = re.search(r'__version__ = "([^"]+)"', file.read_text(encoding="utf-8")) if file.is_file() else None
    if match:
        old = [int(n) for n in re.findall(r"\d+", match[1])[:3]] < [0, 3, 64]
        remedy = "tested from 0.3.64 on: update ComfyUI" if old else ""
        out.append(Finding("comfyui", "note" if old else "ok", match[1], remedy))
    return [*out, Finding("port", "ok", f"{COMFYUI_PORT}: {_who_answers(COMFYUI_PORT)}"), *_conflicts()]


def _who_answers(port: int) -> str:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        if probe.connect_ex(("127.0.0.1", port)) != 0:
            return "free"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/system_stats", timeout=2) as answer:
            version = json.load(answer)["system"].get("comfyui_version", "of unknown version")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, http.client.HTTPException):
        return "taken by something that is not ComfyUI; start ComfyUI with --port to use another"
    return f"ComfyUI {version} is running"


def _conflicts() -> list[Finding]:
    out = []
    spconv = [d for d in ("spconv-cu118", "spconv-cu120", "spconv-cu121", "spconv") if _has(d)]
    if spconv and _has("numpy") and not importlib.metadata.version("numpy").startswith("1."):
        remedy = f"it was built for NumPy 1 and crashes with 2: {pip_command()} 'numpy<2', or remove {spconv[0]}"
        out.append(Finding("conflict", "note", f"{spconv[0]} beside numpy 2", remedy))
    if _has("transformers") and _has("huggingface_hub"):
        five = importlib.metadata.version("transformers").startswith("5.")
        if five and not _has("requests"):
            out.append(Finding("conflict", "missing", "transformers 5 without requests", f"{pip_command()} requests"))
    return out


def _kernels() -> list[Finding]:
    """Compiled kernels and why not; the attention in use. Without torch there is nothing to say."""
    try:
        import torch

        from .attention import method
        from .native import extension

        build = extension("build")
    except ImportError:
        return []
    out = []
    for family in build.families():
        reason = str(build.why_not(family))
        out.append(Finding(f"kernel {family}", "note" if reason else "ok", reason or "compiled, fits this torch"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return [*out, Finding("attention", "ok", f"{method(device)} on {device}")]


def _backends() -> list[Finding]:
    try:
        from .commands.backends import rows

        table = rows()
    except ImportError as error:
        return [Finding("backends", "broken", str(error), f"{pip_command()} -r requirements.txt")]
    out = []
    for row in table:
        about = "about " if row["vram_estimated"] else ""
        vram = ", ".join(f"{about}{mb} MB at {resolution}" for resolution, mb in sorted(row["vram_mb"].items()))
        value = "; ".join(part for part in (row["licence"], vram) if part)
        lacking = row["missing"] or row["missing_weights"]
        if lacking:
            out.append(Finding(f"{row['stage']} {row['name']}", "note", f"off: {value}", lacking))
        else:
            out.append(Finding(f"{row['stage']} {row['name']}", "ok", value))
    return out


def _models(models_dir: str | None) -> list[Finding]:
    from . import weights

    rows = weights.cli_rows(models_dir=models_dir)
    return [Finding(f"model {row['name']}", "note", f"{row['state']} ({row['size_mb']} MB)") for row in rows]
