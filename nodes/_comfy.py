"""ComfyUI's run time as the library sees it: device, memory, progress, Cancel and model folders."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..maquette.errors import BadInputError
from ..maquette.log import log
from ..maquette.progress import Progress

_STEPS = 1000
_DEVICES = ("cpu", "cuda", "mps", "xpu")


def register_model_folders() -> None:
    """Make the folder of every backend with weights known (``models/triposr`` ...). What ``extra_model_paths.yaml``
    said of it before stays first."""
    import folder_paths

    from ..maquette.backends import discover
    from ..maquette.weights import STAGES

    for stage in STAGES:
        package = importlib.import_module(f"..maquette.{stage}", __package__)
        for module in discover(package.__name__, list(package.__path__)).values():
            key = module.SPEC.folder or module.SPEC.name
            if module.SPEC.weights:
                folder_paths.add_model_folder_path(key, str(Path(folder_paths.models_dir) / key))


def model_folders(key: str) -> list[str]:
    """Where ComfyUI looks for models of this kind; empty for a key it does not know."""
    import folder_paths

    return list(folder_paths.get_folder_paths(key)) if key in folder_paths.folder_names_and_paths else []


class ComfyHost:
    """ComfyUI's memory manager as the library's ``memory.Host``."""

    def make_room(self, device: str, size: int) -> None:
        """Unload ComfyUI's models until ``size`` bytes are free."""
        make_room(device, size / 2**20)

    def given_back(self, device: str) -> None:
        """Return the cache."""
        give_back(device)


@contextmanager
def at_home() -> Iterator[None]:
    """Within the block backends find weights in ComfyUI's folders and ask ComfyUI for room on the GPU, and may use
    gradients: ComfyUI runs nodes in torch's inference mode, in which a fit by gradient descent would fail."""
    import torch

    from ..maquette.memory import hosted
    from ..maquette.weights import searching

    with searching(model_folders), hosted(ComfyHost()), torch.inference_mode(False):
        yield


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


def device(choice: str, *, helper: bool = False) -> str:
    """``auto`` -> the device ComfyUI computes on; ``cpu`` -> cpu. helper: for the models of segment, depth and detect,
    which leave a GPU below 6 GB to the reconstruction."""
    from comfy.model_management import get_torch_device

    if choice not in {"auto", "cpu"}:
        raise BadInputError(f"device: there is no '{choice}'; choose auto or cpu")
    found = "cpu" if choice == "cpu" else str(get_torch_device())
    if found.split(":")[0] not in _DEVICES:
        log.info("ComfyUI computes on %s, which Maquette does not know: it uses the CPU", found)
        return "cpu"
    if not helper:
        return found
    from ..maquette.memory import for_helper

    return for_helper(found)


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
