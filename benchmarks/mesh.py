"""What the mesh stage costs, beside the libraries, in one run: python -m benchmarks.mesh [--faces 400000] [--quick]

Every row names its alternative and prints a ratio, because machines differ and are shared. pymeshlab (GPL) is used only
when somebody installed it; nothing here is imported by the pack.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from maquette.data import Mesh
from maquette.mesh import certify, clean, simplify
from maquette.mesh.distances import surface_samples


def reconstruction(faces: int, seed: int = 0) -> Mesh:
    """Marching cubes of a bumpy, noisy ball with a ring round it: about ``faces`` faces, one part."""
    from skimage.measure import marching_cubes

    size = int(np.sqrt(faces / 6.4))
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = 0.6 - np.sqrt(x * x + y * y + z * z) + 0.05 * np.sin(9 * x) * np.sin(8 * y) * np.sin(7 * z)
    field = np.maximum(field, 0.12 - np.sqrt((np.sqrt(x * x + y * y) - 0.65) ** 2 + z * z))
    field += np.random.default_rng(seed).normal(size=field.shape).astype(np.float32) * 0.002
    vertices, found, _, _ = marching_cubes(field, 0.0)
    return Mesh((vertices / size - 0.5).astype(np.float32), found[:, ::-1].astype(np.int32))


def damaged(mesh: Mesh, floaters: int, holes: int, seed: int = 0) -> Mesh:
    """With ``floaters`` small octahedra around it and ``holes`` round holes of about 30 faces in it."""
    from scipy.spatial import cKDTree

    rng = np.random.default_rng(seed)
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    _, near = cKDTree(middle).query(middle[rng.integers(0, len(middle), holes)], k=30)
    keep = np.ones(len(mesh.faces), bool)
    keep[near.ravel()] = False
    points = np.concatenate([np.eye(3), -np.eye(3)]) * 0.004
    octahedron = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2], [1, 0, 5], [3, 1, 5], [4, 3, 5], [0, 4, 5]])
    parts = [points + rng.uniform(-0.5, 0.5, 3) for _ in range(floaters)]
    vertices = np.concatenate([mesh.vertices, *parts])
    faces = [mesh.faces[keep], *(octahedron + len(mesh.vertices) + 6 * k for k in range(floaters))]
    return Mesh(vertices, np.concatenate(faces))


def timed(call: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Best of ``repeats`` seconds, and the result."""
    best, result = np.inf, None
    for _ in range(repeats):
        began = time.perf_counter()
        result = call()
        best = min(best, time.perf_counter() - began)
    return best, result


def row(work: str, ours: float, other: str, theirs: float | None, remark: str) -> None:
    """One line of the table."""
    ratio = "" if theirs is None else f"{theirs / ours:5.1f}x"
    against = "-" if theirs is None else f"{theirs:7.2f} s"
    print(f"| {work:<44} | {ours:7.2f} s | {other:<38} | {against:>9} | {ratio:>6} | {remark}")


def error(before: Mesh, after: Mesh) -> float:
    """Mean distance from the original's surface to the result's."""
    from maquette.geometry.closest import ClosestSurface

    points, _ = surface_samples(before.vertices.astype(np.float64), before.faces.astype(np.int64), 20_000)
    return float(ClosestSurface(after).query(points).distance.mean())


def bench_simplify(mesh: Mesh, repeats: int) -> None:
    import fast_simplification

    points, faces = np.array(mesh.vertices), np.array(mesh.faces)  # it wants arrays it could write to
    ours, made = timed(lambda: simplify(mesh, 50_000), repeats)
    bare, raw = timed(lambda: fast_simplification.simplify(points, faces, target_count=50_000, agg=3), repeats)
    bare_mesh = Mesh(np.asarray(raw[0], np.float32), np.asarray(raw[1], np.int32))
    report, rough = certify(made), certify(bare_mesh)
    remark = (
        f"{report.faces} faces, certified {report.certified}, error {error(mesh, made):.2e}; bare: {rough.faces} faces,"
        f" {rough.non_manifold_edges} bad edges, error {error(mesh, bare_mesh):.2e}"
    )
    row(f"simplify {len(mesh.faces)} -> 50000", ours, "fast-simplification agg=3 (no guarantees)", bare, remark)
    for target in (10_000, 1000):
        ours, made = timed(lambda target=target: simplify(mesh, target), 1)
        row(f"simplify {len(mesh.faces)} -> {target}", ours, "-", None, f"{len(made.faces)} faces")


def bench_clean(mesh: Mesh, repeats: int) -> None:
    broken = damaged(mesh, 60, 200)
    ours, result = timed(lambda: clean(broken), repeats)
    report = certify(result.mesh)
    remark = f"certified {report.certified}; {result.figures['floaters']} floaters, {result.figures['holes']} holes"
    row(f"clean {len(broken.faces)}, 60 floaters, 200 holes", ours, *_split_and_fill(broken), remark)
    both, _ = timed(lambda: simplify(clean(mesh).mesh, 50_000), repeats)
    row(f"clean + simplify {len(mesh.faces)} -> 50000", both, "target 4 s", 4.0, "")


def _split_and_fill(mesh: Mesh) -> tuple[str, float | None]:
    """trimesh.split for the floaters, then pymeshlab (where installed) or trimesh to fill the holes."""
    import trimesh

    began = time.perf_counter()
    loaded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    largest = max(loaded.split(only_watertight=False), key=lambda part: len(part.faces))
    try:
        import pymeshlab
    except ImportError:
        trimesh.repair.fill_holes(largest)
        return "trimesh.split + fill_holes (closes few)", time.perf_counter() - began
    work = pymeshlab.MeshSet()
    work.add_mesh(pymeshlab.Mesh(largest.vertices, largest.faces))
    work.meshing_repair_non_manifold_edges()
    work.meshing_close_holes(maxholesize=100)
    return "trimesh.split + pymeshlab", time.perf_counter() - began


def bench_certify(mesh: Mesh, repeats: int) -> None:
    ours, report = timed(lambda: certify(mesh), repeats)
    row(f"certify {len(mesh.faces)}", ours, "-", None, f"{report.sampled_faces} faces tried for self-intersections")
    ours, _ = timed(lambda: certify(mesh, sampled_faces=0), repeats)
    row(f"certify {len(mesh.faces)}, no self-intersections", ours, *_trimesh_checks(mesh), "")


def _trimesh_checks(mesh: Mesh) -> tuple[str, float]:
    import trimesh

    began = time.perf_counter()
    loaded = trimesh.Trimesh(mesh.vertices, mesh.faces)
    _ = loaded.is_volume, loaded.volume, loaded.euler_number, loaded.body_count
    return "trimesh is_volume, volume, euler, bodies", time.perf_counter() - began


def bench_walls(mesh: Mesh, repeats: int) -> None:
    """A double wall: the same surface again, a little smaller and turned round."""
    inner = mesh.vertices * np.float32(0.94)
    double = Mesh(
        np.concatenate([mesh.vertices, inner]), np.concatenate([mesh.faces, mesh.faces[:, ::-1] + len(mesh.vertices)])
    )
    ours, result = timed(lambda: clean(double, remove_inner=True), repeats)
    row(f"inner walls of {len(double.faces)}", ours, "target 5 s", 5.0, f"{result.figures['inner_faces']} faces went")
    ours, result = timed(lambda: clean(double, repair="solid"), repeats)
    row(f"solid of {len(double.faces)}", ours, "-", None, f"parts {result.figures['parts']}")
    torn = damaged(double, 0, 60)
    ours, result = timed(lambda: clean(torn, repair="solid"), 1)
    report, figures = certify(result.mesh), result.figures
    remark = f"certified {report.certified}, p99 {figures['distance_p99']:.1e}, extracted {figures.get('solid', False)}"
    row(f"solid of {len(torn.faces)}, torn", ours, "-", None, remark)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=400_000)
    parser.add_argument("--repeats", type=int, default=3)
    options, _ = parser.parse_known_args()
    mesh = clean(reconstruction(options.faces)).mesh
    print(f"one reconstruction-like mesh, {len(mesh.faces)} faces; best of {options.repeats}")
    print(f"| {'work':<44} | {'ours':>9} | {'alternative':<38} | {'theirs':>9} | {'ratio':>6} | remark")
    for bench in (bench_certify, bench_clean, bench_simplify, bench_walls):
        bench(mesh, options.repeats)


if __name__ == "__main__":
    main()
