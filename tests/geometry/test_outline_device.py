"""The outline's distance as a GPU computes it, run on the CPU, against the host's search tree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from maquette.geometry import outline_device
from maquette.geometry.inflate import outline_distance
from maquette.geometry.outline_device import ALL, contour_distance, distance_from_pixels, outline_distance_on_device
from maquette.geometry.signed_distance import outline_segments


def masks() -> dict[str, np.ndarray]:
    y, x = np.mgrid[0:96, 0:120] / 96 - 0.5
    r = np.hypot(x - 0.1, y)
    noise = gaussian_filter(np.random.default_rng(0).random((96, 120)), 4)
    return {
        "soft disc": np.clip((0.35 - r) * 60 + 0.5, 0, 1),
        "hard disc": (r < 0.35).astype(float),
        "ring and rod": ((r < 0.35) & (r > 0.25) | (np.abs(y) < 0.012)).astype(float),
        "blots": (noise > noise.mean()).astype(float),
        "to the border": np.clip((x + 0.2) * 40, 0, 1),
        "one pixel": np.eye(96, 120)[::-1] * ((y * 96).astype(int) == 3),
    }


@pytest.mark.parametrize("name", masks())
@pytest.mark.parametrize("least", [0.5, 2.5])
def test_the_device_agrees_with_the_host(name: str, least: float) -> None:
    """Within a few hundredths of a pixel near the outline, where the surface is. Rounding may decide otherwise
    whether a pixel lies on the axis of a thin part; then a few pixels beside it differ."""
    mask = masks()[name].astype(np.float32)
    host = outline_distance(mask, least)
    device = outline_distance_on_device(torch.from_numpy(mask), least).numpy()
    near = np.abs(host) < 3
    assert near.any()
    off = np.abs(device - host) > 0.06
    assert off[near].sum() <= (10 if name == "blots" and least > 1 else 0)
    assert (np.sign(device) == np.sign(host))[(np.abs(host) > 0.06) & ~(off & near)].all()


def test_an_empty_mask_is_far_from_everything() -> None:
    assert float(contour_distance(torch.zeros(20, 30)).max()) == pytest.approx(-np.hypot(20, 30))


@pytest.mark.parametrize("most", [ALL, 0])
@pytest.mark.parametrize("name", ["soft disc", "blots", "noise"])
def test_the_distance_is_that_to_the_nearest_segment(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everywhere, against all segments of the traced contour; noise has cells with opposite corners inside."""
    small = np.random.default_rng(1).random((24, 40))
    mask = (small if name == "noise" else masks()[name][:60, :80]).astype(np.float32)
    starts, ends = outline_segments(mask)
    at = np.stack(np.meshgrid(*map(np.arange, mask.shape), indexing="ij"), -1).reshape(-1, 1, 2)
    along = ends - starts
    share = (((at - starts) * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-12)).clip(0, 1)
    exact = np.linalg.norm(at - starts - share[..., None] * along, axis=-1).min(1).reshape(mask.shape)
    monkeypatch.setattr(outline_device, "AT_ONCE", 7 * mask.size)  # several pieces, the last one shorter
    found = contour_distance(torch.from_numpy(mask), most).numpy()
    np.testing.assert_array_equal(found >= 0, mask >= 0.5)
    near = exact < 3
    np.testing.assert_allclose(np.abs(found)[near], exact[near], atol=2e-4)
    assert np.abs(np.abs(found) - exact).max() < (2e-4 if most else 0.02)


def test_pixels_are_as_far_as_the_host_says_tried_or_not() -> None:
    thin = np.random.default_rng(4).random((40, 55)) < 0.02
    assert thin.any()
    like = torch.zeros(thin.shape)
    torch.testing.assert_close(distance_from_pixels(thin, like), distance_from_pixels(thin, like, most=0))
