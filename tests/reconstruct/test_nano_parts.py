"""Parts of the built-in model that need no weights: columns to intervals, joining, the frustum's surface, its place."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _columns import together

from maquette.geometry.camera import orbit_camera, project
from maquette.progress import silent
from maquette.reconstruct._nano.network import BINS, DEEPEST, NanoNet, Shape, bin_edges, columns
from maquette.reconstruct._nano.picture import crop_of, cut
from maquette.reconstruct._nano.solid import INTERVALS, frustum, intervals, nearest_column, surface
from maquette.reconstruct._nano.tidy import smoothed
from maquette.reconstruct._nano.world import placed

EDGES = bin_edges().numpy()
CENTRES = torch.from_numpy((EDGES[1:] + EDGES[:-1]) / 2)


def share(*pieces: tuple[float, float]) -> np.ndarray:
    """[1, BINS] exact solid share of each bin for these pieces."""
    total = sum(np.clip(np.minimum(EDGES[1:], b) - np.maximum(EDGES[:-1], a), 0, None) for a, b in pieces)
    return (total / np.diff(EDGES))[None].astype(np.float32)


def test_bins_cover_the_reach_and_grow() -> None:
    steps = np.diff(EDGES)
    assert EDGES[0] == 0 and EDGES[-1] == pytest.approx(DEEPEST) and (np.diff(steps) > 0).all()


@pytest.mark.parametrize(
    "pieces", [[(0, 0.03)], [(0, 0.5)], [(0, 0.2), (0.6, 1.1)], [(0, 0.1), (0.3, 0.4), (0.9, 1.4)]]
)
def test_certain_columns_give_back_their_pieces(pieces: list[tuple[float, float]]) -> None:
    starts, stops = intervals(torch.from_numpy(share(*pieces)), CENTRES, 0.5, 0.001)
    for j, (a, b) in enumerate(pieces):
        assert starts[0, j] == pytest.approx(a, abs=0.02) and stops[0, j] == pytest.approx(b, abs=0.02)
    assert np.isnan(starts[0, len(pieces) :]).all()


def test_a_column_that_says_nothing_still_holds_material() -> None:
    """The mask is a fact: a pixel of the subject always has a first piece, at least as thick as asked."""
    starts, stops = intervals(torch.zeros(3, BINS), CENTRES, 0.4, 0.02)
    assert (starts[:, 0] == 0).all() and (stops[:, 0] >= 0.02).all()


def test_more_pieces_than_kept_are_cut_off_without_error() -> None:
    full = np.tile(np.array([1, 1, 0, 0], np.float32), BINS // 4)[None]
    starts, stops = intervals(torch.from_numpy(full), CENTRES, 0.5, 0.001)
    assert starts.shape == (1, INTERVALS) and (stops >= starts).all()


def test_a_loose_part_is_moved_until_it_touches() -> None:
    """A tail whose depth is wrong hangs in the air; the mask says that it belongs to the body."""
    valid = np.ones((4, 8), bool)
    starts = np.full((4, 8, 2), np.nan, np.float32)
    stops = starts.copy()
    starts[..., 0], stops[..., 0] = 0.0, 0.5
    starts[:, 6:, 0], stops[:, 6:, 0] = 0.9, 1.0
    a, b = together(starts, stops, valid, 0.03)
    np.testing.assert_allclose(a[:, :6, 0], 0.0)
    assert (a[:, 6:, 0] < 0.5).all() and (b[:, 6:, 0] > 0.5).all()
    np.testing.assert_allclose(b[:, 6:, 0] - a[:, 6:, 0], 0.1, atol=1e-6)


def test_many_loose_parts_all_arrive() -> None:
    """A comb whose teeth hang at random depths: afterwards every tooth overlaps the bar."""
    valid = np.zeros((8, 61), bool)
    valid[:3], valid[3:, ::2] = True, True
    starts = np.zeros((8, 61, 1), np.float32)
    starts[3:] += np.random.default_rng(2).uniform(0.2, 0.6, (1, 61, 1)).astype(np.float32)
    a, b = together(starts, starts + 0.1, valid, 0.03)
    teeth = a[3, ::2, 0], b[3, ::2, 0]
    assert (np.minimum(teeth[1], 0.1) - np.maximum(teeth[0], 0.0) > 0.02).all()


def test_parts_apart_in_the_mask_and_parts_that_touch_stay() -> None:
    valid = np.ones((4, 9), bool)
    valid[:, 4] = False
    starts = np.full((4, 9, 1), 0.0, np.float32)
    starts[:, 5:] = 2.0
    a, b = together(starts, starts + 0.2, valid, 0.03)
    np.testing.assert_array_equal(a, starts)
    np.testing.assert_array_equal(b, starts + 0.2)


def test_smoothing_flattens_noise_but_not_steps() -> None:
    rng = np.random.default_rng(0)
    ends = np.zeros((20, 20, 1), np.float32)
    ends[:, 10:] = 1.0
    noisy = ends + rng.normal(0, 0.02, ends.shape).astype(np.float32)
    out = smoothed(torch.from_numpy(noisy), torch.ones((20, 20), dtype=torch.bool)).numpy()
    assert np.abs(out - ends).mean() < 0.4 * np.abs(noisy - ends).mean()
    assert np.abs(out - ends).max() < 0.05


def test_frustum_of_a_ball_has_its_volume_and_is_closed() -> None:
    """Columns of a ball -> field -> mesh: closed, outward, volume within 3 %."""
    size, radius, cell = 128, 0.6, 1.7 / 96
    line = (np.arange(size) + 0.5) / size * 2 - 1
    flat = np.hypot(line[None], line[:, None])
    half = np.sqrt(np.maximum(radius**2 - flat**2, 0)).astype(np.float32)
    valid = flat < radius
    index = nearest_column(valid).reshape(-1)
    depth = (-half).reshape(-1)[index].reshape(size, size)
    starts = np.full((size * size, INTERVALS), np.nan, np.float32)
    stops = starts.copy()
    starts[:, 0], stops[:, 0] = 0, 2 * half.reshape(-1)[index]
    outline = (radius - flat).astype(np.float32)
    points, faces, _ = surface(frustum(*map(torch.from_numpy, (depth, starts, stops, outline)), cell), cell, silent())
    world = points * [1, -1, -1]
    a, b, c = (world[faces[:, i]] for i in range(3))
    volume = float((a * np.cross(b, c)).sum() / 6)
    assert volume == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.03)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_the_place_of_a_frustum_is_seen_at_its_own_pixels() -> None:
    camera = orbit_camera(30, 20, 256)
    mask = np.zeros((256, 256), np.float32)
    mask[60:200, 90:150] = 1
    crop = crop_of(mask)
    assert crop.side == round(140 / 0.85) and cut(mask, crop).sum() == mask.sum()
    place = placed(camera, crop, 0.3)
    rng = np.random.default_rng(1)
    points = rng.uniform([-0.9, -0.9, -0.5], [0.9, 0.9, 1.0], (200, 3)).astype(np.float32)
    world = place.to_world(points)
    xy, _ = project(camera, world)
    np.testing.assert_allclose((xy[:, 0] - crop.left) / crop.side * 2 - 1, points[:, 0], atol=1e-5)
    np.testing.assert_allclose((xy[:, 1] - crop.top) / crop.side * 2 - 1, points[:, 1], atol=1e-5)
    back = place.to_frustum(torch.from_numpy(world.astype(np.float32)))
    np.testing.assert_allclose(back.numpy(), points, atol=2e-4)
    middle = place.to_world(np.array([[0, 0, 0.3]], np.float32))[0]
    axis = -camera.cam_to_world[:3, 2]
    assert abs(float((middle - camera.position) @ axis) - float(-camera.position @ axis)) < 1e-6


def test_depth_of_the_columns_has_mean_zero_over_the_mask() -> None:
    raw = torch.randn(2, 2 + BINS + 3, 16, 16, generator=torch.Generator().manual_seed(0)) + 3
    mask = torch.zeros(2, 16, 16, dtype=torch.bool)
    mask[:, 4:12, 4:9] = True
    c = columns(raw, mask)
    assert abs(float(c.depth[0][mask[0]].mean())) < 1e-5
    assert c.logits.shape == (2, BINS, 16, 16) and float(c.back.min()) >= 0 and float(c.back.max()) <= 1


def test_network_shape_and_size() -> None:
    small = NanoNet(Shape(widths=(8, 16, 16), blocks=(1, 1, 1), dim=24, layers=1, heads=2, size=64))
    with torch.inference_mode():
        assert small(torch.rand(2, 4, 64, 64)).shape == (2, 2 + BINS + 3, 32, 32)
    with torch.device("meta"):
        count = sum(p.numel() for p in NanoNet().parameters())
    assert 20_000_000 < count < 24_000_000
