"""Grounding DINO: words and scores become boxes; a tiny random network runs through the whole backend."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maquette import detect
from maquette.backends import missing_reason
from maquette.detect import grounding_dino, qwen3_vl
from maquette.errors import WeightsError
from maquette.image import from_array
from maquette.progress import Progress, silent
from maquette.weights.ready import missing


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
        assert f"models fetch {module.SPEC.name}" in missing(module.SPEC)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random network of the real class and a word tokenizer, saved as the published ones are."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers (extra models)")
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
    root: Path = tmp_path_factory.mktemp("models") / "grounding_dino_tiny"
    transformers.GroundingDinoForObjectDetection(config).save_pretrained(root)
    _word_tokenizer(transformers).save_pretrained(root)
    return root


def _word_tokenizer(transformers: Any) -> Any:
    """[CLS] words and stops [SEP], with the ids that BERT's vocabulary gives to the special ones."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vocab = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, ".": 1012, "cup": 7, "tea": 8, "spoon": 9}
    inner = Tokenizer(models.WordLevel(vocab=vocab, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [("[CLS]", 101), ("[SEP]", 102)]
    inner.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture
def ready(place: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The backend with those files, every query counted as found, at a small working size."""
    monkeypatch.setenv("MAQUETTE_MODELS", str(place.parent))
    monkeypatch.setattr(grounding_dino, "SHORT", 64)
    monkeypatch.setattr(grounding_dino, "THRESHOLD", 0.0)
    here = [file for file in grounding_dino.SPEC.weights if (place / file.path).exists()]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {file.path for file in here}
    pins = tuple(replace(file, size=None, sha256=None) for file in here)
    monkeypatch.setattr(grounding_dino, "SPEC", replace(grounding_dino.SPEC, weights=pins))
    return grounding_dino


def picture(height: int = 40, width: int = 60) -> Any:
    return from_array(np.random.default_rng(0).random((height, width, 3), np.float32), None, "table.jpg")


@pytest.mark.parametrize("size", [(40, 60), (4, 5), (12, 400)])
def test_a_random_network_of_the_real_class_runs_from_its_files(ready: Any, size: tuple[int, int]) -> None:
    """Also for pictures smaller than a patch: boxes inside the picture, each with one of the words."""
    found = ready.detect(picture(*size), "Cup, tea spoon", device="cpu", progress=silent())
    assert len(found) == 12
    assert {box.label for box in found} <= {"cup", "tea spoon"} and all(0 <= box.score <= 1 for box in found)
    if size == (40, 60):
        kept = detect.detect(picture(*size), "cup, tea spoon", "grounding-dino")
        assert kept.method == "grounding-dino" and not any("does not read" in note for note in kept.notes)
        assert all(0 <= b.left < b.right <= 60 and 0 <= b.top < b.bottom <= 40 for b in kept.boxes)


def test_auto_prefers_the_model_that_reads_when_it_is_here(ready: Any) -> None:
    assert detect.load("auto").SPEC.name == "grounding-dino"


def test_cancel_passes_through_and_files_of_another_model_are_refused(
    ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    def cancel() -> None:
        raise Stop

    with pytest.raises(Stop):
        ready.detect(picture(), "cup", device="cpu", progress=Progress(check=cancel))
    other = tmp_path / "grounding_dino_tiny"
    other.mkdir()
    for file in ready.SPEC.weights:
        (other / file.path).write_bytes(b"{}")
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    with pytest.raises(WeightsError, match="fetch it again"):
        ready.detect(picture(), "cup", device="cpu", progress=silent())
