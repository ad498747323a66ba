"""The built-in model against ``silhouette`` on unseen procedural scenes, held-out families, analytic solids.

``python -m benchmarks.nano [--each 4] [--meshes FOLDER]``. One 3/4 picture a subject. Metrics as in
facts/baselines: truth scaled to bounding radius 1; Chamfer = mean of the two directed mean distances between samples;
F@.05; volume IoU on a lattice; silhouette IoU from the input camera and from four other sides. The result is aligned
by a symmetric similarity ICP from the known camera (no search over rotations: both methods know where the camera was).
Scenes need a C++ compiler (g++) for the renderer of ``training/``. ``--meshes``: a folder of OFF, OBJ, PLY or STL
files, drawn in grey, for real objects; nothing of it was or may be trained on.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import table
from maquette.data import Camera, Mesh, View

SEED = 3_000_000_000
SIDE, LATTICE, SAMPLES = 448, 56, 10_000
COLUMNS = ("chamfer", "f@.05", "volume IoU", "input view IoU", "other views IoU", "seconds")


@dataclass(frozen=True)
class Subject:
    """A picture and the truth behind it, in one world. group: row of the table."""

    name: str
    group: str
    view: View
    truth: Mesh


def analytic() -> list[Any]:
    """Classic solids as scenes of one or two primitives."""
    from random import Random

    from training.scenes import layout as at
    from training.scenes.builder import Builder, Style

    made = []
    for name, parts in {
        "ball": [(at.ELLIPSOID, (0, 0, 0), (0.5, 0.5, 0.5))],
        "cube": [(at.BOX, (0, 0, 0), (0.4, 0.4, 0.4))],
        "slab": [(at.BOX, (0, 0, 0), (0.6, 0.1, 0.4))],
        "cylinder": [(at.CONE, (0, 0, 0), (0.3, 0.3, 0.5, 0))],
        "cone": [(at.CONE, (0, 0, 0), (0.4, 0.01, 0.5, 0))],
        "torus": [(at.TORUS, (0, 0, 0), (0.45, 0.15))],
        "table": [(at.BOX, (0, 0.3, 0), (0.5, 0.03, 0.35)), (at.BOX, (0.45, 0, 0.3), (0.03, 0.3, 0.03))],
        "wire cube": [(at.FRAME, (0, 0, 0), (0.4, 0.4, 0.4, 0.02))],
    }.items():
        b = Builder(Random(1), style=Style((0.6, 0.5, 0.4)))
        for kind, place, dims in parts:
            b.add(kind, place, dims, mirror=3 if place[0] else 0)
        made.append((name, b.scene("analytic")))
    return made


def scenes(each: int) -> Iterator[Subject]:
    """``each`` scenes of every family (seeds that training never used), the held-out ones, the analytic solids."""
    from training.scenes.families import FAMILIES, HELD_OUT, make_scene

    for family in [*FAMILIES, *HELD_OUT]:
        group = f"held out: {family}" if family in HELD_OUT else family
        for i in range(each):
            yield scene_subject(f"{family} {i}", group, make_scene(SEED + i, family), i)
    for i, (name, scene) in enumerate(analytic()):
        yield scene_subject(name, "analytic", scene, i)


def scene_subject(name: str, group: str, scene: Any, turn: int) -> Subject:
    """Render a scene from a 3/4 view and extract its true surface."""
    import torch

    from maquette.geometry.extract import marching_cubes
    from training.scenes import layout as at
    from training.scenes.looks import frame
    from training.scenes.native import Renderer

    renderer = Renderer("cpu")
    head, prims = torch.from_numpy(scene.head)[None], torch.from_numpy(scene.prims)[None].contiguous()
    look = three_quarter([35.0, -30.0, 55.0, -50.0][turn % 4], [15.0, 25.0, 5.0, 20.0][turn % 4])[None]
    look, _ = frame(look, renderer.bounds(head, prims, look, 192), 192)
    rgba = renderer.picture(head, prims, look.contiguous(), SIDE * 2)[0].view(SIDE, 2, SIDE, 2, 4).mean((1, 3))
    alpha = rgba[..., 3:]
    rgb = (rgba[..., :3] / alpha.clamp(min=1e-3)).clamp(0, 1) ** (1 / 2.2)
    view = View(rgb.numpy(), alpha[..., 0].numpy(), camera_of(look[0]), "front")
    n = 160
    line = torch.linspace(-1.02, 1.02, n)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3).contiguous()
    distance, _ = renderer.field(head[0], prims[0], look[0].contiguous(), grid)
    assert int(look[0, at.CLAY]) == 0
    vertices, faces = marching_cubes(-distance.view(n, n, n), lower=[-1.02] * 3, upper=[1.02] * 3)
    return Subject(name, group, view, Mesh(vertices.numpy(), faces.numpy()))


def three_quarter(azimuth: float, elevation: float, field_of_view: float = 40.0) -> Any:
    """[LOOK] a camera around the unit ball with a plain key light and shadow."""
    import torch

    from maquette.geometry.camera import orbit_camera
    from training.scenes import layout as at

    pose = torch.from_numpy(orbit_camera(azimuth, elevation, 8, field_of_view, 3.1).cam_to_world.astype(np.float32))
    look = torch.zeros(at.LOOK)
    look[at.ORIGIN], look[at.RIGHT], look[at.UP], look[at.FORWARD] = pose[:3, 3], pose[:3, 0], pose[:3, 1], -pose[:3, 2]
    look[at.HALF_WIDTH] = np.tan(np.radians(field_of_view / 2))
    light = pose[:3, 2] + 0.6 * pose[:3, 1] + 0.5 * pose[:3, 0]
    look[at.LIGHT], look[at.LIGHT_COLOR], look[at.SKY] = light / light.norm(), 0.8, 0.5
    look[at.GROUND], look[at.SHADOW], look[at.SPECULAR] = 0.3, 0.6, 0.4
    look[at.STRETCH], look[at.STRETCH_STEP] = 1.0, 1.0
    return look


def camera_of(look: Any) -> Camera:
    """The look as a Camera for a picture of SIDE pixels."""
    from training.scenes import layout as at

    pose = np.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2] = look[at.RIGHT], look[at.UP], -look[at.FORWARD]
    pose[:3, 3] = look[at.ORIGIN]
    focal = SIDE / 2 / float(look[at.HALF_WIDTH])
    return Camera(np.array([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]]), pose, SIDE, SIDE)


def real(folder: Path) -> Iterator[Subject]:
    """Every mesh of ``folder``, drawn in grey from a 3/4 view and framed as ``prepare`` frames."""
    import trimesh

    from maquette.geometry.camera import orbit_camera
    from maquette.preview import render

    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".off", ".obj", ".ply", ".stl"))
    for turn, path in enumerate(paths):
        loaded = trimesh.load(path, force="mesh")
        points = np.asarray(loaded.vertices, np.float64)
        low, high = points.min(0), points.max(0)
        mesh = Mesh((points - (low + high) / 2) / (high - low).max(), loaded.faces)
        camera = orbit_camera([35.0, -30.0, 55.0, -50.0][turn % 4], [15.0, 25.0, 5.0, 20.0][turn % 4], SIDE)
        _, alpha = render(mesh, camera, SIDE)
        rows, columns = np.nonzero(alpha > 0.5)
        zoom = 0.85 * SIDE / (max(np.ptp(rows), np.ptp(columns)) + 1)
        k = camera.intrinsics.copy()
        middle = (np.array([columns.min() + columns.max(), rows.min() + rows.max()]) + 1) / 2
        k[:2, 2] = (k[:2, 2] - middle) * zoom + SIDE / 2
        k[0, 0], k[1, 1] = k[0, 0] * zoom, k[1, 1] * zoom
        camera = Camera(k, camera.cam_to_world, SIDE, SIDE)
        rgb, alpha = render(mesh, camera, SIDE)
        yield Subject(path.stem, "real", View(rgb, alpha, camera, "front"), mesh)


def aligned(mesh: Mesh, truth: Mesh) -> tuple[np.ndarray, np.ndarray]:
    """Vertices of both in the truth's frame of bounding radius 1, after a symmetric similarity ICP."""
    from scipy.spatial import cKDTree

    centre = (truth.vertices.max(0) + truth.vertices.min(0)) / 2
    radius = np.linalg.norm(truth.vertices - centre, axis=1).max()
    there = (truth.vertices.astype(np.float64) - centre) / radius
    here = mesh.vertices.astype(np.float64)
    a, b = sampled(here, mesh.faces, 3000, 0), sampled(there, truth.faces, 3000, 1)
    size = np.sqrt(b.var(0).sum() / a.var(0).sum())
    here, a = (here - a.mean(0)) * size + b.mean(0), (a - a.mean(0)) * size + b.mean(0)
    tree, scale, turn, shift = cKDTree(b), 1.0, np.eye(3), np.zeros(3)
    for _ in range(25):
        moved = scale * a @ turn.T + shift
        x = np.concatenate([a, a[cKDTree(moved).query(b)[1]]])
        y = np.concatenate([b[tree.query(moved)[1]], b])
        mx, my = x.mean(0), y.mean(0)
        u, d, vt = np.linalg.svd((y - my).T @ (x - mx) / len(x))
        sign = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
        turn = u @ sign @ vt
        scale = float(np.trace(np.diag(d) @ sign) / ((x - mx) ** 2).sum(1).mean())
        shift = my - scale * turn @ mx
    return scale * here @ turn.T + shift, there


def sampled(vertices: np.ndarray, faces: np.ndarray, count: int, seed: int) -> np.ndarray:
    """[count, 3] area-weighted points."""
    rng = np.random.default_rng(seed)
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    pick = rng.choice(len(faces), count, p=area / area.sum())
    u, v = np.sqrt(rng.random((count, 1))), rng.random((count, 1))
    return np.asarray(a[pick] * (1 - u) + b[pick] * u * (1 - v) + c[pick] * u * v)


def occupied(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """[LATTICE ** 3] bool inside tests on the lattice over [-1.05, 1.05]."""
    import torch

    from maquette.geometry.winding import LatticeSolid, is_closed

    step = 2.1 / (LATTICE - 1)
    corners = torch.from_numpy(vertices[faces].astype(np.float32))
    solid = LatticeSolid(corners, [-1.05] * 3, step, (LATTICE,) * 3, is_closed(faces))
    line = torch.arange(LATTICE)
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3)
    return (solid.winding(points) > 0.5).numpy()


def covered(vertices: np.ndarray, faces: np.ndarray, azimuth: float) -> np.ndarray:
    """[96, 96] bool: silhouette from a turntable camera."""
    from maquette.geometry.camera import orbit_camera
    from maquette.geometry.raster import render_fragments

    camera = orbit_camera(azimuth, 10, 96, 40, 3.2)
    return np.asarray(render_fragments(Mesh(vertices, faces), camera).covered)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean arrays."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def scores(subject: Subject, backend: str) -> tuple[float, ...]:
    """The row of COLUMNS for one subject."""
    from scipy.spatial import cKDTree

    from maquette.geometry.camera import resized
    from maquette.geometry.raster import render_fragments
    from maquette.reconstruct import Settings, reconstruct

    began = time.perf_counter()
    made = reconstruct([subject.view], backend, Settings())
    seconds = time.perf_counter() - began
    camera = made.views[0].camera
    assert camera is not None
    drawn = np.asarray(render_fragments(made.mesh, resized(camera, SIDE, SIDE)).covered)
    here, there = aligned(made.mesh, subject.truth)
    a, b = sampled(here, made.mesh.faces, SAMPLES, 2), sampled(there, subject.truth.faces, SAMPLES, 3)
    to, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    p, r = (to < 0.05).mean(), (back < 0.05).mean()
    sides = [iou(covered(here, made.mesh.faces, z), covered(there, subject.truth.faces, z)) for z in (0, 90, 180, 270)]
    return (
        float(to.mean() + back.mean()) / 2,
        float(2 * p * r / max(p + r, 1e-9)),
        iou(occupied(here, made.mesh.faces), occupied(there, subject.truth.faces)),
        iou(drawn, subject.view.mask > 0.5),
        float(np.mean(sides)),
        seconds,
    )


def main(arguments: list[str] | None = None) -> None:
    """Print one row a group and method, then the means over all groups of a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=2, help="scenes a family")
    parser.add_argument("--meshes", type=Path, default=None)
    chosen = parser.parse_args(arguments or [])
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    subjects = real(chosen.meshes) if chosen.meshes else scenes(chosen.each)
    for subject in subjects:
        for backend in ("silhouette", "nano"):
            row = scores(subject, backend)
            rows.setdefault((subject.group, backend), []).append(row)
            print(f"{subject.name:24s} {backend:10s} " + " ".join(f"{x:.3f}" for x in row), flush=True)
            kind = "HELD OUT" if "held out" in subject.group else subject.group.upper() if chosen.meshes else "UNSEEN"
            if subject.group != "analytic":
                rows.setdefault((kind, backend), []).append(row)
    body = [[group, backend, *np.mean(found, axis=0)] for (group, backend), found in rows.items()]
    print(table("nano against silhouette, one 3/4 picture", ("group", "method", *COLUMNS), body))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
