"""The single measurements of ``benchmarks.gpu``, each run as ``python -m benchmarks._gpu_rows NAME [...]``.

A figure is one line on standard output, ``ROW`` and JSON: row, method, ms (median), target_ms, peak_mb, note.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROW = "ROW "
ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ("marching_cubes", "uv_raster", "visibility")
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


def build(options: argparse.Namespace) -> None:
    """All families at once, and the test object beside them."""

    def family(name: str) -> str:
        command = [sys.executable, "extensions/build.py", name]
        if options.device == "cpu":
            command.append("--cpu")
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr, flush=True)
        return done.stdout.strip().splitlines()[0] if done.stdout.strip() else f"no word, exit code {done.returncode}"

    from maquette.native import extension

    with ThreadPoolExecutor(len(FAMILIES)) as pool:
        waiting = {name: pool.submit(family, name) for name in FAMILIES}
        mesh_of(options)
        said = {name: one.result() for name, one in waiting.items()}
    why_not, wanted = extension("build").why_not, "C++ and CUDA" if options.device.startswith("cuda") else "C++"
    good = {name: not why_not(name) and f": {wanted}, " in words for name, words in said.items()}
    for name, words in said.items():
        say(f"build {name}", "built" if good[name] else "failed", note=words[:300])
    if not all(good.values()):
        sys.exit(1)


def mesh_of(options: argparse.Namespace) -> Any:
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


def cubes(options: argparse.Namespace) -> None:
    """Marching cubes of a volume that lies on the device."""
    from benchmarks.kernels import wavy_ball
    from maquette.native import extension

    family = extension("marching_cubes")
    for side, target in ((32, None),) if options.tiny else ((256, 1.1), (512, None)):
        values = wavy_ball(side).to(options.device)
        faces = len(family.marching_cubes(values)[1])
        both(
            f"marching cubes {side}^3", "marching_cubes", lambda values=values: family.marching_cubes(values),
            options.device, target_ms=target, note=f"{faces} faces, indexed and welded",
        )  # fmt: skip


def blocks(options: argparse.Namespace) -> None:
    """The same surface from the blocks near it."""
    from benchmarks.kernels import busy_blocks, wavy_ball
    from maquette.native import extension

    family = extension("marching_cubes")
    for side in (32,) if options.tiny else (256, 512):
        given, place = (part.to(options.device) for part in busy_blocks(wavy_ball(side)))
        both(
            f"marching cubes, sparse blocks of {side}^3", "marching_cubes",
            lambda given=given, place=place, side=side: family.marching_cubes_blocks(given, place, shape=(side,) * 3),
            options.device, note=f"{len(given)} blocks of 8^3 samples",
        )  # fmt: skip


def raster(options: argparse.Namespace) -> None:
    """Atlas of the object: face and weights of every texel."""
    import torch

    from maquette.geometry.raster import rasterize_uv

    mesh, size = mesh_of(options), 128 if options.tiny else 2048
    uvs = torch.tensor(mesh.uvs, device=options.device)
    faces = torch.tensor(mesh.faces, device=options.device).long()
    for conservative, target in ((False, 1.0), (True, None)):
        name = f"uv raster {size}^2, {len(faces)} faces{', conservative' if conservative else ''}"
        both(
            name, "uv_raster", lambda c=conservative: rasterize_uv(uvs, faces, size, conservative=c), options.device,
            target_ms=target,
        )  # fmt: skip


def visibility(options: argparse.Namespace) -> None:
    """Tree, and any-hit rays from the surface in 48 directions."""
    import torch

    from maquette.mesh.rays import sphere_ways
    from maquette.native import extension

    family, mesh, device = extension("visibility"), mesh_of(options), options.device
    points, faces = torch.tensor(mesh.vertices, device=device), torch.tensor(mesh.faces, device=device).long()
    ms, peak = timed(lambda: family.build(points, faces), device)
    say(f"tree over {len(faces)} faces", "torch", ms, peak_mb=peak)
    corner = points.double()[faces[:: 20 if options.tiny else 1]]
    ways = torch.tensor(sphere_ways(48), device=device, dtype=torch.float64)
    normal = torch.nn.functional.normalize(torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]))
    up = torch.sign(normal @ ways.T)  # [F, 48] each ray begins on its own side of the face
    origins = (corner.mean(dim=1)[:, None] + 1e-4 * up[..., None] * normal[:, None]).reshape(-1, 3)
    along = ways.repeat(len(corner), 1)
    tree = family.build(points, faces)
    blocked = float(family.blocked(tree, origins, along).float().mean())
    for native in (True, False):
        if native and family.method(device) != "native":
            continue
        family.NATIVE = native
        some = slice(None) if native else slice(1 << 18)
        ms, peak = timed(lambda some=some: family.blocked(tree, origins[some], along[some]), device)
        count = len(origins[some])
        note = f"{count / ms / 1000:.1f} million rays/s, {blocked:.0%} blocked"
        say(f"{count} any-hit rays, {len(faces)} faces", "native" if native else "twin", ms, peak_mb=peak, note=note)


def bake(options: argparse.Namespace) -> None:
    """Textures of an unwrapped object: all of ``bake`` for several looks, its stages, memory of a large one."""
    import numpy as np

    from benchmarks.bake import picture_of
    from maquette.appearance import ProjectedPhotos, Uniform, VertexColors
    from maquette.bake import bake as bake_textures

    mesh, size, device = mesh_of(options), 128 if options.tiny else 1024, options.device
    painted = mesh.replace(vertex_colors=np.clip(mesh.vertices + 0.5, 0, 1))
    name, all_of = f"bake {size}^2, {len(mesh.faces)} faces", "all of bake, result on the host"
    triplane = triplane_of(options)
    for look, appearance in (
        ("triplane", triplane),
        ("one colour", Uniform()),
        ("vertex colours", VertexColors(painted)),
    ):
        target = None if look == "vertex colours" else 15.0
        ms, peak = timed(lambda a=appearance: bake_textures(mesh, a, size=size, device=device), device)
        say(f"{name}: {look}", all_of, ms, peak_mb=peak, target_ms=target)
    bake_stages(mesh, triplane, size, device)
    twice, large = halved(mesh), 256 if options.tiny else 4096
    ms, peak = timed(lambda: bake_textures(twice, triplane, size=large, device=device), device, seconds=1.0)
    say(f"bake {large}^2, {len(twice.faces)} faces: triplane", all_of, ms, peak_mb=peak, note="under 1024 MB?")
    view = picture_of(mesh, 64 if options.tiny else 1024)
    photos = ProjectedPhotos(mesh, [view], device=device)
    ms, peak = timed(lambda: bake_textures(mesh, photos, views=[view], size=size, device=device), device)
    say(f"{name}: one photo", "all of bake, maps of the photo included", ms, peak_mb=peak)


def bake_stages(mesh: Any, appearance: Any, size: int, device: str) -> None:
    """What the milliseconds of ``bake`` are spent on, one stage after the other."""
    import torch

    from maquette.bake._canvas import Canvas
    from maquette.bake._gutter import fill_gutter
    from maquette.bake._strips import strips
    from maquette.bake._texels import _density, _Layers, _looked_up
    from maquette.geometry.normals import points_and_normals
    from maquette.geometry.raster import rasterize_uv
    from maquette.progress import silent

    uvs, faces = torch.tensor(mesh.uvs, device=device), torch.tensor(mesh.faces, device=device).long()
    surface, canvas = points_and_normals(mesh, device), Canvas.blank(size, device)
    parts = list(strips(mesh, surface, size, device))
    colors = [_looked_up(_Layers(None, appearance), found, silent()) for *_, found in parts]

    def paint() -> None:
        for (rows, inside, _), values in zip(parts, colors, strict=True):
            canvas.paint(rows, inside, values)

    stages: dict[str, Callable[[], Any]] = {
        "normals": lambda: points_and_normals(mesh, device),
        "raster, conservative": lambda: rasterize_uv(uvs, faces, size, conservative=True),
        "raster and places of the texels": lambda: list(strips(mesh, surface, size, device)),
        "colours asked": lambda: [_looked_up(_Layers(None, appearance), found, silent()) for *_, found in parts],
        "paint": paint,
        "gutters": lambda: fill_gutter(canvas.color, canvas.used),
        "copy to the host": lambda: canvas.color.clamp_(0, 1).cpu().numpy(),
        "texel density": lambda: _density(mesh, device),
    }
    for stage, work in stages.items():
        ms, peak = timed(work, device, seconds=0.7)
        more = {"note": appearance.points_by(device)} if stage == "colours asked" else {}
        say(f"bake {size}^2, stage: {stage}", "", ms, peak_mb=peak, **more)


def triplane_of(options: argparse.Namespace) -> Any:
    """TripoSR's look at its published sizes, with random codes and weights."""
    import torch

    from maquette.reconstruct._triposr.appearance import TriplaneAppearance
    from maquette.reconstruct._triposr.config import Config
    from maquette.reconstruct._triposr.network import Decoder

    torch.manual_seed(0)
    config = Config()
    side = 2 * config.plane_size
    codes, decoder = torch.randn(3, config.plane_channels, side, side), Decoder(config)
    if options.device.startswith("cuda"):
        decoder = decoder.to(options.device, torch.float16)
    return TriplaneAppearance(codes, decoder.eval(), config, torch.eye(3))


def halved(mesh: Any) -> Any:
    """Every face cut in two, at the middle of its first edge: twice the faces in the same atlas."""
    import numpy as np

    from maquette.data import Mesh

    a, b, c = mesh.faces.T
    middle = len(mesh.vertices) + np.arange(len(a))
    vertices, uvs = (np.concatenate([given, (given[a] + given[b]) / 2]) for given in (mesh.vertices, mesh.uvs))
    return Mesh(vertices, np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)]), uvs=uvs)


def unwrap(options: argparse.Namespace) -> None:
    """Unwrap and bake; the unwrapping is done on the CPU."""
    from benchmarks.bake import unwrap_once
    from maquette.appearance import Uniform
    from maquette.bake import bake as bake_textures

    mesh = mesh_of(options).replace(uvs=None)

    def work() -> Any:
        flat = unwrap_once(mesh, "fast").mesh
        return bake_textures(flat, Uniform(), size=128 if options.tiny else 1024, device=options.device)

    ms, peak = timed(work, options.device)
    say(f"unwrap and bake, {len(mesh.faces)} faces", "all", ms, peak_mb=peak, target_ms=1000.0)


def nano(options: argparse.Namespace) -> None:
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


def model(options: argparse.Namespace) -> None:
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


WORKS = {work.__name__: work for work in (build, cubes, blocks, raster, visibility, bake, nano, model, unwrap)}


def main() -> None:
    """Measure what is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=WORKS)
    parser.add_argument("more", nargs="*")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--scratch", type=Path, default=ROOT / "out" / "gpu" / "scratch")
    options = parser.parse_args()
    WORKS[options.name](options)


if __name__ == "__main__":
    main()
