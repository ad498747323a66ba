"""TripoSR at full size on random weights: time and GPU memory of each step, beside the original code where it is given.

    python -m benchmarks.triposr [--original FOLDER] [--device cuda] [--resolutions 128 256 512 1024] [--json FILE]

The time of a surface does not depend on the density's values, but its face count does; so an analytic, bumpy density
takes the place of the decoder's value *after* that was computed, for both.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from maquette.data import Mesh
from maquette.memory import give_back
from maquette.progress import silent
from maquette.reconstruct._triposr.config import Config
from maquette.reconstruct._triposr.engine import LARGE, EncodePlan, Engine, dtype_of, random_engine
from maquette.reconstruct._triposr.field import SceneField
from maquette.reconstruct._triposr.surface import surface

from .measure import table

MB = 1024 * 1024
THRESHOLD = 25.0
RADIUS = 0.63


def bumpy(points: Tensor) -> Tensor:
    """Log density of a bumpy ball, [N]: about 327,000 faces on a lattice of 256."""
    waves = torch.sin(12 * points)
    bumps = waves[:, 1] * (waves[:, 0] + waves[:, 2])
    return (math.log(THRESHOLD) + 40.0 * RADIUS) + (0.8 * bumps - 40.0 * points.norm(dim=1))


class AnalyticField(SceneField):
    """Pays for the decoder, answers with ``bumpy``."""

    def raw(self, points: Tensor) -> Tensor:
        """[N]."""
        return super().raw(points) * 0.0 + bumpy(points)


def timed(work: Callable[[], Any], device: str, repeats: int = 5, warmup: int = 2) -> tuple[float, float, Any]:
    """Median milliseconds, peak megabytes of GPU tensors, the last answer."""
    cuda = torch.device(device).type == "cuda"
    value = None
    for _ in range(warmup):
        value = work()
    del value
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    times = []
    for _ in range(repeats):
        value = None
        began = time.perf_counter()
        value = work()
        if cuda:
            torch.cuda.synchronize()
        times.append((time.perf_counter() - began) * 1e3)
    peak = torch.cuda.max_memory_allocated() / MB if cuda else 0.0
    return statistics.median(times), peak, value


def to_host(vertices: Tensor, faces: Tensor, colors: Tensor) -> Mesh:
    """The mesh on the host, as the backend hands it on."""
    return Mesh(vertices.cpu().numpy(), faces.to(torch.int32).cpu().numpy(), vertex_colors=colors.cpu().numpy())


def ours(engine: Engine, device: str, dtype: torch.dtype, resolutions: Sequence[int], repeats: int) -> dict[str, Any]:
    """All figures of our code; the weights rest on the device, as the original's do."""
    image = torch.rand(1, *(engine.config.image_size,) * 2, 3, generator=torch.Generator().manual_seed(1))
    plan, out = EncodePlan(device, dtype, 1), {}
    streamed = EncodePlan(device, dtype, 1, streamed=True)

    def mesh_of(codes: Tensor, resolution: int) -> Mesh:
        field = AnalyticField(codes[0], engine.network.decoder, engine.config, block=LARGE)
        made = surface(field, engine.config, resolution=resolution, threshold=THRESHOLD, progress=silent())
        return to_host(made.vertices, made.faces, made.colors)

    if torch.device(device).type == "cuda":
        out["streamed triplanes"] = timed(lambda: engine.encode(image, streamed), device, repeats)[:2]
        give_back(device)
    with engine.resident(device, dtype):
        out["triplanes"] = timed(lambda: engine.encode(image, plan), device, repeats)[:2]
        scene = engine.encode(image, plan)
        out["whole 256"] = timed(lambda: mesh_of(engine.encode(image, plan), 256), device, repeats)[:2]
    give_back(device)
    for resolution in resolutions:
        ms, peak, mesh = timed(lambda n=resolution: mesh_of(scene, n), device, repeats)
        out[f"mesh {resolution}"] = (ms, peak)
        out[f"faces {resolution}"] = len(mesh.faces)
        give_back(device)
    if torch.device(device).type == "cuda":
        scene = None
        torch.cuda.empty_cache()
        out["idle"] = (None, torch.cuda.memory_reserved() / MB)
    return out


def originals(folder: Path, engine: Engine, device: str, repeats: int) -> dict[str, Any]:
    """The same steps of the original code: by default, and tuned by hand (autocast, large chunks)."""
    from . import _triposr_original as original

    manifest = Path(__file__).resolve().parent.parent / "tests" / "data" / "triposr" / "manifest_full.json"
    config = json.loads(manifest.read_text())["config"]
    state = engine.network.state_dict()
    model = original.load(folder, config, state.get, device)
    original.put_in_place(model, lambda points: torch.exp(bumpy(points)))
    image = torch.rand(512, 512, 3).numpy()

    def triplanes(half: bool) -> Tensor:
        with torch.no_grad(), torch.autocast("cuda", torch.float16, enabled=half):
            return model([image], device=device)

    def mesh(codes: Tensor, resolution: int, chunk: int) -> Any:
        model.renderer.set_chunk_size(chunk)
        return model.extract_mesh(codes.float(), True, resolution=resolution, threshold=THRESHOLD)

    out: dict[str, Any] = {"loaded": (None, torch.cuda.memory_allocated() / MB)}
    codes = triplanes(False)
    out["triplanes"] = timed(lambda: triplanes(False), device, repeats)[:2]
    out["triplanes, autocast"] = timed(lambda: triplanes(True), device, repeats)[:2]
    for chunk in (8192, 131072, 1048576):
        out[f"mesh 256, chunk {chunk}"] = timed(lambda c=chunk: mesh(codes, 256, c), device, 2, 1)[:2]
    out["faces 256"] = len(mesh(codes, 256, 1048576)[0].faces)
    out["whole 256, default"] = timed(lambda: mesh(triplanes(False), 256, 8192), device, 2, 1)[:2]
    out["whole 256, tuned"] = timed(lambda: mesh(triplanes(True), 256, 1048576), device, 2, 1)[:2]
    return out


def report(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Two tables: ours with the ratio to the original's counterpart, and the original."""
    pairs = {
        "triplanes": ("triplanes", "triplanes, autocast"),
        "mesh 256": ("mesh 256, chunk 8192", "mesh 256, chunk 1048576"),
        "whole 256": ("whole 256, default", "whole 256, tuned"),
    }
    rows = []
    for name, value in mine.items():
        if not isinstance(value, tuple):
            rows.append([name, value, None, None, None])
            continue
        ratios = [theirs[other][0] / value[0] if other in theirs else None for other in pairs.get(name, ())]
        rows.append([name, *value, *(ratios or [None, None])])
    header = ["step", "ms", "peak GPU MB", "x original", "x tuned original"]
    text = table("TripoSR, ours", header, rows)
    if theirs:
        text += "\n" + table("the original", ["step", "ms", "peak GPU MB"], [[k, *_row(v)] for k, v in theirs.items()])
    return text


def _row(value: Any) -> tuple[Any, Any]:
    return value if isinstance(value, tuple) else (value, None)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.triposr")
    parser.add_argument("--original", type=Path, help="a checkout of VAST-AI-Research/TripoSR")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--resolutions", type=int, nargs="*", default=None)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    resolutions = options.resolutions or ([128, 256, 512, 1024] if options.device != "cpu" else [128])
    dtype = dtype_of(options.precision, options.device)
    engine = random_engine(Config(), dtype)
    mine = ours(engine, options.device, dtype, resolutions, options.repeats)
    theirs = originals(options.original, engine, options.device, options.repeats) if options.original else {}
    print(report(mine, theirs))
    if options.json:
        options.json.write_text(json.dumps({"ours": mine, "original": theirs}, indent=1))


if __name__ == "__main__":
    main()
