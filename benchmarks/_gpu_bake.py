"""The rows of ``benchmarks.gpu`` about textures."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import Any

from ._gpu_measure import mesh_of, say, timed


def bake(options: Namespace) -> None:
    """Textures of an unwrapped object: all of ``bake`` for several looks, its stages, memory of a large one."""
    import numpy as np

    from benchmarks.bake import picture_of
    from maquette.appearance import ProjectedPhotos, Uniform, VertexColors
    from maquette.bake import bake as bake_textures

    mesh, size, device = mesh_of(options), 128 if options.tiny else 1024, options.device
    painted = mesh.replace(vertex_colors=np.clip(mesh.vertices + 0.5, 0, 1))
    name, all_of = f"bake {size}^2, {len(mesh.faces)} faces", "all of bake, result on the host"
    triplane = triplane_of(options)
    for look, appearance in (
        ("triplane", triplane),
        ("one colour", Uniform()),
        ("vertex colours", VertexColors(painted)),
    ):
        target = None if look == "vertex colours" else 15.0
        ms, peak = timed(lambda a=appearance: bake_textures(mesh, a, size=size, device=device), device)
        say(f"{name}: {look}", all_of, ms, peak_mb=peak, target_ms=target)
    bake_stages(mesh, triplane, size, device)
    twice, large = halved(mesh), 256 if options.tiny else 4096
    ms, peak = timed(lambda: bake_textures(twice, triplane, size=large, device=device), device, seconds=1.0)
    say(f"bake {large}^2, {len(twice.faces)} faces: triplane", all_of, ms, peak_mb=peak, note="under 1024 MB?")
    view = picture_of(mesh, 64 if options.tiny else 1024)
    photos = ProjectedPhotos(mesh, [view], device=device)
    ms, peak = timed(lambda: bake_textures(mesh, photos, views=[view], size=size, device=device), device)
    say(f"{name}: one photo", "all of bake, maps of the photo included", ms, peak_mb=peak)


def bake_stages(mesh: Any, appearance: Any, size: int, device: str) -> None:
    """What the milliseconds of ``bake`` are spent on, one stage after the other."""
    import torch

    from maquette.bake._canvas import Canvas
    from maquette.bake._gutter import fill_gutter
    from maquette.bake._strips import strips
    from maquette.bake._texels import _density, _Layers, _looked_up
    from maquette.geometry.normals import points_and_normals
    from maquette.geometry.raster import rasterize_uv
    from maquette.progress import silent

    uvs, faces = torch.tensor(mesh.uvs, device=device), torch.tensor(mesh.faces, device=device).long()
    surface, canvas = points_and_normals(mesh, device), Canvas.blank(size, device)
    parts = list(strips(mesh, surface, size, device))
    colors = [_looked_up(_Layers(None, appearance), found, silent()) for *_, found in parts]

    def paint() -> None:
        for (rows, inside, _), values in zip(parts, colors, strict=True):
            canvas.paint(rows, inside, values)

    stages: dict[str, Callable[[], Any]] = {
        "normals": lambda: points_and_normals(mesh, device),
        "raster, conservative": lambda: rasterize_uv(uvs, faces, size, conservative=True),
        "raster and places of the texels": lambda: list(strips(mesh, surface, size, device)),
        "colours asked": lambda: [_looked_up(_Layers(None, appearance), found, silent()) for *_, found in parts],
        "paint": paint,
        "gutters": lambda: fill_gutter(canvas.color, canvas.used),
        "copy to the host": lambda: canvas.color.clamp_(0, 1).cpu().numpy(),
        "texel density": lambda: _density(mesh, device),
    }
    for stage, work in stages.items():
        ms, peak = timed(work, device, seconds=0.7)
        more = {"note": appearance.points_by(device)} if stage == "colours asked" else {}
        say(f"bake {size}^2, stage: {stage}", "", ms, peak_mb=peak, **more)


def triplane_of(options: Namespace) -> Any:
    """TripoSR's look at its published sizes, with random codes and weights."""
    import torch

    from maquette.reconstruct._triposr.appearance import TriplaneAppearance
    from maquette.reconstruct._triposr.config import Config
    from maquette.reconstruct._triposr.network import Decoder

    torch.manual_seed(0)
    config = Config()
    side = 2 * config.plane_size
    codes, decoder = torch.randn(3, config.plane_channels, side, side), Decoder(config)
    if options.device.startswith("cuda"):
        decoder = decoder.to(options.device, torch.float16)
    return TriplaneAppearance(codes, decoder.eval(), config, torch.eye(3))


def halved(mesh: Any) -> Any:
    """Every face cut in two, at the middle of its first edge: twice the faces in the same atlas."""
    import numpy as np

    from maquette.data import Mesh

    a, b, c = mesh.faces.T
    middle = len(mesh.vertices) + np.arange(len(a))
    vertices, uvs = (np.concatenate([given, (given[a] + given[b]) / 2]) for given in (mesh.vertices, mesh.uvs))
    return Mesh(vertices, np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)]), uvs=uvs)


def unwrap(options: Namespace) -> None:
    """Unwrap and bake; the unwrapping is done on the CPU."""
    from benchmarks.bake import unwrap_once
    from maquette.appearance import Uniform
    from maquette.bake import bake as bake_textures

    mesh = mesh_of(options).replace(uvs=None)

    def work() -> Any:
        flat = unwrap_once(mesh, "fast").mesh
        return bake_textures(flat, Uniform(), size=128 if options.tiny else 1024, device=options.device)

    ms, peak = timed(work, options.device)
    say(f"unwrap and bake, {len(mesh.faces)} faces", "all", ms, peak_mb=peak, target_ms=1000.0)
