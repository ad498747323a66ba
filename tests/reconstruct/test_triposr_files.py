"""Weight files: another model's, broken, hostile, not finite; and the plain one."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from _triposr_tiny import TINY, tiny_config, tiny_engine
from safetensors.torch import load_file, save_file

from maquette.errors import WeightsError
from maquette.memory import own
from maquette.progress import silent
from maquette.reconstruct._triposr.engine import Asked, EncodePlan, open_engine, random_engine, run_encode

ASKED = Asked(24, 25.0, "cpu", torch.float32)


@contextmanager
def changed(tmp_path: Path, change: Any) -> Iterator[Path]:
    state = load_file(TINY / "weights.safetensors")
    change(state)
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    yield path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("backbone.proj_in.bias"), "lacks 1 tensors"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown 1 tensors"),
        (lambda s: s.update({"backbone.proj_in.bias": torch.zeros(3)}), r"proj_in.bias: \(3,\) in place of \(64,\)"),
        (lambda s: s["backbone.proj_in.bias"].fill_(math.nan), "NaN"),
        (lambda s: s["decoder.layers.0.bias"].fill_(math.inf), "infinite"),
    ],
)
def test_weights_of_another_model_or_with_nan_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    """Missing key, unknown key, other shape, NaN, infinity: each named."""
    with changed(tmp_path, change) as path, pytest.raises(WeightsError, match=words):
        open_engine(path, tiny_config(), torch.float32)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04truncated"])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    """Empty, an error page, a broken archive."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="model"):
        open_engine(path, tiny_config(), torch.float32)


def test_a_checkpoint_that_would_run_code_is_refused_and_a_plain_one_loads(tmp_path: Path) -> None:
    """weights_only: pickled code stays cold; a .ckpt of the same tensors equals the safetensors copy."""

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(WeightsError):
        open_engine(tmp_path / "evil.ckpt", tiny_config(), torch.float32)
    assert not (tmp_path / "ran").exists()
    torch.save(load_file(TINY / "weights.safetensors"), tmp_path / "model.ckpt")
    images = torch.rand(1, 160, 160, 3)
    for dtype in (torch.float32, torch.float16):
        plan = EncodePlan("cpu", torch.float32, 1)
        loaded = open_engine(tmp_path / "model.ckpt", tiny_config(), dtype)
        assert torch.equal(loaded.encode(images, plan), tiny_engine(dtype).encode(images, plan))


def test_weights_that_give_nothing_finite_are_an_error() -> None:
    """After the wider type was tried too."""
    engine = random_engine(tiny_config(), torch.float32)
    engine.network.backbone.proj_out.weight.fill_(1e38)
    with pytest.raises(WeightsError, match="not finite"), own("cpu") as lease:
        run_encode(engine, torch.rand(1, 160, 160, 3), ASKED, lease, silent())


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is mapped is read from /proc")
def test_a_decoder_that_is_kept_does_not_keep_the_file(tmp_path: Path) -> None:
    """An appearance outlives its engine: its decoder must not hold the mapping of the whole 1.7 GB file."""
    path = tmp_path / "kept_model.ckpt"
    torch.save(load_file(TINY / "weights.safetensors"), path)
    decoder = open_engine(path, tiny_config(), torch.float16).network.decoder
    gc.collect()
    assert next(decoder.parameters()).dtype == torch.float32
    assert path.name not in Path("/proc/self/maps").read_text()
