"""Unwrap, rasterise and bake: seconds, peak memory and quality, beside the usual way of doing each in the same run.

Object: a ball, a ring and a post with bumps, 50,000 faces after simplification, like a raw reconstruction. Beside it:
xatlas (the layout every pack uses) and a plain loop over the triangles (the raster of most bake scripts). PSNR is that
of the baked mesh, drawn from the picture's camera, against the picture inside the mask. Seconds are wall time after one
warm-up (xatlas: none, its child starts afresh every time); on a shared machine set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.measure import measure, table
from maquette.data import Mesh, View

FACES = 50_000


def bumpy_object(faces: int = FACES) -> Mesh:
    """The test object, certified and simplified to ``faces``."""
    import torch
    from scipy.ndimage import gaussian_filter

    from maquette.geometry.extract import marching_cubes
    from maquette.mesh import clean, simplify

    side = 200
    x, y, z = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32)] * 3, indexing="ij")
    ball = np.sqrt(x * x + y * y + z * z) - 0.5
    ring = np.sqrt((np.sqrt(x * x + z * z) - 0.62) ** 2 + (y + 0.1) ** 2) - 0.14
    post = np.maximum(np.sqrt(x * x + z * z) - 0.12, np.abs(y - 0.4) - 0.5)
    noise = gaussian_filter(np.random.default_rng(0).normal(0, 1, x.shape).astype(np.float32), 1.5)
    field = np.minimum(np.minimum(ball, ring), post) + 0.05 * noise
    vertices, triangles = marching_cubes(torch.tensor(-field), 0.0)
    return simplify(clean(Mesh(vertices.numpy() * 0.5, triangles.numpy())).mesh, faces)


def unwrap_once(mesh: Mesh, method: str) -> Any:
    """One layout."""
    from maquette.bake import unwrap_with_map

    return unwrap_with_map(mesh, size=1024, method=method, timeout=900)


def quality(done: Any) -> dict[str, Any]:
    """Charts, utilisation, texels covered twice and stretch of a layout."""
    import torch

    from maquette.bake._fast.charts import Surface
    from maquette.bake._fast.checks import stretch
    from maquette.bake._fast.flatten import Seamed
    from maquette.geometry.raster import count_uv

    assert done.mesh.uvs is not None
    fine = count_uv(torch.tensor(done.mesh.uvs), torch.tensor(done.mesh.faces), 4096)
    flat = (done.mesh.uvs[:, 0] + 1j * done.mesh.uvs[:, 1]).astype(np.complex128)
    faces = done.mesh.faces.astype(np.int64)
    turned = ((flat[faces[:, 1]] - flat[faces[:, 0]]).conj() * (flat[faces[:, 2]] - flat[faces[:, 0]])).imag < 0
    faces = np.where(turned[:, None], faces[:, [0, 2, 1]], faces)  # xatlas mirrors some charts
    surface = Surface.of(done.mesh.vertices, faces)
    whole = Seamed(faces, np.arange(len(flat)), np.zeros(len(flat), np.int64))
    return {
        "charts": done.charts,
        "utilisation": done.utilisation,
        "overlap": int((fine > 1).sum()),
        "stretch": float(stretch(surface, flat, whole)[0]),
    }


def rasterize_ours(mesh: Mesh, size: int) -> int:
    """Covered texels, our rasteriser."""
    import torch

    from maquette.geometry.raster import rasterize_uv

    return int(rasterize_uv(torch.tensor(mesh.uvs), torch.tensor(mesh.faces), size).covered.sum())


def rasterize_loop(mesh: Mesh, size: int) -> int:
    """Covered texels, one triangle after the other in numpy, as most bake scripts do it."""
    face = np.full((size, size), -1, np.int64)
    assert mesh.uvs is not None
    corners = mesh.uvs[mesh.faces].astype(np.float64) * size - 0.5
    for index, (a, b, c) in enumerate(corners):
        low = np.maximum(np.ceil(np.minimum(np.minimum(a, b), c)).astype(int), 0)
        high = np.minimum(np.floor(np.maximum(np.maximum(a, b), c)).astype(int), size - 1)
        if (high < low).any():
            continue
        x, y = np.meshgrid(np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1))
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        one = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area
        two = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area
        inside = (one >= 0) & (two >= 0) & (one + two <= 1)
        face[y[inside], x[inside]] = index
    return int((face >= 0).sum())


def picture_of(mesh: Mesh, size: int = 1024) -> View:
    """A picture of the object painted with fine stripes and a gradient, on green."""
    import torch

    from maquette.geometry.camera import orbit_camera
    from maquette.geometry.raster import interpolate, render_fragments

    camera = orbit_camera(0, 0, size)
    fragments = render_fragments(mesh, camera)
    points = interpolate(fragments, torch.tensor(mesh.faces), torch.tensor(mesh.vertices)).numpy()
    stripes = 0.5 + 0.5 * np.sin(120 * points[..., 0] + 60 * points[..., 1])
    rgb = np.stack([0.2 + 0.6 * stripes, 0.5 + points[..., 1], 0.5 + points[..., 0]], axis=2).clip(0, 1)
    mask = fragments.covered.numpy().astype(np.float32)
    return View((rgb * mask[..., None] + [0, 1, 0] * (1 - mask[..., None])).astype(np.float32), mask, camera)


def bake_once(mesh: Mesh, view: View, size: int) -> dict[str, Any]:
    """Coverage and PSNR of one bake of an unwrapped mesh."""
    from maquette.appearance import ProjectedPhotos
    from maquette.bake import bake
    from maquette.preview import render

    done = bake(mesh, ProjectedPhotos(mesh, [view]), views=[view], size=size)
    rgb, alpha = render(done.mesh, view.camera, shading=False) if view.camera else (view.rgb, view.mask)
    inside = (alpha > 0.99) & (view.mask > 0.99)
    error = float(((rgb - view.rgb)[inside] ** 2).mean())
    return {"psnr": -10 * np.log10(max(error, 1e-10)), **done.coverage}


def main() -> None:
    """Print the three tables."""
    mesh = bumpy_object()
    found = {
        "fast": measure(unwrap_once, mesh, "fast", repeats=3, warmup=1),
        "xatlas": measure(unwrap_once, mesh, "xatlas"),
    }
    slow = found["xatlas"].seconds
    rows = []
    for method, one in found.items():
        rows.append((method, one.seconds, slow / one.seconds, one.peak_mb, *quality(one.value).values()))
    header = (
        "method",
        "s",
        "x xatlas",
        "peak MB",
        "charts",
        "utilisation",
        "overlap 4096",
        "L2 stretch",
    )
    print(table("Unwrap, 50k faces for a 1024 atlas", header, rows))

    flat = found["fast"].value.mesh
    rows = []
    for size in (1024, 2048):
        ours, loop = (
            measure(rasterize_ours, flat, size, warmup=1, repeats=3),
            measure(rasterize_loop, flat, size, repeats=3),
        )
        rows.append((size, ours.seconds, loop.seconds, loop.seconds / ours.seconds, ours.peak_mb, ours.value))
    print(table("UV raster, 50k faces", ("size", "s", "loop s", "x loop", "peak MB", "texels"), rows))

    view = picture_of(flat)
    rows = []
    for size in (512, 1024, 2048, 4096):
        one = measure(bake_once, flat, view, size, warmup=int(size < 4096))
        rows.append((size, one.seconds, one.peak_mb, one.value["psnr"], one.value["photos"], one.value["utilisation"]))
    print(table("Bake with one photo, 50k faces", ("size", "s", "peak MB", "PSNR dB", "photos", "utilisation"), rows))


if __name__ == "__main__":
    main()
