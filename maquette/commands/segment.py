"""``maquette segment``: a picture -> the mask of its subject."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BadInputError
from ._pictures import checked_output, write_grey
from ._terminal import print_json, progress_bar, say
from .prompts import read_map

if TYPE_CHECKING:
    from ..data import FloatArray
    from ..image import Picture
    from ..progress import Progress


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("segment", help="the mask of a picture's subject")
    p.add_argument("image", type=Path, metavar="IMAGE")
    p.add_argument("-o", "--output", type=Path, required=True, help="mask, white = subject: .png, .webp or .npy")
    p.add_argument("--method", default="auto", metavar="NAME", help="auto, alpha, walker, ... (maquette backends)")
    hint = p.add_mutually_exclusive_group()
    hint.add_argument("--prior", type=Path, help="rough mask or disparity of the picture's size: a picture or .npy")
    hint.add_argument("--depth", metavar="NAME", help="estimate the depth with this model first and let it guide")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.add_argument("--json", action="store_true", help="print what was done as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Segment and write."""
    checked_output(options.output, (".png", ".webp", ".npy"))
    from ..image import read_picture
    from ..pipeline import helper_device
    from ..segment import segment
    from ..weights import searching

    picture, device = read_picture(options.image), helper_device(options.device)
    with progress_bar(quiet=options.json) as progress, searching(options.models_dir):
        prior = _prior(options, picture, device, progress.part(0, 0.5))
        cut = segment(picture, options.method, prior=prior, device=device, progress=progress.part(0.5, 1))
    write_grey(options.output, cut.mask)
    share = round(float((cut.mask >= 0.5).mean()), 4)
    if options.json:
        print_json({"method": cut.method, "notes": list(cut.notes), "share": share, "file": str(options.output)})
        return 0
    say(f"{cut.method}  subject {share:.1%} of the picture  {options.output}")
    for note in cut.notes:
        say(f"note: {note}")
    return 0


def _prior(options: argparse.Namespace, picture: Picture, device: str, progress: Progress) -> FloatArray | None:
    """[H, W] in [0, 1], or None when no hint was asked for."""
    if options.prior is not None:
        return to_unit(read_map(options.prior))
    if options.depth is None:
        return None
    from .. import depth
    from ..data import View

    module = depth.load(options.depth)
    if not getattr(module, "WHOLE_PICTURE", False):
        raise BadInputError(f"--depth {options.depth} needs a mask itself; use a model that sees the whole picture")
    whole = View(picture.rgb, np.ones(picture.rgb.shape[:2], np.float32), name=picture.name)
    return depth.estimate(whole, module.SPEC.name, device=device, progress=progress).nearness


def to_unit(values: FloatArray) -> FloatArray:
    """A mask or disparity in any unit -> [0, 1], from its lowest to its highest: also where all lies in [0, 1], as
    disparity in metres does beyond 1 m."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        raise BadInputError("the prior holds no number that is finite; estimate it again")
    low, high = float(finite.min()), float(finite.max())
    filled = np.where(np.isfinite(values), values, low)
    return np.asarray((filled - low) / max(high - low, 1e-12), np.float32)
