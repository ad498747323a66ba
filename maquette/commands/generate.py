"""``maquette generate``: pictures -> textured, certified asset."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._meshes import WRITABLE
from ._terminal import (
    checked_ending,
    checked_folder,
    directions,
    numbers,
    print_json,
    progress_bar,
    say,
    within,
    write_text,
)

if TYPE_CHECKING:
    from ..pipeline import Asset, GenerateSettings


PICTURES = (".png", ".jpg", ".jpeg", ".webp")


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("generate", help="pictures of one object -> a textured, certified 3D asset")
    p.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="one picture, or several views of one object")
    p.add_argument("-o", "--output", type=Path, required=True, help=".glb, .obj, .ply, .stl or .3mf")
    direction = p.add_mutually_exclusive_group()
    direction.add_argument(
        "--views",
        help="a direction per picture: front,right,back,left,top,bottom (default: as the files are called, e.g."
        " robot_back.png, else front, right, back, left)",
    )
    direction.add_argument("--azimuths", help="degrees per picture, 0 = front, 90 = from the viewer's right")
    p.add_argument("--segment", default="auto", metavar="NAME", help="auto, alpha, grabcut, ... (maquette backends)")
    p.add_argument("--backend", default="auto", metavar="NAME", help="reconstruction method (maquette backends)")
    p.add_argument("--resolution", type=int, default=128, help="cells along the longest side, 32 to 1024 (default 128)")
    p.add_argument("--faces", type=int, default=20_000, help="face budget, 0 = keep all (default 20000)")
    p.add_argument("--texture", type=int, default=1024, help="texels a side, 0 = vertex colours (default 1024)")
    p.add_argument("--fov", type=float, default=40.0, help="vertical field of view in degrees (default 40)")
    p.add_argument("--preview", type=Path, help="write a turntable sheet (.png)")
    p.add_argument("--report", type=Path, help="write the report (.json)")
    p.add_argument("--gate", default="", metavar="EXPR", help="refuse the mesh unless this holds, e.g. 'watertight'")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--vram-budget", type=int, metavar="MB", help="keep GPU memory under this")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--json", action="store_true", help="print the report as JSON; no progress bar")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do it: nothing is written before everything has worked."""
    settings = settings_from(options)
    checked_ending(options.output, WRITABLE)
    if options.preview is not None:
        checked_ending(options.preview, PICTURES)
    for path in (options.output, options.preview, options.report):
        if path is not None:
            checked_folder(path)
    from ..image import read_picture
    from ..pipeline import generate

    with progress_bar(quiet=options.json) as progress:
        pictures = [read_picture(path) for path in options.images]
        asset = generate(pictures, settings, progress)
        written = _write(asset, options, pictures[front(settings.views)])
    if options.json:
        print_json({**asset.as_dict(), "files": {name: str(path) for name, path in written.items()}})
    else:
        _tell(asset, written)
    return 0


def settings_from(options: argparse.Namespace) -> GenerateSettings:
    """The options as settings; BadInputError for values out of range."""
    from ..pipeline import GenerateSettings

    within("--resolution", options.resolution, 32, 1024)
    within("--fov", options.fov, 5, 120)
    if options.faces != 0:
        within("--faces", options.faces, 100, 10_000_000)
    if options.texture != 0:
        within("--texture", options.texture, 64, 8192)
    return GenerateSettings(
        segment=options.segment,
        backend=options.backend,
        views=directions(options, options.images),
        azimuths=numbers("--azimuths", options.azimuths),
        resolution=options.resolution,
        faces=options.faces,
        texture=options.texture,
        field_of_view=options.fov,
        device=options.device,
        seed=options.seed,
        gate=options.gate,
        models_dir=options.models_dir,
        vram_budget_mb=options.vram_budget,
    )


def _write(asset: Asset, options: argparse.Namespace, picture: Any) -> dict[str, Path]:
    from ..mesh import write_mesh

    report = asset.as_dict()
    written = {"mesh": write_mesh(asset.mesh, options.output, report=report)}
    if options.preview is not None:
        from ..image import write_picture
        from ..preview import turntable

        write_picture(options.preview, turntable(asset.mesh, input_rgb=preview_input(picture)))
        written["preview"] = options.preview
    if options.report is not None:
        write_text(options.report, json.dumps(report, indent=2) + "\n")
        written["report"] = options.report
    return written


def front(views: Sequence[str]) -> int:
    """Which picture stands beside the turntable, which begins at the front."""
    return views.index("front") if "front" in views else 0


def preview_input(picture: Any) -> Any:
    """The picture on white where it is transparent, for the left tile of the sheet."""
    if picture.alpha is None:
        return picture.rgb
    alpha = picture.alpha[..., None]
    return picture.rgb * alpha + (1 - alpha)


def _tell(asset: Asset, written: dict[str, Path]) -> None:
    report = asset.report
    state = "certified" if report.certified else "NOT certified: " + "; ".join(report.reasons)
    say(f"{report.faces} faces, {asset.reconstruction.backend}, {state}")
    if len(asset.views) > 1:
        say(f"views    {', '.join(view.name for view in asset.views)}")
    for name, path in written.items():
        say(f"{name:<8} {path}")
