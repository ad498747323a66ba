"""From flat charts to an atlas: turn each into its tightest box, scale, draw the bitmaps, pack, place the corners."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...progress import Progress
from .charts import Ints, Reals
from .flatten import Complexes
from .packing import Mask, pack, shelves

_ANGLES = 24
_CELLS = (128, 608)
_CHART_CELLS = 32
"""The whole atlas is packed on a bitmap of which a chart takes about ``_CHART_CELLS`` squared, within these sides."""
_EXPECTED = 0.66
_CLEAR = 3
"""Least texels between two charts: a bilinear look-up at the tip of one reads the texel beyond it, which must lie
nearer to that chart's texels than to the other's when the gutters are filled."""
_TRIES = 4
"""With more charts than a small texture can hold apart, wider gaps only make the square larger."""


@dataclass(frozen=True)
class Atlas:
    """uv: [W] complex in [0, 1]; utilisation: share of the square that the triangles cover."""

    uv: Complexes
    utilisation: float


def arrange(flat: Complexes, faces: Ints, chart: Ints, size: int, padding: int, progress: Progress) -> Atlas:
    """flat: [W] plane coordinates; faces: [F, 3]; chart: [W] of each corner; padding: texels between charts."""
    count = int(chart.max()) + 1
    flat = _boxed(flat.conj(), chart, count)  # v runs downwards: seen as a picture, no chart is mirrored
    area = float(np.abs(_areas(flat, faces)).sum())
    side = float(np.clip(_CHART_CELLS * np.sqrt(count / _EXPECTED), *_CELLS))
    scale = side * np.sqrt(_EXPECTED / max(area, 1e-30))  # cells per world unit
    least = max(round(padding * side / size), math.ceil(_CLEAR * side / size))
    drawn = flat * scale
    masks, low = _bitmaps(drawn, faces, chart, count)
    for gap in range(least, least + _TRIES):
        placed, cells = pack(masks, gap, progress)
        if gap * size >= _CLEAR * cells:  # else the square came out larger than expected, and its cells smaller
            break
    uv = np.empty_like(drawn)
    turns = np.array([p.turns for p in placed])
    corner = np.array([complex(p.left, p.top) for p in placed])
    shape = np.array([complex(m.shape[1], m.shape[0]) for m in masks])
    local = drawn - low[chart]
    for turn in range(4):
        here = turns[chart] == turn
        uv[here] = _turned(local[here], shape[chart[here]], turn)
    uv += corner[chart]
    uv /= cells
    return Atlas(uv, area * scale**2 / cells**2)


def _turned(local: Complexes, shape: Complexes, turn: int) -> Complexes:
    """Where numpy.rot90 (rows downwards = imaginary part) puts points of a picture of ``shape`` (width + 1j height)."""
    x, y, width, height = local.real, local.imag, shape.real, shape.imag
    if turn == 0:
        return local
    if turn == 1:
        return y + 1j * (width - x)
    if turn == 2:
        return (width - x) + 1j * (height - y)
    return (height - y) + 1j * x


def _boxed(flat: Complexes, chart: Ints, count: int) -> Complexes:
    """Every chart turned so that its bounding box is smallest."""
    order = np.argsort(chart, kind="stable")
    starts = np.searchsorted(chart[order], np.arange(count))
    points = flat[order]
    best, choice = np.full(count, np.inf), np.zeros(count)
    for angle in np.arange(_ANGLES) * (np.pi / 2 / _ANGLES):
        turned = points * np.exp(1j * angle)
        wide = np.maximum.reduceat(turned.real, starts) - np.minimum.reduceat(turned.real, starts)
        high = np.maximum.reduceat(turned.imag, starts) - np.minimum.reduceat(turned.imag, starts)
        better = wide * high < best - 1e-12
        best, choice = np.where(better, wide * high, best), np.where(better, angle, choice)
    return flat * np.exp(1j * choice)[chart]


def _bitmaps(drawn: Complexes, faces: Ints, chart: Ints, count: int) -> tuple[list[Mask], Complexes]:
    """Cells that each chart touches, and the lower corner [C] of its bitmap, half a cell below its box."""
    import torch

    from ...geometry.raster import rasterize

    low = np.full(count, np.inf), np.full(count, np.inf)
    high = np.full(count, -np.inf), np.full(count, -np.inf)
    for k, part in enumerate((drawn.real, drawn.imag)):
        np.minimum.at(low[k], chart, part)
        np.maximum.at(high[k], chart, part)
    corner = (low[0] - 0.5) + 1j * (low[1] - 0.5)
    shape = np.stack([np.ceil(high[k] - low[k] + 1).astype(int) for k in (1, 0)], axis=1)  # rows, columns
    shelf, size = shelves(shape)
    placed = drawn - corner[chart] + (shelf[:, 1] + 1j * shelf[:, 0])[chart]
    points = torch.tensor(np.stack([placed.real, placed.imag, np.zeros(len(placed))], axis=1))
    # conservative: slivers between the cell centres must be kept free too
    cells: Mask = rasterize(points, torch.tensor(faces), size[1], size[0], conservative=True).covered.numpy()
    masks = [
        cells[top : top + rows, left : left + columns].copy()
        for (top, left), (rows, columns) in zip(shelf.tolist(), shape.tolist(), strict=True)
    ]
    return masks, corner


def _areas(flat: Complexes, faces: Ints) -> Reals:
    a, b, c = (flat[faces[:, k]] for k in range(3))
    return ((b - a).conj() * (c - a)).imag / 2
