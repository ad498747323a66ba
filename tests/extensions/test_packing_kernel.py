"""Packing: the compiled operator and the twin of integers find the place that a search of every position finds."""

from __future__ import annotations

import numpy as np
import pytest
from compiled import compile_and_compare
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.native import extension

family = extension("packing")

COMPARE = "from test_packing_kernel import compare_all\ncompare_all(family)"


def square_and_mask(seed: int, most: int) -> tuple[np.ndarray, np.ndarray, int]:
    """A square with blots and a mask, both of any density; the array may be larger than the square."""
    rng = np.random.default_rng(seed)
    side = int(rng.integers(1, most))
    taken = rng.random(tuple(side + rng.integers(0, 9, 2))) < rng.choice([0.0, 0.02, 0.3, 1.0])
    taken[: rng.integers(0, side + 1)] |= rng.random() < 0.5
    mask = rng.random(tuple(rng.integers(1, 2 + side // rng.integers(1, 5), 2))) < rng.choice([0.0, 0.2, 0.9, 1.0])
    return taken, mask, side


def searched(taken: np.ndarray, mask: np.ndarray, side: int) -> tuple[int, int, int] | None:
    """(turns, left, top) by trying everything."""
    best = None
    for turns in range(4):
        turned = np.rot90(mask, turns)
        height, width = turned.shape
        spots = ((y, x) for y in range(side - height + 1) for x in range(side - width + 1))
        spot = next(((y, x) for y, x in spots if not (taken[y : y + height, x : x + width] & turned).any()), None)
        if spot is not None and (best is None or (spot[0] + height, spot[1]) < best[0]):
            best = (spot[0] + height, spot[1]), (turns, spot[1], spot[0])
    return None if best is None else best[1]


def compare_all(module, seeds=range(400)) -> None:
    """Kernel against twin on squares of one cell to ten words a row."""
    for seed in seeds:
        given_ = square_and_mask(seed, [8, 70, 200, 640][seed % 4])
        assert module.method() == "native" and module.NATIVE
        ours = module.lowest(*given_)
        assert ours == module.reference.lowest(*given_), seed


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: the same places."""
    compile_and_compare("packing", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
def test_compiled_here_equals_twin():
    """The library that lies in the tree, where there is one, finds the twin's places."""
    compare_all(family, range(400, 500))


@pytest.mark.parametrize("native", [True, False])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31 - 1))
def test_the_place_is_that_of_a_search_of_every_position(native, seed):
    """With what is compiled here (if anything), and with the twin."""
    compiled, family.NATIVE = family.NATIVE, family.NATIVE and native
    try:
        given_ = square_and_mask(seed, 24)
        assert family.lowest(*given_) == searched(*given_)
    finally:
        family.NATIVE = compiled


def test_a_view_that_cannot_be_written_to_is_taken_as_it_is():
    taken = np.zeros((9, 12), bool)[:, ::2]
    taken.flags.writeable = False
    assert family.lowest(taken, np.ones((2, 3), bool).T[:, ::-1], 5) == (1, 0, 0)
    assert not taken.any()


@pytest.mark.parametrize(
    ("taken", "mask", "side"),
    [
        (np.zeros((4, 4), np.uint8), np.ones((1, 1), bool), 4),
        (np.zeros(4, bool), np.ones((1, 1), bool), 4),
        (np.zeros((4, 4), bool), np.ones((0, 3), bool), 4),
        (np.zeros((4, 4), bool), np.ones((1, 1), bool), 5),
        (np.zeros((4, 4), bool), np.ones((1, 1), bool), 0),
    ],
)
def test_other_shapes_and_types_are_refused(taken, mask, side):
    with pytest.raises(ValueError, match=r"boolean|nothing to do"):
        family.lowest(taken, mask, side)
