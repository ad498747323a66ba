"""Tiles for large pictures. Every tile's relative depth has a scale and shift of its own: it is fitted to the whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...data import FloatArray

Place = tuple[slice, slice]


def tiles(height: int, width: int, side: int) -> list[Place]:
    """Squares of ``side`` pixels with at least a quarter overlap that cover the picture; none when one would do."""
    if max(height, width) <= side:
        return []
    return [(rows, columns) for rows in _spans(height, side) for columns in _spans(width, side)]


def _spans(length: int, side: int) -> list[slice]:
    if length <= side:
        return [slice(0, length)]
    count = int(np.ceil((length - side) / (0.75 * side))) + 1
    return [slice(int(start), int(start) + side) for start in np.round(np.linspace(0, length - side, count))]


def blended(whole: FloatArray, places: list[Place], pieces: list[FloatArray]) -> FloatArray:
    """[H, W]: each tile brought to the whole's scale by least squares, cross-faded with its neighbours.

    A tile that does not follow the whole (a falling fit) says nothing there and the whole stays.
    """
    total, weight = np.zeros(whole.shape), np.zeros(whole.shape)
    for (rows, columns), piece in zip(places, pieces, strict=True):
        fade = np.outer(_window(piece.shape[0]), _window(piece.shape[1]))
        total[rows, columns] += fade * _fitted(piece, whole[rows, columns])
        weight[rows, columns] += fade
    return np.maximum(total / weight, 0).astype(np.float32)


def _fitted(piece: FloatArray, target: FloatArray) -> npt.NDArray[np.float64]:
    values, goal = piece.astype(np.float64), target.astype(np.float64)
    spread = float(values.var())
    scale = float(((values - values.mean()) * (goal - goal.mean())).mean()) / spread if spread > 1e-12 else 0.0
    return goal if scale <= 0 else scale * (values - values.mean()) + goal.mean()


def _window(length: int) -> npt.NDArray[np.float64]:
    """A raised cosine that is nowhere 0."""
    return np.asarray(0.02 + 0.98 * np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2)
