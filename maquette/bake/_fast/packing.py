"""Placing charts on a square: bottom-left fill of bitmaps, the largest first, four quarter turns each.

Where a chart fits is asked of ``extensions/packing``: compiled, or a twin of Python's integers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...native import extension
from ...progress import Progress

Mask = npt.NDArray[np.bool_]

_SINGLE, _CHUNK = 1500, 128


@dataclass(frozen=True)
class Placed:
    """A chart's cell (left, top) after ``turns`` quarter turns counter-clockwise of its mask (as numpy.rot90)."""

    left: int
    top: int
    turns: int


def pack(masks: list[Mask], gap: int, progress: Progress, fill: float = 1.0) -> tuple[list[Placed], int]:
    """Where each of ``masks`` goes, at least ``gap`` cells apart and from nothing else, and the side of the square.

    fill: share of the square that the cells take at the start; the square grows when a chart does not fit. Beyond
    ``_SINGLE`` charts the smallest are set in blocks of shelves first, so that time grows with the number, not worse.
    """
    order = sorted(range(len(masks)), key=lambda k: (-int(masks[k].sum()), -max(masks[k].shape), k))
    singles, rest = order[:_SINGLE], order[_SINGLE:]
    blocks = [_Block.of(rest[i : i + _CHUNK], masks, gap) for i in range(0, len(rest), _CHUNK)]
    whole = [masks[k] for k in singles] + [np.ones(block.shape, bool) for block in blocks]
    found, side = _fill(whole, gap, progress, fill)
    placed = dict(zip(singles, found, strict=False))
    for block, place in zip(blocks, found[len(singles) :], strict=True):
        placed |= block.members(place, masks)
    return [placed[k] for k in range(len(masks))], side


@dataclass(frozen=True)
class _Block:
    """Small charts side by side on shelves: (top, left) of each and the (rows, columns) they take together."""

    corners: dict[int, tuple[int, int]]
    shape: tuple[int, int]

    @staticmethod
    def of(indices: list[int], masks: list[Mask], gap: int) -> _Block:
        shapes = np.array([masks[k].shape for k in indices]) + gap
        corners, (rows, columns) = shelves(shapes)
        taken = {k: (int(top), int(left)) for k, (top, left) in zip(indices, corners, strict=True)}
        return _Block(taken, (rows - gap, columns - gap))

    def members(self, place: Placed, masks: list[Mask]) -> dict[int, Placed]:
        """Where each chart lies when the block lies at ``place``."""
        rows, columns = self.shape
        out = {}
        for k, (top, left) in self.corners.items():
            high, wide = masks[k].shape
            top, left = {
                0: (top, left),
                1: (columns - left - wide, top),
                2: (rows - top - high, columns - left - wide),
                3: (left, rows - top - high),
            }[place.turns]
            out[k] = Placed(place.left + left, place.top + top, place.turns)
        return out


def shelves(shapes: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], tuple[int, int]]:
    """Boxes (rows, columns) [C, 2] side by side on shelves, tallest first: (top, left) of each [C, 2] and the (rows,
    columns) of them all."""
    width = max(int(np.sqrt((shapes[:, 0] * shapes[:, 1]).sum()) * 1.1), int(shapes[:, 1].max()))
    out, top, left, tall, widest = np.zeros_like(shapes), 0, 0, 0, 0
    for index in np.lexsort((np.arange(len(shapes)), -shapes[:, 0])):
        rows, columns = int(shapes[index, 0]), int(shapes[index, 1])
        if left + columns > width:
            top, left, tall = top + tall, 0, 0
        out[index] = (top, left)
        left, tall = left + columns, max(tall, rows)
        widest = max(widest, left)
    return out, (top + tall, widest)


def _fill(masks: list[Mask], gap: int, progress: Progress, fill: float) -> tuple[list[Placed], int]:
    """Bottom-left fill in the order given."""
    cells = sum(int(mask.sum()) + gap * sum(mask.shape) for mask in masks)
    side = max(int((cells / fill) ** 0.5), max(max(mask.shape) for mask in masks))
    lowest = extension("packing").lowest
    taken = np.zeros((2 * side + gap, 2 * side + gap), bool)
    placed = []
    for count, mask in enumerate(masks):
        if count % 8 == 0:
            progress.update(count, len(masks), "packing charts")
        while (found := lowest(taken, mask, side)) is None:
            side += max(1, side // 100)
            if side + gap > len(taken):
                taken = np.pad(taken, (0, side))
        turns, left, top = found
        _take(taken, np.rot90(mask, turns), left - gap, top - gap, gap)
        placed.append(Placed(left, top, turns))
    return placed, side


def _take(taken: Mask, mask: Mask, left: int, top: int, gap: int) -> None:
    """Take the cells of ``mask`` and ``gap`` cells around them; (left, top): the corner of both."""
    height, width = mask.shape
    wide, whole = (np.zeros((height + more, width + 2 * gap), bool) for more in (0, 2 * gap))
    for step in range(2 * gap + 1):
        wide[:, step : step + width] |= mask
    for step in range(2 * gap + 1):
        whole[step : step + height] |= wide
    part = taken[max(top, 0) : top + len(whole), max(left, 0) : left + whole.shape[1]]
    part |= whole[max(-top, 0) :, max(-left, 0) :]
