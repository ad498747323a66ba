"""Qwen3-VL's whole backend on a tiny random network of the real class, with a byte tokenizer made here."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from maquette import detect, memory
from maquette.backends import missing_reason
from maquette.detect import _qwen3_vl, qwen3_vl, qwen3_vl_4b, qwen3_vl_8b
from maquette.errors import BadInputError, WeightsError
from maquette.image import from_array
from maquette.progress import Progress, silent

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", _qwen3_vl.IMAGE]
SPECIAL += ["<|video_pad|>"]


def test_three_sizes_are_pinned_with_size_and_hash_and_need_no_torchvision() -> None:
    """Larger ones answer better, so auto prefers them where they are here."""
    for module, count in ((qwen3_vl, 1), (qwen3_vl_4b, 2), (qwen3_vl_8b, 4)):
        shards = [file for file in module.SPEC.weights if file.path.endswith(".safetensors")]
        assert len(shards) == count and all(file.size and len(file.sha256 or "") == 64 for file in shards)
        assert module.SPEC.requires == ("transformers",) and module.SPEC.vram_estimated
        assert missing_reason(module)
    assert "model.safetensors.index.json" in [file.path for file in qwen3_vl_4b.SPEC.weights]


def test_prose_is_an_error_that_quotes_it_and_an_empty_list_is_not() -> None:
    picture = SimpleNamespace(rgb=np.zeros((50, 50, 3), np.float32), name="p.jpg")
    assert _qwen3_vl.boxes_of("```json\n[ ]\n```", picture, "cup") == ()
    with pytest.raises(BadInputError, match=r"p\.jpg.*cup.*I see a table"):
        _qwen3_vl.boxes_of("I see a table.", picture, "cup")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the published model, tiny and random: network, byte tokenizer, image processor."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers", reason="needs transformers (extra models)")
    root: Path = tmp_path_factory.mktemp("models") / "qwen3_vl_2b"
    tokens = _byte_tokenizer(transformers)
    tokens.save_pretrained(root)
    ids = {name: tokens.convert_tokens_to_ids(name) for name in SPECIAL}
    torch.manual_seed(0)
    text = {
        "vocab_size": len(tokens), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "head_dim": 16,
        "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 4096,
        "rope_scaling": {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True},
        "eos_token_id": ids["<|im_end|>"], "bos_token_id": None, "pad_token_id": ids["<|endoftext|>"],
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": 16, "intermediate_size": 24, "num_heads": 2, "out_hidden_size": 32, "patch_size": 4,
        "spatial_merge_size": 2, "temporal_patch_size": 2, "num_position_embeddings": 64,
        "deepstack_visual_indexes": [0],
    }  # fmt: skip
    config = transformers.Qwen3VLConfig(
        text_config=text, vision_config=vision, image_token_id=ids[_qwen3_vl.IMAGE],
        video_token_id=ids["<|video_pad|>"], vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )  # fmt: skip
    network = transformers.Qwen3VLForConditionalGeneration(config)
    network.generation_config.eos_token_id = ids["<|im_end|>"]
    network.generation_config.pad_token_id = ids["<|endoftext|>"]
    network.save_pretrained(root)
    sizes = {"min_pixels": 64, "max_pixels": 64 * 64, "size": {"shortest_edge": 64, "longest_edge": 64 * 64}}
    plain = {"image_processor_type": "Qwen2VLImageProcessorFast", "patch_size": 4, "temporal_patch_size": 2}
    plain |= {"merge_size": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, **sizes}
    (root / "preprocessor_config.json").write_text(json.dumps(plain))
    return root


def _byte_tokenizer(transformers: Any) -> Any:
    """Every byte is a token, as Qwen's tokenizer falls back to."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = {letter: index for index, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    inner = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(SPECIAL)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


@pytest.fixture
def ready(place: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The 2B backend with those files in place of the published ones, and short answers."""
    monkeypatch.setenv("MAQUETTE_MODELS", str(place.parent))
    monkeypatch.setattr(_qwen3_vl, "LONGEST_ANSWER", 12)
    monkeypatch.setattr(_qwen3_vl, "_has_bfloat16", lambda: True)
    here = tuple(replace(f, size=None, sha256=None) for f in qwen3_vl.SPEC.weights if (place / f.path).exists())
    assert {"config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"} <= {f.path for f in here}
    monkeypatch.setattr(qwen3_vl, "SPEC", replace(qwen3_vl.SPEC, weights=here))
    return qwen3_vl


def picture(height: int = 40, width: int = 64) -> Any:
    rgb = np.random.default_rng(0).random((height, width, 3), np.float32)
    return from_array(rgb, None, "table.jpg")


def test_a_random_network_answers_and_nonsense_is_an_error_that_quotes_it(ready: Any) -> None:
    """Load, ask, answer, parse: bytes at random are no boxes."""
    with pytest.raises(BadInputError, match=r"table\.jpg.*'cup'.*without any box"):
        detect.detect(picture(), "cup", "qwen3-vl-2b")


def test_an_answer_with_boxes_becomes_boxes_in_pixels(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The network's own words replaced, all else runs: the processor's tokens go in, the decoded answer comes out."""
    import torch

    real = _qwen3_vl.open_model
    seen: dict[str, Any] = {}
    answer = '```json\n[{"bbox_2d": [500, 250, 1000, 750], "label": "cup"},]\n```'

    def opened(place: Path, device: str) -> Any:
        model = real(place, device)

        def generate(**given: Any) -> Any:
            seen.update(given)
            return torch.cat([given["input_ids"], model.tokens(answer, return_tensors="pt")["input_ids"]], dim=1)

        model.network.generate = generate
        return model

    monkeypatch.setattr(_qwen3_vl, "open_model", opened)
    (box,) = detect.detect(picture(), "cup", "qwen3-vl-2b").boxes
    assert (box.left, box.top, box.right, box.bottom, box.label) == (32, 10, 64, 30, "cup")
    assert seen["do_sample"] is False and seen["pixel_values"].dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("arithmetic", "gigabytes", "device", "kind"),
    [
        (True, 64, "cpu", "bfloat16"),
        (False, 64, "cpu", "float32"),
        (False, 12, "cpu", "bfloat16"),
        (False, 64, "cuda", "bfloat16"),
    ],
)
def test_a_cpu_without_bfloat16_arithmetic_gets_float32_where_there_is_room(
    monkeypatch: pytest.MonkeyPatch, arithmetic: bool, gigabytes: int, device: str, kind: str
) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(_qwen3_vl, "_has_bfloat16", lambda: arithmetic)
    monkeypatch.setattr(memory, "total_memory_bytes", lambda: gigabytes << 30)
    assert _qwen3_vl.precision(4_255_140_312, device) is getattr(torch, kind)


def test_whether_this_cpu_has_bfloat16_is_found_out_without_a_word_from_torch() -> None:
    pytest.importorskip("torch")
    assert _qwen3_vl._has_bfloat16() in (True, False)


def test_in_float32_the_whole_way_is_float32(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture's values follow the network's precision; random bytes are no boxes here either."""
    import torch

    monkeypatch.setattr(_qwen3_vl, "_has_bfloat16", lambda: False)
    model = _qwen3_vl.open_model(Path(os.environ["MAQUETTE_MODELS"]) / "qwen3_vl_2b", "cpu")
    assert {p.dtype for p in model.network.parameters()} == {torch.float32}
    assert _qwen3_vl.inputs(model, picture().rgb, "where?")["pixel_values"].dtype == torch.float32
    with pytest.raises(BadInputError, match="without any box"):
        detect.detect(picture(), "cup", "qwen3-vl-2b")


@pytest.mark.parametrize("size", [(40, 64), (9, 200), (4, 5), (900, 1400)])
def test_the_prompt_holds_one_token_per_merged_patch(ready: Any, place: Path, size: tuple[int, int]) -> None:
    """Also for pictures smaller than a patch, for strips and for large ones, which are reduced."""
    model = _qwen3_vl.open_model(place, "cpu")
    given = _qwen3_vl.inputs(model, picture(*size).rgb, "where?")
    count = int((given["input_ids"] == model.tokens.convert_tokens_to_ids(_qwen3_vl.IMAGE)).sum())
    grid = given["image_grid_thw"][0].tolist()
    assert count == grid[0] * grid[1] * grid[2] // 4 > 0
    assert given["pixel_values"].shape == (grid[0] * grid[1] * grid[2], 3 * 2 * 4 * 4)
    text = model.tokens.decode(given["input_ids"][0])
    assert text.startswith("<|im_start|>user\n<|vision_start|>") and text.endswith(
        "where?<|im_end|>\n<|im_start|>assistant\n"
    )


def test_the_network_runs_in_half_precision_and_moves_to_the_device(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The meta device stands for a GPU: every tensor of the network goes there."""
    import torch

    monkeypatch.setattr(_qwen3_vl, "_has_bfloat16", lambda: True)
    model = _qwen3_vl.open_model(place, "cpu")
    assert {p.dtype for p in model.network.parameters()} == {torch.bfloat16}
    moved = _qwen3_vl.open_model(place, "meta").network
    assert {p.device.type for p in moved.parameters()} == {"meta"}


def test_the_answer_depends_on_the_picture(place: Path) -> None:
    """The patches reach the language model: another picture, other logits."""
    import torch

    model = _qwen3_vl.open_model(place, "cpu")
    dark, light = (np.full((40, 40, 3), v, np.float32) for v in (0.1, 0.9))
    with torch.inference_mode():
        one, two = (model.network(**_qwen3_vl.inputs(model, x, "?")).logits[0, -1].float() for x in (dark, light))
    assert float((one - two).abs().max()) > 1e-3


def test_cancel_is_heard_between_tokens(ready: Any, place: Path) -> None:
    class Stop(Exception):  # noqa: N818
        pass

    seen: list[str] = []

    def report(share: float, label: str) -> None:
        if label == "answering":
            seen.append(label)

    def check() -> None:
        if len(seen) >= 2:
            raise Stop

    with pytest.raises(Stop):
        _qwen3_vl.ask(_qwen3_vl.open_model(place, "cpu"), picture().rgb, "?", Progress(report=report, check=check))
    assert len(seen) == 2
    _qwen3_vl.ask(_qwen3_vl.open_model(place, "cpu"), picture().rgb, "?", silent())


def test_a_strip_that_the_model_cannot_take_is_refused_with_its_shape(place: Path) -> None:
    with pytest.raises(BadInputError, match="4 x 900"):
        _qwen3_vl.inputs(_qwen3_vl.open_model(place, "cpu"), picture(900, 4).rgb, "where?")


def test_files_of_another_model_are_refused(ready: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "qwen3_vl_2b"
    place.mkdir()
    for file in ready.SPEC.weights:
        (place / file.path).write_bytes(b"{}")
    monkeypatch.setenv("MAQUETTE_MODELS", str(tmp_path))
    with pytest.raises(WeightsError, match="fetch it again"):
        detect.detect(picture(), "cup", "qwen3-vl-2b")
