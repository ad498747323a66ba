"""One view -> mesh: the inflated solid, sampled on the rays of its camera, extracted, and brought into the world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...data import Camera, FloatArray, Mesh
from ...geometry.inflate import Inflated, inflate, pixel_size
from ...progress import Progress
from .crumbs import without_crumbs
from .masks import box_side

if TYPE_CHECKING:
    from torch import Tensor

LEAST = 0.72
"""Half-width in cells to which thinner parts are widened: above sqrt(1/2) the grid cannot step over them, slanted or
not."""
DENSE = 160
"""Up to this resolution the whole grid is evaluated; above it only what lies near the surface."""
BORDER = 2
"""Empty cells around the solid."""


@dataclass(frozen=True)
class RayGrid:
    """The solid on a regular grid of (x, y on the plane, z in front of it), world units; straight up along the rays.

    squared, middle, stretch, relief: [X, Y] as in ``Inflated``; lower, upper: corners of the box; shape: samples.
    """

    squared: FloatArray
    middle: FloatArray
    stretch: FloatArray
    relief: FloatArray
    lower: tuple[float, float, float]
    upper: tuple[float, float, float]
    shape: tuple[int, int, int]

    def values(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """Field at grid columns ``x``, ``y`` (indices) and heights ``z`` (world units), broadcast; larger = inside."""
        import torch

        maps = (self.squared, self.middle, self.stretch, self.relief)
        squared, middle, stretch, relief = (torch.as_tensor(m, device=z.device)[x, y] for m in maps)
        height = z - middle
        height = torch.where(height > 0, height / (1 + relief), height)
        return squared - stretch * height**2

    def field(self) -> Callable[[Tensor], Tensor]:
        """The same at points [N, 3] of the grid's box, for ``extract`` (which asks at grid points only)."""

        def at(points: Tensor) -> Tensor:
            low, high = points.new_tensor(self.lower), points.new_tensor(self.upper)
            counts = points.new_tensor(self.shape) - 1
            index = ((points[:, :2] - low[:2]) / (high - low)[:2] * counts[:2]).round().long()
            return self.values(index[:, 0], index[:, 1], points[:, 2])

        return at


def inflated_mesh(
    mask: FloatArray,
    camera: Camera,
    resolution: int,
    device: str,
    progress: Progress,
    relief: FloatArray | None = None,
) -> tuple[Mesh, list[str], dict[str, Any]]:
    """The inflated solid of ``mask`` [H, W] seen by ``camera``, as a mesh in the camera's world; notes and figures.

    resolution: cells along the longest side of the mask's box. Watertight, 2-manifold.
    """
    cell = cell_size(mask, camera, resolution)
    progress.update(0, 3, "inflate")
    margin = 8 + int(np.ceil(BORDER * cell / pixel_size(camera)))
    solid = inflate(mask, camera, least=LEAST * cell, margin=margin, relief=relief, progress=progress.part(0, 1 / 3))
    progress.update(1, 3, "extract")
    grid = ray_grid(solid, cell)
    vertices, faces, figures = _surface(grid, device, progress.part(1 / 3, 1))
    mesh, notes = without_crumbs(to_world(vertices, solid).astype(np.float32), faces.astype(np.int32))
    return mesh, notes, {"grid": list(grid.shape), **figures}


def cell_size(mask: FloatArray, camera: Camera, resolution: int) -> float:
    """World units of a cell such that the longer side of the mask's box takes ``resolution`` cells."""
    return box_side(mask) * pixel_size(camera) / resolution


def ray_grid(solid: Inflated, cell: float) -> RayGrid:
    """The maps of ``solid`` resampled to columns ``cell`` apart, and the box that holds it all."""
    from scipy.ndimage import map_coordinates

    inside = solid.squared > 0
    rows, columns = np.nonzero(inside)
    pixel, k = solid.pixel, solid.camera.intrinsics
    x0, x1 = ((c - solid.margin + 0.5 - k[0, 2]) * pixel for c in (columns.min() - 1, columns.max() + 1))
    y0, y1 = ((k[1, 2] - r + solid.margin - 0.5) * pixel for r in (rows.max() + 1, rows.min() - 1))
    xs, ys = _ticks(x0, x1, cell), _ticks(y0, y1, cell)
    row = k[1, 2] + solid.margin - 0.5 - ys / pixel
    column = k[0, 2] + solid.margin - 0.5 + xs / pixel
    where = np.broadcast_arrays(row[None, :], column[:, None])
    squared = map_coordinates(solid.squared, where, order=3, mode="nearest").astype(np.float32)
    others = (solid.middle, solid.stretch, solid.relief)
    middle, stretch, relief = (map_coordinates(m, where, order=1, mode="nearest") for m in others)
    half = np.sqrt(np.maximum(solid.squared, 0) / solid.stretch) * (1 + np.abs(solid.relief))
    zs = _ticks(float((solid.middle - half)[inside].min()), float((solid.middle + half)[inside].max()), cell)
    axes = (xs, ys, zs)
    lower, upper = (tuple(float(a[end]) for a in axes) for end in (0, -1))
    shape = (len(xs), len(ys), len(zs))
    return RayGrid(
        squared, middle, stretch, relief, (lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]), shape
    )


def _ticks(low: float, high: float, cell: float) -> npt.NDArray[np.float64]:
    """Sample positions ``cell`` apart that cover [low, high] with a border of empty cells."""
    count = int(np.ceil((high - low) / cell)) + 2 * BORDER + 1
    return np.asarray((low + high) / 2 + (np.arange(count) - (count - 1) / 2) * cell, np.float64)


def _surface(
    grid: RayGrid, device: str, progress: Progress
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], dict[str, Any]]:
    """Vertices [V, 3] in the grid's coordinates and faces [F, 3]."""
    import torch

    from ...geometry.extract import extract, marching_cubes

    progress.check()
    if max(grid.shape) <= DENSE:
        x, y = (torch.arange(n, device=device) for n in grid.shape[:2])
        z = torch.linspace(grid.lower[2], grid.upper[2], grid.shape[2], device=device)
        values = grid.values(x[:, None, None], y[None, :, None], z[None, None, :])
        vertices, faces = marching_cubes(values, lower=grid.lower, upper=grid.upper)
        queried = values.numel()
    else:
        vertices, faces, stats = extract(
            grid.field(), lower=grid.lower, upper=grid.upper, resolution=grid.shape, device=device, progress=progress
        )
        queried = stats.queried
    return vertices.cpu().numpy().astype(np.float64), faces.cpu().numpy(), {"queried": queried}


def to_world(points: npt.NDArray[np.float64], solid: Inflated) -> npt.NDArray[np.float64]:
    """Points (x, y on the plane, z in front of it) -> world: along the ray through (x, y) to that z."""
    camera, plane = solid.camera, solid.plane
    along = 1.0 - points[:, 2:] / plane
    local = np.concatenate([points[:, :2] * along, points[:, 2:] - plane], axis=1)
    return np.asarray(local @ camera.cam_to_world[:3, :3].T + camera.cam_to_world[:3, 3])
