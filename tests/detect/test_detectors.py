"""The two detectors: words, scores and answers become boxes; a tiny random Grounding DINO runs through its backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maquette import detect
from maquette.backends import missing_reason
from maquette.detect import grounding_dino, qwen3_vl


def test_words_are_split_once_each() -> None:
    assert grounding_dino.words_of("Cup,  tea  Spoon.\ncup; ") == ("cup", "tea spoon")


def test_scores_of_tokens_go_to_the_word_they_belong_to() -> None:
    """Token 0 and the last are special (empty offsets), "tea spoon" has two tokens, the stops count for nothing."""
    text = "cup. tea spoon."
    offsets = np.array([[0, 0], [0, 3], [3, 4], [5, 8], [9, 14], [14, 15], [0, 0]])
    assert text[5:8] == "tea" and text[9:14] == "spoon"
    odds = np.zeros((3, 7))
    odds[0, 1], odds[1, 4], odds[2, 0] = 0.9, 0.6, 0.99
    centers = np.array([[0.5, 0.5, 0.5, 0.5], [0.25, 0.5, 0.1, 0.2], [0.5, 0.5, 1, 1]])
    one, two = grounding_dino.boxes_of(odds, centers, offsets, ("cup", "tea spoon"), (100, 200))
    assert (one.label, one.score, one.left, one.top, one.right, one.bottom) == ("cup", 0.9, 50, 25, 150, 75)
    assert (two.label, two.score) == ("tea spoon", 0.6) and two.left == pytest.approx(40)


def test_both_are_listed_and_pinned_and_name_their_command() -> None:
    assert {"grounding-dino", "qwen3-vl-2b"} <= set(detect.names())
    for module in (grounding_dino, qwen3_vl):
        assert all(len(file.revision) == 40 for file in module.SPEC.weights)
        assert missing_reason(module)
        assert f"models fetch {module.SPEC.name}" in module.unavailable()


class Tokens:
    """As much of a fast tokenizer as the backend uses: one token per word."""

    def __call__(self, text: str, **kwargs: Any) -> dict[str, Any]:
        import torch

        spots = [(0, 0), (0, 3), (3, 4), (0, 0)]
        assert text == "cup."
        ids = torch.tensor([[101, 7, 1012, 102]])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "offset_mapping": torch.tensor([spots])}


def test_a_random_network_of_the_real_class_runs_through_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers (maquette[models])")
    torch.manual_seed(0)
    backbone = transformers.SwinConfig(
        image_size=64, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 1, 1], window_size=4, out_indices=[2, 3, 4]
    )
    text = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=1, intermediate_size=16, vocab_size=2000
    )
    config = transformers.GroundingDinoConfig(
        backbone_config=backbone, text_config=text, d_model=32, encoder_layers=1, decoder_layers=2, num_queries=12,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
    )  # fmt: skip
    model = transformers.GroundingDinoForObjectDetection(config).eval()
    monkeypatch.setattr(grounding_dino, "SHORT", 64)
    monkeypatch.setattr(grounding_dino, "THRESHOLD", 0.0)
    rgb = np.random.default_rng(0).random((40, 60, 3), np.float32)
    found = grounding_dino.look(model, Tokens(), rgb, ("cup",))
    assert len(found) == 12 and all(box.label == "cup" and 0 <= box.score <= 1 for box in found)
