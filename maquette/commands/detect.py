"""``maquette detect``: a picture and a text -> one cut-out picture per object."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import BadInputError
from ._terminal import checked_folder, print_json, progress_bar, say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("detect", help="find the objects that a text names and crop the picture to each")
    p.add_argument("image", type=Path, metavar="IMAGE")
    p.add_argument("--text", required=True, help='what to look for, for example "cup, spoon"')
    p.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder for the crops")
    p.add_argument(
        "--backend", default="auto", metavar="NAME", help="auto, apart, grounding-dino, ... (maquette backends)"
    )
    p.add_argument("--most", type=int, default=20, metavar="N", help="keep the best N objects (default 20)")
    p.add_argument("--padding", type=float, default=0.1, help="margin as a share of the box's longer side (0.1)")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    p.add_argument("--models-dir", help="folder with downloaded models")
    p.add_argument("--json", action="store_true", help="print boxes and files as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Detect, crop, write the crops and one picture with the boxes drawn."""
    if options.most < 1:
        raise BadInputError(f"--most must be at least 1, got {options.most}")
    if not 0 <= options.padding <= 2:
        raise BadInputError(f"--padding must lie in [0, 2], got {options.padding:g}")
    from .. import detect
    from ..image import read_picture, write_picture
    from ..pipeline import helper_device
    from ..weights import searching

    picture, device = read_picture(options.image), helper_device(options.device)
    with progress_bar(quiet=options.json) as progress, searching(options.models_dir):
        found = detect.detect(picture, options.text, options.backend, device=device, progress=progress)
    boxes = found.boxes[: options.most]
    checked_folder(options.output / "boxes.png")
    rows = []
    for index, box in enumerate(boxes):
        path = options.output / f"{detect.file_stem(box, index)}.png"
        write_picture(path, detect.crop(picture.rgb, box, options.padding))
        rows.append({**asdict(box), "file": str(path)})
    drawn = options.output / "boxes.png"
    write_picture(drawn, detect.draw(picture.rgb, boxes))
    if options.json:
        answer = {"method": found.method, "objects": rows, "found": len(found.boxes), "drawn": str(drawn)}
        print_json({**answer, "notes": list(found.notes)})
        return 0
    for row in rows:
        say(f"{row['label']:<20} {row['score']:.2f}  {row['file']}")
    limited = f" of {len(found.boxes)}, the best (--most)" if len(boxes) < len(found.boxes) else ""
    say(f"{found.method}  {len(boxes)} object{'' if len(boxes) == 1 else 's'}{limited}  {drawn}")
    for note in found.notes:
        say(f"note: {note}")
    return 0
