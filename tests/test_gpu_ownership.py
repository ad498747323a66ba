"""GPU ownership on a GPU that is not there: helper models one at a time, room asked for first, small cards spared."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from maquette import memory
from maquette.data import View
from maquette.image import from_array
from maquette.memory import MB, hosted
from maquette.progress import silent

torch = pytest.importorskip("torch")


class Gpu:
    """Counts who is on it. As ComfyUI's manager it drops its own models when room is asked for."""

    def __init__(self, total: int) -> None:
        self.total, self.comfy, self.held, self.most, self.log = total, total - 200 * MB, {}, 0, []

    @property
    def free(self) -> int:
        return self.total - self.comfy - sum(self.held.values())

    def make_room(self, device: str, size: int) -> None:
        if self.free < size:
            self.comfy = max(0, self.comfy - (size - self.free))
        self.log.append(f"room {size // MB}")

    def given_back(self, device: str) -> None:
        self.log.append("back")

    def load(self, name: str, size: int) -> Any:
        """A model of ``size`` bytes that leaves when nobody refers to it any more."""
        assert size <= self.free, f"{name} ({size // MB} MB) on a GPU with {self.free // MB} MB free"
        model = Model()
        self.held[name] = size
        self.log.append(f"load {name}")
        weakref.finalize(model, self.held.pop, name)
        self.most = max(self.most, len(self.held))
        return model


class Model(SimpleNamespace):
    """Any network."""

    config = SimpleNamespace(depth_estimation_type="relative")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gpu]:
    """Torch believes in a CUDA device whose memory is the ledger's; 8 GB."""
    made = Gpu(8192 * MB)
    fake = {
        "mem_get_info": lambda *_: (made.free, made.total),
        "memory_reserved": lambda *_: 0,
        "memory_allocated": lambda *_: sum(made.held.values()),
        "max_memory_allocated": lambda *_: sum(made.held.values()),
        "reset_peak_memory_stats": lambda *_: None,
        "empty_cache": lambda: None,
        "is_available": lambda: True,
        "get_device_properties": lambda *_: SimpleNamespace(total_memory=made.total),
    }
    for name, work in fake.items():
        monkeypatch.setattr(torch.cuda, name, work)
    with hosted(made):
        yield made


PICTURE = from_array(np.random.default_rng(0).random((40, 48, 3), np.float32), None, "p")
PRIOR = np.zeros((40, 48), np.float32)
PRIOR[10:30, 10:30] = 1


def helpers(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """One call per helper: the real face of the backend, its network and its weights replaced."""

    def part(name: str) -> Any:
        return importlib.import_module(f"maquette.{name}")

    monkeypatch.setattr(part("weights.ready"), "folder", lambda *_: None)
    sam, run = part("segment._sam2"), part("depth._depth_anything.run")
    dino, qwen = part("detect.grounding_dino"), part("detect._qwen3_vl")
    mask = np.ones((40, 48), np.float32)
    monkeypatch.setattr(sam, "open_model", lambda *_: gpu.load("sam", 400 * MB))
    monkeypatch.setattr(sam, "cut_out", lambda *_: mask)
    monkeypatch.setattr(run, "open_model", lambda *_: gpu.load("depth", 300 * MB))
    monkeypatch.setattr(run, "answer", lambda *_, **__: 0.5 + mask)
    monkeypatch.setattr(dino, "open_model", lambda *_: (gpu.load("dino", 1500 * MB), None))
    monkeypatch.setattr(dino, "look", lambda *_: ())
    monkeypatch.setattr(qwen, "open_model", lambda *_: gpu.load("qwen", 5000 * MB))
    monkeypatch.setattr(qwen, "ask", lambda *_: "[]")
    sam2, small = part("segment.sam2"), part("depth.depth_anything_v2")
    qwen2b = part("detect.qwen3_vl")
    on = {"device": "cuda:0", "progress": silent()}
    view = View(PICTURE.rgb, mask, name="p")
    return {
        "depth": lambda: small.estimate(view, **on),
        "sam": lambda: sam2.segment(PICTURE, prior=PRIOR, **on),
        "dino": lambda: dino.detect(PICTURE, "cup", **on),
        "qwen": lambda: qwen2b.detect(PICTURE, "cup", **on),
    }


def test_in_a_row_each_model_gets_room_is_loaded_and_is_gone_before_the_next(
    gpu: Gpu, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ComfyUI's own models fill the card at first; they leave only as far as needed."""
    for name, call in helpers(gpu, monkeypatch).items():
        gpu.log.clear()
        call()
        room, load, back = gpu.log
        assert room.startswith("room ") and load == f"load {name}" and back == "back"
        assert gpu.held == {}
    assert gpu.most == 1


def test_from_several_threads_still_one_at_a_time(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them would not fit together: a second owner waits for the first to give back."""
    calls = list(helpers(gpu, monkeypatch).values()) * 3

    def work(call: Any) -> None:
        with hosted(gpu):  # a thread starts without it
            call()

    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(work, call) for call in calls]:
            done.result(60)
    assert gpu.most == 1 and gpu.held == {}
    assert [x.split()[0] for x in gpu.log] == ["room", "load", "back"] * len(calls)


def test_a_model_that_fails_is_given_back_too(gpu: Gpu, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = helpers(gpu, monkeypatch)
    monkeypatch.setattr(importlib.import_module("maquette.segment._sam2"), "cut_out", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        calls["sam"]()
    assert gpu.held == {} and gpu.log[-1] == "back"
    calls["qwen"]()
    assert gpu.most == 1


@pytest.mark.parametrize(("megabytes", "where"), [(4096, "cpu"), (5930, "cuda:0"), (12288, "cuda:0")])
def test_a_card_below_six_gigabytes_is_left_to_the_reconstruction(gpu: Gpu, megabytes: int, where: str) -> None:
    """Unless the user names the device: that is a choice and stays."""
    from maquette import pipeline

    gpu.total = megabytes * MB
    assert memory.for_helper("cuda:0") == where
    assert memory.for_helper("cpu") == "cpu"
    assert pipeline.helper_device("cpu") == "cpu"


def test_every_helper_model_says_what_it_takes_and_whether_it_was_measured() -> None:
    """Sizes, licence and VRAM stand in each SPEC; a model without a table would be loaded without asking for room."""
    from maquette.backends import discover

    for stage in ("segment", "depth", "detect"):
        package = importlib.import_module(f"maquette.{stage}")
        for name, module in discover(package.__name__, list(package.__path__)).items():
            if module.SPEC.weights:
                assert module.SPEC.room >= 300 * MB, name
                measured = name.startswith(("sam2", "depth-anything", "grounding"))
                assert module.SPEC.vram_estimated is not measured and module.SPEC.licence, name
    assert replace(module.SPEC, vram_mb={}).room == 0
