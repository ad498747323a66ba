"""Picture and grid look-up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.appearance.color import to_linear, to_srgb
from maquette.appearance.sampling import bilinear, tensor, trilinear
from maquette.errors import BadInputError


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 1000))
def test_bilinear_is_exact_at_centres_and_for_linear_pictures(width: int, height: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = torch.tensor(rng.uniform(0, 1, (height, width, 3)), dtype=torch.float32)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    centres = torch.stack([x, y], dim=2).reshape(-1, 2) + 0.5
    torch.testing.assert_close(bilinear(image, centres), image.reshape(-1, 3))
    ramp = (centres * torch.tensor([2.0, -3.0])).sum(dim=1).reshape(height, width, 1)
    inside = torch.tensor(rng.uniform(0.5, [width - 0.5, height - 0.5], (50, 2)), dtype=torch.float32)
    expected = (inside * torch.tensor([2.0, -3.0])).sum(dim=1)
    torch.testing.assert_close(bilinear(ramp, inside)[:, 0], expected, atol=1e-4, rtol=0)


def test_outside_takes_the_border_colour_and_nan_does_not_crash() -> None:
    image = torch.arange(4.0).reshape(2, 2, 1)
    far = torch.tensor([[-9.0, -9], [99, 99], [float("nan"), 0]])
    assert bilinear(image, far)[:2, 0].tolist() == [0.0, 3.0]
    assert torch.isfinite(bilinear(image, far)).all()


@settings(max_examples=20, deadline=None)
@given(st.tuples(*[st.integers(2, 6)] * 3), st.integers(0, 1000))
def test_trilinear_agrees_with_scipy(shape: tuple[int, int, int], seed: int) -> None:
    from scipy.ndimage import map_coordinates

    rng = np.random.default_rng(seed)
    volume = rng.uniform(0, 1, shape)
    points = rng.uniform(0, np.array(shape) - 1, (40, 3))
    found = trilinear(torch.tensor(volume, dtype=torch.float32)[..., None], torch.tensor(points, dtype=torch.float32))
    np.testing.assert_allclose(found[:, 0].numpy(), map_coordinates(volume, points.T, order=1), atol=1e-4)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(BadInputError, match="volume"):
        trilinear(torch.zeros(3, 3, 3), torch.zeros(5, 3))


def test_read_only_host_arrays_become_fresh_tensors() -> None:
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    made = tensor(array, torch.zeros(1))
    made += 1
    assert (array == 0).all()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_srgb_curve_goes_there_and_back(values: list[float]) -> None:
    srgb = torch.tensor(values)
    torch.testing.assert_close(to_srgb(to_linear(srgb)), srgb, atol=1e-5, rtol=0)
    assert (to_linear(srgb) <= srgb + 1e-6).all()


def test_srgb_curve_has_the_published_mid_grey() -> None:
    assert abs(float(to_linear(torch.tensor(0.5))) - 0.21404) < 1e-4
