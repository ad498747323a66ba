"""Surfaces from fields: marching cubes over a dense volume, and coarse to fine over a callable.

Sign convention everywhere: larger = inside (occupancy, density); negate a signed distance that is positive outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import BadInputError
from ..native import extension
from ..progress import Progress, silent

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ._extract.lattice import Lattice
    from ._extract.sampler import Sampler

HALF = (0.5, 0.5, 0.5)
MINUS_HALF = (-0.5, -0.5, -0.5)


def marching_cubes(
    values: Tensor,  # [X, Y, Z]
    level: float = 0.0,
    *,
    lower: Sequence[float] = MINUS_HALF,
    upper: Sequence[float] = HALF,
) -> tuple[Tensor, Tensor]:
    """The surface between values > level (inside) and the rest, by marching cubes (Lorensen and Cline, 1987).

    values: samples of a floating type on any device, first sample at ``lower``, last at ``upper`` (world units).
    Returns vertices [V, 3] float32 in world units and faces [F, 3] int64, counter-clockwise seen from outside, on the
    same device: welded, 2-manifold, closed where the surface does not leave the volume. No surface: empty tensors.
    Raises BadInputError for a wrong shape or type, empty bounds, or NaN next to the surface.
    """
    check_bounds(lower, upper)
    try:
        vertices, faces = extension("marching_cubes").marching_cubes(values, level)
    except ValueError as error:
        raise BadInputError(f"marching cubes: {error}") from error
    return place(vertices, values.shape, lower, upper), faces


def place(vertices: Tensor, shape: Sequence[int], lower: Sequence[float], upper: Sequence[float]) -> Tensor:
    """Index units of a grid with ``shape`` samples -> world units, [V, 3]."""
    low = vertices.new_tensor(list(lower))
    step = vertices.new_tensor([(b - a) / (n - 1) for a, b, n in zip(lower, upper, shape, strict=True)])
    return low + vertices * step


def check_bounds(lower: Sequence[float], upper: Sequence[float]) -> None:
    """BadInputError unless both are three numbers and every side has a length."""
    if len(lower) != 3 or len(upper) != 3 or not all(a < b for a, b in zip(lower, upper, strict=True)):
        raise BadInputError(f"the box must have lower < upper on all three axes, got {tuple(lower)} to {tuple(upper)}")


@dataclass(frozen=True)
class ExtractStats:
    """What an extraction cost and saw.

    queried: points at which the field was asked (``dense`` = points of the full lattice); blocks: blocks of samples
    kept; rounds: passes, first passes of the levels included; low, high: least and greatest value seen (for the message
    when nothing was found); level: the level used, also where it was computed from the coarse samples.
    """

    resolution: tuple[int, int, int]
    level: float
    queried: int
    dense: int
    blocks: int
    rounds: int
    low: float
    high: float

    @property
    def share(self) -> float:
        """Queried points as a share of the dense lattice."""
        return self.queried / self.dense


def extract(
    field: Callable[[Tensor], Tensor],
    *,
    lower: Sequence[float] = MINUS_HALF,
    upper: Sequence[float] = HALF,
    resolution: int | tuple[int, int, int],
    level: float | Callable[[Tensor], float] = 0.0,
    device: str | torch.device = "cpu",
    coarse: int | None = None,
    slope: float | None = None,
    caution: float = 0.4,
    refine: int = 0,
    block: int = 8,
    batch: int = 1 << 18,
    progress: Progress | None = None,
) -> tuple[Tensor, Tensor, ExtractStats]:
    """The surface field > level, asking the field only near the surface; equal to marching cubes on the full lattice.

    field: world points [N, 3] float32 on ``device`` -> values [N], larger = inside; at most ``batch`` points a call.
    resolution: samples along each axis (one number: the same for all three), both ends of the box included.
    level: a number, or a function of the coarse samples [X, Y, Z] that gives one (adaptive thresholds).
    coarse: samples along the longest axis of the first, dense pass (default: a quarter of the resolution, 32 to 128).
    slope: a bound on how fast the field changes per world unit (1 for a true distance); with it nothing can be missed.
    caution: without a slope, coarse cells are also opened where the field, changing as fast as it does next to them,
    could have crossed the level and come back (0 = off). What was found is followed everywhere: only whole components
    can be missed: 3 % of isolated rods 1.5 cells thick, none of 2.5 cells (benchmarks/extract.py).
    refine: secant steps that move each vertex along its edge onto the true field, one query a vertex and step.

    Returns vertices [V, 3] float32 (world), faces [F, 3] int64 counter-clockwise seen from outside, both on ``device``,
    and ExtractStats; closed and 2-manifold where the surface does not leave the box. Nothing found gives empty tensors,
    and the stats say which values were seen. Raises BadInputError for impossible settings or a field that gives NaN.
    """
    import torch

    from ._extract.lattice import Lattice
    from ._extract.sampler import Sampler

    check_bounds(lower, upper)
    shape = _lattice_shape(resolution)
    if block < 2 or block & (block - 1) or batch < 1:
        raise BadInputError(f"block must be a power of two and batch positive, got block {block}, batch {batch}")
    device, progress = torch.device(device), progress or silent()
    sampler = Sampler(field, lower, upper, shape, device, batch, progress)
    with torch.no_grad():
        found = _walked(sampler, Lattice(shape, block, device), level, coarse, slope, caution, refine)
    sampler.check()
    progress.update(1, 1, "surface extracted")
    return found


def _walked(
    sampler: Sampler,
    lattice: Lattice,
    level: float | Callable[[Tensor], float],
    coarse: int | None,
    slope: float | None,
    caution: float,
    refine: int,
) -> tuple[Tensor, Tensor, ExtractStats]:
    from ._extract.polygonise import polygonise, refined
    from ._extract.walk import Walk, coarse_points, coarse_stride, sample_coarse

    shape = lattice.shape
    stride = coarse_stride(shape, coarse)
    samples = sample_coarse(sampler, coarse_points(shape, stride, lattice.device))
    threshold = float(level(samples) if callable(level) else level)
    walk = Walk(sampler, lattice, threshold, slope, caution)
    cells = walk.descend(samples, stride)
    sampler.check()  # before NaN is anywhere near the mesh
    vertices, faces = polygonise(cells, lattice, sampler, threshold, refined(sampler, threshold, refine))
    dense, seen = shape[0] * shape[1] * shape[2], (float(sampler.low), float(sampler.high))
    stats = ExtractStats(shape, threshold, sampler.queried, dense, len(lattice.block_of), walk.rounds, *seen)
    return vertices, faces, stats


def _lattice_shape(resolution: int | tuple[int, int, int]) -> tuple[int, int, int]:
    shape = (resolution,) * 3 if isinstance(resolution, int) else tuple(int(n) for n in resolution)
    if len(shape) != 3 or min(shape) < 2 or max(shape) > 4096:
        raise BadInputError(f"the resolution must be 2 to 4096 samples an axis, got {resolution}")
    return shape[0], shape[1], shape[2]
