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

    fill: share of the square that the cells take at the start; the square grows when a chart does not fit.
    """
    order = sorted(range(len(masks)), key=lambda k: (-int(masks[k].sum()), -max(masks[k].shape), k))
    cells = sum(int(mask.sum()) + gap * sum(mask.shape) for mask in masks)
    side = max(int((cells / fill) ** 0.5), max(max(mask.shape) for mask in masks))
    stride = 2 * side + 64  # room to grow without moving what lies there
    placed: list[Placed | None] = [None] * len(masks)
    picture = _Picture(stride, gap)
    for count, index in enumerate(order):
        if count % 8 == 0:
            progress.check()
        shapes = [picture.shape(np.rot90(masks[index], turns)) for turns in range(4)]
        while (found := picture.best(shapes, side)) is None:
            side += max(1, side // 100)
            if side + gap >= stride:
                raise MemoryError("the square outgrew its picture")  # cannot be: an empty band always fits the next
        turns, left, top = found
        picture.add(shapes[turns], left, top)
        placed[index] = Placed(left, top, turns)
    return [place for place in placed if place is not None], side


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
