"""The models of rembg (ONNX files) in a child process: nothing of it is imported here, and Cancel kills it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..backends import Spec, WeightFile
from ..data import FloatArray
from ..log import log
from ..progress import Progress

if TYPE_CHECKING:
    from . import PictureLike

_RELEASE = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_SOURCE = "size and hash as pinned by several independent public projects"
LIMIT = 600.0
"""Seconds after which the child is ended; the largest model takes well under a minute on two cores."""


def spec(
    session: str, title: str, licence: str, size: int, sha256: str, rank: int, vram: int, published: str = ""
) -> Spec:
    """The ``Spec`` of one rembg session. published: the release's own name of the file, where it differs."""
    file = WeightFile(
        "danielgatis/rembg",
        "v0.0.0",
        f"{session}.onnx",
        size,
        sha256,
        _SOURCE,
        url=f"{_RELEASE}/{published or session}{'' if published else '.onnx'}",
    )
    return Spec(
        name=session,
        title=title,
        summary="finds the subject of any photo by itself; ONNX model of rembg, in a child process",
        licence=licence,
        requires=("rembg", "onnxruntime"),
        extra="matting",
        weights=(file,),
        folder="rembg",
        also=("$U2NET_HOME", f"$U2NET_HOME/models/{session}", "~/.u2net", f"~/.rembg/models/{session}"),
        vram_mb={1024: vram},
        vram_estimated=True,
        default_rank=rank,
    )


def segment_with(
    spec: Spec, picture: PictureLike, prior: FloatArray | None, device: str, progress: Progress
) -> FloatArray:
    """[H, W] soft mask; of several parts those that the prior speaks for. WeightsError, StageTimeoutError,
    WorkerDiedError when the model does not load or run."""
    from ..child import run_child
    from ..memory import give_back, own
    from ..weights import require
    from ._clean import meant

    (file,) = require(spec, progress=progress.part(0, 0.1), download=False)
    device = usable(device)
    given = {
        "image": np.round(np.clip(picture.rgb, 0, 1) * 255).astype(np.uint8),
        "session": np.array(spec.name),
        "path": np.array(str(file.absolute())),
        "device": np.array(device),
    }
    script = Path(__file__).with_name("_rembg_child.py")
    advice = "choose a smaller model (u2netp, birefnet-general-lite)"
    with own(device, need=spec.room, progress=progress):
        give_back(device)  # what torch holds unused, the child cannot take
        answer = run_child(script, given, f"segmenting with {spec.name}", LIMIT, progress.part(0.1, 1), advice)
    mask = np.asarray(answer["mask"], np.float32)
    if prior is None or not (mask >= 0.5).any():
        return mask
    from scipy.ndimage import binary_dilation

    kept = meant(mask >= 0.5, np.asarray(prior, np.float64))
    return np.where(binary_dilation(kept, iterations=3) | (mask < 0.5), mask, 0).astype(np.float32)


def usable(device: str) -> str:
    """``device`` where onnxruntime can compute on it, else the CPU, so that no room on the GPU is taken for nothing."""
    if not device.startswith("cuda"):
        return "cpu"
    found = importlib.util.find_spec("onnxruntime")  # importing it here would load its libraries into this process
    places = found.submodule_search_locations if found is not None else None
    if any(any(Path(place, "capi").glob("*onnxruntime_providers_cuda*")) for place in places or ()):
        return device
    log.warning("this onnxruntime has no CUDA provider: rembg's models run on the CPU; onnxruntime-gpu brings one")
    return "cpu"
