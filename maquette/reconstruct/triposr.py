"""TripoSR: one picture to a textured surface with the published weights (MIT, 1.7 GB), from 1 GB of GPU memory on.

options: ``precision`` ("auto", "half", "bfloat16", "float32"), ``weights`` (a file in place of the published one),
``engine`` (an opened model to use again, see ``open_model``), ``fit_camera`` (True), ``refine`` (1), ``kernel`` (True).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..backends import Spec, WeightFile
from ..data import Camera, Mesh, Reconstruction, View
from ..errors import BadInputError
from ..progress import Progress, silent
from ..weights import asked_to_download, require

if TYPE_CHECKING:
    from torch import Tensor

    from . import Settings
    from ._triposr.engine import Asked, Engine
    from ._triposr.field import SceneField
    from ._triposr.surface import Surface

SPEC = Spec(
    name="triposr",
    title="TripoSR (published weights)",
    summary="one picture to a full surface with colours, by a transformer of 419 million parameters",
    licence="MIT",
    weights=(
        WeightFile(
            repo="stabilityai/TripoSR",
            revision="5b521936b01fbe1890f6f9baed0254ab6351c04a",
            path="model.ckpt",
            size=1677246742,
            sha256="429e2c6b22a0923967459de24d67f05962b235f79cde6b032aa7ed2ffcd970ee",
            source="revision, size and hash as pinned by several independent public projects",
        ),
    ),
    folder="triposr",
    vram_mb={128: 1000, 256: 1000, 512: 1000, 1024: 1600},
    default_rank=1000,
)
OPTIONS = ("precision", "weights", "engine", "fit_camera", "refine", "kernel")
POOR_FIT = 0.7
"""Silhouette overlap under which the photo probably does not line up with the surface."""


def unavailable() -> str:
    """Never for want of the published weights: a file or an engine may come as an option, and MAQUETTE_DOWNLOAD=1
    fetches them; ``open_model`` says so where none of that holds."""
    return ""


def reconstruct(views: Sequence[View], settings: Settings, progress: Progress) -> Reconstruction:
    """The surface of the frontmost view; the other views keep their cameras for photo projection.

    TripoSR sees one picture. For several views of one object call ``reconstruct_each`` and fuse the results.
    """
    index = min(range(len(views)), key=lambda i: _sideways(views[i]))
    made = reconstruct_each([views[index]], settings, progress)[0]
    if len(views) == 1:
        return made
    note = f"TripoSR takes one picture: '{views[index].name}' was used; reconstruct each view and fuse to use all"
    others = list(views)
    others[index] = made.views[0]
    return replace(made, views=tuple(others), notes=(note, *made.notes))


def reconstruct_each(
    views: Sequence[View], settings: Settings, progress: Progress | None = None
) -> tuple[Reconstruction, ...]:
    """One reconstruction per view, in batches where memory allows; each lies where its camera saw it.

    Views without a camera get one as in ``maquette.reconstruct``; every result is centred with longest side 1.
    Raises WeightsError, BadMaskError, BadInputError, OutOfMemoryLadderError, and what ``progress.check`` raises.
    """
    import torch

    from ..memory import own
    from . import normalised
    from ._cameras import with_cameras
    from ._triposr.engine import needed_bytes, run_encode

    progress, asked = progress or silent(), _asked(settings)
    views = with_cameras(views, settings)
    images = _images(views, _image_size(settings))
    engine = open_model(settings, progress.part(0.0, 0.3))
    need = needed_bytes(engine, asked.dtype)
    out = []
    with own(asked.device, need=need, budget_mb=settings.vram_budget_mb, progress=progress) as lease:
        encoded = run_encode(engine, images, asked, lease, progress.part(0.3, 0.6))
        codes = list(torch.unbind(encoded.value))
        rung = {"rung_triplanes": encoded.rung}
        for index, view in enumerate(views):
            part = progress.part(0.6 + 0.4 * index / len(views), 0.6 + 0.4 * (index + 1) / len(views))
            one = _one(engine, view, codes[index], asked, settings, lease, part)
            figures = {**rung, **one.figures, "peak_gpu_mb": round(lease.peak_mb, 1)}
            out.append(normalised(replace(one, notes=(*encoded.notes, *one.notes), figures=figures)))
    return tuple(out)


def open_model(settings: Settings, progress: Progress | None = None) -> Engine:
    """The loaded model, resting in host memory; hand it on as ``settings.options["engine"]`` to load it only once.

    Looks for the weights as ``weights.require`` does; WeightsError with the command that fetches them when they are not
    here. They are downloaded only where MAQUETTE_DOWNLOAD=1 asks for that.
    """
    from ._triposr.checkpoint import read_state  # noqa: F401 - a broken torch shows here, before any download
    from ._triposr.config import Config
    from ._triposr.engine import Engine, open_engine

    given = settings.options.get("engine")
    if given is not None:
        if not isinstance(given, Engine):
            raise BadInputError(f"options['engine'] must come from triposr.open_model, got {type(given).__name__}")
        return given
    progress = progress or silent()
    chosen = settings.options.get("weights")
    path = Path(chosen) if chosen else _published(settings, progress)
    progress.update(9, 10, "loading the model")
    return open_engine(path, Config(), _asked(settings).dtype)


def _published(settings: Settings, progress: Progress) -> Path:
    fetch = asked_to_download()
    (path,) = require(SPEC, models_dir=settings.models_dir, progress=progress, download=fetch)
    return path


def _asked(settings: Settings) -> Asked:
    from ._triposr.engine import Asked, dtype_of
    from ._triposr.surface import check_threshold

    unknown = set(settings.options) - set(OPTIONS)
    if unknown:
        raise BadInputError(f"unknown option '{min(unknown)}' for TripoSR; it takes {', '.join(OPTIONS)}")
    check_threshold(settings.threshold)
    dtype = dtype_of(str(settings.options.get("precision", "auto")), settings.device)
    refine, kernel = int(settings.options.get("refine", 1)), bool(settings.options.get("kernel", True))
    return Asked(settings.resolution, settings.threshold, settings.device, dtype, refine, kernel)


def _image_size(settings: Settings) -> int:
    from ._triposr.config import Config

    engine = settings.options.get("engine")
    return int(engine.config.image_size) if engine is not None else Config().image_size


def _images(views: Sequence[View], size: int) -> Tensor:
    """[B, S, S, 3] float32 on the host."""
    import torch

    from ._triposr.preprocess import condition, view_to_image

    return torch.cat([condition(torch.from_numpy(view_to_image(view))[None], size) for view in views])


def _one(
    engine: Engine, view: View, codes: Tensor, asked: Asked, settings: Settings, lease: Any, progress: Progress
) -> Reconstruction:
    import torch

    from ._triposr.appearance import TriplaneAppearance
    from ._triposr.engine import run_surface
    from ._triposr.frame import to_model, to_world

    camera = _camera(view)

    def finish(made: Surface, field: SceneField) -> tuple[Mesh, dict[str, Any], list[str]]:
        return _mesh(made, to_world(camera)), _figures(made, field), _notes(made, field, view.name, asked)

    done = run_surface(engine, codes, asked, lease, progress, finish)
    mesh, figures, notes = done.value
    notes = [*done.notes, *notes]
    view, fit = _fitted(view, mesh, settings, notes)
    turn = torch.from_numpy(to_model(camera)).float()
    appearance = TriplaneAppearance(codes.cpu().float(), engine.network.decoder, engine.config, turn)
    figures = {"rung_surface": done.rung, **figures, "weights": engine.name, **fit}
    return Reconstruction(mesh, appearance, (view,), SPEC.name, tuple(notes), figures)


def _figures(made: Surface, field: SceneField) -> dict[str, Any]:
    return {
        "resolution": made.stats.resolution[0],
        "threshold": round(made.threshold, 4),
        "queried_share": round(made.stats.share, 5),
        "points_by": field.method,
    }


def _notes(made: Surface, field: SceneField, name: str, asked: Asked) -> list[str]:
    notes = []
    if made.touched:
        notes.append(f"{name}: the surface reaches the border of the model's volume and was cut off flat there")
    if asked.device.startswith("cuda") and field.why_no_kernel:
        notes.append(f"the fused kernel is off: {field.why_no_kernel}")
    return notes


def _mesh(made: Surface, turn: Any) -> Mesh:
    """To the world frame and the host; colours become linear, as glTF wants vertex colours."""
    import torch

    vertices = made.vertices @ torch.from_numpy(turn).to(made.vertices)
    srgb = made.colors
    linear = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    faces = made.faces.to(torch.int32)
    return Mesh(vertices.cpu().numpy(), faces.cpu().numpy(), vertex_colors=linear.cpu().numpy())


def _fitted(view: View, mesh: Mesh, settings: Settings, notes: list[str]) -> tuple[View, dict[str, Any]]:
    """The view with its camera lined up with the mask."""
    from ._triposr.fit import fit_camera
    from ._triposr.frame import is_steep

    camera = _camera(view)
    if not settings.options.get("fit_camera", True):
        return view, {}
    search = settings.elevations is None and not is_steep(camera)
    fit = fit_camera(mesh.vertices, view.mask, camera, search=search)
    if fit.iou < POOR_FIT:
        notes.append(
            f"{view.name}: the surface's outline covers only {fit.iou:.2f} of the mask's (intersection over union);"
            " the photo may not line up with it"
        )
    figures = {"silhouette_iou": round(fit.iou, 3), "elevation": fit.elevation, "camera_scale": round(fit.scale, 3)}
    return replace(view, camera=fit.camera), figures


def _camera(view: View) -> Camera:
    if view.camera is None:
        raise BadInputError(f"view '{view.name}' has no camera; call maquette.reconstruct.reconstruct, which gives one")
    return view.camera


def _sideways(view: View) -> float:
    """How far from the front the view is, in degrees (azimuth and elevation together)."""
    from ._triposr.frame import azimuth_of, elevation_of

    camera = _camera(view)
    return abs(azimuth_of(camera)) + abs(elevation_of(camera))
