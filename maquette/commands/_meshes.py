"""What the commands that write a mesh share."""

from __future__ import annotations

import argparse
from typing import Any

from ._terminal import checked_ending, checked_folder

WRITABLE = (".glb", ".obj", ".ply", ".stl", ".3mf")
WITH_UVS = (".glb", ".obj")


def checked_mesh_output(options: argparse.Namespace, formats: tuple[str, ...] = WRITABLE) -> None:
    """Before any work: BadInputError when the output has another ending, cannot be packed as asked, or its folder
    cannot be written; MissingError when what packs it is not installed."""
    path = options.output
    checked_ending(path, formats)
    if options.webp or options.draco:
        from ..mesh.writing import checked_packing

        checked_packing(path, options.webp, options.draco)
    checked_folder(path)


def add_packing(parser: argparse.ArgumentParser) -> None:
    """The two ways to make a GLB smaller."""
    parser.add_argument("--webp", action="store_true", help="GLB: textures as WebP (EXT_texture_webp), not PNG")
    parser.add_argument("--draco", action="store_true", help="GLB: geometry compressed with Draco; needs DracoPy")


def packing(options: argparse.Namespace) -> dict[str, Any]:
    """What ``write_mesh`` is told of it."""
    return {"webp": options.webp, "draco": options.draco}
