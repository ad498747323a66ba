"""Fake ComfyUI servers, each in a process of its own, so that a driver is measured without its server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests" / "batch"  # the fake server lives with the tests
sys.path.insert(0, str(TESTS))

from conftest import png  # noqa: E402
from fake_server import WORKFLOW  # noqa: E402

_SERVE = """
import json, sys
sys.path.insert(0, sys.argv[1])
from fake_server import FakeComfy
with FakeComfy(seconds=float(sys.argv[2])) as server:
    print(server.url, flush=True)
    sys.stdin.read()
    print(json.dumps(server.executions), flush=True)
"""


class Fleet:
    """Running servers: ``urls``, and after the block ``executions`` (picture -> times computed, per server)."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes
        self.urls = [_line(process) for process in processes]
        self.executions: list[dict[str, int]] = []

    def close(self) -> None:
        """End the servers and hear what each computed."""
        for process in self._processes:
            out, _ = process.communicate("")
            self.executions.append(json.loads(out))


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@contextlib.contextmanager
def fleet(count: int, seconds: float = 0.0) -> Iterator[Fleet]:
    """``count`` servers that take ``seconds`` per prompt."""
    command = [sys.executable, "-c", _SERVE, str(TESTS), str(seconds)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(count)]
    try:
        running = Fleet(processes)
        yield running
        running.close()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def make_input(folder: Path, count: int) -> tuple[Path, Path]:
    """(folder of ``count`` different pictures, workflow file) below ``folder``."""
    source, workflow = folder / "in", folder / "workflow.json"
    source.mkdir(parents=True)
    for number in range(count):
        (source / f"thing{number:05}.png").write_bytes(png(number))
    workflow.write_text(json.dumps(WORKFLOW))
    return source, workflow
