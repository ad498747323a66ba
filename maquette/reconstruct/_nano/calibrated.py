"""Several views: how far each view's relief lies from its camera, found from the outlines of the others.

One picture tells relief but not distance. The cones of the other masks do: no surface lies before the point where a ray
enters them, and on most rays it lies close behind. So each view's relief is moved along its rays until a stated share
of it sticks out of the cones, which is what single wrong pixels do.

A camera on the same axis says nothing of that distance: the rays of the front view run within the back view's cone from
the first to the last. Views that no other axis crosses (a front and a back) stay where the network's own extent puts
them, the middle of it at the origin, back to back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...data import FloatArray
from ...geometry.hull import axis_groups

if TYPE_CHECKING:
    import numpy.typing as npt

    from .predict import Prediction
    from .world import Place

    Found = Sequence[tuple[Prediction, Place]]

RAYS, SAMPLES = 48, 96
"""Rays a side of a view that are compared, and samples along each."""
REACH = 1.2
"""Half the stretch of a ray that is searched, in half picture widths."""
SLACK = 0.01
"""Half picture widths by which a point may lie outside a cone and still count as in it."""
OUTSIDE = 0.2
"""Share of the relief that comes to lie before the cones (on scenes with known depth, .1 puts it .02 too far, .3 as
much too near)."""
LEAST = 40
"""Rays that must meet the cones, else the distance stays as it is."""
FAR, ROUNDS = 0.3, 4
"""A relief that was moved by more half picture widths may have met the end of the search: it is looked for once more
around where it lies now, in so many rounds at most."""


def calibrated(found: Found) -> list[tuple[Prediction, Place]]:
    """``found`` with every place's distance (``zero``) such that its relief fits the cones of the views along other
    axes, and every point of it brought into all cones along its ray."""
    axes = axis_groups([place.camera for _, place in found])
    placed = []
    for (made, place), axis in zip(found, axes, strict=True):
        across = [one for one, other in zip(found, axes, strict=True) if other != axis]
        placed.append((made, replace(place, zero=_distance(made, place, across)) if across else place))
    return [(_within(placed, view), place) for view, (_, place) in enumerate(placed)]


def _distance(made: Prediction, place: Place, across: Found) -> float:
    """The z-depth of frustum depth 0 at which the relief of ``made`` fits the cones of ``across``."""
    relief = relief_of(made, RAYS)
    relief = relief[made.solid.rim(torch.from_numpy(relief).to(made.solid.outline)).cpu().numpy() > 2 * made.cell]
    given = place.zero
    for _ in range(ROUNDS):
        entry, _ = _stretch(relief, place, across)
        met = np.isfinite(entry)
        if met.sum() < LEAST:
            return given
        # a point lies at zero * (1 + half_width * depth): the distances at which each ray's point is just at its entry
        each = entry[met] / (1 + place.half_width * relief[met, 2])
        before, place = place, replace(place, zero=float(np.quantile(each, 1 - OUTSIDE)))
        if abs(place.zero - before.zero) <= FAR * before.unit:
            break
    return place.zero


def _within(found: Found, view: int) -> Prediction:
    made, place = found[view]
    others = [one for k, one in enumerate(found) if k != view]
    relief = relief_of(made, made.depth.shape[0])
    own = made.solid.rim(torch.from_numpy(relief).to(made.solid.outline)).cpu().numpy() > -2 * made.cell
    entry, leave = ((z / place.zero - 1) / place.half_width for z in _stretch(relief[own], place, others))
    room = np.maximum(leave - 2 * made.cell, (entry + leave) / 2)
    depth = relief[:, 2].copy()
    with np.errstate(invalid="ignore"):
        depth[own] = np.where(np.isfinite(entry), depth[own].clip(entry, room), depth[own])
    return made.at(depth.reshape(made.depth.shape))


def relief_of(made: Prediction, count: int) -> FloatArray:
    """[count * count, 3] frustum points of the first surface, on a grid of rays over the crop."""
    line = (np.arange(count) + 0.5) / count
    where = (line * made.depth.shape[0]).astype(int)
    v, u = np.meshgrid(2 * line - 1, 2 * line - 1, indexing="ij")
    return np.stack([u, v, made.depth[np.ix_(where, where)]], axis=-1).reshape(-1, 3).astype(np.float32)


def _stretch(
    relief: FloatArray, place: Place, others: Found
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """[N], [N] z-depths at which the ray through each frustum point first enters the cones of ``others`` and finally
    leaves them; infinite = it never meets them."""
    z = place.zero + place.unit * np.linspace(-REACH, REACH, SAMPLES)
    z = z[z > 0]
    on = relief.copy()
    on[:, 2] = 0.0
    eye = place.camera.position
    aim = (place.to_world(on) - eye) / place.zero
    points = torch.as_tensor((eye + aim[:, None] * z[:, None]).reshape(-1, 3)).float()
    room = torch.full((len(points),), torch.inf)
    for made, there in others:
        room = torch.minimum(room, made.solid.rim(there.to_frustum(points.to(made.solid.outline))).cpu())
    inside = room.reshape(len(relief), len(z)).numpy() > -SLACK
    met = inside.any(axis=1)
    first, last = z[inside.argmax(axis=1)], z[len(z) - 1 - inside[:, ::-1].argmax(axis=1)]
    return np.where(met, first, np.inf), np.where(met, last, np.inf)
