"""Celery and Redis: a killed worker's job comes back, nothing is done twice, poison ends in the dead letters."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fake_server import FakeComfy, Faults
from test_batch_run import ROOT, assert_complete, run

pytest.importorskip("celery", reason="NO CELERY: the queue was not tested (pip install celery redis)")
redis = pytest.importorskip("redis", reason="NO REDIS CLIENT: the queue was not tested (pip install celery redis)")
if shutil.which("redis-server") is None:
    pytest.skip("NO REDIS SERVER: the queue was not tested (apt install redis-server)", allow_module_level=True)

Pictures = Callable[[int], Path]


class Redis:
    """A Redis of our own, with its journal (AOF) in a folder of the test."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.folder, self.url = folder, f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "appendonly": "yes", "save": ""}
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *words, "--appendfsync", "always"], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(200):
            with contextlib.suppress(redis.ConnectionError):
                if client.ping():
                    return
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def working(broker: Redis, *servers: FakeComfy, more: tuple[str, ...] = ()) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker process per server."""
    command = [sys.executable, "-m", "maquette", "worker", "--broker", broker.url, "--backoff", "0.1", *more]
    workers = [subprocess.Popen([*command, "--server", s.url], cwd=ROOT, stderr=subprocess.PIPE) for s in servers]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def test_jobs_over_two_workers_are_done_once_and_small_after_out_of_memory(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    """Both work, every item is computed exactly once, memory failures go down the ladder, a second run skips."""
    out, source = tmp_path / "out", pictures(20)
    with FakeComfy(seconds=0.1) as a, FakeComfy(seconds=0.1, faults=Faults(out_of_memory_above=256)) as b:
        with working(broker, a, b):
            assert run(source, out, workflow, more=("--broker", broker.url)) == 0
        assert sum(a.executions.values()) + sum(b.executions.values()) == 20
        assert len(a.executions) + len(b.executions) == 20
    assert_complete(out, 20)
    assert run(source, out, workflow, more=("--broker", broker.url)) == 0
    assert redis.Redis.from_url(broker.url).hlen("maquette:jobs") == 0


def test_a_killed_workers_job_is_back_within_thirty_seconds_also_over_a_redis_restart(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    """kill -9 in the middle of a job, Redis killed and started again from its journal: another worker does it."""
    out, source = tmp_path / "out", pictures(3)
    command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out), "--broker", broker.url]
    with FakeComfy(seconds=60) as stuck, FakeComfy() as fine:
        driver = subprocess.Popen([*command, "--workflow", str(workflow)], stdout=subprocess.PIPE, text=True)
        with working(broker, stuck) as (victim,):
            wait_for(lambda: bool(stuck.running), 60)
            victim.send_signal(signal.SIGKILL)
            killed = time.monotonic()
        broker.stop()
        broker.start()
        with working(broker, fine):
            text, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, text
        assert len(fine.executions) == 3 and set(fine.executions.values()) == {1}
        assert time.monotonic() - killed < 60  # with the start of a new worker; the lease itself is 12 s
    assert_complete(out, 3)


def test_poison_ends_in_the_dead_letters_and_health_tells(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with FakeComfy() as server:
        server.faults.fail_names = frozenset({"_front"})  # every picture
        with working(broker, server, more=("--retries", "1", "--health-port", str(port))):
            assert run(pictures(1), tmp_path / "out", workflow, more=("--broker", broker.url)) == 4
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            health = json.load(opener.open(f"http://127.0.0.1:{port}/"))
        assert len(server.prompts) == 2
    (letter,) = redis.Redis.from_url(broker.url).lrange("maquette:dead", 0, -1)
    assert "not amused" in json.loads(letter)["error"]
    assert health["up"] and health["vram_total"] > 0 and "not amused" in health["last_error"]


def test_a_lease_that_nobody_renews_is_swept_once(broker: Redis) -> None:
    from maquette.batch.board import Board

    board = Board(broker.url)
    assert board.submit({"key": "k", "name": "n", "queue": "q"}) and not board.submit({"key": "k", "queue": "q"})
    assert board.lengths(["q"]) == {"q": 2}  # once too often is harmless: only one delivery can claim it
    assert board.claim("k", "me") == 1 and board.claim("k", "you") == 0
    assert board.sweep() == []
    board.redis.delete("maquette:lease:k")
    assert board.sweep() == ["k"] and board.sweep() == []
    assert board.claim("k", "you") == 2
    board.finish("k", {"state": "done"})
    assert board.claim("k", "me") == 0 and board.result("k") == {"state": "done"}
    assert not board.submit({"key": "k", "name": "n", "queue": "q"})


def wait_for(truth: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)
