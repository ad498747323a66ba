"""Triplanes -> coloured triangles, asking the field only near the surface."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import BadInputError
from ...geometry.extract import ExtractStats, extract
from ...progress import Progress
from .config import Config
from .field import SceneField

PUBLISHED_THRESHOLD = 25.0
SAFE = (12.5, 50.0)
"""The adaptive threshold is kept between half and twice the published one: beyond, shapes bloat or fall apart."""

KERNEL_COARSE = 129
"""Samples an axis of the first, dense pass where the fused kernel answers 2.6 thousand million points a second: each
level of refinement costs more there than the two million points that spare it."""


@dataclass(frozen=True)
class Surface:
    """A mesh in the model frame, on the device of the computation.

    vertices: [V, 3] float32; faces: [F, 3] int64, counter-clockwise from outside; colors: [V, 3] sRGB; threshold: the
    density used; touched: the surface reached the border of the volume and was closed there.
    """

    vertices: Tensor
    faces: Tensor
    colors: Tensor
    threshold: float
    touched: bool
    stats: ExtractStats


def adaptive_level(coarse: Tensor) -> float:
    """Log of the adaptive threshold: the median density of the volume's inside, clamped to ``SAFE``.

    coarse: [X, Y, Z] log densities on a lattice that spans the volume; the outermost layer is left out.
    """
    inner = coarse[1:-1, 1:-1, 1:-1] if min(coarse.shape) > 2 else coarse
    median = float(inner.median())
    return min(max(median, math.log(SAFE[0])), math.log(SAFE[1]))


def check_threshold(threshold: str | float) -> float | None:
    """The fixed density, or None for "adaptive"; BadInputError for anything else."""
    if isinstance(threshold, str):
        if threshold != "adaptive":
            raise BadInputError(f"the threshold must be 'adaptive' or a density above 0, got '{threshold}'")
        return None
    if not (math.isfinite(threshold) and threshold > 0):
        raise BadInputError(f"the threshold must be a density above 0, got {threshold}; the published value is 25")
    return float(threshold)


class ClosedField:
    """Log density with an empty border: what touches the volume's border is cut off there, so meshes stay closed."""

    def __init__(self, field: SceneField, config: Config, lowest_level: float) -> None:
        self._field, self._edge, self._level = field, config.radius * (1 - 1e-5), lowest_level

    def __call__(self, points: Tensor) -> Tensor:
        """[N] log density; at most one below the level on the border."""
        raw = self._field.raw(points)
        border = points.abs().amax(dim=1) >= self._edge
        return torch.where(border, raw.clamp(max=self._level - 1.0), raw)


def surface(
    field: SceneField,
    config: Config,
    *,
    resolution: int,
    threshold: str | float = "adaptive",
    refine: int = 1,
    closed: bool = True,
    progress: Progress,
) -> Surface:
    """The surface density = threshold with its colours; ``resolution``: samples along each axis of the volume.

    Works on the log of the density, which is nearly linear between samples where the density itself is steep (the
    original's terraces); inside and outside are the same. refine: further steps onto the true field, one look-up a
    vertex each (measured on recorded scenes: log alone leaves a fifth of the original's error, one step a fiftieth).
    Raises BadInputError when nothing is above the threshold; the message gives the range of densities.
    """
    fixed = check_threshold(threshold)
    lowest = math.log(SAFE[0] if fixed is None else fixed)
    asked: Any = ClosedField(field, config, lowest) if closed else field.raw
    vertices, faces, stats = extract(
        asked,
        lower=(-config.radius,) * 3,
        upper=(config.radius,) * 3,
        resolution=resolution,
        level=adaptive_level if fixed is None else lowest,
        device=field.device,
        coarse=KERNEL_COARSE if field.method == "fused kernel" else None,
        refine=refine,
        batch=field.block,
        progress=progress,
    )
    if len(faces) == 0:
        raise BadInputError(
            f"no surface: no density is above the threshold {math.exp(stats.level):.3g}; the volume holds densities"
            f" from {math.exp(stats.low):.3g} to {math.exp(stats.high):.3g}. Choose a threshold between them, or look"
            " at the mask"
        )
    colors = field.color(vertices)
    cell = 2 * config.radius / (resolution - 1)
    touched = closed and float(vertices.abs().max()) > config.radius - cell
    return Surface(vertices, faces, colors, math.exp(stats.level), touched, stats)
