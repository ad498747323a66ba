"""``maquette certify``: measure a mesh file and say whether it is fit for print, sculpting and engines."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..gate import check_form
from ._terminal import print_json, progress_bar, say


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("certify", help="measure a mesh: watertight, manifold, one shell, outward ...")
    p.add_argument("mesh", type=Path, metavar="MESH", help=".glb, .gltf, .obj, .ply, .stl, .3mf or .off")
    p.add_argument("--gate", default="", metavar="EXPR", help="refuse unless this holds (default: certified)")
    p.add_argument("--json", action="store_true", help="print the report as JSON")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when the mesh passes, 4 when it does not."""
    if options.gate.strip():
        check_form(options.gate)
    from ..mesh import certify, gate, read_mesh

    with progress_bar(quiet=options.json) as progress:
        report = certify(read_mesh(options.mesh), progress=progress)
    if options.json:
        print_json(report.as_dict())
    else:
        for name, value in report.as_dict().items():
            say(f"{name:<20} {value}")
    if options.gate.strip():
        gate(report, options.gate)
        return 0
    return 0 if report.certified else 4
