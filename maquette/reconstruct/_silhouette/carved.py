"""Several views -> mesh: the rounded visual hull, extracted coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from ...data import Camera, FloatArray, Mesh, View
from ...errors import BadViewsError
from ...geometry.extract import extract
from ...geometry.hull import Rays, RoundedHull, Silhouette, axis_groups, rays_through
from ...progress import Progress
from .._cameras import camera_of
from .agreement import DOUBTFUL, check_agreement, shares
from .alignment import aligned
from .crumbs import without_crumbs
from .facing import FacingHull
from .inflated import LEAST
from .masks import box_side

if TYPE_CHECKING:
    from .. import Settings

EXPONENT = 2.3
"""Of the superellipse that cross-sections are rounded to: 2 an ellipse, large a box."""
SCOUT = 64
"""Samples a side of the pass that finds the box of the hull."""
SLACK = 0.015
"""Share of the hull's radius by which a ray may miss the other views' hull and still count as agreeing."""
ALIGN = 0.985
"""When the other views leave less of a silhouette than this share, all views are aligned first."""
REACH = 1.2
"""Share of the region's radius within which rays are followed."""
BORDER = 2
"""Empty cells around the solid."""


@dataclass(frozen=True)
class Agreed:
    """Views that show one object: their cones with the cameras as used, what lies along their rays, the cube that holds
    the hull, the length of a cell, and notes."""

    silhouettes: list[Silhouette]
    groups: tuple[int, ...]
    seen: tuple[Rays, ...]
    center: npt.NDArray[np.float64]
    radius: float
    cell: float
    notes: list[str]


def agreed(
    masks: Sequence[FloatArray], views: Sequence[View], resolution: int, device: str, progress: Progress
) -> Agreed:
    """The views, aligned when they almost agree, which changes their cameras' principal points and focal lengths a
    little. BadViewsError names the one to blame when they contradict each other.
    """
    cameras = [camera_of(view) for view in views]
    center, radius = region(masks, cameras)
    cell = 2 * radius / 1.5 / resolution
    silhouettes = _silhouettes(masks, cameras, center, cell, device, progress.part(0, 1 / 3))
    middle = torch.as_tensor(center, dtype=torch.float32, device=device)
    groups = axis_groups(cameras)
    notes: list[str] = []
    seen = rays_through(silhouettes, groups, middle, REACH * radius, progress.part(1 / 3, 2 / 3))
    if min(shares(seen, slack=SLACK * radius)) < ALIGN:
        moved, shift = aligned(silhouettes, middle, REACH * radius, progress.part(2 / 3, 5 / 6))
        again = rays_through(moved, groups, middle, REACH * radius, progress.part(5 / 6, 1))
        if min(shares(again, slack=SLACK * radius)) >= DOUBTFUL:  # else it is not the framing that is wrong
            silhouettes, seen = moved, again
            notes.append(f"the views were moved by up to {shift:.0f} pixels, so that they agree with each other")
    notes += check_agreement(views, seen, slack=SLACK * radius)
    return Agreed(silhouettes, groups, seen, center, radius, cell, notes)


def carved_mesh(
    masks: Sequence[FloatArray], views: Sequence[View], settings: Settings, progress: Progress
) -> tuple[Mesh, list[Camera], list[str], dict[str, Any]]:
    """The rounded hull of ``masks`` [H, W] seen by the cameras of ``views``; the cameras as used; notes and figures.

    Raises what ``agreed`` raises.
    """
    found = agreed(masks, views, settings.resolution, settings.device, progress.part(0, 0.6))
    silhouettes, notes, cell = found.silhouettes, list(found.notes), found.cell
    field: RoundedHull | FacingHull
    if len(set(found.groups)) == 1:
        notes.append("all views look along one axis, so the depth was guessed from the width; add a view from the side")
        field = FacingHull.of(masks[0].shape, silhouettes, LEAST * cell, progress)
    else:
        depths = tuple(rays.room for rays in found.seen)
        exponent = float(settings.options.get("exponent", EXPONENT))
        field = RoundedHull(tuple(silhouettes), found.groups, depths, exponent, least=cell)
    vertices, faces, figures = _surface(field, found.center, found.radius, settings, progress.part(0.6, 1))
    mesh, said = without_crumbs(vertices, faces)
    return mesh, [s.camera for s in silhouettes], notes + said, figures


def region(masks: Sequence[FloatArray], cameras: Sequence[Camera]) -> tuple[npt.NDArray[np.float64], float]:
    """Centre [3] and half side of a cube that surely holds the hull: where the cameras' aims meet, and how large the
    masks are there."""
    eyes, aims, spans = [], [], []
    for mask, camera in zip(masks, cameras, strict=True):
        rows, columns = np.nonzero(mask >= 0.5)
        k = camera.intrinsics
        u, v = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
        aim = camera.cam_to_world[:3, :3] @ np.array([(u - k[0, 2]) / k[0, 0], (k[1, 2] - v) / k[1, 1], -1.0])
        eyes.append(camera.position)
        aims.append(aim / np.linalg.norm(aim))
        spans.append(box_side(mask) / k[0, 0])
    across = [np.eye(3) - np.outer(a, a) for a in aims]
    pull = np.eye(3) * 1e-3  # towards the world's origin, where all aims are parallel
    center = np.linalg.solve(sum(across) + pull, sum(m @ e for m, e in zip(across, eyes, strict=True)))
    reach = [float((center - e) @ a) for e, a in zip(eyes, aims, strict=True)]
    if min(reach) <= 0:
        raise BadViewsError("a camera looks away from the point where the other views meet; check the cameras")
    return np.asarray(center, np.float64), 0.75 * float(max(s * r for s, r in zip(spans, reach, strict=True)))


def _silhouettes(
    masks: Sequence[FloatArray],
    cameras: Sequence[Camera],
    center: npt.NDArray[np.float64],
    cell: float,
    device: str,
    progress: Progress,
) -> list[Silhouette]:
    out = []
    for index, (mask, camera) in enumerate(zip(masks, cameras, strict=True)):
        progress.update(index, len(masks), "measure the masks")
        depth = float(-(camera.cam_to_world[:3, 2] @ (center - camera.position)))
        pixel = depth / float(camera.intrinsics[0, 0])
        out.append(Silhouette.of(mask, camera, LEAST * cell / pixel, device, progress))
    return out


def _surface(
    field: RoundedHull | FacingHull,
    center: npt.NDArray[np.float64],
    radius: float,
    settings: Settings,
    progress: Progress,
) -> tuple[FloatArray, npt.NDArray[np.int32], dict[str, Any]]:
    """The surface in a box that fits, with ``resolution`` cells along its longest side."""
    low, high = _box(field, center, radius, settings.device, progress)
    cell = float((high - low).max()) / settings.resolution
    counts = np.ceil((high - low) / cell).astype(int) + 2 * BORDER + 1
    middle, half = (low + high) / 2, (counts - 1) * cell / 2
    vertices, faces, stats = extract(
        field,
        lower=tuple(middle - half),
        upper=tuple(middle + half),
        resolution=(int(counts[0]), int(counts[1]), int(counts[2])),
        device=settings.device,
        progress=progress,
    )
    figures = {"grid": counts.tolist(), "queried": stats.queried}
    return vertices.cpu().numpy(), faces.cpu().numpy().astype(np.int32), figures


def _box(
    field: RoundedHull | FacingHull, center: npt.NDArray[np.float64], radius: float, device: str, progress: Progress
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Corners of the box of all samples of a coarse grid that may lie within a cell of the inside."""
    line = torch.linspace(-radius, radius, SCOUT, device=device)
    grid = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1)
    grid = grid + torch.as_tensor(center, dtype=torch.float32, device=device)
    found = []
    for layer in grid:
        progress.check()
        points = layer.reshape(-1, 3)
        found.append(points[field.bound(points) > -2 * radius / SCOUT])
    inside = torch.cat(found)
    if len(inside) == 0:
        raise BadViewsError("nothing is left where all views overlap; check their directions and masks")
    low, high = (x.cpu().numpy().astype(np.float64) for x in (inside.min(0).values, inside.max(0).values))
    return low, high
