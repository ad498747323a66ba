"""Spreading colours and taking the background out of soft edges."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.image import clean_edges, spread


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_trusted_pixels_stay_and_the_rest_is_between_them(height: int, width: int, seed: int) -> None:
    """Any size: pixels of weight 1 keep their colour; made-up ones lie within the trusted range."""
    rng = np.random.default_rng(seed)
    rgb = rng.random((height, width, 3)).astype(np.float32)
    weight = (rng.random((height, width)) < 0.3).astype(np.float32)
    weight.flat[0] = 1
    out = spread(rgb, weight)
    kept = weight == 1
    np.testing.assert_allclose(out[kept], rgb[kept], atol=1e-5)
    low, high = rgb[kept].min(axis=0), rgb[kept].max(axis=0)
    assert (out >= low - 1e-4).all()
    assert (out <= high + 1e-4).all()


def test_no_trusted_pixel_gives_the_mean() -> None:
    """Nothing to spread: an even picture, no NaN."""
    rgb = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
    out = spread(rgb, np.zeros((9, 7)))
    np.testing.assert_allclose(out, np.broadcast_to(rgb.mean(axis=(0, 1)), out.shape), atol=1e-6)


def test_one_trusted_pixel_colours_everything() -> None:
    """From a single pixel its colour reaches every corner."""
    rgb = np.zeros((33, 50, 3), np.float32)
    rgb[20, 30] = (0.3, 0.6, 0.9)
    weight = np.zeros((33, 50))
    weight[20, 30] = 1
    np.testing.assert_allclose(spread(rgb, weight), np.broadcast_to(rgb[20, 30], rgb.shape), atol=1e-5)


def test_hair_keeps_its_colour_though_no_pixel_is_pure() -> None:
    """A dark line half a pixel wide on white: at alpha 0.5 its colour comes out far darker than it was photographed."""
    alpha = np.zeros((40, 41), np.float32)
    alpha[:, 20] = 0.5
    alpha[30:] = 1
    photo = 0.1 * alpha[..., None] + 0.95 * (1 - alpha[..., None]) + np.zeros(3)
    own = clean_edges(photo, alpha)
    assert own[10, 20].max() < 0.25
    assert photo[10, 20].min() > 0.5


def test_a_picture_without_background_or_subject_is_left_alone() -> None:
    """Nothing to learn from, nothing to change."""
    rgb = np.random.default_rng(1).random((12, 12, 3)).astype(np.float32)
    np.testing.assert_array_equal(clean_edges(rgb, np.ones((12, 12))), rgb)
    np.testing.assert_array_equal(clean_edges(rgb, np.zeros((12, 12))), rgb)


def test_inputs_are_not_changed() -> None:
    """Read-only inputs work and stay as they are."""
    rgb, alpha = np.full((8, 8, 3), 0.5, np.float32), np.zeros((8, 8), np.float32)
    alpha[2:6, 2:6] = 1
    rgb.flags.writeable = alpha.flags.writeable = False
    clean_edges(rgb, alpha)
    spread(rgb, alpha)
    assert rgb.min() == 0.5
