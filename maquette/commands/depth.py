"""``maquette depth``: a picture -> how near each part is."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ._pictures import checked_output, write_grey
from ._terminal import print_json, progress_bar, say

if TYPE_CHECKING:
    from ..data import View
    from ..image import Picture
    from ..progress import Progress

ENDINGS = (".png", ".npy")


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("depth", help="how near each part of a picture is")
    p.add_argument("image", type=Path, metavar="IMAGE")
    p.add_argument(
        "-o", "--output", type=Path, required=True, help=".npy: disparity, larger = nearer; .png: near = white"
    )
    p.add_argument("--backend", default="auto", metavar="NAME", help="auto, relief, ... (maquette backends)")
    p.add_argument("--segment", default="auto", metavar="NAME", help="how methods that need a mask find the object")
    p.add_argument(
        "--tiled", action="store_true", help="finer detail in pictures over 1036 pixels (whole-picture models)"
    )
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.add_argument("--json", action="store_true", help="print what was done as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Estimate and write."""
    checked_output(options.output, ENDINGS)
    from .. import depth
    from ..image import read_picture
    from ..pipeline import helper_device
    from ..weights import searching

    picture, device = read_picture(options.image), helper_device(options.device)
    with progress_bar(quiet=options.json) as progress, searching(options.models_dir):
        module = depth.load(options.backend)
        view = _view(picture, module, options.segment, device, progress.part(0, 0.4))
        found = depth.estimate(
            view, module.SPEC.name, device=device, progress=progress.part(0.4, 1), tiled=options.tiled
        )
    near = found.disparity if options.output.suffix.lower() == ".npy" else found.nearness
    write_grey(options.output, near)
    facts = {"backend": module.SPEC.name, "metric": found.metric, "size": list(near.shape), "file": str(options.output)}
    if options.json:
        print_json(facts)
    else:
        say(f"{module.SPEC.name}  {options.output}")
    return 0


def _view(picture: Picture, module: Any, method: str, device: str, progress: Progress) -> View:
    """The whole picture for a model that sees all of it, else the object that ``method`` finds."""
    from ..data import View
    from ..segment import segment

    if getattr(module, "WHOLE_PICTURE", False):
        return View(picture.rgb, np.ones(picture.rgb.shape[:2], np.float32), name=picture.name)
    return View(picture.rgb, segment(picture, method, device=device, progress=progress).mask, name=picture.name)
