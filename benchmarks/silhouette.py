"""The weights-free reconstruction on the example pictures, against their procedural ground truth.

Each subject twice where it can be: "known" with the camera that took it (volume IoU in that world), "prepared" as users
come: cut out, centred, the camera assumed. Targets at resolution 128: silhouette IoU >= 0.97 for one view, mean >= 0.96
for four; PSNR of the photos on the mesh, seen from the input, >= 25 dB.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import measure, table

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
RESOLUTION = 128
LATTICE = 64


def subjects() -> list[tuple[str, list[Path]]]:
    """Every picture with alpha and every set of ``examples/``: a name and its files."""
    singles = [(path.stem, [path]) for path in sorted(EXAMPLES.glob("*.png"))]
    sets = sorted(path.parent for path in EXAMPLES.glob("*/front.png"))
    order = ("front", "right", "back", "left")
    return singles + [(s.name, [s / f"{n}.png" for n in order if (s / f"{n}.png").exists()]) for s in sets]


def views_of(name: str, paths: list[Path], known: bool) -> list[Any]:
    """The pictures as views: with the cameras that took them, or prepared and without."""
    from examples.scenes import cameras
    from maquette.data import View
    from maquette.image import prepare, prepare_views, read_picture

    pictures = [read_picture(path) for path in paths]
    names = [path.stem if len(paths) > 1 else "front" for path in paths]
    masks = [p.alpha for p in pictures if p.alpha is not None]
    if known:
        shots = cameras(name, pictures[0].rgb.shape[0])
        taken = [shots[n] for n in names] if len(paths) > 1 else list(shots.values())
        return [View(p.rgb, m, c, n) for p, m, c, n in zip(pictures, masks, taken, names, strict=True)]
    if len(paths) == 1:
        return [prepare(pictures[0], masks[0])]
    return list(prepare_views(pictures, masks, names))


def run(name: str, paths: list[Path], known: bool, options: dict[str, Any]) -> dict[str, Any]:
    """Reconstruct once after a warm-up; figures of the second run."""
    from maquette.reconstruct import Settings, reconstruct

    views = views_of(name, paths, known)
    reconstruct(views[:1], "silhouette", Settings(resolution=32))  # imports
    began, cpu = time.perf_counter(), time.process_time()
    made = reconstruct(views, "silhouette", Settings(resolution=RESOLUTION, options=options))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    looks = [fidelity(made, view) for view in made.views]
    return {
        "seconds": seconds,
        "cpu": cpu,
        "iou": float(np.mean([iou for iou, _ in looks])),
        "psnr": float(np.mean([psnr for _, psnr in looks])),
        "volume": volume_iou(name, made) if known else None,
        "faces": len(made.mesh.faces),
        "notes": len(made.notes),
    }


def fidelity(made: Any, view: Any) -> tuple[float, float]:
    """Silhouette IoU, and PSNR inside the mask of the appearance on the mesh, both from the view's camera."""
    import torch

    from maquette.geometry.camera import pixel_rays
    from maquette.geometry.normals import vertex_normals
    from maquette.geometry.raster import interpolate, render_fragments

    fragments = render_fragments(made.mesh, view.camera)
    drawn, asked = fragments.face.numpy() >= 0, view.mask >= 0.5
    iou = float((drawn & asked).sum() / (drawn | asked).sum())
    inside = drawn & (view.mask > 0.99)
    eye, rays = pixel_rays(view.camera)
    points = eye + rays * fragments.depth.numpy()[..., None]
    normals = torch.as_tensor(vertex_normals(made.mesh))
    normal = interpolate(fragments, torch.as_tensor(made.mesh.faces.copy()), normals)[torch.as_tensor(inside)]
    color = made.appearance.sample(torch.as_tensor(points[inside]).float(), normal.float()).base_color.numpy()
    error = float(np.mean((color - view.rgb[inside]) ** 2))
    return iou, 10 * float(np.log10(1 / max(error, 1e-10)))


def volume_iou(name: str, made: Any) -> float:
    """Intersection over union with the scene's solid on a LATTICE^3 grid around both, in the cameras' world."""
    from examples.scenes import sdf
    from maquette.geometry.winding import winding_numbers

    mesh = made.mesh.replace(vertices=made.mesh.vertices / made.figures["scale"] + np.array(made.figures["center"]))
    low, high = np.minimum(mesh.bounds[0], -0.52), np.maximum(mesh.bounds[1], 0.52)
    axes = [np.linspace(a, b, LATTICE, dtype=np.float32) for a, b in zip(low, high, strict=True)]
    points = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1)
    truth, found = sdf(name)(points) < 0, winding_numbers(mesh, points) > 0.5
    return float((truth & found).sum() / (truth | found).sum())


def main() -> None:
    """Print the table."""
    rows = []
    for name, paths in subjects():
        for known in (True, False):
            got = measure(run, name, paths, known, {})
            v = got.value
            label = "known" if known else "prepared"
            rows.append(
                [
                    name,
                    len(paths),
                    label,
                    v["iou"],
                    v["psnr"],
                    v["volume"],
                    v["faces"],
                    v["seconds"],
                    v["cpu"],
                    got.peak_mb,
                ]
            )
    header = ["subject", "views", "camera", "IoU", "PSNR dB", "volume IoU", "faces", "s", "cpu s", "peak MB"]
    print(table(f"Silhouette backend at resolution {RESOLUTION}", header, rows))


if __name__ == "__main__":
    main()
