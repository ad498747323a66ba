"""Which server gets what, how long it is waited for, and how it is left to cool down."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_server import FakeComfy, Faults
from test_batch_run import assert_complete, run, short_backoff, states

from maquette.batch import cooldown
from maquette.batch.client import ServerLostError
from maquette.batch.display import in_words

Pictures = Callable[[int], Path]


def events(out: Path) -> list[str]:
    return [json.loads(line)["event"] for line in (out / "events.jsonl").read_text().splitlines()]


def test_a_server_that_goes_for_good_leaves_its_work_to_the_other(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with FakeComfy(seconds=0.1) as stays, FakeComfy(seconds=0.1) as goes:
        threading.Timer(0.5, goes.stop).start()
        assert run(pictures(14), out, workflow, stays, goes, more=("--patience", "0.5")) == 0
        times = stays.executions + goes.executions
        assert len(times) == 14 and sum(times.values()) <= 15  # the one under way may have been finished unheard
    assert_complete(out, 14)
    assert "aside" in events(out)


def test_a_server_that_fails_again_and_again_is_set_aside_and_used_later(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with FakeComfy(faults=Faults(submit_status=[500] * 9)) as server, short_backoff():
        assert run(pictures(2), out, workflow, server) == 0
    seen = events(out)
    assert seen.count("aside") == seen.count("back") == 1 and seen.index("aside") < seen.index("back")
    assert_complete(out, 2)


def test_the_least_loaded_server_is_first(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy() as busy, FakeComfy() as idle:
        busy.vram_free = busy.vram // 2
        assert run(pictures(1), tmp_path / "out", workflow, busy, idle) == 0
        assert not busy.executions and len(idle.executions) == 1


def test_a_prompt_that_takes_too_long_is_interrupted_and_given_up(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with FakeComfy(seconds=60) as server:
        assert run(pictures(1), out, workflow, server, more=("--timeout", "0.5", "--retries", "0")) == 4
        assert len(server.cancelled) == 1
    letter = json.loads((out / "dead_letter" / "thing0000" / "error.json").read_text())
    assert letter["failure"] == "timeout" and states(out) == {"thing0000": "dead"}


def test_the_watchdog_command_gets_the_address_and_brings_the_server_back(
    pictures: Pictures, workflow: Path, tmp_path: Path
) -> None:
    """Its words go to no shell; the server it starts is used."""
    out, note = tmp_path / "out", tmp_path / "called; rm x"
    with FakeComfy(seconds=0.1) as server:

        def come_back_when_called() -> None:
            server.stop()
            while not note.exists():
                time.sleep(0.05)
            server.start()

        threading.Timer(0.3, come_back_when_called).start()
        code = f"open({str(note)!r}, 'w').write('{{url}}')"
        command = f'"{sys.executable}" -c "{code}"'
        more = ("--restart-cmd", command, "--patience", "4")
        assert run(pictures(6), out, workflow, server, more=more) == 0
        assert note.read_text() == server.url
    assert_complete(out, 6)


def test_the_name_a_server_gives_a_picture_is_used(pictures: Pictures, workflow: Path, tmp_path: Path) -> None:
    with FakeComfy(faults=Faults(rename_uploads=True)) as server:
        assert run(pictures(1), tmp_path / "out", workflow, server) == 0
        assert server.prompts[0]["prompt"]["1"]["inputs"]["image"].endswith("_front (1).png")


class Gpu:
    """A server whose memory comes back after some looks, on a clock that only sleeping moves."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, free: list[int], temperatures: list[float] | None = None
    ) -> None:
        self.url, self.local, self.freed, self.now = "http://x", temperatures is not None, 0, 100.0
        self._free, self._temperatures = free, temperatures or []
        monkeypatch.setattr(cooldown.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(cooldown.time, "sleep", self._sleep)
        monkeypatch.setattr(cooldown, "gpu_temperature", self._temperature)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _temperature(self) -> float | None:
        return self._temperatures.pop(0) if len(self._temperatures) > 1 else self._temperatures[0]

    def vram(self) -> tuple[int, int]:
        return (self._free.pop(0) if len(self._free) > 1 else self._free[0]) << 30, 8 << 30

    def free(self) -> None:
        self.freed += 1


def test_a_pause_ends_when_the_memory_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, [2, 3, 8])
    pause = cooldown.rest(gpu, 8 << 30, 15, 83)
    assert pause.seconds == 1.0 and not gpu.freed
    assert pause.line() == "memory 0.0/8.0 GB used, cooldown 1.0s"


def test_a_pause_asks_to_free_and_ends_at_its_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, [2])
    pause = cooldown.rest(gpu, 8 << 30, 15, 83)
    assert pause.seconds == 15.0 and gpu.freed == 1 and pause.line() == "memory 6.0/8.0 GB used, cooldown 15.0s"
    assert cooldown.rest(Gpu(monkeypatch, [2]), 8 << 30, 0, 83).seconds == 0
    assert cooldown.rest(Gpu(monkeypatch, [2]), 8 << 30, 15, 83, stop=lambda: True).seconds == 0


def test_a_hot_gpu_of_this_machine_is_left_to_cool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cooldown.rest(Gpu(monkeypatch, [8], [90, 85, 82]), 8 << 30, 15, 83).seconds == 1.0


def test_a_pause_of_a_server_that_is_away_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu(monkeypatch, [2])
    monkeypatch.setattr(gpu, "vram", lambda: (_ for _ in ()).throw(ServerLostError("away")))
    assert cooldown.rest(gpu, 8 << 30, 15, 83).line() == "cooldown 0.0s"


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for nvidia-smi is a shell script")
def test_the_hottest_gpu_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '61\\n[N/A]\\n74\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert cooldown.gpu_temperature() == 74
    monkeypatch.setenv("PATH", "")
    assert cooldown.gpu_temperature() is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (3600, "60 min"), (12000, "3 h 20 min")]
)
def test_times_are_said_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
