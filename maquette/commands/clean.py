"""``maquette clean``: any mesh file -> one closed, manifold, certified solid."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..gate import CLEAN_FIELDS, check_form
from ._meshes import WRITABLE, add_packing, checked_mesh_output, packing
from ._terminal import checked_folder, print_json, progress_bar, say, within, write_text

if TYPE_CHECKING:
    from ..mesh import Finished


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("clean", help="a mesh -> one closed, manifold, certified solid within a face budget")
    p.add_argument("mesh", type=Path, metavar="MESH", help=".glb, .gltf, .obj, .ply, .stl, .3mf or .off")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help=", ".join(WRITABLE))
    p.add_argument(
        "--repair",
        choices=("keep", "fix", "solid"),
        default="fix",
        help="keep = only measure, fix = the least change (default), solid = extract anew where fix is not enough",
    )
    p.add_argument("--remove-inner", action="store_true", help="drop walls that cannot be seen from outside")
    p.add_argument("--floaters", type=float, default=0.01, metavar="SHARE", help="drop parts below this share of the"
                   " largest part's volume, 0 = none (default 0.01)")  # fmt: skip
    p.add_argument("--no-weld", action="store_true", help="leave open edges that touch apart")
    p.add_argument("--no-fill", action="store_true", help="leave holes open")
    p.add_argument("--resolution", type=int, default=256, help="cells of solid along the longest side (default 256)")
    p.add_argument("--faces", type=int, default=0, metavar="N", help="face budget, met within 2 %%; 0 = keep all")
    p.add_argument("--gate", default="", metavar="EXPR", help="write no mesh and exit with 4 unless this holds, e.g."
                   " 'certified and distance_p99 < 0.01'")  # fmt: skip
    p.add_argument("--report", type=Path, metavar="JSON", help="write certificate, changes and distances, also when"
                   " the gate refuses")  # fmt: skip
    add_packing(p)
    p.add_argument("--json", action="store_true", help="print the report as JSON; no progress bar")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0 when written, 4 (by GateError) when the gate refuses."""
    checked_mesh_output(options)
    if options.gate.strip():
        check_form(options.gate, CLEAN_FIELDS)
    if options.report is not None:
        checked_folder(options.report)
    if options.faces != 0:
        within("--faces", options.faces, 4, 10_000_000)
    within("--resolution", options.resolution, 16, 1024)
    from ..mesh import finish, read_mesh, write_mesh

    with progress_bar(quiet=options.json) as progress:
        done = finish(
            read_mesh(options.mesh),
            faces=options.faces,
            weld=not options.no_weld,
            floaters=options.floaters,
            fill_holes=not options.no_fill,
            remove_inner=options.remove_inner,
            repair=options.repair,
            resolution=options.resolution,
            progress=progress,
        )
    report, refusal = done.as_dict(), done.refusal(options.gate)
    if refusal is None:  # the report comes after the mesh: where that fails there is none to report on
        write_mesh(done.mesh, options.output, report=report, **packing(options))
    if options.report is not None:
        write_text(options.report, json.dumps({**report, "refused": str(refusal or "")}, indent=2) + "\n")
    if refusal is not None:
        raise refusal
    if options.json:
        print_json({**report, "files": {"mesh": str(options.output)}})
    else:
        _tell(done, options.output)
    return 0


def _tell(done: Finished, path: Path) -> None:
    report, far = done.report, done.figures
    state = "certified" if report.certified else "NOT certified: " + "; ".join(report.reasons)
    say(f"{report.faces} faces, {state}")
    say(f"distance to the input: mean {far['distance_mean']:.2e}, p99 {far['distance_p99']:.2e},"
        f" max {far['distance_max']:.2e}")  # fmt: skip
    for note in done.notes:
        say(f"note: {note}")
    say(f"mesh     {path}")
