"""The whole river on the example pictures: seconds, peak memory, and how well the asset matches its picture.

Silhouette IoU and PSNR are taken from the input camera against the prepared picture; the targets of the foundation are
IoU >= 0.97, PSNR >= 25 dB, under 20 s and under 1.5 GB at resolution 128, 20,000 faces, texture 1024.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import measure, table

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def run(paths: list[Path], views: tuple[str, ...], backend: str) -> dict[str, Any]:
    """One asset, with its figures."""
    from maquette.image import read_picture
    from maquette.pipeline import GenerateSettings, generate

    settings = GenerateSettings(device="cpu", views=views, backend=backend)
    asset = generate([read_picture(path) for path in paths], settings)
    ious, psnrs = zip(*(fidelity(asset.mesh, view) for view in asset.views), strict=True)
    return {
        "iou": float(np.mean(ious)),
        "psnr": float(np.mean(psnrs)),
        "certified": asset.report.certified,
        "faces": asset.report.faces,
        "photos": asset.figures["coverage"].get("photos", 0.0),
        "seconds": asset.figures["seconds"],
    }


def fidelity(mesh: Any, view: Any) -> tuple[float, float]:
    """Silhouette IoU and PSNR inside the mask, seen from the view's own camera, unshaded."""
    from maquette.preview import render

    rgb, alpha = render(mesh, view.camera, view.camera.width, shading=False)
    want, got = view.mask > 0.5, np.asarray(alpha) > 0.5
    iou = float((want & got).sum() / max((want | got).sum(), 1))
    inside = (view.mask > 0.99) & got
    error = float(np.mean((np.asarray(rgb)[inside] - view.rgb[inside]) ** 2))
    return iou, float(10 * np.log10(1 / max(error, 1e-10)))


def subjects() -> list[tuple[str, list[Path], tuple[str, ...]]]:
    """Every single picture and every multi-view set of ``examples/``."""
    out: list[tuple[str, list[Path], tuple[str, ...]]] = []
    for path in sorted(EXAMPLES.glob("*.png")):
        out.append((path.stem, [path], ()))
    for folder in sorted(p.parent for p in EXAMPLES.glob("*/front.png")):
        names = tuple(n for n in ("front", "right", "back", "left") if (folder / f"{n}.png").exists())
        out.append((folder.name, [folder / f"{n}.png" for n in names], names))
    return out


def main() -> None:
    """Print the table; ``--backend NAME`` after ``--`` picks the method."""
    backend = sys.argv[sys.argv.index("--backend") + 1] if "--backend" in sys.argv else "silhouette"
    rows = []
    for name, paths, views in subjects():
        got = measure(run, paths, views, backend)
        v = got.value
        slowest = max(v["seconds"], key=v["seconds"].get)
        rows.append(
            [
                name,
                len(paths),
                got.seconds,
                got.peak_mb,
                v["iou"],
                v["psnr"],
                v["photos"],
                v["faces"],
                v["certified"],
                f"{slowest} {v['seconds'][slowest]:.1f}",
            ]
        )
    header = ["subject", "views", "s", "peak MB", "IoU", "PSNR dB", "photo share", "faces", "certified", "slowest"]
    print(table(f"River, backend {backend}: resolution 128, 20k faces, texture 1024, CPU", header, rows))


if __name__ == "__main__":
    main()
