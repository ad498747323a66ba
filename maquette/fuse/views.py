"""Which view the others are laid over, and which of them fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..data import Mesh
from ..progress import Progress
from .features import rotation_angle
from .register import SAMPLES, Registration, register_clouds
from .samples import Array, Cloud, sample_cloud


@dataclass(frozen=True)
class FusedView:
    """One view's part in a fusion. transform: [4, 4] similarity, its mesh -> the fused frame; method: how it was
    found.
    """

    name: str
    transform: Array
    fitness: float
    rmse: float
    accepted: bool
    method: str


def align_views(
    meshes: Sequence[Mesh],
    labels: Sequence[str],
    priors: Sequence[Array | None],
    threshold: float,
    seed: int,
    progress: Progress,
) -> tuple[list[FusedView], list[str]]:
    """Every view laid over a reference view; notes name the rejected and the doubtful ones.

    The first view is the reference unless most of the others do not fit it and fit another one: then the first is the
    odd one out. Transforms lead into the frame of the reference's prior (its own frame without one).
    """
    clouds = [sample_cloud(mesh, SAMPLES, seed + k) for k, mesh in enumerate(meshes)]
    best: list[FusedView] = []
    for reference in range(len(meshes)):
        window = progress.part(reference / len(meshes), (reference + 1) / len(meshes))
        views = _over(clouds, labels, priors, reference, threshold, seed, window)
        if _agreeing(views) > _agreeing(best):
            best = views
        if 2 * _agreeing(best) > len(meshes):
            break
    notes = _notes(best, threshold, len(meshes)) + _hints(best, clouds, priors, threshold, seed, progress)
    progress.update(1, 1, "views aligned")
    return best, notes


def _agreeing(views: Sequence[FusedView]) -> int:
    return sum(view.accepted for view in views)


def _over(
    clouds: Sequence[Cloud],
    labels: Sequence[str],
    priors: Sequence[Array | None],
    reference: int,
    threshold: float,
    seed: int,
    progress: Progress,
) -> list[FusedView]:
    home = priors[reference]
    frame = np.eye(4) if home is None else home
    target = clouds[reference].moved(frame)
    views = []
    for k, (cloud, label, prior) in enumerate(zip(clouds, labels, priors, strict=True)):
        progress.update(k, len(clouds), f"aligning {label}")
        if k == reference:
            views.append(FusedView(label, frame, 1.0, 0.0, True, "reference"))
            continue
        found = register_clouds(cloud, target, prior, seed, progress.part(k / len(clouds), (k + 1) / len(clouds)))
        views.append(_judged(found, label, threshold))
    return views


def _judged(found: Registration, label: str, threshold: float) -> FusedView:
    taken = found.fitness >= threshold
    method = f"{found.method}, ambiguous" if found.ambiguous else found.method
    return FusedView(label, found.transform, found.fitness, found.rmse, taken, method)


def _notes(views: Sequence[FusedView], threshold: float, count: int) -> list[str]:
    notes = []
    for view in views:
        if not view.accepted:
            notes.append(
                f"view '{view.name}' was left out: only {view.fitness:.0%} of its surface agrees with the others"
                f" (threshold {threshold:.0%}); check that it shows the same object and that its view name is right"
            )
        elif "ambiguous" in view.method:
            notes.append(f"view '{view.name}' fits in more than one pose; give its direction to be sure")
    if count > 1 and _agreeing(views) == 1:
        notes.append("no two views agree; the result is the reference view alone")
    return notes


def _hints(
    views: Sequence[FusedView],
    clouds: Sequence[Cloud],
    priors: Sequence[Array | None],
    threshold: float,
    seed: int,
    progress: Progress,
) -> list[str]:
    """For each view rejected at its prior: does it fit when turned otherwise? Then its view name is probably wrong."""
    reference = next(k for k, view in enumerate(views) if view.method == "reference")
    target = clouds[reference].moved(views[reference].transform)
    notes = []
    for view, cloud, prior in zip(views, clouds, priors, strict=True):
        progress.check()
        if view.accepted or prior is None:
            continue
        found = register_clouds(cloud, target, None, seed)
        if found.fitness >= threshold:
            turn = rotation_angle(found.transform, prior)
            notes.append(
                f"view '{view.name}' would fit ({found.fitness:.0%}) if it were turned by {turn:.0f} degrees: its"
                " direction is probably named wrongly"
            )
    return notes
