"""What the mesh stage costs, beside the libraries, in one run: python -m benchmarks.mesh [--faces 400000]

Every row names its alternative and prints a ratio, because machines differ and are shared. Two alternatives run in a
Python of their own (``_mesh_others``): ``--meshlab PYTHON`` (with pymeshlab, GPL, and trimesh) and ``--comfyui FOLDER
--comfyui-python PYTHON`` (core 0.33 or newer); their rows are left out without. The pack imports none of it. Where
others use the machine too, set OMP_NUM_THREADS=1 for both sides: torch's threads wait for one another, and core's nodes
then take several times as long as they need.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maquette.data import Mesh
from maquette.mesh import certify, clean, simplify
from maquette.mesh.distances import surface_samples


def with_faces(faces: int, volume: Callable[[int], Any]) -> Mesh:
    """Marching cubes of ``volume(side)``, [side, side, side] with the inside above 0, at the side that gives about
    ``faces`` faces; what noise adds grows with the side, so it is found by trying."""
    from skimage.measure import marching_cubes

    side, tried = round((faces / 5) ** 0.5), set[int]()
    while True:
        tried.add(side)
        vertices, found, _, _ = marching_cubes(volume(side), 0.0)
        better = round(side * (faces / len(found)) ** 0.5)
        if better in tried:
            return Mesh((vertices / side - 0.5).astype(np.float32), found[:, ::-1].astype(np.int32))
        side = better


def bumpy_ball(side: int) -> tuple[Any, Any, Any, Any]:
    """[side, side, side] each: a bumpy ball with a ring round it, its inside above 0, and the coordinates x, y, z."""
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = 0.6 - np.sqrt(x * x + y * y + z * z) + 0.05 * np.sin(9 * x) * np.sin(8 * y) * np.sin(7 * z)
    return np.maximum(field, 0.12 - np.sqrt((np.sqrt(x * x + y * y) - 0.65) ** 2 + z * z)), x, y, z


def reconstruction(faces: int, seed: int = 0) -> Mesh:
    """Marching cubes of a bumpy, noisy ball with a ring round it: about ``faces`` faces, nearly all in one part."""

    def volume(side: int) -> Any:
        noise = np.random.default_rng(seed).normal(size=(side,) * 3).astype(np.float32)
        return bumpy_ball(side)[0] + noise * 0.002

    return with_faces(faces, volume)


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


@dataclass(frozen=True)
class Others:
    """Where the alternatives live; None = not here."""

    meshlab: str | None
    comfyui: Path | None
    comfyui_python: str | None
    slow: bool = False
    """Also what takes minutes."""

    def run(self, job: str, mesh: Mesh) -> tuple[float, Mesh] | None:
        """Seconds and result of a job of ``_mesh_others``; None when its Python is not given."""
        core = job.startswith("core_")
        python = self.comfyui_python if core else self.meshlab
        if python is None or (core and self.comfyui is None):
            return None
        with tempfile.TemporaryDirectory() as folder:
            given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
            np.savez(given, vertices=mesh.vertices, faces=mesh.faces)
            script = Path(__file__).resolve().with_name("_mesh_others.py")
            environment = {**os.environ, **({"PYTHONPATH": str(self.comfyui)} if core else {})}
            done = subprocess.run(
                [python, str(script), str(given), str(out), job],
                capture_output=True, text=True, check=True, env=environment, cwd=self.comfyui if core else None,
            )  # fmt: skip
            seconds = json.loads(done.stdout.splitlines()[-1])[job]
            with np.load(out) as data:
                return seconds, Mesh(data["vertices"], data["faces"], uvs=data.get("uvs"))


def state(mesh: Mesh) -> str:
    """What certify says of an alternative's result, in a few words."""
    found = certify(mesh, sampled_faces=0)
    return (
        f"{found.faces} faces, {found.components} parts, {found.boundary_edges} open edges, certified {found.certified}"
    )


def against(work: str, ours: float, remark: str, other: str, found: tuple[float, Mesh] | None) -> None:
    """A row against an alternative, when it is here."""
    if found is not None:
        row(work, ours, other, found[0], f"{remark}; theirs: {state(found[1])}")


def bench_simplify(mesh: Mesh, repeats: int, others: Others) -> None:
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
    work = f"simplify {len(mesh.faces)} -> 50000"
    against(work, ours, remark, "core: DecimateMesh", others.run("core_decimate", mesh) if others.slow else None)
    for target in (10_000, 1000):
        ours, made = timed(lambda target=target: simplify(mesh, target), 1)
        row(f"simplify {len(mesh.faces)} -> {target}", ours, "-", None, f"{len(made.faces)} faces")


def bench_clean(mesh: Mesh, repeats: int, others: Others) -> None:
    broken = damaged(mesh, 60, 200)
    ours, result = timed(lambda: clean(broken), repeats)
    report = certify(result.mesh)
    remark = f"certified {report.certified}; {result.figures['floaters']} floaters, {result.figures['holes']} holes"
    work = f"clean {len(broken.faces)}, 60 floaters, 200 holes"
    row(work, ours, "trimesh.split + fill_holes (closes few)", _split_and_fill(broken), remark)
    against(work, ours, remark, "trimesh.split + pymeshlab", others.run("meshlab", broken))
    core = others.run("core_fill", broken)
    against(work, ours, remark, "core: WeldVertices + FillHoles", core)
    ours, made = timed(lambda: _weld_and_fill(broken), repeats)
    work = f"weld and fill {len(broken.faces)}, 200 holes"
    row(work, ours, "-", None, f"no floaters dropped, nothing measured; ours: {state(made)}")
    against(work, ours, f"ours: {state(made)}", "core: WeldVertices + FillHoles", core)
    both, _ = timed(lambda: simplify(clean(mesh).mesh, 50_000), repeats)
    row(f"clean + simplify {len(mesh.faces)} -> 50000", both, "target 4 s", 4.0, "")


def _weld_and_fill(mesh: Mesh) -> Mesh:
    """What core's two nodes are for, and no more: rims welded, holes filled, and the cuts that filling needs."""
    from maquette.mesh.holes import fill_holes
    from maquette.mesh.parts import usable, welded_rims, without_collapsed
    from maquette.mesh.splitting import split
    from maquette.mesh.surface import to_mesh
    from maquette.progress import silent

    whole, _ = without_collapsed(welded_rims(usable(mesh)[0])[0])
    return to_mesh(fill_holes(split(whole)[0], silent()).surface, mesh)


def _split_and_fill(mesh: Mesh) -> float:
    """trimesh.split for the floaters, trimesh's holes: triangles and quads only."""
    import trimesh

    began = time.perf_counter()
    loaded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    largest = max(loaded.split(only_watertight=False), key=lambda part: len(part.faces))
    trimesh.repair.fill_holes(largest)
    return time.perf_counter() - began


def bench_certify(mesh: Mesh, repeats: int, _others: Others) -> None:
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


def bench_walls(mesh: Mesh, repeats: int, others: Others) -> None:
    """A double wall: the same surface again, a little smaller and turned round; and one that no patch can join."""
    half = clean(reconstruction(len(mesh.faces) // 2)).mesh
    inner = half.vertices * np.float32(0.94)
    double = Mesh(
        np.concatenate([half.vertices, inner]), np.concatenate([half.faces, half.faces[:, ::-1] + len(half.vertices)])
    )
    ours, result = timed(lambda: clean(double, remove_inner=True), repeats)
    row(f"inner walls of {len(double.faces)}", ours, "target 5 s", 5.0, f"{result.figures['inner_faces']} faces went")
    pieces = damaged(in_pieces(clean(joined_walls(len(mesh.faces))).mesh), 0, 60)
    for name, given in (("double wall", double), ("joined walls, torn, in pieces", pieces)):
        ours, result = timed(lambda given=given: clean(given, repair="solid"), repeats)
        remark = f"{solidity(given, result.mesh)}, extracted {result.figures.get('solid', False)}"
        work, found = f"solid of {len(given.faces)}, {name}", others.run("core_remesh", given)
        theirs = "" if found is None else f"; theirs: {solidity(given, found[1])}"
        row(work, ours, "core: RemeshMesh (sdf, manifold)", None if found is None else found[0], remark + theirs)


def joined_walls(faces: int, openings: int = 12, seed: int = 0) -> Mesh:
    """The reconstruction with two walls, joined round ``openings``: about ``faces`` faces, one closed surface."""

    def volume(side: int) -> Any:
        field, x, y, z = bumpy_ball(side)
        field = np.minimum(field, 0.05 - field)
        for way in np.random.default_rng(seed).normal(size=(openings, 3)):
            a, b, c = way / np.linalg.norm(way)
            along = x * a + y * b + z * c
            across = np.sqrt(np.maximum(x * x + y * y + z * z - along * along, 0))
            field = np.minimum(field, np.where(along > 0, across - 0.05, 1))
        return field.astype(np.float32)

    return with_faces(faces, volume)


def in_pieces(mesh: Mesh, blocks: int = 8, crack: float = 0.05) -> Mesh:
    """Cut along a grid of blocks; the rim of every piece is drawn a little into it, so that nothing can be welded."""
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    block = np.floor((middle + 0.5) * blocks).astype(np.int64) @ np.array([blocks**2, blocks, 1])
    owner = block.repeat(3) * len(mesh.vertices) + mesh.faces.reshape(-1)
    pair, index = np.unique(owner, return_inverse=True)
    index, vertex = index.reshape(-1), pair % len(mesh.vertices)
    own = np.stack([np.bincount(index, middle[:, k].repeat(3)) for k in range(3)], axis=1) / np.bincount(index)[:, None]
    rim = np.bincount(vertex)[vertex] > 1
    points = mesh.vertices[vertex].astype(np.float64)
    points[rim] += crack * (own - points)[rim]
    return Mesh(points.astype(np.float32), index.reshape(-1, 3).astype(np.int32))


def solidity(given: Mesh, made: Mesh) -> str:
    """What certify says of a solid, and how far it lies from what it was made of, in cells of 1/256 of its size."""
    from maquette.mesh.distances import distances
    from maquette.mesh.parts import usable

    found = certify(made, sampled_faces=0)
    cell = float((given.bounds[1] - given.bounds[0]).max()) / 256
    far = distances(usable(given)[0], usable(made)[0], 20_000)["distance_p99"] / cell
    return (
        f"{found.faces} faces, {found.components} parts, {found.boundary_edges} open edges, Euler {found.euler},"
        f" certified {found.certified}, p99 {far:.2f} cells"
    )


def bench_unwrap(mesh: Mesh, _repeats: int, others: Others) -> None:
    """50,000 faces for a 1024 atlas."""
    from benchmarks.bake import quality
    from maquette.bake import Unwrapped, unwrap_with_map

    low = simplify(mesh, 50_000)
    ours, done = timed(lambda: unwrap_with_map(low, size=1024), 2)
    mine = _layout(quality(done))
    theirs, other = timed(lambda: unwrap_with_map(low, size=1024, method="xatlas", timeout=900), 1)
    row(f"unwrap {len(low.faces)}", ours, "xatlas", theirs, f"{mine}; theirs: {_layout(quality(other))}")
    found = others.run("core_pec", low)
    if found is not None:
        cut = found[1]
        assert cut.uvs is not None
        labels = charts_of(cut)
        uv = cut.uvs[cut.faces].astype(np.float64)
        one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
        area = float(np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum()) / 2
        made = Unwrapped(cut, np.arange(len(cut.vertices)), labels, area, 0.0)
        row(
            f"unwrap {len(low.faces)}",
            ours,
            "core: UnwrapMesh (pec)",
            found[0],
            f"{mine}; theirs: {_layout(quality(made))}",
        )


def charts_of(mesh: Mesh) -> int:
    """Groups of faces that share vertices."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    one, two = mesh.faces[:, :2].T
    pairs = np.concatenate([np.stack([one, two]), mesh.faces[:, 1:].T], axis=1)
    graph = coo_matrix((np.ones(pairs.shape[1]), pairs), shape=(len(mesh.vertices),) * 2)
    labels = connected_components(graph, directed=False)[1]
    return len(np.unique(labels[mesh.faces[:, 0]]))


def _layout(found: dict[str, Any]) -> str:
    return (
        f"{found['charts']} charts, {found['utilisation']:.2f} used, stretch {found['stretch']:.3f},"
        f" {found['overlap']} texels twice"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=400_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--meshlab", help="a Python with pymeshlab and trimesh")
    parser.add_argument("--comfyui", type=Path, help="folder of ComfyUI 0.33 or newer")
    parser.add_argument("--comfyui-python", help="the Python that runs it")
    parser.add_argument("--slow", action="store_true", help="core's DecimateMesh too")
    parser.add_argument("--only", choices=("certify", "clean", "simplify", "walls", "unwrap"), help="one group of rows")
    options, _ = parser.parse_known_args()
    others = Others(options.meshlab, options.comfyui, options.comfyui_python, options.slow)
    mesh = clean(reconstruction(options.faces)).mesh
    print(f"one reconstruction-like mesh, {len(mesh.faces)} faces; best of {options.repeats}")
    print(f"| {'work':<44} | {'ours':>9} | {'alternative':<38} | {'theirs':>9} | {'ratio':>6} | remark")
    benches = (bench_certify, bench_clean, bench_simplify, bench_walls, bench_unwrap)
    for bench in benches:
        if options.only is None or bench.__name__ == f"bench_{options.only}":
            bench(mesh, options.repeats, others)


if __name__ == "__main__":
    main()
