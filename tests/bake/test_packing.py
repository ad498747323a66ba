"""The packing of charts against a plain search of every position."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.bake._fast.packing import Placed, pack
from maquette.progress import silent


def lowest(taken: np.ndarray, mask: np.ndarray, side: int) -> tuple[int, int] | None:
    """(top, left) of the first position at which no cell of ``mask`` is taken, every one tried."""
    height, width = mask.shape
    for top in range(side - height + 1):
        for left in range(side - width + 1):
            if not taken[top : top + height, left : left + width][mask].any():
                return top, left
    return None


def plainly_packed(masks: list[np.ndarray], gap: int) -> tuple[list[Placed], int]:
    """What ``pack`` means: the largest first, each where its upper end is lowest, then leftmost, of all turns."""
    order = sorted(range(len(masks)), key=lambda k: (-int(masks[k].sum()), -max(masks[k].shape), k))
    cells = sum(int(mask.sum()) + gap * sum(mask.shape) for mask in masks)
    side = max(int(cells**0.5), max(max(mask.shape) for mask in masks))
    taken = np.zeros((400, 400), bool)
    placed: dict[int, Placed] = {}
    for k in order:
        turned = [np.rot90(masks[k], turns) for turns in range(4)]
        while not (spots := [(t, spot) for t in range(4) if (spot := lowest(taken, turned[t], side))]):
            side += max(1, side // 100)
        turns, (top, left) = min(spots, key=lambda s: (s[1][0] + turned[s[0]].shape[0], s[1][1], s[0]))
        for row, column in np.argwhere(turned[turns]) + np.array([top, left]):
            taken[max(row - gap, 0) : row + gap + 1, max(column - gap, 0) : column + gap + 1] = True
        placed[k] = Placed(left, top, turns)
    return [placed[k] for k in range(len(masks))], side


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3), st.integers(1, 12))
def test_every_chart_lies_where_a_plain_search_puts_it(seed: int, gap: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random(tuple(rng.integers(1, 12, 2))) < rng.choice([0.05, 0.4, 0.9, 1.0]) for _ in range(count)]
    assert pack(masks, gap, silent()) == plainly_packed(masks, gap)


def test_a_square_that_grows_keeps_the_gap_beyond_its_old_rim() -> None:
    """The gap of what lies at the rim is taken even where the square does not reach yet."""
    masks = [np.ones((1, n), bool) for n in (9, 7, 7, 6, 5, 5, 3, 2, 2, 1, 1)]
    placed, side = pack(masks, 2, silent(), fill=3.0)
    assert side > 9
    taken = np.zeros((side, side), int)
    for mask, place in zip(masks, placed, strict=True):
        shape = np.rot90(mask, place.turns).shape
        low, left = max(place.top - 2, 0), max(place.left - 2, 0)
        assert not taken[low : place.top + shape[0] + 2, left : place.left + shape[1] + 2].any()
        taken[place.top : place.top + shape[0], place.left : place.left + shape[1]] = 1
