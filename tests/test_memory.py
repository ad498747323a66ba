"""The ladder, the owner, the budget and the trace, without a GPU; the GPU's part where there is one."""

from __future__ import annotations

import json
import threading
import weakref
from pathlib import Path

import pytest
import torch

from maquette import memory
from maquette.errors import BadInputError, Cancelled, OutOfMemoryLadderError
from maquette.memory import MB, Rung, climb, hosted, own
from maquette.progress import Progress

RUNGS = [Rung("as asked", 4), Rung("smaller blocks", 2), Rung("CPU", 1)]


def out_of_memory_above(limit: int, seen: list[int]) -> object:
    def attempt(plan: int) -> str:
        seen.append(plan)
        if plan > limit:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {plan} GiB. GPU 0 has ...")
        return f"done with {plan}"

    return attempt


@pytest.mark.parametrize(("limit", "rung", "tries"), [(4, "as asked", 1), (2, "smaller blocks", 2), (1, "CPU", 3)])
def test_the_ladder_stops_at_the_first_rung_that_fits(limit: int, rung: str, tries: int) -> None:
    """And says which, with a sentence for every rung that failed."""
    seen: list[int] = []
    done = climb(RUNGS, out_of_memory_above(limit, seen), device="cpu", what="surface")
    assert (done.value, done.rung, len(seen)) == (f"done with {limit}", rung, tries)
    assert [note.split(":")[0] for note in done.notes] == [f"surface, {r.name}" for r in RUNGS[: tries - 1]]
    assert all("Tried to allocate" in note for note in done.notes)


def test_an_exhausted_ladder_names_every_rung() -> None:
    """The error says what was tried and what to do."""
    with pytest.raises(OutOfMemoryLadderError, match=r"as asked.*smaller blocks.*CPU.*lower resolution"):
        climb(RUNGS, out_of_memory_above(0, []), device="cpu")


@pytest.mark.parametrize("error", [Cancelled("stop"), RuntimeError("CUDA error: illegal address"), KeyboardInterrupt()])
def test_only_out_of_memory_is_caught(error: BaseException) -> None:
    """Cancel and real bugs pass through on the first rung."""
    seen: list[int] = []

    def attempt(plan: int) -> str:
        seen.append(plan)
        raise error

    with pytest.raises(type(error)):
        climb(RUNGS, attempt, device="cpu")
    assert seen == [4]


def test_a_rung_known_not_to_fit_is_not_tried_but_the_last_always_is() -> None:
    """The report says what it would have taken."""
    seen: list[int] = []
    rungs = [Rung("as asked", 4, 900 * MB), Rung("streamed", 2, 300 * MB), Rung("CPU", 1, 500 * MB)]
    done = climb(rungs, out_of_memory_above(1, seen), device="cpu", available=400 * MB)
    assert seen == [2, 1]
    assert "900 MB and 400 MB" in done.notes[0]


def test_what_a_failed_rung_held_is_gone_before_the_next_starts() -> None:
    """No traceback keeps the tensors of the failed attempt alive."""
    held: list[weakref.ref[torch.Tensor]] = []

    def attempt(plan: int) -> bool:
        if plan == 4:
            tensor = torch.zeros(1000)
            held.append(weakref.ref(tensor))
            raise torch.cuda.OutOfMemoryError("no")
        return held[0]() is None

    assert climb(RUNGS, attempt, device="cpu").value is True


def test_there_is_one_owner_at_a_time_and_waiting_can_be_cancelled() -> None:
    """A second thread waits; its Cancel gets through."""
    outcome: list[str] = []

    def cancel() -> None:
        raise Cancelled("stop")

    def second() -> None:
        try:
            with own("cpu", progress=Progress(check=cancel)):
                outcome.append("entered")
        except Cancelled:
            outcome.append("cancelled")

    with own("cpu"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(10)
    assert outcome == ["cancelled"]
    with own("cpu") as lease:
        assert lease.device == "cpu"


def test_the_host_is_asked_for_room_and_told_afterwards_also_after_an_error() -> None:
    """ComfyUI's manager sees every use."""
    calls: list[tuple[str, int]] = []

    class Comfy:
        def make_room(self, device: str, size: int) -> None:
            calls.append((device, size))

        def given_back(self, device: str) -> None:
            calls.append((device, -1))

    with hosted(Comfy()), pytest.raises(ValueError, match="boom"), own("cpu", need=5 * MB):
        raise ValueError("boom")
    assert calls == [("cpu", 5 * MB), ("cpu", -1)]
    with own("cpu", need=5 * MB):
        pass
    assert len(calls) == 2, "outside the block the host is not asked"


def test_a_budget_limits_what_is_available() -> None:
    """And nonsense is refused."""
    with own("cpu", budget_mb=300) as lease:
        assert lease.available == 300 * MB
    with pytest.raises(BadInputError, match="at least 1 MB"), own("cpu", budget_mb=0):
        pass


def test_the_trace_has_a_line_per_stage_also_for_a_failed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAQUETTE_VRAM_TRACE=1 writes into the working folder, a name writes there."""
    monkeypatch.chdir(tmp_path)
    for value, file in (("1", "maquette_vram_trace.jsonl"), ("mine.jsonl", "mine.jsonl")):
        monkeypatch.setenv(memory.TRACE, value)
        with own("cpu") as lease:
            with lease.stage("encode"):
                pass
            with pytest.raises(ValueError, match="x"), lease.stage("surface"):
                raise ValueError("x")
        rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
        assert [row["stage"] for row in rows] == ["encode", "surface"] == [s.stage for s in lease.stages]
        assert set(rows[0]) == {"device", "stage", "seconds", "before", "peak", "after"}


gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.mark.gpu
@gpu
def test_on_a_gpu_the_budget_is_enforced_lifted_and_everything_given_back() -> None:
    """Beyond the budget torch raises its own error; afterwards the same allocation works."""
    before = torch.cuda.memory_allocated()
    with own("cuda", budget_mb=256) as lease:
        assert lease.available == 256 * MB
        with lease.stage("fits"):
            kept = torch.empty(100 * MB, dtype=torch.uint8, device="cuda")
        with pytest.raises(torch.cuda.OutOfMemoryError):
            torch.empty(400 * MB, dtype=torch.uint8, device="cuda")
        del kept
    assert lease.peak_mb >= 100
    free = memory.free_bytes("cuda")
    assert free is not None and free > 400 * MB
    del lease
    torch.empty(400 * MB, dtype=torch.uint8, device="cuda")
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() <= before, "garbage of earlier tests may have gone meanwhile"


def test_what_is_kept_only_to_save_time_goes_before_somebody_takes_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[int] = []
    monkeypatch.setattr(memory, "_KEPT", [])
    forget = lambda: gone.append(1)  # noqa: E731
    memory.let_go_first(forget)
    memory.let_go_first(forget)
    with memory.own("cpu"):
        assert gone == [1]
