"""Surfaces from fields: marching cubes over a dense volume, and coarse to fine over a callable.

Sign convention everywhere: larger = inside (occupancy, density); negate a signed distance that is positive outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import BadInputError
from ..native import extension

if TYPE_CHECKING:
    from torch import Tensor

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
