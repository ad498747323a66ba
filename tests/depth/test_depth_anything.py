"""Depth Anything V2's whole backend on a tiny random network: files, sizes, frames, tiles, cancel, missing weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maquette import depth
from maquette.backends import missing_reason
from maquette.data import View
from maquette.depth._depth_anything.run import input_size
from maquette.depth._depth_anything.tiling import blended, tiles
from maquette.errors import BadInputError, MissingError, WeightsError
from maquette.progress import Progress

NAME = "depth-anything-v2-small"


@pytest.mark.parametrize("size", [(40, 40), (300, 1000), (37, 5000), (1, 900), (518, 518), (2000, 1500)])
def test_the_network_sees_multiples_of_its_patch(size: tuple[int, int]) -> None:
    """Shorter side 518 where the shape allows it, never nothing, never beyond the limit."""
    high, wide = input_size(*size, patch=14)
    assert high % 14 == wide % 14 == 0 and 14 <= min(high, wide) <= 518 and max(high, wide) <= 1554
    if max(size) / min(size) < 2.9:
        assert high / wide == pytest.approx(size[0] / size[1], rel=0.04)


@pytest.mark.parametrize("size", [(900, 700), (1100, 300), (2500, 1800), (1037, 1037)])
def test_tiles_cover_the_picture_and_overlap(size: tuple[int, int]) -> None:
    places = tiles(*size, side=1036)
    if max(size) <= 1036:
        assert places == []
        return
    seen = np.zeros(size, int)
    for rows, columns in places:
        seen[rows, columns] += 1
        assert 0 <= rows.start < rows.stop <= size[0] and 0 <= columns.start < columns.stop <= size[1]
    assert seen.min() >= 1


def test_tiles_with_scales_of_their_own_give_the_picture_back() -> None:
    """Each tile's unknown scale and shift is undone, one that says nothing leaves the whole as it is."""
    y, x = np.mgrid[:300, :400]
    truth = (2 + np.sin(x / 40) + 0.5 * np.cos(y / 30)).astype(np.float32)
    places = tiles(300, 400, 160)
    pieces = [truth[place] * (k + 1) - 0.3 * k for k, place in enumerate(places)]
    pieces[1] = np.zeros_like(pieces[1])
    assert np.abs(blended(truth, places, pieces) - truth).max() < 1e-4


def test_only_small_may_be_chosen_by_auto() -> None:
    """Base and Large are CC BY-NC 4.0: opt-in, and named so."""
    for size, free in (("small", True), ("base", False), ("large", False)):
        spec = depth.discover(depth.__name__, list(depth.__path__))[f"depth-anything-v2-{size}"].SPEC
        assert spec.commercial_use is free and (spec.default_rank < 1000) is free
        assert all(len(file.revision) == 40 for file in spec.weights)


def module() -> Any:
    return depth.discover(depth.__name__, list(depth.__path__))[NAME]


def test_without_weights_auto_passes_over_it_and_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Absent weights never start a download by themselves."""
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setattr(module(), "SPEC", replace(module().SPEC, requires=()))
    assert f"maquette models fetch {NAME}" in missing_reason(module())
    assert depth.load("auto").SPEC.name == "relief"
    with pytest.raises(MissingError, match="models fetch"):
        depth.load(NAME)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network of the same class, saved as the published one is."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers (extra models)")
    torch.manual_seed(0)
    backbone = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=70, patch_size=14,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16,
        head_hidden_size=8,
    )  # fmt: skip
    root: Path = tmp_path_factory.mktemp("models")
    model = transformers.DepthAnythingForDepthEstimation(config)
    model.head.conv3.bias.data.fill_(1.0)  # without it the last ReLU makes everything 0
    model.head.conv3.weight.data.mul_(20)
    model.save_pretrained(root / "depth_anything_v2_small")
    return root


@pytest.fixture
def ready(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The backend with those weights in place of the published ones."""
    import maquette.depth._depth_anything.run as run

    monkeypatch.setenv("MAQUETTE_MODELS", str(weights))
    monkeypatch.setattr(run, "SIDE", 70)
    monkeypatch.setattr(run.input_size, "__defaults__", (70,))
    small = tuple(replace(file, size=None, sha256=None) for file in module().SPEC.weights)
    monkeypatch.setattr(module(), "SPEC", replace(module().SPEC, weights=small))
    return module()


@pytest.fixture
def metric(weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The indoor metric backend with the same network turned metric (20 m at most)."""
    import shutil

    import maquette.depth._depth_anything.run as run

    place = tmp_path / "depth_anything_v2_metric_indoor_small"
    shutil.copytree(weights / "depth_anything_v2_small", place)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "depth_estimation_type": "metric", "max_depth": 20}))
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    monkeypatch.setattr(run.input_size, "__defaults__", (70,))
    found = depth.discover(depth.__name__, list(depth.__path__))["depth-anything-v2-metric-indoor-small"]
    small = tuple(replace(file, size=None, sha256=None) for file in found.SPEC.weights)
    monkeypatch.setattr(found, "SPEC", replace(found.SPEC, weights=small))
    return found


def test_metric_depth_is_in_metres_and_marked_so(metric: Any) -> None:
    """Inside the mask depth lies within the network's range, larger = farther; auto never takes it."""
    seen = view(80, 96)
    found = depth.estimate(seen, metric.SPEC.name)
    inside = seen.mask >= 0.5
    assert found.metric and 0 < found.depth[inside].min() < found.depth[inside].max() <= 20
    assert np.isnan(found.depth[~inside]).all()
    assert np.allclose(found.disparity[inside], 1 / found.depth[inside])
    assert metric.SPEC.default_rank >= 1000 and "metres" in metric.SPEC.title and metric.SPEC.commercial_use


def test_a_relative_network_in_the_metric_models_folder_is_refused(metric: Any, weights: Path, tmp_path: Path) -> None:
    """Disparity taken for metres would turn the scene inside out without a word."""
    config = (weights / "depth_anything_v2_small" / "config.json").read_text()
    (tmp_path / "depth_anything_v2_metric_indoor_small" / "config.json").write_text(config)
    with pytest.raises(WeightsError, match=r"relative model, not .*Metric Indoor"):
        depth.estimate(view(80, 96), metric.SPEC.name)


def view(height: int, width: int) -> View:
    g = np.random.default_rng(0)
    mask = np.zeros((height, width), np.float32)
    mask[height // 4 :, width // 4 :] = 1
    return View(g.random((height, width, 3), np.float32), mask)


@pytest.mark.parametrize("size", [(96, 128), (9, 11), (200, 90)])
def test_depth_has_the_pictures_size_and_is_nan_outside_the_mask(ready: Any, size: tuple[int, int]) -> None:
    """Also for pictures smaller than a patch; positive, finite inside, the same each time."""
    found, again = (depth.estimate(view(*size), NAME) for _ in range(2))
    inside = view(*size).mask >= 0.5
    assert found.depth.shape == size and not found.metric
    assert np.isfinite(found.depth[inside]).all() and (found.depth[inside] > 0).all()
    assert np.isnan(found.depth[~inside]).all() and (found.disparity[~inside] == 0).all()
    assert np.array_equal(found.depth, again.depth, equal_nan=True)


def test_auto_takes_it_when_its_weights_are_here(ready: Any) -> None:
    assert depth.load("auto").SPEC.name == NAME


def test_tiles_run_and_stay_near_the_whole(ready: Any) -> None:
    """The tiled answer keeps the whole picture's depth and adds detail."""
    from maquette.progress import silent

    large = view(170, 300)
    plain = ready.estimate(large, device="cpu", progress=silent()).disparity
    tiled = depth.estimate(large, NAME, tiled=True).disparity
    inside = large.mask >= 0.5
    assert tiled.shape == plain.shape and not np.array_equal(tiled, plain)
    assert abs(float(tiled[inside].mean() / plain[inside].mean()) - 1) < 0.1


def test_a_method_without_tiles_says_so() -> None:
    with pytest.raises(BadInputError, match="'relief' knows no tiles"):
        depth.estimate(view(40, 40), "relief", tiled=True)


def test_cancel_passes_through_and_the_device_is_free_again(ready: Any) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def cancel(calls: list[int]) -> None:
        calls.append(1)
        if len(calls) > 2:
            raise Stop

    calls: list[int] = []
    with pytest.raises(Stop):
        depth.estimate(view(80, 80), NAME, progress=Progress(check=lambda: cancel(calls)))
    assert depth.estimate(view(80, 80), NAME).depth.shape == (80, 80)


def test_files_of_another_model_are_refused(ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "depth_anything_v2_small"
    place.mkdir()
    (place / "config.json").write_text('{"model_type": "nonesuch"}')
    (place / "model.safetensors").write_bytes(b"\x00" * 20)
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    with pytest.raises(WeightsError, match="fetch it again"):
        depth.estimate(view(80, 80), NAME)
