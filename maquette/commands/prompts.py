"""``maquette prompts``: a disparity picture -> points and a box for a promptable segmentation model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadInputError
from ._terminal import print_json, say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("prompts", help="disparity -> points and a box around the nearest object")
    p.add_argument("disparity", type=Path, metavar="DISPARITY", help=".npy [H, W], or a grey picture; larger = nearer")
    p.add_argument("--percentile", type=float, default=70.0, help="nearer than this share counts (default 70)")
    p.add_argument("--foreground", type=int, default=5, metavar="K", help="points on the object (default 5)")
    p.add_argument("--background", type=int, default=8, metavar="K", help="points off the object (default 8)")
    p.add_argument("--json", action="store_true", help="print as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the prompts in pixels."""
    from ..segment.prompts import prompts

    found = prompts(
        read_map(options.disparity),
        percentile=options.percentile,
        foreground=options.foreground,
        background=options.background,
    )
    answer = found.as_dict()
    if options.json:
        print_json(answer)
        return 0
    say("box      " + " ".join(f"{side:.1f}" for side in found.box))
    for (x, y), label in zip(found.points, found.labels, strict=True):
        say(f"{'object' if label else 'behind':<8} {x:.1f} {y:.1f}")
    for note in found.notes:
        say(f"note     {note}")
    return 0


def read_map(path: Path) -> npt.NDArray[np.float32]:
    """[H, W] numbers of an .npy file, or the brightness of a picture; BadInputError for what is neither."""
    if path.suffix.lower() != ".npy":
        from ..image import read_picture

        return np.asarray(read_picture(path).rgb.mean(axis=2), np.float32)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadInputError(f"cannot read '{path}' as an .npy array ({error}); save it with numpy.save") from error
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "buif":
        raise BadInputError(f"'{path}' holds no array of real numbers; save the disparity with numpy.save")
    return values.astype(np.float32)
