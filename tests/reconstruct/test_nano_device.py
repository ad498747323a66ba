"""What the built-in model does on a GPU, tried on the CPU: smoothing, the short way past joining, half precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _columns import together

from maquette.reconstruct._nano import engine as engines
from maquette.reconstruct._nano import material as materials
from maquette.reconstruct._nano import tidy
from maquette.reconstruct._nano.network import BINS, NanoNet, Shape, bin_edges
from maquette.reconstruct._nano.recorded import MOST, Recorded
from maquette.reconstruct._nano.solid import INTERVALS
from maquette.reconstruct._nano.tidy import RANGE, brought_together, linked, smoothed

SIDE = 96


def mask_of(shape: str) -> np.ndarray:
    """[SIDE, SIDE] thin bars, several parts, or a body with holes."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE - 0.5
    away = np.hypot(x, y)
    return {
        "thin": (np.abs(np.sin(20 * x) + np.cos(20 * y)) < 0.15) & (away < 0.42),
        "parts": (np.hypot(x - 0.2, y) < 0.12) | (np.hypot(x + 0.2, y + 0.1) < 0.15) | (np.abs(y - 0.35) < 0.01),
        "holes": (away < 0.4) & (np.hypot(x % 0.2 - 0.1, y % 0.2 - 0.1) > 0.04),
    }[shape].astype(np.float32)


def plainly_smoothed(ends: np.ndarray, valid: np.ndarray, radius: int, rounds: int) -> np.ndarray:
    """What ``smoothed`` means, pixel by pixel."""
    now = np.where(valid[..., None], ends, np.nan).astype(np.float64)
    for _ in range(rounds):
        made = now.copy()
        for y, x, n in np.argwhere(~np.isnan(now)):
            total = weight = 0.0
            for v in range(max(y - radius, 0), min(y + radius + 1, len(now))):
                for u in range(max(x - radius, 0), min(x + radius + 1, now.shape[1])):
                    if not np.isnan(now[v, u, n]):
                        off = ((v - y) ** 2 + (u - x) ** 2) / (0.5 * (radius + 0.5) ** 2)
                        w = np.exp(-((now[v, u, n] - now[y, x, n]) ** 2) / RANGE**2 - off)
                        total, weight = total + w * now[v, u, n], weight + w
            made[y, x, n] = total / weight
        now = made
    return np.where(np.isnan(now), ends, now)


@pytest.mark.parametrize("shape", ["thin", "parts", "holes"])
def test_smoothing_is_the_plain_average(shape: str) -> None:
    valid = mask_of(shape)[::4, ::4] > 0.5
    rng = np.random.default_rng(2)
    ends = rng.uniform(-0.3, 0.5, (*valid.shape, INTERVALS)).astype(np.float32)
    ends[rng.random(ends.shape) < 0.3] = np.nan
    before = ends.copy()
    found = smoothed(torch.from_numpy(ends), torch.from_numpy(valid)).numpy()
    np.testing.assert_array_equal(ends, before)
    np.testing.assert_allclose(found, plainly_smoothed(ends, valid, 2, 2), atol=1e-6)


@pytest.mark.parametrize("shape", ["thin", "parts", "holes"])
@pytest.mark.parametrize("rough", [0.0, 0.4])
def test_the_short_way_through_joining_changes_nothing(shape: str, rough: float) -> None:
    valid = mask_of(shape)[::2, ::2] > 0.5
    side = len(valid)
    starts = np.full((side, side, INTERVALS), np.nan, np.float32)
    patches = np.random.default_rng(3).uniform(0, rough, (side // 8, side // 8)).astype(np.float32)
    starts[..., 0] = np.where(valid, np.kron(patches, np.ones((8, 8), np.float32)), np.nan)
    stops, region = starts + np.float32(0.1), np.ones((side, side), int)
    given = torch.from_numpy(starts), torch.from_numpy(stops)
    long = together(starts, stops, valid, 0.03, region)
    short = brought_together(*given, linked(*given, 0.03), valid, 0.03, region)
    for one, other in zip(short, long, strict=True):
        np.testing.assert_array_equal(one.numpy(), other)
    assert (rough > 0) == (not np.array_equal(long[0], starts, equal_nan=True))


def raw_head(valid: np.ndarray, seed: int) -> torch.Tensor:
    """An answer [1, 85, S, S] with pieces behind each other, holes and noise."""
    g = torch.Generator().manual_seed(seed)
    raw = 0.1 * torch.randn(1, 2 + BINS + 3, *valid.shape, generator=g)
    bins = torch.arange(BINS)[:, None, None]
    solid = (bins < 20) | ((bins > 40) & (bins < 60)) & (torch.rand(valid.shape, generator=g) > 0.2)
    raw[0, 2 : 2 + BINS] += torch.where(solid, 2.0, -2.0)
    return raw


@pytest.mark.parametrize("shape", ["thin", "parts", "holes"])
def test_all_pixels_at_once_are_what_those_of_the_subject_are(shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU works on every pixel, because to count the subject's would make the host wait."""
    valid = torch.from_numpy(mask_of(shape) > 0.5)
    given = raw_head(valid.numpy(), 5), valid, bin_edges()
    exact = materials.material(*given, threshold=0.35, least=0.02)
    for module in (materials, tidy):
        monkeypatch.setattr(module, "places", lambda valid: torch.arange(valid.numel()))
    found = materials.material(*given, threshold=0.35, least=0.02)
    assert bool(exact[0][valid][:, 1].isfinite().any()), "a second piece somewhere"
    assert bool(exact[0][~valid].isnan().all())
    for one, other in zip(found, exact, strict=True):
        assert torch.equal(one.isnan(), other.isnan())
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0, equal_nan=True)


def test_what_cannot_be_recorded_is_called_as_it_is() -> None:
    asked = Recorded(lambda x, *, by: x * by)
    (found,) = asked(torch.ones(3), by=2.0)
    assert found.tolist() == [2.0, 2.0, 2.0]
    assert not asked.known


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_recorded_launches_answer_as_plain_ones_for_every_shape_and_number() -> None:
    def work(x: torch.Tensor, y: torch.Tensor, *, by: float) -> tuple[torch.Tensor, torch.Tensor]:
        return x * by + y, (x > y).float().cumsum(0)

    asked = Recorded(work)
    kept = []
    for size in (5, 70_000, *range(8, 8 + MOST)):
        for by in (1.5, 2.0, 1.5):
            given = torch.randn(size, device="cuda"), torch.randn(size, device="cuda")
            kept.append((asked(*given, by=by), work(*given, by=by)))
    assert len(asked.known) == MOST
    for found, exact in kept:  # the answers of earlier calls still stand
        for one, other in zip(found, exact, strict=True):
            assert torch.equal(one, other)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_material_is_recorded_and_the_same_as_made_on_the_host() -> None:
    asked = Recorded(materials.material)
    for seed, shape in enumerate(["thin", "parts", "holes"]):
        valid = torch.from_numpy(mask_of(shape) > 0.5)
        given = raw_head(valid.numpy(), seed), valid, bin_edges()
        exact = materials.material(*given, threshold=0.35, least=0.02)
        found = asked(*(one.cuda() for one in given), threshold=0.35, least=0.02)
        assert asked.records and len(asked.known) == 1
        for one, other in zip(found[:2], exact[:2], strict=True):
            off = (one.cpu() - other).abs().nan_to_num(0) > 1e-4
            assert float((off | (one.cpu().isnan() != other.isnan())).float().mean()) < 1e-3  # ends on the threshold


def test_half_precision_says_nearly_the_same_where_launches_cannot_be_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU, where there is nothing to record: the network runs all the same, in half precision."""
    small = Shape(widths=(8, 16, 16), blocks=(1, 1, 1), dim=24, layers=1, heads=2, size=64)
    torch.manual_seed(0)
    network = NanoNet(small).eval().requires_grad_(False)
    picture = torch.rand(2, 4, 64, 64)
    with torch.inference_mode():
        exact = network(picture)
    made = engines.Engine(network, "cpu")
    assert made.network.head.weight.dtype == torch.float16 and made.shape == small
    found = made(picture)
    assert not made.recorded.known and found.dtype == torch.float32
    assert float((found - exact).abs().max()) < 0.02 * float(exact.abs().max())
