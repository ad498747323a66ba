"""The built-in model: a small network, trained from nothing on procedural scenes, that ships with the pack.

One view: the network says for every pixel of the subject how deep its first surface lies and where there is material
behind it (``_nano/network.py``); the mask cuts the outline exactly. Several views with known directions: their fields
are averaged by confidence and cut by every mask. docs/nano.md is the model's card.

Options (``Settings.options``): ``flip`` = also ask for the mirrored picture and average (default True; False is twice
as fast); ``occupancy`` = probability from which space counts as solid (default 0.35; lower = thicker).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..backends import Spec
from ..data import Appearance, FloatArray, Mesh, Reconstruction, View
from ..errors import BadInputError
from ..geometry.camera import moved
from ..geometry.frame import normalising
from ..progress import Progress
from ._cameras import camera_of

if TYPE_CHECKING:
    from . import Settings
    from ._nano.engine import Engine
    from ._nano.network import NanoNet
    from ._nano.predict import Prediction
    from ._nano.world import Place

SPEC = Spec(
    name="nano",
    title="Nano (built in)",
    summary="a 22 M parameter network that ships with the pack: one picture to a solid in about a second on a CPU",
    vram_mb={128: 400, 256: 900},
    default_rank=10,
)


def unavailable() -> str:
    """Empty when the weight files are there."""
    from ._nano.weights import missing

    return missing()


def reconstruct(views: Sequence[View], settings: Settings, progress: Progress) -> Reconstruction:
    """The solid that the network sees in ``views``; colours from the pictures, predicted where they saw nothing.

    Falls back to ``silhouette``, and says so, when the network's answer is empty or contradicts the masks.
    """
    from ._nano.engine import engine

    progress.update(0, 10, "load the built-in model")
    network = engine(settings.device)
    if len(views) == 1:
        mesh, found, notes = _one(network, views[0], settings, progress.part(0.05, 0.8))
    else:
        mesh, placed, found, notes = _several(network, views, settings, progress.part(0.05, 0.8))
        views = placed if mesh is not None else views
    if mesh is None:
        return _silhouette(views, settings, progress.part(0.8, 1.0), notes)
    scale, center = normalising(mesh.vertices)
    mesh = mesh.replace(vertices=(mesh.vertices - center) * scale)
    there = tuple(replace(v, camera=moved(camera_of(v), scale, center)) for v in views)
    progress.update(0.85, 1, "project photos")
    appearance = _appearance(mesh, there, found, scale, center, settings.device)
    progress.update(1, 1, "reconstructed")
    figures = _figures(found, settings) | {"scale": scale, "center": [float(c) for c in center]}
    return Reconstruction(mesh, appearance, there, SPEC.name, tuple(notes), figures)


def _tidy(view: View, settings: Settings, notes: list[str]) -> FloatArray:
    from ._silhouette.masks import box_side, tidy_mask

    mask, said = tidy_mask(view, box_side(view.mask) / settings.resolution)
    notes.extend(said)
    return mask


def _prepared(network: NanoNet | Engine, view: View, mask: FloatArray, settings: Settings) -> tuple[Prediction, Place]:
    """What the network says of a view with a tidy ``mask`` [H, W], and where that lies."""
    from ._nano.predict import THRESHOLD, predict
    from ._nano.world import placed

    level = float(settings.options.get("occupancy", THRESHOLD))
    if not 0.05 <= level <= 0.95:
        raise BadInputError(f"option 'occupancy' must lie between 0.05 and 0.95, got {level}")
    flip = bool(settings.options.get("flip", True))
    made = predict(network, view, mask, settings.resolution, settings.device, flip=flip, threshold=level)
    return made, placed(camera_of(view), made.crop, made.middle)


def _one(
    network: NanoNet | Engine, view: View, settings: Settings, progress: Progress
) -> tuple[Mesh | None, list[tuple[Prediction, Place]], list[str]]:
    """Mesh in the world of the view's camera; None = nothing was found."""
    from ._nano.confidence import confidence
    from ._nano.solid import surface

    notes: list[str] = []
    progress.update(0, 3, "look at the picture")
    made, place = _prepared(network, view, _tidy(view, settings, notes), settings)
    progress.update(2, 3, "extract the surface")
    points, faces, struts = surface(made.solid, made.cell, progress.part(2 / 3, 1))
    if len(faces) == 0:
        return None, [], [*notes, "the built-in model found no solid"]
    if struts:
        notes.append(f"{struts} thin struts were added to hold parts that would hang apart behind the outline")
    sure = confidence(made, points)
    world = place.to_world(points).astype("float32")
    return Mesh(world, faces, confidence=sure), [(made, place)], notes


def _several(
    network: NanoNet | Engine, views: Sequence[View], settings: Settings, progress: Progress
) -> tuple[Mesh | None, list[View], list[tuple[Prediction, Place]], list[str]]:
    """The fused solid (None when it is empty or does not fill the masks) and the views with the cameras as used."""
    from ._nano.calibrated import calibrated
    from ._nano.fused import fused_mesh
    from ._silhouette.carved import agreed

    notes: list[str] = []
    masks = [_tidy(view, settings, notes) for view in views]
    together = agreed(masks, views, settings.resolution, settings.device, progress.part(0, 0.3))
    notes.extend(together.notes)
    if len(set(together.groups)) == 1:
        notes.append("all views look along one axis, so the depth is the model's guess; add a view from the side")
    there = [replace(view, camera=s.camera) for view, s in zip(views, together.silhouettes, strict=True)]
    found = []
    for i, (view, mask) in enumerate(zip(there, masks, strict=True)):
        progress.update(0.3 + 0.3 * i / len(views), 1, f"look at {view.name}")
        found.append(_prepared(network, view, mask, settings))
    progress.update(0.6, 1, "fuse the views")
    mesh, said = fused_mesh(calibrated(found), settings.resolution, settings.device, progress.part(0.6, 1))
    return mesh, there, found, [*notes, *said]


def _appearance(
    mesh: Mesh, views: Sequence[View], found: list[tuple[Prediction, Place]], scale: float, center: Any, device: str
) -> Appearance:
    """Photos where they saw the surface, then the far side that the first view's network call predicts."""
    import torch

    from ..appearance import Layered, ProjectedPhotos
    from ._nano.colors import FarSide
    from ._nano.world import Place

    photos = ProjectedPhotos(mesh, views, device=device)
    if len(views) > 1:
        return photos
    made, place = found[0]
    there = Place(moved(place.camera, scale, center), place.crop, place.zero * scale)
    colors = torch.from_numpy(made.colors).permute(2, 0, 1)
    depth, thick = torch.from_numpy(made.depth)[None], torch.from_numpy(made.thick)[None]
    return Layered([photos, FarSide(there, colors[:3], colors[3:], depth, thick)])


def _figures(found: list[tuple[Prediction, Place]], settings: Settings) -> dict[str, Any]:
    return {
        "resolution": settings.resolution,
        "expected_depth_error": round(float(sum(m.error.mean() for m, _ in found)) / max(len(found), 1) / 1.7, 4),
    }


def _silhouette(views: Sequence[View], settings: Settings, progress: Progress, notes: list[str]) -> Reconstruction:
    from .silhouette import reconstruct as by_silhouette

    made = by_silhouette(views, settings, progress)
    reason = notes[-1] if notes else "the built-in model found no solid"
    return replace(made, notes=(*notes[:-1], f"{reason}; the outline was inflated instead (silhouette)", *made.notes))
