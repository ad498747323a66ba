"""The built-in model against ``silhouette`` on unseen procedural scenes, held-out families, analytic solids.

``python -m benchmarks.nano [--each 4] [--views 4] [--meshes FOLDER]``. One 3/4 picture a subject, or 2, 4 or 6 around
it with known cameras (``_nano_subjects``). Metrics as in facts/baselines: truth scaled to bounding radius 1; Chamfer =
mean of the two directed mean distances between samples; F@.05; volume IoU on a lattice; silhouette IoU from the input
cameras and from four other sides. The result is aligned by a symmetric similarity ICP from the known camera (no search
over rotations: both methods know where the camera was). Scenes need a C++ compiler (g++) for the renderer of
``training/``. ``--meshes``: a folder of OFF, OBJ, PLY or STL files, drawn in grey, for real objects; nothing of it was
or may be trained on.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from benchmarks._nano_subjects import RING, Subject, real, scenes
from benchmarks.measure import table
from maquette.data import Mesh, View

LATTICE, SAMPLES = 56, 10_000
COLUMNS = ("chamfer", "f@.05", "volume IoU", "input view IoU", "other views IoU", "seconds")
SIDES = {False: [(a, 10.0) for a in (0, 90, 180, 270)], True: [(a, 35.0) for a in (45, 135, 225, 315)]}
"""Whether several views are given -> azimuths and elevations of the other sides, where no given view looks from."""


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


def covered(vertices: np.ndarray, faces: np.ndarray, azimuth: float, elevation: float) -> np.ndarray:
    """[96, 96] bool: silhouette from a turntable camera."""
    from maquette.geometry.camera import orbit_camera
    from maquette.geometry.raster import render_fragments

    camera = orbit_camera(azimuth, elevation, 96, 40, 3.2)
    return np.asarray(render_fragments(Mesh(vertices, faces), camera).covered)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean arrays."""
    return float((a & b).sum() / max((a | b).sum(), 1))


def scores(subject: Subject, backend: str, resolution: int = 128) -> tuple[float, ...]:
    """The row of COLUMNS for one subject."""
    from scipy.spatial import cKDTree

    from maquette.reconstruct import Settings, reconstruct

    began = time.perf_counter()
    made = reconstruct(subject.views, backend, Settings(resolution))
    seconds = time.perf_counter() - began
    drawn = [drawn_iou(made.mesh, there, given) for there, given in zip(made.views, subject.views, strict=True)]
    here, there = aligned(made.mesh, subject.truth)
    a, b = sampled(here, made.mesh.faces, SAMPLES, 2), sampled(there, subject.truth.faces, SAMPLES, 3)
    to, back = cKDTree(b).query(a)[0], cKDTree(a).query(b)[0]
    p, r = (to < 0.05).mean(), (back < 0.05).mean()
    sides = [
        iou(covered(here, made.mesh.faces, *side), covered(there, subject.truth.faces, *side))
        for side in SIDES[len(subject.views) > 1]
    ]
    return (
        float(to.mean() + back.mean()) / 2,
        float(2 * p * r / max(p + r, 1e-9)),
        iou(occupied(here, made.mesh.faces), occupied(there, subject.truth.faces)),
        float(np.mean(drawn)),
        float(np.mean(sides)),
        seconds,
    )


def drawn_iou(mesh: Mesh, there: View, given: View) -> float:
    """Silhouette IoU of the mesh seen by the camera of ``there`` with the mask of ``given``."""
    from maquette.geometry.camera import resized
    from maquette.geometry.raster import render_fragments

    assert there.camera is not None
    side = given.mask.shape[0]
    return iou(np.asarray(render_fragments(mesh, resized(there.camera, side, side)).covered), given.mask > 0.5)


def main(arguments: list[str] | None = None) -> None:
    """Print one row a group and method, then the means over all groups of a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=2, help="scenes a family")
    parser.add_argument("--views", type=int, default=1, choices=[1, *RING], help="pictures of each subject")
    parser.add_argument("--resolution", type=int, default=128, help="cells along the longer side")
    parser.add_argument("--meshes", type=Path, default=None)
    chosen = parser.parse_args(arguments or [])
    rows: dict[tuple[str, str], list[tuple[float, ...]]] = {}
    subjects = real(chosen.meshes, chosen.views) if chosen.meshes else scenes(chosen.each, chosen.views)
    for subject in subjects:
        for backend in ("silhouette", "nano"):
            row = scores(subject, backend, chosen.resolution)
            rows.setdefault((subject.group, backend), []).append(row)
            print(f"{subject.name:24s} {backend:10s} " + " ".join(f"{x:.3f}" for x in row), flush=True)
            kind = "HELD OUT" if "held out" in subject.group else subject.group.upper() if chosen.meshes else "UNSEEN"
            if subject.group != "analytic":
                rows.setdefault((kind, backend), []).append(row)
    body = [[group, backend, *np.mean(found, axis=0)] for (group, backend), found in rows.items()]
    given = "one 3/4 picture" if chosen.views == 1 else f"{chosen.views} views around with known cameras"
    print(table(f"nano against silhouette, {given}", ("group", "method", *COLUMNS), body))


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
