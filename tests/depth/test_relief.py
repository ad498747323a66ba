"""The weights-free depth: z-depth from the camera, of the front of the inflated mask, NaN outside."""

from __future__ import annotations

import numpy as np
import pytest

from maquette import depth
from maquette.data import View
from maquette.errors import BadInputError, BadMaskError, Cancelled
from maquette.geometry.camera import orbit_camera
from maquette.progress import Progress


def sphere_view(radius=0.4, size=160, grey=True):
    """A ball at the origin through the front camera: exact soft mask, and its true z-depth."""
    camera = orbit_camera(0, 0, size)
    distance, focal = camera.position[2], camera.intrinsics[0, 0]
    line = (np.arange(size) + 0.5 - size / 2) / focal
    x, y = np.meshgrid(line, -line)
    along = 1 + x**2 + y**2
    room = distance**2 - along * (distance**2 - radius**2)
    truth = np.where(room > 0, (distance - np.sqrt(np.maximum(room, 0))) / along, np.nan)
    rim = np.tan(np.arcsin(radius / distance))
    mask = np.clip((rim - np.hypot(x, y)) * focal + 0.5, 0, 1).astype(np.float32)
    rgb = np.full((size, size, 3), 0.5, np.float32) if grey else np.random.default_rng(0).random((size, size, 3))
    return View(rgb, mask, camera), truth


def test_depth_of_a_ball():
    """Within 2 % of the ball's radius nearly everywhere, and NaN exactly outside the mask."""
    view, truth = sphere_view()
    found = depth.estimate(view, "relief")
    assert np.isnan(found.depth[view.mask < 0.4]).all() and np.isfinite(found.depth[view.mask > 0.6]).all()
    error = np.abs(found.depth - truth)
    assert np.nanpercentile(error, 95) < 0.02 * 0.4 * 2
    assert found.camera is view.camera and not found.metric


def test_disparity_is_inverse_and_zero_outside():
    """Nearer is larger; nothing there is 0."""
    view, _ = sphere_view()
    found = depth.estimate(view)
    assert (found.disparity[view.mask < 0.4] == 0).all()
    assert found.disparity[80, 80] == pytest.approx(1 / found.depth[80, 80])
    assert found.disparity[80, 80] == found.disparity.max()


def test_shading_moves_depth_a_little():
    """Noise in the picture changes the depth by less than 2 hundredths of the object."""
    plain, noisy = (depth.estimate(sphere_view(grey=g)[0]).depth for g in (True, False))
    change = np.nanmax(np.abs(plain - noisy))
    assert 0 < change < 0.02


def test_view_without_camera_and_not_square():
    """Seen by the front camera; the depth map has the picture's shape."""
    mask = np.zeros((40, 90), np.float32)
    mask[10:30, 20:70] = 1
    found = depth.estimate(View(np.zeros((40, 90, 3), np.float32), mask))
    assert found.depth.shape == (40, 90)
    assert found.camera is not None and found.camera.width == 90
    assert np.isfinite(found.depth[20, 45]) and np.isnan(found.depth[5, 5])


def test_bad_input_and_names():
    """An empty mask and an unknown backend are refused; relief is there and available."""
    view, _ = sphere_view()
    with pytest.raises(BadMaskError, match="empty"):
        depth.estimate(View(view.rgb, np.zeros_like(view.mask)))
    with pytest.raises(BadInputError, match="relief"):
        depth.estimate(view, "nothing")
    assert "relief" in depth.names() and depth.unavailable("relief") == ""


def test_cancel():
    """Cancel comes out of the solver."""

    def check():
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        depth.estimate(sphere_view()[0], progress=Progress(check=check))
