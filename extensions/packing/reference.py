"""Where a bitmap fits: the twin of the compiled kernel and the default where none is built.

The square is one Python integer, row after row ``stride`` bits apart, so "where may this row of the shape lie" is one
shift for all positions at once, done by the interpreter's own C code on 20 to 60 kB. A few rows, the longest first,
leave few positions; the lowest of these is then tried with all rows, and nothing below it is looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Place = tuple[int, int, int]
Run = tuple[int, int, int]

_ROWS = 3
"""Rows of a shape that are held against the square before the lowest position left is tried."""


def lowest(taken: Mask, mask: Mask, side: int) -> Place | None:
    """(turns, left, top), None where it fits nowhere; see the wrapper."""
    square = _Square.of(taken, side)
    end, found = side, None
    for turns in range(4):
        turned = np.rot90(mask, turns)
        spot = square.first_free(turned, end - turned.shape[0] + 1)
        if spot is None:
            continue
        top, left = spot
        if found is None or (top + turned.shape[0], left) < (end, found[1]):
            end, found = top + turned.shape[0], (turns, left, top)
    return found


@dataclass
class _Square:
    """cells: [side, side] taken ones; bits: the same as an integer, with one more taken cell at the end of every row,
    over which no shape reaches; stride: side + 1; wide: what ``within`` has answered."""

    cells: Mask
    bits: int
    stride: int
    wide: dict[int, int] = field(default_factory=dict)

    @staticmethod
    def of(taken: Mask, side: int) -> _Square:
        whole = np.ones((side, side + 1), bool)
        whole[:, :side] = taken[:side, :side]
        bits = int.from_bytes(np.packbits(whole, bitorder="little").tobytes(), "little")
        return _Square(whole[:, :side], bits, side + 1)

    def first_free(self, mask: Mask, rows: int) -> tuple[int, int] | None:
        """(top, left) of the first position in the first ``rows`` rows at which no cell of ``mask`` is taken."""
        columns = len(self.cells) - mask.shape[1] + 1
        if rows <= 0 or columns <= 0:
            return None
        runs = _telling(_runs(mask))
        free = (1 << (rows * self.stride)) - 1
        skipped = 0
        for start in range(0, max(len(runs), 1), _ROWS):
            for row, first, length in runs[start : start + _ROWS]:
                free ^= free & (self.within(length) >> (row * self.stride + first + skipped))
            while free:
                lowest = (free & -free).bit_length() - 1
                top, left = divmod(skipped + lowest, self.stride)
                free >>= lowest + 1
                skipped += lowest + 1
                if left < columns:
                    break
            else:
                return None
            if not (self.cells[top : top + mask.shape[0], left : left + mask.shape[1]] & mask).any():
                return top, left
        return None

    def within(self, length: int) -> int:
        """Bit p set where any of the ``length`` cells from p on is taken."""
        if length not in self.wide:
            half = 1 << (length.bit_length() - 1)
            if length == 1:
                known = self.bits
            else:
                known = self.within(length // 2 if half == length else half)
                known |= known >> (length // 2 if half == length else length - half)
            self.wide[length] = known
        return self.wide[length]


def _runs(mask: Mask) -> list[Run]:
    """(row, first column, length) of the filled cells."""
    edges = np.zeros((mask.shape[0], mask.shape[1] + 2), np.int8)
    edges[:, 1:-1] = mask
    edges = edges[:, 1:] - edges[:, :-1]
    row, first = np.nonzero(edges == 1)
    length = np.nonzero(edges == -1)[1] - first
    return list(zip(row.tolist(), first.tolist(), length.tolist(), strict=True))


def _telling(runs: list[Run]) -> list[Run]:
    """The longest of ``runs`` first, then others far apart from each other: neighbours rule out the same positions."""
    if not runs:
        return []
    step = 1 << max(len(runs) - 1, 1).bit_length()
    order = [max(range(len(runs)), key=lambda k: runs[k][2]), 0]
    while step > 1:
        order.extend(range(step // 2, len(runs), step))
        step //= 2
    return [runs[k] for k in order]
