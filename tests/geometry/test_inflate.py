"""Signed distances finer than a pixel, Poisson's equation on them, and the inflated solid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt

from maquette.errors import BadViewsError
from maquette.geometry._poisson import poisson
from maquette.geometry.camera import orbit_camera
from maquette.geometry.inflate import ball_envelope, inflate, outline_distance, squared_thickness, thin_axis
from maquette.geometry.shading import shading_relief
from maquette.geometry.signed_distance import signed_distance
from maquette.progress import silent


def disc_distance(size, row, column, radius):
    rows, columns = np.mgrid[:size, :size]
    return (radius - np.hypot(rows - row, columns - column)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.floats(25, 38), st.floats(25, 38), st.floats(4, 20))
def test_distance_of_a_soft_disc(row, column, radius):
    """Exact to an eighth of a pixel near the outline and inside, wherever the disc lies on the grid."""
    true = disc_distance(64, row, column, radius)
    found = signed_distance(np.clip(true + 0.5, 0, 1))
    near = (true > -3) & (true < radius - 1)
    assert np.abs(found - true)[near].max() < 0.125
    assert ((found > 0) == (true > 0))[np.abs(true) > 0.125].all()


def test_distance_is_closed_at_the_frame():
    """A full mask is cut off at the frame: distances grow from the border."""
    found = signed_distance(np.ones((20, 30)))
    assert found[0].max() < 1 and found[10, 15] == pytest.approx(10, abs=0.6)


def test_empty_mask_is_far_outside():
    """No outline: negative everywhere."""
    assert (signed_distance(np.zeros((8, 8))) < -8).all()


def test_poisson_on_a_disc():
    """The solution is R^2 - r^2 to half a percent, also between pixels at the rim."""
    true = disc_distance(150, 74.3, 75.1, 60.4)
    found = poisson(true, silent())
    exact = np.maximum(60.4**2 - (60.4 - true) ** 2, 0)
    assert np.abs(found - exact).max() < 0.005 * 60.4**2


def test_poisson_of_a_line_of_pixels():
    """Unknowns that touch nothing but the outline still have a finite positive solution."""
    distance = np.full((20, 20), -1.0, np.float32)
    distance[10, 3:17] = 0.5
    found = poisson(distance, silent())
    assert np.isfinite(found).all() and (found[10, 3:17] > 0).all() and found[5].max() == 0


def test_balls_never_leave_the_outline():
    """The union of inner balls is r^2 in the middle of a disc, a^2 along a stripe, and 0 outside."""
    distance = disc_distance(41, 20, 20, 15.0)
    assert ball_envelope(distance)[20, 20] == pytest.approx(225)
    stripe = np.broadcast_to(6.0 - abs(np.arange(41) - 20.0), (41, 41))
    found = ball_envelope(stripe)
    assert np.allclose(found[20], np.maximum(36 - (np.arange(41) - 20.0) ** 2, 0))


@settings(max_examples=10, deadline=None)
@given(st.integers(3, 30), st.integers(3, 30))
def test_thickness_of_a_rectangle(half_width, half_height):
    """Half the thickness lies between 0.8 and 1.25 of the smaller half side."""
    rows, columns = np.mgrid[:80, :80] - 39.5
    distance = np.minimum(half_width - abs(columns), half_height - abs(rows)).astype(np.float32)
    half = np.sqrt(squared_thickness(distance).max())
    assert 0.8 < half / min(half_width, half_height) < 1.25


def test_outside_is_negative_and_zero_on_the_outline():
    """Linear through the outline: the crossing between neighbouring pixels is where the distance crosses."""
    distance = disc_distance(100, 50.2, 49.7, 33.3)
    values = squared_thickness(distance)
    assert ((values > 0) == (distance > 0)).all()
    row, cross = values[50], distance[50]
    at = np.flatnonzero(np.diff(np.sign(cross)))
    share = row[at] / (row[at] - row[at + 1])
    assert np.allclose(share, cross[at] / (cross[at] - cross[at + 1]), atol=0.12)


def test_thin_parts_are_widened_and_corners_are_not():
    """A hair grows to the least width; a bare square keeps its corners; a neck between two blobs is held."""
    hair = np.zeros((60, 60), np.float32)
    hair[30, 10:50] = 1
    assert outline_distance(hair, 3.0).max() == pytest.approx(3.0, abs=0.01)
    square = np.zeros((60, 60), np.float32)
    square[15:45, 15:45] = 1
    assert np.allclose(outline_distance(square, 3.0), outline_distance(square), atol=1e-6)
    blobs = square.copy()
    blobs[:, 29:31] = 0
    blobs[29:31, 29:31] = 1
    inside = blobs > 0.5
    away = distance_transform_edt(signed_distance(blobs) < 3.0)
    assert thin_axis(inside, inside & (away > 3.0), inside & (away > 6.0))[29:31, 29:31].any()


def test_inflated_ball_off_the_axis():
    """A ball seen at the side of the frame comes out as that ball: front depth within 5 % of its radius."""
    camera = orbit_camera(0, 0, 200)
    eye, focal = camera.position[2], camera.intrinsics[0, 0]
    line = (np.arange(200) + 0.5 - 100) / focal
    x, y = np.meshgrid(line, -line)
    rays = np.stack([x, y, -np.ones_like(x)], -1)
    center, radius = np.array([0.25, 0.2, -eye]), 0.15
    dot, square = rays @ center, (rays**2).sum(-1)
    room = dot**2 - square * (center @ center - radius**2)
    truth = np.where(room > 0, (dot - np.sqrt(np.maximum(room, 0))) / square, np.nan)
    found = inflate(np.isfinite(truth).astype(np.float32), camera).front()
    error = np.abs(found - truth)
    assert np.nanpercentile(error, 90) < 0.06 * radius and np.nanmedian(error) < 0.05 * radius


def test_camera_that_looks_away():
    """Nothing can be inflated behind the camera."""
    camera = orbit_camera(0, 0, 32)
    pose = camera.cam_to_world.copy()
    pose[:3, 3] *= -1
    with pytest.raises(BadViewsError, match="looks away"):
        inflate(np.ones((32, 32)), type(camera)(camera.intrinsics, pose, 32, 32))


def test_shading_relief_is_bounded_and_zero_outside():
    """In [-1, 1], nothing outside the mask or for a flat colour, bright lines come forward."""
    mask = np.zeros((80, 80), np.float32)
    mask[10:70, 10:70] = 1
    rgb = np.full((80, 80, 3), 0.4, np.float32)
    assert np.abs(shading_relief(rgb, mask)).max() < 1e-3
    rgb[:, 39:42] = 1.0
    found = shading_relief(rgb, mask)
    assert np.abs(found).max() <= 1 and (found[mask < 0.5] == 0).all()
    assert found[40, 40] > 0.2 and found[40, 44] < 0
