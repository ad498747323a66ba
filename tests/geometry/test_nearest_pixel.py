"""Distances on a device against SciPy's; the nearest pixel itself is tested with the gutters of the bake."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from maquette.geometry import _closest_torch, closest
from maquette.geometry.nearest_pixel import bounded_distance


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1), st.floats(0.5, 40))
def test_a_bounded_distance_is_the_true_one_up_to_its_limit(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    where = rng.random(rng.integers(1, (50, 90))) < rng.choice([0.5, 0.98, 0.999])
    where[rng.integers(len(where)), rng.integers(where.shape[1])] = False
    found = bounded_distance(torch.from_numpy(where), limit).numpy()
    np.testing.assert_allclose(found, distance_transform_edt(where).clip(max=limit), rtol=1e-6)


def test_without_an_edge_all_is_as_far_as_the_limit() -> None:
    assert (bounded_distance(torch.ones(5, 9, dtype=torch.bool), 3.5) == 3.5).all()


def test_the_measure_of_a_gpu_is_that_of_the_host() -> None:
    """Corners, edges, insides, and triangles without area."""
    rng = np.random.default_rng(0)
    corners, points = rng.normal(size=(500, 6, 3, 3)), rng.normal(size=(500, 1, 3))
    corners[:20, :, 2] = corners[:20, :, 1]
    corners[20:40] = corners[20:40, :, :1]
    there = _closest_torch.closest_on_triangles(torch.from_numpy(points), torch.from_numpy(corners))
    for here, found in zip(closest.closest_on_triangles(points, corners), there, strict=True):
        np.testing.assert_allclose(found.numpy(), here, atol=1e-12)
