"""Placing charts on a square: bottom-left fill of bitmaps, four turns each, a whole picture kept as one big integer.

A picture of R rows is one Python integer, row after row ``stride`` bits apart, so "where may this row of the shape lie"
is one shift for all positions at once, done by the interpreter's own C code on 20 to 60 kB. A few rows, the longest
first, leave few positions; the lowest of these is then tried with all rows, and nothing below it is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...progress import Progress

Mask = npt.NDArray[np.bool_]

_SINGLE, _CHUNK = 1500, 128
_ROOM = 8
"""A picture's rows are this part of the square wider than it, so that it can grow without being laid out anew."""
_ROWS = 3
"""Rows of a shape that are held against the picture before the lowest position left is tried."""


@dataclass(frozen=True)
class Placed:
    """A chart's cell (left, top) after ``turns`` quarter turns counter-clockwise of its mask (as numpy.rot90)."""

    left: int
    top: int
    turns: int


@dataclass(frozen=True)
class _Shape:
    """runs: (row, first column, length) of the filled cells, those that rule out most positions first; rows: the cells
    of each row, as integers."""

    height: int
    width: int
    runs: tuple[tuple[int, int, int], ...]
    rows: tuple[int, ...]

    @staticmethod
    def of(mask: Mask) -> _Shape:
        height, width = mask.shape
        edges = np.zeros((height, width + 2), np.int8)
        edges[:, 1:-1] = mask
        edges = edges[:, 1:] - edges[:, :-1]
        row, first = np.nonzero(edges == 1)
        length = np.nonzero(edges == -1)[1] - first
        rows = [0] * height
        runs = list(zip(row.tolist(), first.tolist(), length.tolist(), strict=True))
        for at, column, run in runs:
            rows[at] |= ((1 << run) - 1) << column
        return _Shape(height, width, tuple(_telling(runs)), tuple(rows))


def _telling(runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The longest of ``runs`` first, then others far apart from each other: neighbours rule out the same positions."""
    if not runs:
        return []
    step = 1 << max(len(runs) - 1, 1).bit_length()
    order = [max(range(len(runs)), key=lambda k: runs[k][2]), 0]
    while step > 1:
        order.extend(range(step // 2, len(runs), step))
        step //= 2
    return [runs[k] for k in order]


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
    placed = []
    picture = _Picture(side, gap)
    for count, mask in enumerate(masks):
        if count % 8 == 0:
            progress.update(count, len(masks), "packing charts")
        shapes = [_Shape.of(np.rot90(mask, turns)) for turns in range(4)]
        while (found := picture.best(shapes)) is None:
            picture.grow(max(1, picture.side // 100))
        turns, left, top = found
        picture.add(shapes[turns], left, top)
        placed.append(Placed(left, top, turns))
    return placed, picture.side


class _Picture:
    """The cells taken so far, each with ``gap`` cells around it, of a square of ``side`` cells and a rim of ``gap``.

    rows: one integer a row; taken: all of them, ``stride`` bits apart.
    """

    def __init__(self, side: int, gap: int) -> None:
        self.side, self.gap, self.stride = side, gap, side + gap + side // _ROOM
        self.rows, self.taken = [0] * (side + gap), 0
        self._wide: dict[int, int] = {}

    def grow(self, more: int) -> None:
        """``more`` cells to either side; what lies there stays."""
        self.side += more
        self.rows += [0] * more
        if self.side + self.gap > self.stride:
            self.stride = self.side + self.gap + self.side // _ROOM
            self.taken = _joined(self.rows, self.stride)
            self._wide.clear()

    def best(self, shapes: list[_Shape]) -> tuple[int, int, int] | None:
        """(turns, left, top) of the lowest place over all turns, None where none fits."""
        found: tuple[int, int, int, int] | None = None
        for turns, shape in enumerate(shapes):
            rows, columns = self.side - shape.height + 1, self.side - shape.width + 1
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
        wide = []
        for row in shape.rows:
            row <<= left
            for _ in range(self.gap):
                row |= row << 1 | row >> 1
            wide.append(row)
        first = max(top - self.gap, 0)
        for index in range(first, top + shape.height + self.gap):
            near = index - top
            for row in wide[max(near - self.gap, 0) : near + self.gap + 1]:
                self.rows[index] |= row
        self.taken |= _joined(self.rows[first : top + shape.height + self.gap], self.stride) << (first * self.stride)
        self._wide.clear()

    def _first_free(self, shape: _Shape, rows: int, columns: int) -> tuple[int, int] | None:
        """(top, left) of the first position, row by row, at which no cell of ``shape`` is taken."""
        if not shape.runs:
            return 0, 0
        free = ((1 << columns) - 1) * _every(rows, self.stride)
        skipped = 0
        for start in range(0, len(shape.runs), _ROWS):
            for row, first, length in shape.runs[start : start + _ROWS]:
                free ^= free & (self._within(length) >> (row * self.stride + first + skipped))
            if free == 0:
                return None
            lowest = (free & -free).bit_length() - 1
            top, left = divmod(skipped + lowest, self.stride)
            if self._is_free(shape, top, left):
                return top, left
            free >>= lowest + 1
            skipped += lowest + 1
        return None

    def _is_free(self, shape: _Shape, top: int, left: int) -> bool:
        return not any(taken & (row << left) for taken, row in zip(self.rows[top:], shape.rows, strict=False))

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


def _joined(rows: list[int], stride: int) -> int:
    """One integer of all ``rows``, ``stride`` bits apart."""
    while len(rows) > 1:
        if len(rows) % 2:
            rows = [*rows, 0]
        rows = [low | high << stride for low, high in zip(rows[::2], rows[1::2], strict=True)]
        stride *= 2
    return rows[0] if rows else 0


def _every(rows: int, stride: int) -> int:
    """Bit 0 of each of ``rows`` rows."""
    out, have = 1, 1
    while have < rows:
        step = min(have, rows - have)
        out |= out << (step * stride)
        have += step
    return out
