"""SAM 2.1's whole backend on a tiny random network: prompts, choice, refinement, sizes, cancel, missing weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from depth_scenes import make

from maquette import segment as stage
from maquette.backends import discover, missing_reason
from maquette.errors import BadInputError, MissingError
from maquette.image import from_array
from maquette.progress import Progress
from maquette.segment._sam2 import cut_out, guessed
from maquette.segment.prompts import prompts

NAME = "sam2.1-tiny"


def modules() -> dict[str, Any]:
    return discover(stage.__name__, list(stage.__path__))


def test_four_sizes_are_pinned_and_free() -> None:
    for size in ("tiny", "small", "base-plus", "large"):
        spec = modules()[f"sam2.1-{size}"].SPEC
        assert spec.commercial_use and all(len(file.revision) == 40 for file in spec.weights)


def test_without_weights_auto_passes_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    module = modules()[NAME]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    assert "maquette models fetch sam2.1-tiny" in missing_reason(module)
    assert not stage.load("auto").SPEC.name.startswith("sam2")
    with pytest.raises(MissingError, match="models fetch"):
        stage.load(NAME)


class Network:
    """Answers known masks, so that the choice and the second pass can be judged; torch tensors as the real one."""

    def __init__(self, masks: Any, refined: Any) -> None:
        import torch

        self.masks, self.refined, self.calls = masks, refined, []
        self.weight = torch.zeros(1)
        self.config = SimpleNamespace(
            vision_config=SimpleNamespace(backbone_config=SimpleNamespace(image_size=[64, 64]))
        )

    def parameters(self) -> Any:
        return iter([self.weight])

    def __call__(self, **given: Any) -> Any:
        import torch

        self.calls.append(given)
        masks = self.masks if given["multimask_output"] else self.refined
        logits = torch.from_numpy(np.where(masks, 9.0, -9.0).astype(np.float32))[None, None]
        return SimpleNamespace(pred_masks=logits, iou_scores=torch.ones(1, 1, len(masks)), image_embeddings=["e"])


def test_the_proposal_that_agrees_with_depth_is_refined_and_returned() -> None:
    """Whole picture, a part and the subject are proposed: the subject is taken; the box is in the network's pixels."""
    disparity, truth = make(1)
    rgb = np.zeros((*truth.shape, 3), np.float32)
    part = truth & (np.arange(truth.shape[0])[:, None] < truth.shape[0] * 0.45)
    network = Network(np.stack([np.ones_like(truth), part, truth]), truth[None])
    given = prompts(disparity)
    mask = cut_out(network, rgb, given, disparity, Progress())
    assert np.array_equal(mask > 0.5, truth)
    first, second = network.calls
    assert np.allclose(first["input_boxes"][0, 0, 0], given.box[0] * 64 / truth.shape[1], atol=1e-3)
    assert first["pixel_values"].shape == (1, 3, 64, 64) and "pixel_values" not in second
    assert second["image_embeddings"] == ["e"] and second["input_masks"].shape == (1, 1, *truth.shape)


def test_a_refinement_that_loses_the_subject_is_not_taken() -> None:
    disparity, truth = make(1)
    network = Network(np.stack([truth, ~truth]), np.zeros_like(truth)[None])
    rgb = np.zeros((*truth.shape, 3), np.float32)
    assert np.array_equal(cut_out(network, rgb, prompts(disparity), disparity, Progress()) > 0.5, truth)


def picture(height: int = 90, width: int = 120) -> Any:
    """A red ball on grey, a little off the middle."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    inside = np.hypot(x - 0.6 * width, y - 0.5 * height) < 0.25 * height
    rgb = np.where(inside[..., None], np.float32([0.8, 0.2, 0.1]), np.float32([0.6, 0.6, 0.62]))
    return from_array(rgb.astype(np.float32), None, "ball"), inside


def test_without_depth_the_prompts_come_from_colour() -> None:
    seen, inside = picture()
    given = guessed(seen)
    x, y = given.points.T.astype(int)
    assert np.array_equal(inside[y, x], given.labels == 1)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random network of the same class, saved as the published one is."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers (extra models)")
    torch.manual_seed(0)
    backbone = transformers.Sam2HieraDetConfig(
        image_size=[64, 64], hidden_size=8, num_attention_heads=1, blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[4, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=32,
        backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
    )  # fmt: skip
    prompt = transformers.Sam2PromptEncoderConfig(hidden_size=32, image_size=64, patch_size=16)
    decoder = transformers.Sam2MaskDecoderConfig(
        hidden_size=32, mlp_dim=32, num_hidden_layers=2, num_attention_heads=2, iou_head_hidden_dim=32
    )
    config = transformers.Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
    root: Path = tmp_path_factory.mktemp("models")
    transformers.Sam2Model(config).save_pretrained(root / "sam2.1_tiny")
    return root


@pytest.fixture
def ready(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MAQUETTE_MODELS", str(weights))
    module = modules()[NAME]
    small = tuple(replace(file, size=None, sha256=None) for file in module.SPEC.weights)
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, weights=small))
    return module


@pytest.mark.parametrize("size", [(90, 120), (64, 33)])
@pytest.mark.parametrize("guided", [True, False])
def test_the_real_class_gives_a_soft_mask_of_the_pictures_size(ready: Any, size: tuple[int, int], guided: bool) -> None:
    seen, inside = picture(*size)
    prior = np.where(inside, 0.9, 0.3).astype(np.float32) if guided else None
    mask = ready.segment(seen, prior=prior, device="cpu", progress=Progress())
    assert mask.shape == size and mask.dtype == np.float32
    assert 0 <= mask.min() <= mask.max() <= 1 and np.isfinite(mask).all()


def test_two_subjects_at_the_same_depth_are_said_in_the_answer(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mask is made, and the note on the choice reaches whoever reads the report."""
    y, x = np.mgrid[:90, :120]
    both = (np.hypot(x - 35, y - 45) < 20) | (np.hypot(x - 85, y - 45) < 20)
    prior = np.where(both, 0.9, 0.3).astype(np.float32)
    import maquette.segment._sam2 as sam

    monkeypatch.setattr(sam, "cut_out", lambda *_: both.astype(np.float32))
    found = stage.segment(picture()[0], NAME, prior=prior)
    assert any("equally near" in note for note in found.notes)


def test_flat_depth_is_refused_before_anything_is_loaded(ready: Any) -> None:
    seen, _ = picture()
    slope = np.linspace(0, 1, 90, dtype=np.float32)[:, None] * np.ones((1, 120), np.float32)
    with pytest.raises(BadInputError, match="stands free"):
        ready.segment(seen, prior=slope, device="cpu", progress=Progress())


def test_cancel_passes_through(ready: Any) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def cancel() -> None:
        raise Stop

    seen, inside = picture()
    with pytest.raises(Stop):
        ready.segment(seen, prior=inside.astype(np.float32), device="cpu", progress=Progress(check=cancel))
