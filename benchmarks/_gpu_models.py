"""The rows of ``benchmarks.gpu`` about networks: the built-in model and the helper models at full size."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ._gpu_measure import MB, mesh_of, say, timed

MODELS = [
    ("segment", "sam2.1-tiny"),
    ("depth", "depth-anything-v2-small"),
    ("detect", "grounding-dino"),
    ("segment", "sam2.1-large"),
    ("depth", "depth-anything-v2-large"),
    ("detect", "qwen3-vl-2b"),
    ("segment", "sam2.1-small"),
    ("segment", "sam2.1-base-plus"),
    ("depth", "depth-anything-v2-base"),
]


def nano(options: Namespace) -> None:
    """The built-in model: its network alone, the stages from the mask to the field, and all of it."""
    from benchmarks.bake import picture_of
    from maquette.reconstruct import Settings, reconstruct
    from maquette.reconstruct._nano.engine import engine
    from maquette.reconstruct._nano.picture import crop_of, network_input
    from maquette.reconstruct._nano.predict import predict, run

    device, view = options.device, picture_of(mesh_of(options), 512)
    network, resolution = engine(device), 48 if options.tiny else 128
    given = network_input(view, view.mask, crop_of(view.mask), network.shape.size, device)
    for flip in (False, True):
        turned = ", with the mirrored picture" if flip else ""
        ms, peak = timed(lambda flip=flip: run(network, given, device, flip), device)
        say(f"nano, network{turned}", "", ms, peak_mb=peak)
        ms, peak = timed(lambda f=flip: predict(network, view, view.mask, resolution, device, flip=f), device)
        say(f"nano, mask to field{turned}", f"resolution {resolution}", ms, peak_mb=peak, target_ms=15.0)
    _nano_stages(network, view, resolution, device)
    settings = Settings(resolution=resolution, device=device)
    ms, peak = timed(lambda: reconstruct([view], "nano", settings), device)
    say("nano, all", f"resolution {resolution}", ms, peak_mb=peak)


def _nano_stages(network: Any, view: Any, resolution: int, device: str) -> None:
    """Where the time goes: each stage by itself, and so waited for; their sum is more than the whole."""
    from maquette.progress import silent
    from maquette.reconstruct._nano import predict as stages
    from maquette.reconstruct._nano.picture import crop_of, cut, network_input
    from maquette.reconstruct._nano.solid import surface

    crop, cell, level = crop_of(view.mask), 1.7 / resolution, stages.THRESHOLD
    given = network_input(view, view.mask, crop, network.shape.size, device)
    cover = stages.cover_of(given)
    raw, subject = stages.run(network, given, device, False), stages.subject_of(cover)
    outline = stages.outline_of(cut(view.mask, crop), cell, device)
    material = stages.material_of(network, raw, subject, cell, level)
    made = stages.prediction(raw, given, subject, material, outline, crop, cell)
    works: dict[str, Callable[[], Any]] = {
        "prepare": lambda: network_input(view, view.mask, crop_of(view.mask), network.shape.size, device),
        "subject": lambda: stages.subject_of(stages.cover_of(given)),
        "outline": lambda: stages.outline_of(cut(view.mask, crop), cell, device),
        "columns to material": lambda: stages.material_of(network, raw, subject, cell, level),
        "material to field": lambda: stages.prediction(raw, given, subject, material, outline, crop, cell),
        "struts and surface": lambda: surface(made.solid, cell, silent()),
    }
    for name, work in works.items():
        ms, peak = timed(work, device, seconds=1.0)
        say(f"nano, stage: {name}", f"resolution {resolution}, crop of {crop.side} pixels", ms, peak_mb=peak)


def model(options: Namespace) -> None:
    """One helper model at full size, random weights, half precision where the pack uses it."""
    import torch

    from benchmarks.models import PICTURE, WORK
    from maquette.image import read_picture

    stage, name = options.more
    picture = read_picture(PICTURE)
    try:
        with torch.device(options.device):  # weights of billions are drawn faster there
            network, work = WORK[stage, name](picture)
    except (RuntimeError, TypeError, ValueError) as error:  # what looks at its tensors while it is built
        print(f"built on the CPU: {error}", flush=True)
        torch.set_default_dtype(torch.float32)
        network, work = WORK[stage, name](picture)
    half = options.device.startswith("cuda") and name.startswith(("sam2", "depth-anything"))
    network.to(options.device, torch.float16 if half else None)
    weights = sum(p.numel() for p in network.parameters())
    held = torch.cuda.memory_allocated() / MB if options.device.startswith("cuda") else None
    ms, peak = timed(work, options.device, seconds=3.0)
    note = f"{weights / 1e6:.0f} M weights" + (f", {held:.0f} MB of them at rest" if held else "")
    say(f"{stage} {name}", str(next(network.parameters()).dtype).removeprefix("torch."), ms, peak_mb=peak, note=note)
