"""Placing charts on a square: bottom-left fill of bitmaps, four turns each, a whole picture kept as one big integer.

A picture of R rows is one Python integer, row after row ``stride`` bits apart, so "where does this shape fit" for all
positions at once is a few shifts and ORs per row of the shape, done by the interpreter's own C code on 30 to 100 kB.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...progress import Progress

Mask = npt.NDArray[np.bool_]

_SINGLE, _CHUNK = 1500, 128


@dataclass(frozen=True)
class Placed:
    """A chart's cell (left, top) after ``turns`` quarter turns counter-clockwise of its mask (as numpy.rot90)."""

    left: int
    top: int
    turns: int


@dataclass(frozen=True)
class _Shape:
    """runs: (row, first column, length) of the filled cells; solid: the cells with ``gap`` cells around, as an integer
    whose origin lies ``gap`` cells up and left."""

    height: int
    width: int
    runs: tuple[tuple[int, int, int], ...]
    solid: int


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
    stride = 2 * side + 64  # room to grow without moving what lies there
    placed = []
    picture = _Picture(stride, gap)
    for count, mask in enumerate(masks):
        if count % 8 == 0:
            progress.update(count, len(masks), "packing charts")
        shapes = [picture.shape(np.rot90(mask, turns)) for turns in range(4)]
        while (found := picture.best(shapes, side)) is None:
            side += max(1, side // 100)
            if side + gap >= stride:
                raise AssertionError("the square outgrew its picture, although an empty band fits every chart")
        turns, left, top = found
        picture.add(shapes[turns], left, top)
        placed.append(Placed(left, top, turns))
    return placed, side


class _Picture:
    """The cells taken so far."""

    def __init__(self, stride: int, gap: int) -> None:
        self.stride, self.gap, self.taken = stride, gap, 0
        self._wide: dict[int, int] = {}

    def shape(self, mask: Mask) -> _Shape:
        """``mask`` made ready for this picture."""
        edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
        rows, first = np.nonzero(edges == 1)
        length = np.nonzero(edges == -1)[1] - first
        runs = tuple(zip(rows.tolist(), first.tolist(), length.tolist(), strict=True))
        solid = 0
        for row, column, run in runs:
            solid |= ((1 << (run + 2 * self.gap)) - 1) << (row * self.stride + column)
        around = 0
        for step in range(2 * self.gap + 1):
            around |= solid << (step * self.stride)
        return _Shape(mask.shape[0], mask.shape[1], runs, around)

    def best(self, shapes: list[_Shape], side: int) -> tuple[int, int, int] | None:
        """(turns, left, top) of the lowest place over all turns, None where none fits into ``side`` x ``side``."""
        found: tuple[int, int, int, int] | None = None
        for turns, shape in enumerate(shapes):
            rows, columns = side - shape.height + 1, side - shape.width + 1
            if rows <= 0 or columns <= 0:
                continue
            if found is not None:
                rows = min(rows, found[0] - shape.height + 1)
                if rows <= 0:
                    continue
            spot = self._first_free(shape, rows, columns)
            if spot is not None and (found is None or (spot[0] + shape.height, spot[1]) < (found[0], found[3])):
                found = (spot[0] + shape.height, turns, spot[0], spot[1])
        return None if found is None else (found[1], found[3], found[2])

    def add(self, shape: _Shape, left: int, top: int) -> None:
        """Take the cells of ``shape`` and the gap around them."""
        shift = (top - self.gap) * self.stride + left - self.gap
        self.taken |= shape.solid << shift if shift >= 0 else shape.solid >> -shift
        self._wide.clear()

    def _first_free(self, shape: _Shape, rows: int, columns: int) -> tuple[int, int] | None:
        """(top, left) of the first position, row by row, at which no cell of ``shape`` is taken."""
        window = ((1 << columns) - 1) * _every(rows, self.stride)
        blocked = 0
        for row, first, length in shape.runs:
            blocked |= self._within(length) >> (row * self.stride + first)
        free = window & ~blocked
        if free == 0:
            return None
        lowest = (free & -free).bit_length() - 1
        return divmod(lowest, self.stride)

    def _within(self, length: int) -> int:
        """Bit p set where any of the ``length`` cells from p on is taken."""
        if length not in self._wide:
            half = 1 << (length.bit_length() - 1)
            if half == length:
                known = self.taken if length == 1 else self._within(length // 2)
                self._wide[length] = known | (known >> (length // 2)) if length > 1 else known
            else:
                known = self._within(half)
                self._wide[length] = known | (known >> (length - half))
        return self._wide[length]


def _every(rows: int, stride: int) -> int:
    """Bit 0 of each of ``rows`` rows."""
    out, have = 1, 1
    while have < rows:
        step = min(have, rows - have)
        out |= out << (step * stride)
        have += step
    return out
