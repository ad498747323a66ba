"""Columns -> solid: intervals of material on every ray, a field in the frustum, its surface.

Frustum coordinates (see network.py): u right, v down in [-1, 1] over the crop, depth away from the camera. The field is
the smaller of two signed distances (positive inside, in half picture widths): to the nearest end of an interval along
the ray, and to the outline of the mask. So the silhouette is the mask's, to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...data import FloatArray
from .network import DEEPEST

if TYPE_CHECKING:
    from torch import Tensor

    from ...progress import Progress

INTERVALS = 4
"""Pieces of material kept on a ray."""
REACH = 1.25
"""Signed distances along a ray are cut at this many cells, so that a thin part keeps its width beside what lies far
behind it."""
LEAST = 0.8
"""Half thickness in cells below which nothing gets."""


def intervals(
    full: Tensor,  # [P, K] probability of material in each bin
    centres: Tensor,  # [K] distance of the bins' middles behind the first surface
    threshold: float,
    least: float,
) -> tuple[Tensor, Tensor]:
    """Starts and stops [P, INTERVALS] behind the first surface, NaN = none; the first one starts at 0 and is at least
    ``least`` thick. Ends lie where the probability, linear between the bins, crosses ``threshold``."""
    import torch
    from torch.nn import functional

    before, inside = functional.pad(full[:, :-1], (1, 0), value=1.0), full >= threshold
    turn = inside != functional.pad(inside[:, :-1], (1, 0), value=True)
    gap = before - full
    share = ((before - threshold) / torch.where(gap == 0, 1.0, gap)).clamp(0, 1)
    place = functional.pad(centres[:-1], (1, 0))
    at = place + (centres - place) * share
    last = 2 * INTERVALS  # turns beyond it, and what is none, are written there and left out
    number = torch.where(turn, turn.cumsum(1), last).clamp(max=last)
    ends = torch.full((len(full), last + 1), torch.nan, device=full.device).scatter(1, number, at)
    ends[:, 0] = 0.0
    starts, stops = ends[:, :-1:2], ends[:, 1::2]
    stops = torch.where(starts.isnan() | ~stops.isnan(), stops, DEEPEST)
    return starts.contiguous(), torch.cat([stops[:, :1].clamp(min=least), stops[:, 1:]], 1)


@dataclass(frozen=True)
class Frustum:
    """The field of one view.

    volume: [Z, S, S] signed distance along the rays, depth from ``near`` on in steps of ``step``; outline: [R, R] the
    signed distance to the mask's outline over the same crop, both in half picture widths; far = near + (Z - 1) * step.
    """

    volume: Tensor
    outline: Tensor
    near: float
    step: float

    @property
    def far(self) -> float:
        """Depth of the last level."""
        return self.near + (self.volume.shape[0] - 1) * self.step

    @property
    def reach(self) -> float:
        """Where the distances along the rays are cut."""
        return REACH * self.step

    def along(self, points: Tensor) -> Tensor:
        """[N] signed distance along the rays at frustum points [N, 3] (u, v, depth)."""
        import torch
        from torch.nn import functional

        levels = self.volume.shape[0]
        depth = ((points[:, 2] - self.near) * (2.0 / (self.far - self.near)) - 1.0) * (levels - 1) / levels
        grid = torch.stack([points[:, 0], points[:, 1], depth], 1)[None, None, None]
        found = functional.grid_sample(self.volume[None, None], grid, padding_mode="border", align_corners=False)
        return found.reshape(-1)

    def rim(self, points: Tensor) -> Tensor:
        """[N] signed distance to the outline at frustum points [N, 3]."""
        from torch.nn import functional

        flat = points[None, None, :, :2]
        found = functional.grid_sample(self.outline[None, None], flat, padding_mode="border", align_corners=False)
        return found.reshape(-1)

    def values(self, points: Tensor) -> Tensor:
        """Field [N] at frustum points [N, 3]; positive inside."""
        import torch

        return torch.minimum(self.along(points), self.rim(points))


def nearest_column(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """[S, S] flat index of the nearest pixel where ``valid`` [S, S] is True."""
    from scipy.ndimage import distance_transform_edt

    rows, columns = distance_transform_edt(~valid, return_distances=False, return_indices=True)
    return np.asarray(rows * valid.shape[1] + columns, np.int64)


def frustum(
    depth: Tensor,  # [S, S]
    starts: Tensor,  # [S * S, INTERVALS]
    stops: Tensor,
    outline: Tensor,  # [R, R]
    cell: float,
) -> Frustum:
    """The field of these columns, with levels one ``cell`` apart, where they lie."""
    import torch

    size = depth.shape[0]
    front = depth.reshape(-1, 1)
    a, b = (starts + front).nan_to_num(nan=1e3), (stops + front).nan_to_num(nan=-1e3)
    ends = torch.stack([front.min(), b.max()]).tolist()
    near, far = ends[0] - 3 * cell, ends[1] + 3 * cell
    levels = near + cell * torch.arange(int(np.ceil((far - near) / cell)) + 1, device=depth.device)
    volume = torch.full((len(levels), size * size), -REACH * cell, device=depth.device)
    for j in range(a.shape[1]):
        inside = torch.minimum(levels[:, None] - a[:, j], b[:, j] - levels[:, None])
        volume = torch.maximum(volume, inside)
    volume = volume.clamp(max=REACH * cell).view(len(levels), size, size)
    return Frustum(volume, outline, near, cell)


DENSE = 330
"""Up to this many lattice points a side the whole lattice is evaluated; above it only what lies near the surface."""


def surface(solid: Frustum, cell: float, progress: Progress) -> tuple[FloatArray, npt.NDArray[np.int32], int]:
    """Vertices [V, 3] (u, v, depth) and faces [F, 3], counter-clockwise seen from outside; how many struts were set.

    cell: spacing of the lattice in half picture widths.
    """
    import torch

    from ...geometry.extract import marching_cubes

    progress.check()
    side = int(np.ceil(2.0 / cell)) + 3
    half, levels = (side - 1) / 2 * cell, solid.volume.shape[0]
    lower, upper = (-half, -half, -solid.far), (half, half, -solid.near)  # x = u, y = -v, z = -depth: right-handed
    if max(side, levels) <= DENSE:
        field, struts = _one_body(solid, half, side, cell)
        vertices, faces = marching_cubes(field, lower=lower, upper=upper)
    else:
        vertices, faces, struts = _one_body_sparsely(solid, half, side, cell, progress)
    points = vertices * vertices.new_tensor([1.0, -1.0, -1.0])
    return points.cpu().numpy(), faces.to(torch.int32).cpu().numpy(), struts


def _one_body_sparsely(
    solid: Frustum, half: float, side: int, cell: float, progress: Progress
) -> tuple[Tensor, Tensor, int]:
    """The surface in the right-handed frame of ``surface``: extracted, once more with struts if parts hang apart; how
    many struts.
    """
    import torch

    from ...geometry.extract import extract
    from .struts import BARS, Bar, bars_between, near_bars

    lower, upper = (-half, -half, -solid.far), (half, half, -solid.near)
    flip, origin = solid.volume.new_tensor([1.0, -1.0, -1.0]), solid.volume.new_tensor(lower)
    rim = solid.rim(_rays(half, side, solid.volume)).view(side, side) / cell
    region = _regions(solid.outline.cpu().numpy(), half, side)

    def extracted(bars: list[Bar], part: Progress) -> tuple[Tensor, Tensor, npt.NDArray[np.bool_], list[Bar]]:
        def field(points: Tensor) -> Tensor:
            values = solid.values(points * flip)
            if not bars:
                return values
            there = near_bars((points - origin) / cell, solid.rim(points * flip) / cell, bars)
            return torch.maximum(values, cell * there)

        shape = (side, side, solid.volume.shape[0])
        vertices, faces, _ = extract(
            field, lower=lower, upper=upper, resolution=shape, device=solid.volume.device, progress=part
        )
        places = ((vertices - origin) / cell).cpu().numpy()
        return vertices, faces, *bars_between(places, faces.cpu().numpy(), rim, region)

    vertices, faces, crumbs, bars = extracted([], progress.part(0, 0.5))
    if bars:
        vertices, faces, crumbs, _ = extracted(bars, progress.part(0.5, 1))
    return *without(vertices, faces, torch.from_numpy(crumbs).to(faces.device)), len(bars) // BARS


def without(vertices: Tensor, faces: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """The mesh without the faces marked in ``gone`` [F], and without the vertices that only they used."""
    import torch

    kept = faces[~gone]
    used = torch.zeros(len(vertices), dtype=torch.bool, device=vertices.device)
    used[kept.reshape(-1)] = True
    return vertices[used], (used.cumsum(0) - 1)[kept]


def _one_body(solid: Frustum, half: float, side: int, cell: float) -> tuple[Tensor, int]:
    """[side, side, Z] field at the lattice of ``surface``, one part for every region of the mask; how many struts."""
    from .struts import tie

    field = _lattice(solid, half, side)
    rim = solid.rim(_rays(half, side, field)).view(side, side)
    field /= cell
    struts = tie(field, rim / cell, _regions(solid.outline.cpu().numpy(), half, side))
    return field, struts


def _rays(half: float, side: int, like: Tensor) -> Tensor:
    """[side * side, 3] frustum points of the lattice's rays at depth 0."""
    import torch

    line = torch.linspace(-half, half, side, device=like.device)
    return torch.stack([*torch.meshgrid(line, -line, indexing="ij"), like.new_zeros(side, side)], -1).view(-1, 3)


def _regions(outline: FloatArray, half: float, side: int) -> npt.NDArray[np.integer]:
    """[side, side] label of the mask's region at each ray of the lattice, 0 = none; joined across corners."""
    from scipy.ndimage import label, maximum_filter

    size = len(outline)
    parts = label(outline > -1.0 / size, np.ones((3, 3)))[0]  # half a pixel of the picture more: no neck is lost
    line = np.linspace(-half, half, side)
    at = np.clip(((line + 1) / 2 * size).astype(int), 0, size - 1)
    wide = np.where(parts > 0, parts, maximum_filter(parts, 3))
    return np.asarray(wide[np.ix_(at[::-1], at)].T)


def _lattice(solid: Frustum, half: float, side: int) -> Tensor:
    """[side, side, Z] field at the lattice of ``surface``: its levels are those of the volume, only u and v are new."""
    import torch
    from torch.nn import functional

    line = torch.linspace(-half, half, side, device=solid.volume.device)
    grid = torch.stack(torch.meshgrid(line, -line, indexing="ij"), -1)[None]
    maps = (solid.volume[None], solid.outline[None, None])
    along, rim = (
        functional.grid_sample(m, grid, padding_mode="border", align_corners=False)[0].permute(1, 2, 0) for m in maps
    )
    return torch.minimum(along, rim).flip(2)
