"""A picture prepared on a device is the one prepared on the host."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from maquette.appearance._photo_maps import _FEATHER, _clear, extended
from maquette.appearance._photo_rims import clear_on_device, extended_on_device

DISCS = ((40, 30, 25, 2.0), (62, 48, 12, 1.4), (30, 75, 3, 2.0))
"""Row, column, radius as shares of a hundredth of the side, and depth: a part before another, and a thin one."""


def scene(side: int, drawn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Picture [side, side, 3], mask [side, side], depth [drawn, drawn]."""
    depth = np.full((drawn, drawn), np.inf, np.float32)
    row, column = np.mgrid[:drawn, :drawn] * 100 / drawn
    for r, c, radius, z in DISCS:
        depth = np.where((row - r) ** 2 + (column - c) ** 2 < radius**2, np.minimum(depth, z), depth)
    steps = np.arange(side) * drawn // side
    mask = np.isfinite(depth)[steps[:, None], steps].astype(np.float32)
    return np.random.default_rng(0).random((side, side, 3)).astype(np.float32), mask, depth.astype(np.float32)


@pytest.mark.parametrize(("side", "drawn"), [(64, 64), (300, 150), (500, 500)])
def test_feathers_and_colours_are_those_of_the_host(side: int, drawn: int) -> None:
    rgb, mask, depth = scene(side, drawn)
    expected = _clear(mask, depth, 0.1)
    found = clear_on_device(torch.from_numpy(mask), torch.from_numpy(depth), 0.1, _FEATHER).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected[..., 1].min() + 1e-9 > 0 and (expected[..., 0] < expected[..., 1]).any()
    drawn_out = extended_on_device(torch.from_numpy(rgb), torch.from_numpy(mask)).numpy()
    np.testing.assert_array_equal(drawn_out, extended(rgb, mask))
    assert (drawn_out != rgb).any()


def test_a_subject_thinner_than_its_rim_and_a_full_frame() -> None:
    rgb = np.random.default_rng(1).random((40, 60, 3)).astype(np.float32)
    thin, full = np.zeros((40, 60), np.float32), np.ones((40, 60), np.float32)
    thin[20, 5:50] = 0.4
    for mask in (thin, full):
        found = extended_on_device(torch.from_numpy(rgb), torch.from_numpy(mask)).numpy()
        np.testing.assert_array_equal(found, extended(rgb, mask))
