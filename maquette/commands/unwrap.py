"""``maquette unwrap``: a mesh file with UVs for a texture."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ._meshes import WITH_UVS, add_packing, checked_mesh_output, packing
from ._terminal import print_json, progress_bar, say, within


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("unwrap", help="give a mesh UVs, laid out for a square texture")
    p.add_argument("mesh", type=Path, metavar="MESH", help=".glb, .gltf, .obj, .ply, .stl, .3mf or .off")
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help=", ".join(WITH_UVS))
    p.add_argument("--method", choices=("fast", "xatlas"), default="fast", help="fast = our own (default), or xatlas")
    p.add_argument("--size", type=int, default=1024, help="side of the texture in texels, for the gaps (default 1024)")
    p.add_argument("--timeout", type=float, metavar="S", help="give up after this many seconds")
    add_packing(p)
    p.add_argument("--json", action="store_true", help="print the figures as JSON; no progress bar")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Unwrap and write; a texture, whose UVs end here, is not carried along."""
    checked_mesh_output(options, WITH_UVS)
    within("--size", options.size, 16, 8192)
    from ..bake import unwrap_with_map
    from ..mesh import read_mesh, write_mesh

    with progress_bar(quiet=options.json) as progress:
        mesh = read_mesh(options.mesh)
        bare = mesh.replace(uvs=None, texture=None)
        cut = unwrap_with_map(
            bare, size=options.size, method=options.method, timeout=options.timeout, progress=progress
        )
    write_mesh(cut.mesh, options.output, **packing(options))
    notes = list(cut.notes)
    if mesh.texture is not None:
        notes.append("the texture belonged to the old uvs and was left out; 'maquette bake' puts it onto new ones")
    figures = {"charts": cut.charts, "utilisation": round(cut.utilisation, 4), "overlap": round(cut.overlap, 5)}
    if options.json:
        print_json({"method": options.method, **figures, "notes": notes, "files": {"mesh": str(options.output)}})
        return 0
    say(f"{cut.charts} charts cover {cut.utilisation:.1%} of the square, {cut.overlap:.2%} of it twice")
    for note in notes:
        say(f"note: {note}")
    say(f"mesh     {options.output}")
    return 0
