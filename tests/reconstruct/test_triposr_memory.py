"""Out of memory at any place, the ladder, budgets, and thirty pictures in a row; on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from _triposr_tiny import TINY, disc_view, tiny_engine, tiny_settings
from safetensors.torch import load_file
from torch.utils._python_dispatch import TorchDispatchMode

from maquette import memory
from maquette.errors import OutOfMemoryLadderError
from maquette.memory import MB, own
from maquette.progress import silent
from maquette.reconstruct import reconstruct
from maquette.reconstruct._triposr import engine as engines
from maquette.reconstruct._triposr.engine import Asked, Engine, encode_rungs, run_encode, run_surface, surface_rungs

ASKED = Asked(24, 25.0, "cpu", torch.float32)


class Faults(TorchDispatchMode):
    """Raise torch's out-of-memory error at the n-th operation while ``small`` says that the rung is a large one."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.count = at, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        if self.count == self.at:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory. Tried to allocate at operation {self.at}")
        return func(*args, **(kwargs or {}))


def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ladder believe that the CPU is a GPU, so that it has all its rungs."""
    monkeypatch.setattr(engines, "encode_rungs", lambda e, _d, dtype, n: _as_cpu(encode_rungs(e, "cuda", dtype, n)))
    monkeypatch.setattr(engines, "surface_rungs", lambda _d, dtype, r: _as_cpu(surface_rungs("cuda", dtype, r)))


def _as_cpu(rungs: list[Any]) -> list[Any]:
    return [replace(rung, plan=replace(rung.plan, device="cpu", dtype=torch.float32)) for rung in rungs]


def operations(work: Any) -> int:
    counter = Faults(-1)
    with counter:
        work()
    return counter.count


def test_out_of_memory_at_any_operation_of_the_transformer_is_survived(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it strikes, the next rung gives the same triplanes, and the weights are back on their shelf."""
    pretend_gpu(monkeypatch)
    images = torch.rand(1, 160, 160, 3)

    def work() -> Any:
        with own("cpu") as lease:
            return run_encode(engine, images, ASKED, lease, silent())

    want, total = work().value, operations(work)
    assert total > 100
    for at in range(1, total, max(1, total // 12)):
        with Faults(at):
            done = work()
        assert done.rung == "weights streamed from RAM", at
        assert "out of memory" in done.notes[0]
        torch.testing.assert_close(done.value, want, atol=1e-5, rtol=1e-5)


def test_out_of_memory_at_any_operation_of_the_surface_is_survived(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same mesh from smaller blocks."""
    pretend_gpu(monkeypatch)
    codes = load_file(TINY / "case_b_expected.safetensors")["scene_codes"][0]

    def work() -> Any:
        with own("cpu") as lease:
            return run_surface(engine, codes, ASKED, lease, silent(), lambda made, _field: made)

    want, total = work().value, operations(work)
    for at in range(1, total, max(1, total // 12)):
        with Faults(at):
            done = work()
        assert done.rung == "smaller blocks", at
        torch.testing.assert_close(done.value.vertices, want.vertices)
        torch.testing.assert_close(done.value.faces, want.faces)


def test_the_ladder_goes_down_in_the_promised_order(engine: Engine) -> None:
    """Smaller blocks, 512, 256, 128, CPU; one picture at a time, streamed, CPU; the needs fall."""
    names = [rung.name for rung in surface_rungs("cuda", torch.float16, 1024)]
    assert names == [
        "as asked",
        "smaller blocks",
        "resolution 512",
        "resolution 256",
        "resolution 128",
        "CPU, resolution 128",
    ]
    assert [rung.name for rung in surface_rungs("cuda", torch.float16, 96)] == ["as asked", "smaller blocks", "CPU"]
    rungs = encode_rungs(engine, "cuda", torch.float16, 4)
    assert [rung.name for rung in rungs] == ["as asked", "one picture at a time", "weights streamed from RAM", "CPU"]
    needs = [rung.need for rung in rungs[:-1]]
    assert needs == sorted(needs, reverse=True)


def test_memory_for_nothing_is_an_error_that_names_the_rungs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rung fails: the ladder's error, not torch's."""

    def never(*_: Any, **__: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    pretend_gpu(monkeypatch)
    monkeypatch.setattr(engines, "encode", never)
    with pytest.raises(OutOfMemoryLadderError, match="streamed from RAM"), own("cpu") as lease:
        run_encode(engine, torch.rand(1, 160, 160, 3), ASKED, lease, silent())


def test_a_budget_too_small_for_the_weights_starts_lower_on_the_ladder() -> None:
    """The report says what was left out."""
    engine, images = tiny_engine(), torch.rand(1, 160, 160, 3)
    rungs = encode_rungs(engine, "cuda", torch.float32, 1)
    assert rungs[0].need > rungs[1].need
    assert rungs[0].need < 20 * MB
    done = memory.climb(rungs[:2], lambda plan: plan, device="cpu", available=rungs[0].need - 1)
    assert done.value.streamed
    assert "left out" in done.notes[0]
    assert len(images) == 1


def test_thirty_pictures_in_a_row_leave_memory_flat(engine: Engine) -> None:
    """Tensors alive after the tenth and the thirtieth picture are the same."""
    import gc

    counts = []
    for index in range(30):
        reconstruct([disc_view(seed=index)], "triposr", tiny_settings(engine, resolution=12))
        if index in (9, 29):
            gc.collect()
            # by type: isinstance would ask lazy module attributes for their class, which warns
            counts.append(sum(issubclass(type(item), torch.Tensor) for item in gc.get_objects()))
    assert counts[0] == counts[1]
