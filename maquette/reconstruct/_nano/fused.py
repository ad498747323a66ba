"""Several views -> one solid: every view's field brought into the world, averaged by confidence, cut by all masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...data import FloatArray, Mesh
from ...geometry.camera import project
from ...geometry.hull import axis_groups
from ...progress import Progress
from .calibrated import relief_of

if TYPE_CHECKING:
    from torch import Tensor

    from .predict import Prediction
    from .world import Place

Found = Sequence[tuple["Prediction", "Place"]]

BAND = 0.12
"""Distance from the first surface (half picture widths) at which a view's word is cut off: several times its error."""
HIDDEN, PAST = 0.1, 0.05
"""Weight of a view's guess at what it did not see, from twice BAND behind its first surface on; and past the last of
the material that it takes to be there, which mostly ends too early (gaps are guessed better than ends)."""
EXPECTED, STEEPEST = 0.12, 1.0
"""Expected error (half picture widths) at which trust has fallen to 1 / e, and slope above which it falls no more."""
BOX, SCOUT = 1.3, 48
"""Half side of the cube in which the solid is looked for, in half picture widths, and samples a side of that search."""
FILLED = 0.9
"""Share of a mask that the fused solid must fill, else the views are carved instead."""


def fused_mesh(found: Found, resolution: int, device: str, progress: Progress) -> tuple[Mesh | None, list[str]]:
    """Mesh in the world with confidence, or None and the reason as the last note."""
    import torch

    from ...geometry.extract import marching_cubes
    from .filling import filled_up, slabs

    low, high = _box(found)
    cell = float((high - low).max()) / resolution
    counts = np.ceil((high - low) / cell).astype(int) + 3
    axes = [torch.arange(int(n), device=device) * cell + float(a) - cell for n, a in zip(counts, low, strict=True)]
    values, room = (torch.empty([len(a) for a in axes], device=device) for _ in range(2))
    for part, points in slabs(axes):
        progress.check()
        room[part] = cones(found, points).view(room[part].shape)
        values[part] = fused_field(found, points)[0].view(room[part].shape)
    values = smoothed(values)
    torch.minimum(values, room, out=values)
    filled_up(values, room, axes, found, progress)
    lower, upper = ([float(a[end]) for a in axes] for end in (0, -1))
    vertices, faces = marching_cubes(values, lower=lower, upper=upper)
    if len(faces) == 0:
        return None, ["the views leave no solid in common"]
    mesh = Mesh(vertices.cpu().numpy(), faces.cpu().numpy(), confidence=fused_field(found, vertices)[1].cpu().numpy())
    worst = min(_filled(mesh, place, made, cell) for made, place in found)
    if worst < FILLED:
        return None, [f"the fused views fill only {worst:.0%} of a mask"]
    return mesh, []


def smoothed(values: Tensor) -> Tensor:
    """[X, Y, Z] averaged with weights 1 2 1 along each axis: views that take turns leave no steps."""
    for axis in range(3):
        out, last = values * 0.5, values.shape[axis] - 1
        out.narrow(axis, 1, last).add_(values.narrow(axis, 0, last), alpha=0.25)
        out.narrow(axis, 0, last).add_(values.narrow(axis, 1, last), alpha=0.25)
        for end in (0, last):  # beyond the ends the field goes on as it is there
            out.narrow(axis, end, 1).add_(values.narrow(axis, end, 1), alpha=0.25)
        values = out
    return values


def cones(found: Found, points: Tensor) -> Tensor:
    """[N] distance to the nearest wall of any mask's cone at world points [N, 3], world units, positive inside."""
    import torch

    room = [made.solid.rim(place.to_frustum(points)) * place.unit for made, place in found]
    return torch.stack(room).min(dim=0).values


def fused_field(found: Found, points: Tensor) -> tuple[Tensor, Tensor]:
    """Field [N] (world units, positive inside) and confidence [N] at world points [N, 3].

    As in the fusion of range images (Curless and Levoy 1996): each view gives the distance to the surface that it saw,
    cut at BAND, and says little of what lies behind; no point is inside that lies outside a mask. Between the reliefs
    of a front and a back, into which no other view looks, all is solid.
    """
    import torch

    total, weight = torch.zeros_like(points[:, 0]), torch.full_like(points[:, 0], 1e-6)
    behind_all = torch.full_like(total, torch.inf)
    for made, place in found:
        behind, material, sure = _opinion(made, place.to_frustum(points))
        total += sure * material * place.unit
        weight += sure
        behind_all = torch.minimum(behind_all, behind * place.unit)
    value = behind_all if back_to_back(found) else total / weight
    return torch.minimum(value, cones(found, points)), (weight / len(found)).clamp(0, 1)


def back_to_back(found: Found) -> bool:
    """Whether the views look along one axis, and from both of its ends."""
    cameras = [place.camera for _, place in found]
    ways = {bool(c.cam_to_world[:3, 2] @ cameras[0].cam_to_world[:3, 2] > 0) for c in cameras}
    return len(set(axis_groups(cameras))) == 1 and len(ways) == 2


def _opinion(made: Prediction, where: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What one view says at frustum points [N, 3], each [N]: distance behind its first surface (half picture widths,
    cut at BAND); the same before that surface, but behind it how far within the material that it takes to be there,
    which is stretched: where ``Frustum.reach`` cuts it, it is BAND; and the weight of that."""
    import torch
    from torch.nn import functional

    maps = torch.from_numpy(np.stack([made.depth, made.thick, trust(made)])).to(where.device)
    grid = where[None, None, :, :2]
    depth, thick, sure = functional.grid_sample(maps[None], grid, padding_mode="border", align_corners=False)[0, :, 0]
    behind = where[:, 2] - depth
    material = made.solid.along(where) * (BAND / made.solid.reach)
    value = torch.where(behind > 0, torch.minimum(behind, material), behind).clamp(-BAND, BAND)
    hidden = ((behind - BAND) / BAND).clamp(0, 1)
    past = ((behind - thick) / made.cell + 0.5).clamp(0, 1)
    guess = HIDDEN + (PAST - HIDDEN) * past
    return behind.clamp(-BAND, BAND), value, sure * (1 - (1 - guess) * hidden)


def trust(made: Prediction) -> FloatArray:
    """[S, S] weight of a view's first surface: by its expected error, and less where it is seen at a grazing angle."""
    step = 2.0 / made.depth.shape[0]
    slope = np.hypot(*np.gradient(made.depth, step))
    return np.asarray(np.exp(-made.error / EXPECTED) / (1 + np.minimum(slope, STEEPEST) ** 2), np.float32)


def _box(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box around all that lies in the cone of every mask; along a single axis, around the reliefs."""
    import torch

    if back_to_back(found):
        ends = [_bounds(made, place) for made, place in found]
        return np.min([low for low, _ in ends], axis=0), np.max([high for _, high in ends], axis=0)
    reach = BOX * max(place.unit for _, place in found)
    line = torch.linspace(-reach, reach, SCOUT)
    points = torch.cartesian_prod(line, line, line)
    inside = points[cones(found, points.to(found[0][0].solid.outline)).cpu() > -1.2 * 2 * reach / SCOUT].numpy()
    if len(inside) == 0:
        return np.full(3, -reach), np.full(3, reach)
    return inside.min(0).astype(np.float64), inside.max(0).astype(np.float64)


def _bounds(made: Prediction, place: Place) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the box around a view's first surface and the middle of its solid, inside its mask, and more."""
    import torch

    relief = relief_of(made, made.depth.shape[0])
    own = made.solid.rim(torch.from_numpy(relief).to(made.solid.outline)).cpu().numpy() > -2 * made.cell
    first = relief[own]
    halfway = first.copy()
    halfway[:, 2] = made.middle
    points = np.concatenate([place.to_world(first), place.to_world(halfway)])
    return points.min(0) - 2 * made.cell * place.unit, points.max(0) + 2 * made.cell * place.unit


def _filled(mesh: Mesh, place: Place, made: Prediction, cell: float) -> float:
    """Share of the crop's mask that the mesh's vertices cover on a raster coarser than the cells of the lattice."""
    xy, _ = project(place.camera, mesh.vertices)
    side = int(np.clip(place.unit / cell, 8, 64))
    column = ((xy - [place.crop.left, place.crop.top]) / place.crop.side * side).astype(int)
    good = ((column >= 0) & (column < side)).all(1)
    hit = np.zeros((side, side), bool)
    hit[column[good, 1], column[good, 0]] = True
    rim = made.solid.outline.cpu().numpy()
    step = (np.arange(side) + 0.5) / side * len(rim)
    mask = rim[np.ix_(step.astype(int), step.astype(int))] > 1.5 * max(made.cell, 1 / side)
    return float((hit & mask).sum() / max(mask.sum(), 1))
