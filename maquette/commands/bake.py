"""``maquette bake``: colours, a finer mesh's shape or photos onto a mesh -> textures."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError
from ._meshes import WITH_UVS, add_packing, checked_mesh_output, packing
from ._terminal import checked_folder, directions, numbers, print_json, progress_bar, say, within, write_text

if TYPE_CHECKING:
    from ..bake import BakeResult
    from ..data import Appearance, Mesh, View
    from ..progress import Progress

_MESHES = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf", ".off")


def add(groups: Any) -> None:
    """The grammar of the command."""
    p = groups.add_parser("bake", help="textures for a mesh: from a finer mesh, from photos, or from its own look")
    p.add_argument("mesh", type=Path, metavar="MESH", help="the final geometry")
    p.add_argument(
        "--from",
        dest="sources",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="a finer mesh (normal map and colours), pictures (called front.png, robot_back.png ..., or in the order"
        " front, right, back, left), or both; default: the mesh's own texture or vertex colours",
    )
    p.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help=", ".join(WITH_UVS))
    direction = p.add_mutually_exclusive_group()
    direction.add_argument("--views", help="a direction per picture: front,right,back,left,top,bottom")
    direction.add_argument("--azimuths", help="degrees per picture, 0 = front, 90 = from the viewer's right")
    p.add_argument("--fov", type=float, default=40.0, help="the pictures' vertical field of view (default 40)")
    p.add_argument("--segment", default="auto", metavar="NAME", help="how the subject is found (maquette backends)")
    p.add_argument("--size", type=int, default=1024, help="texels a side, 16 to 8192 (default 1024)")
    p.add_argument("--method", choices=("fast", "xatlas", "keep"), default="fast", help="keep = the UVs it has")
    p.add_argument("--no-normal", action="store_true", help="no normal map from the finer mesh, colours only")
    p.add_argument("--occlusion", action="store_true", help="bake ambient occlusion too")
    p.add_argument("--delight", type=float, default=0.0, metavar="SHARE", help="take out soft shading, 0 to 1"
                   " (default 0)")  # fmt: skip
    p.add_argument("--report", type=Path, metavar="JSON", help="write coverage, texel density and certificate")
    p.add_argument("--device", default="auto", help="auto, cpu or cuda")
    add_packing(p)
    p.add_argument("--json", action="store_true", help="print the report as JSON; no progress bar")
    p.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do it: nothing is written before everything has worked."""
    checked_mesh_output(options, WITH_UVS)
    if options.report is not None:
        checked_folder(options.report)
    within("--size", options.size, 16, 8192)
    within("--delight", options.delight, 0, 1)
    finer, pictures = _sorted_sources(options)
    from ..mesh import certify, read_mesh, write_mesh

    with progress_bar(quiet=options.json) as progress:
        mesh = read_mesh(options.mesh).checked()
        detail = None if finer is None else read_mesh(finer).checked()
        done = _baked(mesh, detail, pictures, options, progress.part(0.0, 0.9))
        report = {
            "mesh": certify(done.mesh, progress=progress.part(0.9, 1.0)).as_dict(),
            "coverage": done.coverage,
            "notes": list(done.notes),
        }
        write_mesh(done.mesh, options.output, report=report, **packing(options))
    if options.report is not None:
        write_text(options.report, json.dumps(report, indent=2) + "\n")
    if options.json:
        print_json({**report, "files": {"mesh": str(options.output)}})
    else:
        _tell(done, options.output)
    return 0


def _sorted_sources(options: argparse.Namespace) -> tuple[Path | None, list[Path]]:
    """The finer mesh, if any, and the pictures; BadInputError for two meshes or directions without pictures."""
    finer = [path for path in options.sources if path.suffix.lower() in _MESHES]
    pictures = [path for path in options.sources if path.suffix.lower() not in _MESHES]
    if len(finer) > 1:
        raise BadInputError(f"--from takes one mesh, got {len(finer)} ({', '.join(path.name for path in finer)})")
    if (options.views or options.azimuths) and not pictures:
        raise BadInputError("--views and --azimuths say where pictures were taken from; give pictures with --from")
    if options.no_normal and not finer:
        raise BadInputError("--no-normal is about a finer mesh; give one with --from")
    return (finer[0] if finer else None), pictures


def _baked(
    mesh: Mesh, detail: Mesh | None, pictures: list[Path], options: argparse.Namespace, progress: Progress
) -> BakeResult:
    from ..bake import dress
    from ..pipeline import resolve_device

    device = resolve_device(options.device)
    views = _views(mesh, pictures, options, device, progress.part(0.0, 0.2))
    return dress(
        mesh,
        _look(mesh, detail, views, device),
        views=views,
        detail=None if options.no_normal else detail,
        occlusion=options.occlusion,
        delight=options.delight,
        size=options.size,
        uvs=options.method,
        device=device,
        progress=progress.part(0.2, 1.0),
    )


def _look(low: Mesh, high: Mesh | None, views: Sequence[View], device: str) -> Appearance:
    """What fills the texels that no photo saw: the finer mesh's paint, else the mesh's, else the photos' own guess."""
    from ..appearance import OwnLook, ProjectedPhotos

    looks = [OwnLook(mesh) for mesh in (high, low) if mesh is not None]
    painted = next((look for look in looks if look.is_painted), None)
    if painted is not None:
        return painted
    return ProjectedPhotos(low, views, device=device) if views else looks[0]


def _views(
    mesh: Mesh, paths: list[Path], options: argparse.Namespace, device: str, progress: Progress
) -> tuple[View, ...]:
    """The pictures cut out, framed, and laid over the mesh."""
    if not paths:
        return ()
    from ..geometry.fitting import views_on
    from ..image import prepare, prepare_views, read_picture
    from ..pipeline import GenerateSettings, view_names
    from ..segment import segment

    settings = GenerateSettings(views=directions(options, paths), azimuths=numbers("--azimuths", options.azimuths))
    names = view_names(len(paths), settings)
    pictures = [read_picture(path) for path in paths]
    masks = [
        segment(
            picture, options.segment, device=device, progress=progress.part(k / len(paths), (k + 1) / len(paths))
        ).mask
        for k, picture in enumerate(pictures)
    ]
    size = min(max(512, options.size), 2048)
    if len(pictures) == 1:
        return views_on(mesh, (prepare(pictures[0], masks[0], size=size, name=names[0]),), options.fov)
    return views_on(mesh, prepare_views(pictures, masks, names, size=size), options.fov)


def _tell(done: BakeResult, path: Path) -> None:
    shares = ", ".join(f"{name} {done.coverage[name]:.1%}" for name in ("photos", "appearance", "fill"))
    say(f"texels: {shares}; {done.coverage['utilisation']:.1%} of the square in use")
    say(f"density: {done.coverage['texels_per_unit']:g} texels per unit (90 % between"
        f" {done.coverage['texels_per_unit_low']:g} and {done.coverage['texels_per_unit_high']:g})")  # fmt: skip
    for note in done.notes:
        say(f"note: {note}")
    say(f"mesh     {path}")
