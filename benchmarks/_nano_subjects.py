"""What ``benchmarks.nano`` looks at: unseen procedural scenes, held-out families, analytic solids, real meshes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from maquette.data import Camera, Mesh, View

SEED = 3_000_000_000
SIDE = 448
"""Pixels of a picture."""
RING = {
    2: ("front", "back"),
    4: ("front", "right", "back", "left"),
    6: tuple(f"{a} degrees" for a in range(0, 360, 60)),
}
"""Number of views -> their names; they go round from the front towards the right, evenly."""
RAISED = (5.0, 10.0, 0.0, 15.0, 8.0, 3.0)
"""Elevations of views on a ring, degrees."""
FARTHER = 1.6
"""Times the usual distance of a camera, from where every solid in a cube of side 1 lies wholly in the picture."""


@dataclass(frozen=True)
class Subject:
    """Pictures and the truth behind them, in one world. group: row of the table."""

    name: str
    group: str
    views: tuple[View, ...]
    truth: Mesh


def around(turn: int, count: int) -> list[tuple[str, float, float]]:
    """Name, azimuth and elevation of each of ``count`` views of subject number ``turn``; a single one is a 3/4 view."""
    if count == 1:
        return [("front", [35.0, -30.0, 55.0, -50.0][turn % 4], [15.0, 25.0, 5.0, 20.0][turn % 4])]
    return [(name, 360 * i / count, RAISED[(turn + i) % len(RAISED)]) for i, name in enumerate(RING[count])]


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


def scenes(each: int, count: int = 1) -> Iterator[Subject]:
    """``each`` scenes of every family (seeds that training never used), the held-out ones, the analytic solids, each
    with ``count`` views."""
    from training.scenes.families import FAMILIES, HELD_OUT, make_scene

    for family in [*FAMILIES, *HELD_OUT]:
        group = f"held out: {family}" if family in HELD_OUT else family
        for i in range(each):
            yield scene_subject(f"{family} {i}", group, make_scene(SEED + i, family), around(i, count))
    for i, (name, scene) in enumerate(analytic()):
        yield scene_subject(name, "analytic", scene, around(i, count))


def scene_subject(name: str, group: str, scene: Any, shots: Sequence[tuple[str, float, float]]) -> Subject:
    """Render a scene from ``shots`` (``around``) and extract its true surface."""
    import torch

    from maquette.geometry.extract import marching_cubes
    from training.scenes import layout as at
    from training.scenes.native import Renderer

    renderer = Renderer("cpu")
    head, prims = torch.from_numpy(scene.head)[None], torch.from_numpy(scene.prims)[None].contiguous()
    views = tuple(picture(renderer, head, prims, *shot) for shot in shots)
    look = camera_look(0, 0)
    assert int(look[at.CLAY]) == 0
    n = 160
    line = torch.linspace(-1.02, 1.02, n)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1).view(-1, 3).contiguous()
    distance, _ = renderer.field(head[0], prims[0], look, grid)
    vertices, faces = marching_cubes(-distance.view(n, n, n), lower=[-1.02] * 3, upper=[1.02] * 3)
    return Subject(name, group, views, Mesh(vertices.numpy(), faces.numpy()))


def picture(renderer: Any, head: Any, prims: Any, name: str, azimuth: float, elevation: float) -> View:
    """The scene from there, framed as ``prepare`` frames."""
    from training.scenes.looks import frame

    look = camera_look(azimuth, elevation)[None]
    look, _ = frame(look, renderer.bounds(head, prims, look, 192), 192)
    rgba = renderer.picture(head, prims, look.contiguous(), SIDE * 2)[0].view(SIDE, 2, SIDE, 2, 4).mean((1, 3))
    alpha = rgba[..., 3:]
    rgb = (rgba[..., :3] / alpha.clamp(min=1e-3)).clamp(0, 1) ** (1 / 2.2)
    return View(rgb.numpy(), alpha[..., 0].numpy(), camera_of(look[0]), name)


def camera_look(azimuth: float, elevation: float, field_of_view: float = 40.0) -> Any:
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


def real(folder: Path, count: int = 1) -> Iterator[Subject]:
    """Every mesh of ``folder``, drawn in grey from ``count`` sides; a flat one only from one."""
    import trimesh

    from maquette.geometry.camera import orbit_distance

    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".off", ".obj", ".ply", ".stl"))
    for turn, path in enumerate(paths):
        loaded = trimesh.load(path, force="mesh")
        points = np.asarray(loaded.vertices, np.float64)
        low, high = points.min(0), points.max(0)
        if count > 1 and np.ptp(points, axis=0).min() == 0:
            print(f"{path.stem} was left out: it is flat, and from the side there is nothing to see")
            continue
        mesh = Mesh((points - (low + high) / 2) / (high - low).max(), loaded.faces)
        away = orbit_distance() * (FARTHER if count > 1 else 1)
        yield Subject(path.stem, "real", tuple(drawn(mesh, away, *shot) for shot in around(turn, count)), mesh)


def drawn(mesh: Mesh, away: float, name: str, azimuth: float, elevation: float) -> View:
    """The mesh seen from there, ``away`` from its middle, framed as ``prepare`` frames."""
    from maquette.geometry.camera import orbit_camera
    from maquette.preview import render

    camera = orbit_camera(azimuth, elevation, SIDE, distance=away)
    _, alpha = render(mesh, camera, SIDE)
    rows, columns = np.nonzero(alpha > 0.5)
    zoom = 0.85 * SIDE / (max(np.ptp(rows), np.ptp(columns)) + 1)
    k = camera.intrinsics.copy()
    middle = (np.array([columns.min() + columns.max(), rows.min() + rows.max()]) + 1) / 2
    k[:2, 2] = (k[:2, 2] - middle) * zoom + SIDE / 2
    k[0, 0], k[1, 1] = k[0, 0] * zoom, k[1, 1] * zoom
    camera = Camera(k, camera.cam_to_world, SIDE, SIDE)
    return View(*render(mesh, camera, SIDE), camera, name)
