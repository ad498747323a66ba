"""The input camera is found again from the mask alone: elevation, scale and offset."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import binary_closing

from maquette.data import FloatArray
from maquette.geometry.camera import orbit_camera, project
from maquette.reconstruct._triposr.fit import fit_camera


def mug() -> FloatArray:
    """Dense points on a flat box with a high thin post behind it: its outline tells the elevation."""
    rng = np.random.default_rng(0)
    box = rng.uniform([-0.5, -0.5, -0.3], [0.5, -0.3, 0.3], (40_000, 3))
    post = rng.uniform([-0.06, -0.3, -0.3], [0.06, 0.5, -0.2], (20_000, 3))
    return np.concatenate([box, post]).astype(np.float32)


def mask_of(points: FloatArray, elevation: float, scale: float, shift: tuple[int, int], size: int = 256) -> FloatArray:
    """The outline that a camera on the orbit sees, drawn larger and off the centre."""
    camera = orbit_camera(0.0, elevation, size=size)
    pixels, _ = project(camera, points)
    cells = np.floor((pixels - size / 2) * scale + size / 2 + np.array(shift)).astype(int).clip(0, size - 1)
    mask = np.zeros((size, size), np.float32)
    mask[cells[:, 1], cells[:, 0]] = 1.0
    return binary_closing(mask, np.ones((5, 5))).astype(np.float32)


@pytest.mark.parametrize("elevation", [0.0, 20.0, 35.0])
@pytest.mark.parametrize(("scale", "shift"), [(1.0, (0, 0)), (0.8, (17, -9)), (0.9, (-5, 4))])
def test_elevation_scale_and_offset_are_recovered(elevation: float, scale: float, shift: tuple[int, int]) -> None:
    """From a mask alone; the fitted camera projects the points onto it."""
    points = mug()
    mask = mask_of(points, elevation, scale, shift)
    fit = fit_camera(points, mask, orbit_camera(0.0, size=256), search=True)
    assert abs(fit.elevation - elevation) <= 5
    assert fit.scale == pytest.approx(scale, rel=0.05)
    assert fit.iou > 0.85
    pixels, _ = project(fit.camera, points)
    inside = mask[np.floor(pixels[:, 1]).astype(int).clip(0, 255), np.floor(pixels[:, 0]).astype(int).clip(0, 255)]
    assert inside.mean() > 0.93


def test_without_search_only_scale_and_offset_change() -> None:
    """A stated elevation is believed."""
    points = mug()
    fit = fit_camera(points, mask_of(points, 30.0, 1.0, (0, 0)), orbit_camera(0.0, 10.0, size=256), search=False)
    assert fit.elevation == pytest.approx(10.0)
    np.testing.assert_allclose(fit.camera.cam_to_world, orbit_camera(0.0, 10.0).cam_to_world, atol=1e-9)


def test_a_right_view_is_searched_on_its_own_side() -> None:
    """Azimuth stays."""
    points = mug()[:, [2, 1, 0]] * [1, 1, -1]  # the same object as the right view sees it
    mask = mask_of(mug(), 20.0, 1.0, (0, 0))
    fit = fit_camera(points.astype(np.float32), mask, orbit_camera(90.0, size=256), search=True)
    assert abs(fit.elevation - 20.0) <= 5
    assert fit.camera.position[0] > abs(fit.camera.position[2])
    assert fit.iou > 0.85
