"""Several views -> one solid: every view's field brought into the world, averaged by confidence, cut by all masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...data import Mesh
from ...geometry.camera import project
from ...progress import Progress

if TYPE_CHECKING:
    from torch import Tensor

    from .predict import Prediction
    from .world import Place

Found = Sequence[tuple["Prediction", "Place"]]

FADE = 0.6
"""Distance behind the first surface (half picture widths) over which a view's word loses weight."""
FILLED = 0.9
"""Share of a mask that the fused solid must fill, else the views are carved instead."""


def fused_mesh(found: Found, resolution: int, device: str, progress: Progress) -> tuple[Mesh | None, list[str]]:
    """Mesh in the world with confidence, or None and the reason as the last note."""
    import torch

    from ...geometry.extract import marching_cubes

    low, high = _box(found)
    cell = float((high - low).max()) / resolution
    counts = np.ceil((high - low) / cell).astype(int) + 3
    axes = [torch.arange(int(n), device=device) * cell + float(a) - cell for n, a in zip(counts, low, strict=True)]
    flat = torch.stack(torch.meshgrid(axes[1], axes[2], indexing="ij"), -1).view(-1, 2)
    values = torch.empty(tuple(int(n) for n in counts), device=device)
    for i, x in enumerate(axes[0]):
        progress.check()
        points = torch.cat([x.expand(len(flat), 1), flat], 1)
        values[i] = fused_field(found, points)[0].view(values.shape[1:])
    lower, upper = ([float(a[end]) for a in axes] for end in (0, -1))
    vertices, faces = marching_cubes(values, lower=lower, upper=upper)
    if len(faces) == 0:
        return None, ["the views leave no solid in common"]
    mesh = Mesh(vertices.cpu().numpy(), faces.cpu().numpy(), confidence=fused_field(found, vertices)[1].cpu().numpy())
    worst = min(_filled(mesh, place, made) for made, place in found)
    if worst < FILLED:
        return None, [f"the fused views fill only {worst:.0%} of a mask"]
    return mesh, []


def fused_field(found: Found, points: Tensor) -> tuple[Tensor, Tensor]:
    """Field [N] (world units, positive inside) and confidence [N] at world points [N, 3]."""
    import torch
    from torch.nn import functional

    total, weight = torch.zeros_like(points[:, 0]), torch.full_like(points[:, 0], 1e-6)
    rim = torch.full_like(total, 1e3)
    for made, place in found:
        where = place.to_frustum(points)
        maps = torch.from_numpy(np.stack([made.depth, made.error])).to(points.device)
        grid = where[None, None, :, :2]
        depth, error = functional.grid_sample(maps[None], grid, padding_mode="border", align_corners=False)[0, :, 0]
        sure = torch.exp(-error / 0.12) * torch.exp(-(where[:, 2] - depth).clamp(min=0) / FADE)
        total += sure * made.solid.along(where) * place.unit
        weight += sure
        rim = torch.minimum(rim, made.solid.rim(where) * place.unit)
    return torch.minimum(total / weight, rim), (weight / len(found)).clamp(0, 1)


def _box(found: Found) -> tuple[np.ndarray, np.ndarray]:
    """Corners of a box that holds every view's solid, and no more than all of them allow."""
    low, high = np.full(3, -np.inf), np.full(3, np.inf)
    for made, place in found:
        ends = np.array(
            [[u, v, d] for u in (-1, 1) for v in (-1, 1) for d in (made.solid.near, made.solid.far)], np.float32
        )
        corners = place.to_world(ends)
        low, high = np.maximum(low, corners.min(0)), np.minimum(high, corners.max(0))
    if not (low < high).all():
        reach = max(place.unit for _, place in found)
        return np.full(3, -reach), np.full(3, reach)
    return low, high


def _filled(mesh: Mesh, place: Place, made: Prediction) -> float:
    """Share of the crop's mask that the mesh's vertices, spread over a coarse raster, cover."""
    xy, _ = project(place.camera, mesh.vertices)
    side = 64
    column = ((xy - [place.crop.left, place.crop.top]) / place.crop.side * side).astype(int)
    good = ((column >= 0) & (column < side)).all(1)
    hit = np.zeros((side, side), bool)
    hit[column[good, 1], column[good, 0]] = True
    rim = made.solid.outline.cpu().numpy()
    step = (np.arange(side) + 0.5) / side * len(rim)
    mask = rim[np.ix_(step.astype(int), step.astype(int))] > 1.5 * made.cell
    return float((hit & mask).sum() / max(mask.sum(), 1))
