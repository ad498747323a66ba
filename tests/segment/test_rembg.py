"""rembg's models in a child process, on a tiny ONNX network made here: masks, priors, Cancel, limits, broken files."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maquette import segment as stage
from maquette.backends import discover, missing_reason
from maquette.errors import BadMaskError, Cancelled, MissingError, StageTimeoutError, WeightsError, WorkerDiedError
from maquette.image import from_array
from maquette.progress import Progress
from maquette.segment import _rembg

NAMES = ("birefnet-general", "birefnet-general-lite", "isnet-general-use", "u2net", "u2netp")
LACKING = [name for name in ("rembg", "onnxruntime", "onnx") if importlib.util.find_spec(name) is None]
needs_rembg = pytest.mark.skipif(
    bool(LACKING), reason=f"needs {', '.join(LACKING)} (requirements-dev-models.txt): rembg's models were NOT run"
)


def modules() -> dict[str, Any]:
    return discover(stage.__name__, list(stage.__path__))


def test_every_session_is_pinned_by_address_size_and_hash_and_free() -> None:
    """The non-commercial ones of rembg (its own default among them) are not offered."""
    assert {"bria-rmbg", "sam"}.isdisjoint(modules())
    for name in NAMES:
        spec = modules()[name].SPEC
        (file,) = spec.weights
        assert file.url.startswith("https://github.com/danielgatis/rembg/releases/download/v0.0.0/")
        assert file.url.endswith(".onnx") and file.path == f"{name}.onnx"
        assert file.size and len(file.sha256 or "") == 64 and spec.commercial_use
        assert spec.vram_mb and spec.vram_estimated


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any model."""
    for name in ("HOME", "USERPROFILE", "MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("U2NET_HOME", raising=False)
    return tmp_path


def test_without_weights_the_command_is_named_and_auto_passes_over_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = modules()["u2netp"]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    assert "maquette models fetch u2netp" in missing_reason(module)
    assert stage.load("auto").SPEC.name in {"walker", "grabcut"}
    with pytest.raises(MissingError, match="models fetch"):
        stage.load("u2netp")
    monkeypatch.setattr(module, "unavailable", lambda: "", raising=False)
    with pytest.raises(WeightsError, match=r"github\.com/danielgatis/rembg.*models fetch u2netp"):
        stage.segment(ball(), "u2netp")


@pytest.mark.parametrize("place", [".u2net", ".rembg/models/u2netp", "mine", "mine/models/u2netp"])
def test_a_file_that_rembg_downloaded_itself_is_found(place: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In both of its layouts, and where $U2NET_HOME says; it is never downloaded twice."""
    module = modules()["u2netp"]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))
    if place.startswith("mine"):
        monkeypatch.setenv("U2NET_HOME", str(home / "mine"))
    (home / place).mkdir(parents=True)
    with (home / place / "u2netp.onnx").open("wb") as stream:
        stream.truncate(module.SPEC.weights[0].size)
    assert missing_reason(module) == ""


def ball(*centers: tuple[int, int], size: tuple[int, int] = (90, 120)) -> Any:
    """Red balls on a grey picture."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    inside = np.zeros(size, bool)
    for cx, cy in centers or ((70, 45),):
        inside |= np.hypot(x - cx, y - cy) < 18
    rgb = np.where(inside[..., None], np.float32([0.9, 0.1, 0.1]), np.float32([0.5, 0.5, 0.5]))
    return from_array(rgb.astype(np.float32), None, "ball")


def inside(picture: Any) -> Any:
    return picture.rgb[..., 0] > 0.7


def network(path: Path, weights: tuple[float, float, float]) -> None:
    """[1, 3, 320, 320] -> [1, 1, 320, 320]: a weighted sum of the channels."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    kernel = numpy_helper.from_array(np.array(weights, np.float32).reshape(1, 3, 1, 1), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 320, 320])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 320, 320])],
        [kernel],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))


@pytest.fixture
def ready(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """u2netp's backend with a network that answers "how red"."""
    (home / "rembg").mkdir()
    network(home / "rembg" / "u2netp.onnx", (1.0, -0.5, -0.5))
    module = modules()["u2netp"]
    file = replace(module.SPEC.weights[0], size=None, sha256=None)
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, weights=(file,)))
    return module


@needs_rembg
def test_the_mask_is_what_the_network_says_at_the_pictures_size(ready: Any) -> None:
    """And auto takes it when it is here, saying so."""
    picture = ball()
    found = stage.segment(picture)
    assert found.method == "u2netp" and found.mask.shape == (90, 120) and found.mask.dtype == np.float32
    both, either = (found.mask > 0.5) & inside(picture), (found.mask > 0.5) | inside(picture)
    assert both.sum() / either.sum() > 0.95
    assert found.mask.min() >= 0 and found.mask.max() <= 1


@needs_rembg
def test_of_two_parts_the_prior_says_which(ready: Any) -> None:
    prior = np.zeros((90, 120), np.float32)
    prior[:, :60] = 1
    both = stage.segment(ball((30, 45), (90, 45)), "u2netp").mask
    left = stage.segment(ball((30, 45), (90, 45)), "u2netp", prior=prior).mask
    assert both[45, 90] > 0.7 and left[45, 90] == 0 and left[45, 30] > 0.7


@needs_rembg
def test_a_network_that_says_the_same_everywhere_found_no_subject(ready: Any, home: Path) -> None:
    network(home / "rembg" / "u2netp.onnx", (0.0, 0.0, 0.0))
    with pytest.raises(BadMaskError, match="found no subject"):
        stage.segment(ball(), "u2netp")


@needs_rembg
def test_a_file_that_is_no_network_is_an_error_with_onnxruntimes_words(ready: Any, home: Path) -> None:
    (home / "rembg" / "u2netp.onnx").write_bytes(b"not a network")
    with pytest.raises(WorkerDiedError, match=r"(?i)onnx|protobuf"):
        stage.segment(ball(), "u2netp")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that is started."""
    seen: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def remember(*args: Any, **kwargs: Any) -> subprocess.Popen[bytes]:
        seen.append(real(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    return seen


@needs_rembg
def test_cancel_and_the_time_limit_leave_no_process(
    ready: Any, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def check() -> None:
        if started:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        stage.segment(ball(), "u2netp", progress=Progress(check=check))
    monkeypatch.setattr(_rembg, "LIMIT", 0.01)
    with pytest.raises(StageTimeoutError, match="smaller model"):
        stage.segment(ball(), "u2netp")
    assert len(started) == 2 and all(process.returncode is not None for process in started)


@needs_rembg
@pytest.mark.parametrize("elsewhere", [".u2net", "rembg/models/u2netp"])
def test_only_the_checked_file_is_opened(ready: Any, home: Path, elsewhere: str) -> None:
    """rembg would look in its own folders first, and fetch a file that has another name."""
    (home / elsewhere).mkdir(parents=True)
    (home / elsewhere / "u2netp.onnx").write_bytes(b"not a network, and never checked")
    assert stage.segment(ball(), "u2netp").mask.max() > 0.9


def test_room_on_a_gpu_is_taken_only_where_onnxruntime_can_use_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel for the CPU has no CUDA provider; then the CPU is what is owned."""
    (tmp_path / "onnxruntime" / "capi").mkdir(parents=True)
    (tmp_path / "onnxruntime" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [_rembg.usable(device) for device in ("cpu", "mps", "cuda:1")] == ["cpu", "cpu", "cpu"]
    (tmp_path / "onnxruntime" / "capi" / "libonnxruntime_providers_cuda.so").touch()
    assert [_rembg.usable(device) for device in ("cpu", "mps", "cuda:1")] == ["cpu", "cpu", "cuda:1"]


@pytest.mark.parametrize(
    ("device", "seen", "shown"),
    [("cuda", None, "0"), ("cuda:1", None, "1"), ("cuda:1", "4,6", "6"), ("cpu", "4,6", "4,6")],
)
def test_the_child_sees_the_gpu_that_was_asked_for(
    device: str, seen: str | None, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maquette.segment import _rembg_child

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", seen or "")
    found = _rembg_child.providers(device)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == shown
    assert found == ["CUDAExecutionProvider"] * device.startswith("cuda") + ["CPUExecutionProvider"]


@needs_rembg
def test_this_process_never_imports_rembg(ready: Any) -> None:
    """Importing it takes a minute and holds the interpreter lock."""
    import sys

    stage.segment(ball(), "u2netp")
    assert not {"rembg", "onnxruntime", "pymatting", "numba"} & sys.modules.keys()
