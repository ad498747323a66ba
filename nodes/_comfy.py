"""ComfyUI's run time as the library sees it: device, memory, progress, Cancel and model folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..maquette.errors import BadInputError
from ..maquette.progress import Progress

MODEL_FOLDER = "maquette"
"""Key of our own folder below ``models/`` and in ``extra_model_paths.yaml``."""
_STEPS = 1000


def register_model_folder() -> None:
    """Make ``models/maquette`` known, so that ``extra_model_paths.yaml`` can move it."""
    import folder_paths

    folder_paths.add_model_folder_path(MODEL_FOLDER, str(Path(folder_paths.models_dir) / MODEL_FOLDER))


def models_dir() -> str:
    """The root of ComfyUI's model folders."""
    import folder_paths

    return str(folder_paths.models_dir)


def job() -> Progress:
    """A progress that draws ComfyUI's bar on the running node and raises ComfyUI's own exception on Cancel."""
    from comfy.model_management import throw_exception_if_processing_interrupted
    from comfy.utils import ProgressBar

    bar = ProgressBar(_STEPS)
    shown = -1

    def report(share: float, _label: str) -> None:
        nonlocal shown
        step = int(share * _STEPS)
        if step > shown:
            shown = step
            bar.update_absolute(step, _STEPS)

    return Progress(report=report, check=throw_exception_if_processing_interrupted)


def device(choice: str) -> str:
    """``auto`` -> the device ComfyUI computes on; ``cpu`` -> cpu."""
    from comfy.model_management import get_torch_device

    if choice not in {"auto", "cpu"}:
        raise BadInputError(f"device: there is no '{choice}'; choose auto or cpu")
    return "cpu" if choice == "cpu" else str(get_torch_device())


def make_room(where: str, megabytes: float) -> None:
    """Ask ComfyUI to unload models until ``megabytes`` and its own reserve are free; nothing to do on the CPU."""
    if where == "cpu":
        return
    import torch
    from comfy.model_management import free_memory, minimum_inference_memory

    free_memory(int(megabytes * 2**20) + minimum_inference_memory(), torch.device(where))


def give_back(where: str) -> None:
    """Return cached GPU memory to the device after a stage."""
    if where != "cpu":
        from comfy.model_management import soft_empty_cache

        soft_empty_cache()


def need_of(spec: Any, resolution: int, default: float = 1500.0) -> float:
    """GPU megabytes a backend needs at ``resolution`` by its own table (the next higher entry, else the highest)."""
    table: dict[int, int] = spec.vram_mb
    if not table:
        return default
    fitting = [size for size in sorted(table) if size >= resolution]
    return float(table[fitting[0] if fitting else max(table)])
