"""Child processes: an answer comes back whole; time limit, Cancel and a crash leave no process behind."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from maquette.child import run_child
from maquette.errors import Cancelled, StageTimeoutError, WorkerDiedError
from maquette.progress import Progress, silent

READ = "import io, sys, numpy as np\ngiven = dict(np.load(io.BytesIO(sys.stdin.buffer.read())))\n"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """Every process that run_child starts."""
    seen: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def remember(*args: object, **kwargs: object) -> subprocess.Popen[bytes]:
        seen.append(real(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(subprocess, "Popen", remember)
    return seen


def script(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "child.py"
    path.write_text(READ + body)
    return path


def test_arrays_go_there_and_back(tmp_path: Path) -> None:
    child = script(tmp_path, "np.savez(sys.stdout.buffer, twice=given['a'] * 2)")
    values = np.arange(200_000, dtype=np.float32).reshape(-1, 2)
    answer = run_child(child, {"a": values}, "doubling", 60, silent())
    np.testing.assert_array_equal(answer["twice"], values * 2)


def test_time_limit_ends_the_child(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = script(tmp_path, "import time; time.sleep(600)")
    with pytest.raises(StageTimeoutError, match="sleeping took longer"):
        run_child(child, {"a": np.zeros(1)}, "sleeping", 0.3, silent())
    assert started[0].returncode is not None


def test_cancel_kills_the_child(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    child = script(tmp_path, "import time; time.sleep(600)")
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() - began > 0.3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run_child(child, {"a": np.zeros(1)}, "sleeping", 60, Progress(check=check))
    assert started[0].returncode is not None


def test_a_crash_carries_the_end_of_what_the_child_said(tmp_path: Path) -> None:
    child = script(tmp_path, "raise SystemExit('no atlas for you')")
    with pytest.raises(WorkerDiedError, match="no atlas for you"):
        run_child(child, {"a": np.zeros(1)}, "unwrapping", 60, silent())
