"""The rows of ``benchmarks.gpu``, each run as ``python -m benchmarks._gpu_rows NAME [...]``: the kernels are here."""

from __future__ import annotations

import argparse
import subprocess
import sys
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ._gpu_bake import bake, unwrap
from ._gpu_measure import ROOT, both, mesh_of, say, timed
from ._gpu_models import model, nano

FAMILIES = ("marching_cubes", "uv_raster", "visibility", "packing", "patches", "topology")


def build(options: Namespace) -> None:
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
    why_not, cuda = extension("build").why_not, options.device.startswith("cuda")
    wanted = {
        name: "C++ and CUDA" if cuda and (ROOT / "extensions" / name / "csrc" / "cuda.cu").exists() else "C++"
        for name in FAMILIES
    }
    good = {name: not why_not(name) and f": {wanted[name]}, " in words for name, words in said.items()}
    for name, words in said.items():
        say(f"build {name}", "built" if good[name] else "failed", note=words[:300])
    if not all(good.values()):
        sys.exit(1)


def cubes(options: Namespace) -> None:
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


def blocks(options: Namespace) -> None:
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


def raster(options: Namespace) -> None:
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


def visibility(options: Namespace) -> None:
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
