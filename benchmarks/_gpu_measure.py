"""What the rows of ``benchmarks.gpu`` share: a figure's line, its time, the test object.

A figure is one line on standard output, ``ROW`` and JSON: row, method, ms (median), target_ms, peak_mb, note.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROW = "ROW "
ROOT = Path(__file__).resolve().parent.parent
MB = 1 << 20


def machine(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    import torch

    cuda = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "device": torch.cuda.get_device_name() if cuda else device,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": sys.version.split()[0],
    }


def say(row: str, method: str = "", ms: float | None = None, **more: Any) -> None:
    """Print one figure."""
    print(ROW + json.dumps({"row": row, "method": method, "ms": ms, **more}), flush=True)


def timed(work: Callable[[], Any], device: str, seconds: float = 2.0) -> tuple[float, float | None]:
    """Median milliseconds of as many runs as fit (3 to 100) after two for warmth, and peak megabytes on the GPU.

    On a CPU, where only whether it runs is of interest, a single one after one.
    """
    import torch

    cuda = device.startswith("cuda")
    began = time.perf_counter()
    for _ in range(2 if cuda else 1):
        work()
        if cuda:
            torch.cuda.synchronize()
    once = (time.perf_counter() - began) / 2
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(max(3, min(100, int(seconds / max(once, 1e-6)))) if cuda else 1):
        if cuda:
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            work()
            last.record()
            last.synchronize()
            times.append(first.elapsed_time(last))
        else:
            start = time.perf_counter()
            work()
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times), torch.cuda.max_memory_allocated() / MB if cuda else None


def both(row: str, family: str, work: Callable[[], Any], device: str, **more: Any) -> None:
    """The same call with the kernel, where it is compiled, and with the twin."""
    from maquette.native import extension

    module = extension(family)
    compiled = module.NATIVE
    for native in (True, False):
        if native and module.method(device) != "native":
            say(row, "native", note="not compiled for this device: " + extension("build").why_not(family))
            continue
        module.NATIVE = native
        ms, peak = timed(work, device)
        say(row, "native" if native else "twin", ms, peak_mb=peak, **(more if native else {}))
    module.NATIVE = compiled


def mesh_of(options: Namespace) -> Any:
    """The unwrapped test object of ``benchmarks.bake``, made once a run."""
    import numpy as np

    from maquette.data import Mesh

    path = options.scratch / "object.npz"
    if path.exists():
        with np.load(path) as held:
            return Mesh(held["vertices"], held["faces"], uvs=held["uvs"])
    from benchmarks.bake import bumpy_object, unwrap_once

    mesh = unwrap_once(bumpy_object(2000 if options.tiny else 50_000), "fast").mesh
    options.scratch.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part.npz")
    np.savez(scratch, vertices=mesh.vertices, faces=mesh.faces, uvs=mesh.uvs)
    scratch.replace(path)
    return mesh
