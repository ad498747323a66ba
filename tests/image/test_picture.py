"""Arrays become a checked Picture, or an error that says what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from maquette.errors import BadImageError, BadMaskError
from maquette.image import from_array, linear_to_srgb, srgb_to_linear


def test_floats_are_copied_and_cannot_be_written() -> None:
    """The input stays the caller's; the result cannot be changed by accident."""
    given_rgb = np.full((8, 10, 3), 0.25, np.float64)
    picture = from_array(given_rgb, None, "grey")
    given_rgb[:] = 1
    assert picture.rgb.dtype == np.float32
    assert picture.size == (8, 10)
    np.testing.assert_array_equal(picture.rgb, np.float32(0.25))
    with pytest.raises(ValueError, match="read-only"):
        picture.rgb[0, 0, 0] = 1


def test_fourth_channel_is_alpha_unless_alpha_is_given() -> None:
    """RGBA splits; an explicit alpha wins."""
    rgba = np.full((8, 8, 4), 0.5, np.float32)
    alpha = np.zeros((8, 8), np.float32)
    own, other = from_array(rgba, None, "a").alpha, from_array(rgba, alpha, "a").alpha
    assert own is not None
    assert other is not None
    assert own.mean() == 0.5
    assert other.max() == 0


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_integers_are_scaled_by_their_type(dtype: type, top: int) -> None:
    """White is white in any depth."""
    rgb = from_array(np.full((5, 5, 3), top, dtype), None, "white").rgb
    np.testing.assert_array_equal(rgb, 1)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((8, 8, 3), np.nan), "192 NaN"),
        (np.full((8, 8, 3), np.inf), "infinite"),
        (np.full((8, 8, 3), 200.0), "runs from 200 to 200.*divide by 255"),
        (np.full((8, 8, 3), -0.5), "must lie in"),
        (np.zeros((8, 8)), r"\[height, width, 3 or 4\], got \[8, 8\]"),
        (np.zeros((8, 8, 2)), r"got \[8, 8, 2\]"),
        (np.zeros((0, 8, 3)), "0 pixels|8 x 0"),
        (np.zeros((1, 1, 3)), "1 x 1 pixels"),
        (np.zeros((8, 8, 3), np.int64), "int64 values"),
    ],
)
def test_bad_arrays_are_named(bad: np.ndarray, message: str) -> None:
    """Each wrong input has its own sentence."""
    with pytest.raises(BadImageError, match=message):
        from_array(bad, None, "x")


def test_alpha_of_another_size() -> None:
    """Both sizes are in the message."""
    with pytest.raises(BadMaskError, match=r"alpha is \[4, 4\] but the picture is \[8, 8\].*resize"):
        from_array(np.zeros((8, 8, 3)), np.zeros((4, 4)), "x")


def test_rounding_outside_the_range_is_forgiven() -> None:
    """Half precision and resampling leave values like 1.0005; they are clipped."""
    rgb = from_array(np.full((8, 8, 3), 1.0005), None, "x").rgb
    assert rgb.max() == 1.0


@given(hnp.arrays(np.float32, (7,), elements=st.floats(0, 1, width=32)))
def test_srgb_curve_round_trip(values: np.ndarray) -> None:
    """There and back again, in numpy and in torch, with equal results."""
    light = srgb_to_linear(values)
    np.testing.assert_allclose(linear_to_srgb(light), values, atol=2e-6)
    tensor = srgb_to_linear(torch.from_numpy(values.copy()))
    np.testing.assert_allclose(tensor.numpy(), light, atol=1e-6)
    np.testing.assert_allclose(linear_to_srgb(tensor).numpy(), values, atol=1e-4)
    assert light.dtype == np.float32


def test_srgb_curve_known_values() -> None:
    """Mid grey 0.5 is 21.4 % of the light; both ends are fixed; the curve grows."""
    values = srgb_to_linear(np.linspace(0, 1, 256))
    assert values[0] == 0
    assert values[-1] == pytest.approx(1)
    assert float(srgb_to_linear(np.array([0.5]))[0]) == pytest.approx(0.21404, abs=1e-5)
    assert (np.diff(values) > 0).all()
