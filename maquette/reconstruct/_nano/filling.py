"""Rays of a mask on which the fused views left nothing: the field is raised there until the least contradicted place is
solid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from .calibrated import REACH

if TYPE_CHECKING:
    from torch import Tensor

    from ...progress import Progress
    from .predict import Prediction
    from .world import Place

RAYS, SAMPLES = 128, 96
"""Rays a side of each view, and samples along each."""
SLAB = 1 << 18
"""Samples of the lattice that are looked at together."""
BLUR = 2
"""Rays over which the raise is spread, so that no steps arise."""
ABOVE = 0.7
"""Cells by which the field is positive then, at its best place on the ray."""
PULL = 0.15
"""How much worse a place counts with its distance from the surface that the view itself saw."""


def slabs(axes: Sequence[Tensor]) -> Iterator[tuple[slice, Tensor]]:
    """The lattice of the positions ``axes`` along x, y and z, a few layers at a time: which layers, and the world
    positions [N, 3] of their samples. All positions at once are three times as large as the field."""
    x, y, z = axes
    step = max(1, SLAB // (len(y) * len(z)))
    for start in range(0, len(x), step):
        part = slice(start, min(start + step, len(x)))
        yield part, torch.stack(torch.meshgrid(x[part], y, z, indexing="ij"), -1).view(-1, 3)


def filled_up(
    values: Tensor,  # [X, Y, Z] fused field on a lattice, world units, positive inside
    room: Tensor,  # [X, Y, Z] distance to the walls of the cones
    axes: Sequence[Tensor],  # world positions [X], [Y], [Z] of the samples
    found: Sequence[tuple[Prediction, Place]],
    progress: Progress,
) -> None:
    """Raises the field, in place, along the rays of every mask that met nothing, and cuts it by the cones."""
    for made, place in found:
        progress.check()
        lift = _missing(values, room, axes, made, place)
        if float(lift.max()) > 0:
            for part, points in slabs(axes):
                rise = _rise(lift, points, made, place).view(values[part].shape)
                values[part] = torch.minimum(values[part] + rise, room[part])


def _rise(lift: Tensor, points: Tensor, made: Prediction, place: Place) -> Tensor:
    """[N] what is added to the field at world points [N, 3]."""
    where = place.to_frustum(points)
    return (_at(lift, where) - _away(where, made) * place.unit).clamp(min=0)


def _away(where: Tensor, made: Prediction) -> Tensor:
    """[N] malus of frustum points [N, 3], half picture widths."""
    depth = torch.from_numpy(made.depth).to(where)
    return PULL * (where[:, 2] - _at(depth, where, "border")).abs()


def _missing(values: Tensor, room: Tensor, axes: Sequence[Tensor], made: Prediction, place: Place) -> Tensor:
    """[RAYS, RAYS] by how much the field must rise on each ray of the mask for the mask to be filled."""
    cell = float(axes[0][1] - axes[0][0])
    line = (torch.arange(RAYS) + 0.5) / RAYS * 2 - 1
    v, u = torch.meshgrid(line, line, indexing="ij")
    on = torch.stack([u, v, torch.zeros_like(u)], dim=-1).reshape(-1, 3)
    inside = made.solid.rim(on.to(values.device)) > made.cell / 2
    eye = values.new_tensor(place.camera.position)
    aim = (values.new_tensor(place.to_world(on.numpy())) - eye)[inside] / place.zero
    z = (place.zero + place.unit * torch.linspace(-REACH, REACH, SAMPLES)).clamp(min=1e-3).to(values)
    along = (aim[:, None] * z[:, None] + eye).reshape(-1, 3)
    first, last = (torch.stack([a[end] for a in axes]) for end in (0, -1))
    where = ((along - first) / (last - first) * 2 - 1).flip(-1)[None, None, None]
    field, walls = (
        functional.grid_sample(one[None, None], where, padding_mode="border", align_corners=True).view(-1, SAMPLES)
        for one in (values, room)
    )
    allowed = torch.where(walls > 0, field, -torch.inf)
    malus = (_away(place.to_frustum(along), made) * place.unit).view(field.shape)
    best = (allowed - malus).amax(dim=1)
    lift = torch.where((allowed.amax(dim=1) <= 0) & best.isfinite(), ABOVE * cell - best, 0.0)
    whole = values.new_zeros(RAYS * RAYS)
    whole[inside] = lift
    return _spread(whole.view(RAYS, RAYS))


def _spread(lift: Tensor) -> Tensor:
    """Never less than ``lift`` [R, R], and smooth: the largest around each ray, averaged over the same square."""
    size = 2 * BLUR + 1
    wide = functional.max_pool2d(lift[None, None], size, stride=1, padding=BLUR)
    return functional.avg_pool2d(wide, size, stride=1, padding=BLUR, count_include_pad=False)[0, 0]


def _at(image: Tensor, where: Tensor, beyond: str = "zeros") -> Tensor:
    """[N] bilinear look-up of [R, R] at frustum points [N, 3]; beyond the crop 0, or the "border"'s value."""
    grid = where[None, None, :, :2]
    return functional.grid_sample(image[None, None], grid, padding_mode=beyond, align_corners=False)[0, 0, 0]
