"""The kernel families beside their twins and the named alternatives, in one run: python -m benchmarks.kernels

Every figure is the best of several runs that take turns, because machines are shared; read the ratios. embreex (rays)
is used where somebody installed it; nothing of it is imported by the pack.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.bake import bumpy_object, unwrap_once
from benchmarks.mesh import reconstruction
from maquette.mesh.surface import Rows, Surface
from maquette.native import extension
from maquette.progress import silent

Runs = dict[str, Callable[[], Any]]


def alternating(runs: Runs, repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    """Best seconds of each, taking turns so that a busy moment hits all."""
    best = dict.fromkeys(runs, float("inf"))
    for _ in range(repeats):
        for name, run in runs.items():
            began = clock()
            run()
            best[name] = min(best[name], clock() - began)
    return best


def with_twin(family: str, work: Callable[[], Any]) -> Runs:
    """The same call with the kernel (where it is compiled) and with the twin."""
    module = extension(family)
    compiled = bool(module.NATIVE)

    def run(native: bool) -> Any:
        module.NATIVE = native
        try:
            return work()
        finally:
            module.NATIVE = compiled

    runs: Runs = {"native": lambda: run(True)} if compiled else {}
    return runs | {"twin": lambda: run(False)}


def wavy_ball(side: int = 256) -> Any:
    """[side, side, side] a wavy ball, larger = inside."""
    axis = torch.linspace(-0.5, 0.5, side)
    x, y, z = torch.meshgrid(axis, axis, axis, indexing="ij")
    return 0.35 - (x * x + y * y + z * z).sqrt() + 0.03 * torch.sin(20 * x) * torch.sin(20 * y)


def busy_blocks(values: Any, n: int = 8) -> tuple[Any, Any]:
    """The blocks [B, n, n, n] of a volume that hold a corner of a cell with both sides, and their places [B, 3]."""
    grid = [side // n for side in values.shape]
    blocks = values.view(grid[0], n, grid[1], n, grid[2], n).permute(0, 2, 4, 1, 3, 5).contiguous()
    pooled = torch.nn.functional.max_pool3d
    inside = (values > 0).float()[None, None]
    crossed = pooled(inside, 2, 1) > -pooled(-inside, 2, 1)
    corners = pooled(torch.nn.functional.pad(crossed.float(), (1,) * 6), 2, 1)
    busy = pooled(corners, n)[0, 0] > 0
    return blocks[busy].contiguous(), torch.nonzero(busy)


def sparse_cubes() -> Runs:
    """Marching cubes of the same ball from the blocks of 8^3 samples near its surface; scikit-image has all samples."""
    from skimage.measure import marching_cubes

    values, family = wavy_ball(), extension("marching_cubes")
    blocks, place = busy_blocks(values)
    host = values.numpy()
    return with_twin("marching_cubes", lambda: family.marching_cubes_blocks(blocks, place, shape=values.shape)) | {
        "scikit-image": lambda: marching_cubes(host, 0.0)
    }


def cubes() -> Runs:
    """Marching cubes of a wavy ball, 256^3."""
    from skimage.measure import marching_cubes

    values = wavy_ball()
    host = values.numpy()
    family = extension("marching_cubes")
    return with_twin("marching_cubes", lambda: family.marching_cubes(values)) | {
        "scikit-image": lambda: marching_cubes(host, 0.0)
    }


def raster(size: int, faces: int) -> Runs:
    """The atlas of an unwrapped object."""
    from maquette.geometry.raster import rasterize_uv

    mesh = unwrap_once(bumpy_object(faces), "fast").mesh
    uvs, corners = torch.tensor(mesh.uvs), torch.tensor(mesh.faces)
    return with_twin("uv_raster", lambda: rasterize_uv(uvs, corners, size))


def double_wall(faces: int) -> tuple[Any, Any]:
    """Points and faces of a bumpy object inside a slightly larger copy of itself."""
    from maquette.mesh import clean

    outer = clean(reconstruction(faces // 2)).mesh
    points = np.concatenate([outer.vertices, outer.vertices * np.float32(0.94)]).astype(np.float64)
    return points, np.concatenate([outer.faces, outer.faces[:, ::-1] + len(outer.vertices)]).astype(np.int64)


def topology(points: Any, faces: Any) -> dict[str, Callable[[], Runs]]:
    """The rows of the family: what the mesh stage asks of it, on one mesh."""
    family = extension("topology")
    ends, count, _, _, order, start = family.edges(faces)
    first = start[:-1][count == 2]
    links = np.stack([order[first], order[first + 1]], axis=1)
    parts, labels = family.groups(links // 3, len(faces))
    flat_below = 1e-6 * float(np.ptp(points, axis=0).max())
    pieces: dict[str, Callable[[], Any]] = {
        "edges": lambda: family.edges(faces),
        "parts and fans": lambda: (family.groups(links // 3, len(faces)), family.fans(faces, links)),
        "volumes and flat faces": lambda: (
            family.measures(points, faces, labels, parts),
            family.flat(points, faces, flat_below),
        ),
        "equal points": lambda: family.equal(points.astype(np.float32)),
    }
    rows = {name: lambda call=call: with_twin("topology", call) for name, call in pieces.items()}
    if importlib.util.find_spec("trimesh"):
        from trimesh import grouping
        from trimesh.geometry import faces_to_edges

        apart = lambda: grouping.unique_rows(np.sort(faces_to_edges(faces), axis=1))  # noqa: E731
        rows["edges"] = lambda: with_twin("topology", pieces["edges"]) | {"trimesh": apart}
    return {f"{name} of {len(faces)} faces, {len(ends)} edges": runs for name, runs in rows.items()}


class Embree:
    """embreex behind the face of ``mesh.rays.Tracer``."""

    def __init__(self, points: Any, faces: Any) -> None:
        from embreex import rtcore_scene
        from embreex.mesh_construction import TriangleMesh

        self._scene = rtcore_scene.EmbreeScene()
        self._kept = TriangleMesh(self._scene, points.astype(np.float32), faces.astype(np.int32))

    def escapes(self, origins: Any, ways: Any, _progress: Any) -> Any:
        """[N] as ``Tracer.escapes``."""
        return self._scene.run(origins.astype(np.float32), ways.astype(np.float32)) < 0


def rays(points: Any, faces: Any, count: int) -> Runs:
    """Tree and ``count`` rays from the surface, both walls."""
    from maquette.mesh.rays import Tracer, sphere_ways

    chosen = np.linspace(0, len(faces) - 1, count // 48).astype(np.int64)
    corner = points[faces[chosen]]
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    ways = np.tile(sphere_ways(48), (len(chosen), 1))
    normal, middle = np.repeat(normal, 48, axis=0), np.repeat(corner.mean(axis=1), 48, axis=0)
    origins = middle + normal * np.sign((ways * normal).sum(axis=1))[:, None] * 1e-4
    runs = with_twin("visibility", lambda: Tracer(points, faces).escapes(origins, ways, silent()))
    if importlib.util.find_spec("embreex"):
        runs["embreex"] = lambda: Embree(points, faces).escapes(origins, ways, silent())
    return runs


def walls(points: Any, faces: Any) -> Runs:
    """Inner walls found and removed (``mesh.hidden``, without the rest of the cleaning)."""
    from maquette.mesh import hidden

    def work(tracer: Any = hidden.Tracer) -> Any:
        kept, hidden.Tracer = hidden.Tracer, tracer
        try:
            return hidden.without_hidden(Surface(points, faces, faces, Rows(len(points))), silent())
        finally:
            hidden.Tracer = kept

    runs = with_twin("visibility", work)
    if importlib.util.find_spec("embreex"):
        runs["embreex"] = lambda: work(Embree)
    return runs


def occlusion(size: int, faces: int) -> Runs:
    """Ambient occlusion of an unwrapped object."""
    from maquette.bake import bake_detail

    mesh = unwrap_once(bumpy_object(faces), "fast").mesh
    return with_twin("uv_raster", lambda: bake_detail(mesh, size=size, occlusion=True))


def unwrapped(faces: int) -> Runs:
    """UVs of an object, whose charts the family packs."""
    mesh = bumpy_object(faces)
    return with_twin("packing", lambda: unwrap_once(mesh, "fast"))


def patches(faces: int, holes: int) -> Runs:
    """The holes of a mesh (``benchmarks.mesh.damaged``) filled, which is mostly the family's work where it is small."""
    from benchmarks.mesh import damaged
    from maquette.mesh.holes import fill_holes
    from maquette.mesh.parts import usable
    from maquette.mesh.splitting import split

    surface = split(usable(damaged(reconstruction(faces), 0, holes))[0])[0]
    return with_twin("patches", lambda: fill_holes(surface, silent()))


def main() -> None:
    """Print the table; ``--json`` also writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=200_000, help="of the double wall")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--only", default="", help="comma-separated parts of the names")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--busy", action="store_true", help="one thread, CPU time: for a machine that others use too")
    options, _ = parser.parse_known_args()
    clock = time.process_time if options.busy else time.perf_counter
    torch.set_num_threads(1 if options.busy else torch.get_num_threads())
    points, faces = double_wall(options.faces)
    works: dict[str, Callable[[], Runs]] = {
        "marching cubes 256^3": cubes,
        "marching cubes, sparse blocks of 256^3": sparse_cubes,
        "uv raster 2048^2, 50k faces": lambda: raster(2048, 50_000),
        f"tree + 200k rays, {len(faces)} faces": lambda: rays(points, faces, 200_000),
        f"inner walls of {len(faces)} faces": lambda: walls(points, faces),
        "ambient occlusion 1024^2, 50k faces": lambda: occlusion(1024, 50_000),
        "unwrap of 50k faces": lambda: unwrapped(50_000),
        "200 holes of 50k faces filled": lambda: patches(50_000, 200),
    } | topology(points, faces)
    found = {}
    for name, prepare in works.items():
        if not any(part.strip() in name for part in options.only.split(",")):
            continue
        found[name] = times = alternating(prepare(), options.repeats, clock)
        base = times["twin"]
        said = ", ".join(f"{key} {1000 * s:.1f} ms ({base / s:.2f}x the twin)" for key, s in times.items())
        print(f"{name}: {said}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
