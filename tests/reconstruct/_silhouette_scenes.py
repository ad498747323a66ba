"""Masks and known solids for the silhouette tests: drawn shapes, and soft masks of signed distances seen by cameras."""

from __future__ import annotations

import numpy as np
import trimesh

from maquette.data import Camera, Mesh, View
from maquette.errors import Cancelled
from maquette.geometry.camera import orbit_camera, pixel_rays
from maquette.geometry.raster import render_depth
from maquette.progress import Progress

SIZE = 128


def grid(size=SIZE):
    """x to the right and y up, 0 in the middle, 1 = half the frame; each [size, size]."""
    line = (np.arange(size) + 0.5) / size * 2 - 1
    return np.meshgrid(line, -line)


def soft(distance, size=SIZE):
    """Signed distance (positive inside, frame half-sizes) -> anti-aliased mask."""
    return np.clip(0.5 + distance * size / 2, 0, 1).astype(np.float32)


def disc(radius=0.8, x0=0.0, y0=0.0, size=SIZE):
    x, y = grid(size)
    return soft(radius - np.hypot(x - x0, y - y0), size)


def annulus(outer=0.8, inner=0.4, size=SIZE):
    x, y = grid(size)
    r = np.hypot(x, y)
    return soft(np.minimum(outer - r, r - inner), size)


def bar(half_width, half_height=0.8, size=SIZE):
    x, y = grid(size)
    return soft(np.minimum(half_width - abs(x), half_height - abs(y)), size)


def view(mask, name="front", camera=None):
    mask = np.asarray(mask, np.float32)
    rgb = np.stack([mask * 0.2 + 0.5, np.full_like(mask, 0.4), np.full_like(mask, 0.3)], axis=-1)
    return View(rgb.clip(0, 1), mask, camera, name)


def ball_sdf(radius, center=(0.0, 0.0, 0.0)):
    return lambda p: np.linalg.norm(p - np.asarray(center), axis=-1) - radius


def box_sdf(half):
    def sdf(p):
        q = np.abs(p) - np.asarray(half)
        return np.linalg.norm(np.maximum(q, 0), axis=-1) + np.minimum(q.max(axis=-1), 0)

    return sdf


def photographed(sdf, camera: Camera, name: str, known=True) -> View:
    """A view of the solid with signed distance ``sdf``: soft mask by sphere tracing (least distance along each ray)."""
    eye, rays = pixel_rays(camera)
    rays = rays.reshape(-1, 3).astype(np.float64)
    length = np.linalg.norm(rays, axis=1)
    along, best = np.full(len(rays), 0.4), np.full(len(rays), np.inf)
    for _ in range(40):
        distance = sdf(eye + rays / length[:, None] * along[:, None])
        best = np.minimum(best, distance / along * length)
        along = np.minimum(along + np.maximum(distance, 2e-3), 4.0)
    mask = np.clip(0.5 - best * camera.intrinsics[0, 0], 0, 1).reshape(camera.height, camera.width)
    return view(mask, name, camera if known else None)


def around(sdf, azimuths, size=SIZE, elevation=0.0):
    return [photographed(sdf, orbit_camera(a, elevation, size), f"{a:g}") for a in azimuths]


def silhouette_iou(mesh: Mesh, seen: View) -> float:
    """Intersection over union of the mesh's and the view's silhouette."""
    drawn = np.isfinite(render_depth(mesh, seen.camera).numpy())
    asked = seen.mask >= 0.5
    return float((drawn & asked).sum() / (drawn | asked).sum())


def solid_of(mesh: Mesh) -> trimesh.Trimesh:
    """The mesh for trimesh, after asserting what every solid must be."""
    out = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert out.is_watertight and out.is_winding_consistent and out.volume > 0
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    return out


def cancelled_after(checks: int) -> Progress:
    """A progress whose user cancels at the ``checks``-th question."""
    asked = []

    def check() -> None:
        asked.append(None)
        if len(asked) >= checks:
            raise Cancelled("stopped by the test")

    return Progress(check=check)
