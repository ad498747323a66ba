"""One worker in this process, its jobs handed to it; what the submitter does with what goes wrong on its side."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_for
from fake_server import WORKFLOW, FakeComfy
from redis_server import Redis
from test_batch_queue import redis
from test_batch_run import run, states

from maquette.batch.store import Store


@pytest.fixture
def worker(broker: Redis, server: FakeComfy) -> Iterator[Any]:
    """For ``server``; it gives a lost job one more try."""
    from maquette.batch.worker import Worker, WorkerSettings

    made = Worker(WorkerSettings(broker.url, server.url, cooldown=0, backoff=0, retries=1))
    with made.ears:
        yield made
    made.ledger.close()


@pytest.fixture
def job(pictures: Callable[[int], Path], tmp_path: Path, worker: Any) -> dict[str, Any]:
    """Published, with its picture in a folder store."""
    store = Store(str(tmp_path / "store"))
    store.put(next(pictures(1).iterdir()), ".inputs/a.png")
    facts = {"views": {"front": ".inputs/a.png"}, "graph": WORKFLOW, "overrides": [], "store": store.url}
    made = {"key": "place", "item": "0123456789abcdef", "name": "thing", "queue": "default", "gate": "", **facts}
    worker.board.publish(made)
    return made


def test_a_full_gpu_is_asked_once_to_unload_and_the_reason_is_told(
    worker: Any, job: dict[str, Any], server: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ComfyUI kept is given back, and the job is done; what others hold is waited for, without asking again."""
    server.vram_free = server.vram // 10
    worker.do("place")
    assert server.freed == 1 and worker.last_error == "GPU memory 90% full"
    assert worker.board.result("place")["state"] == "done"
    monkeypatch.setattr("maquette.batch.worker._ROOM_SECONDS", 1.1)
    monkeypatch.setattr(type(worker.server), "free", lambda self: setattr(server, "freed", server.freed + 1))
    server.vram_free = server.vram // 20
    worker.board.publish({**job, "key": "other"})
    worker.do("other")
    assert server.freed == 2 and worker.last_error == "GPU memory 95% full"
    assert worker.board.redis.zcard("maquette:later") == 1 and worker.done == 1


def test_a_job_that_another_worker_took_over_is_left_to_it(
    worker: Any, job: dict[str, Any], server: FakeComfy, tmp_path: Path
) -> None:
    """Neither its files nor its result are touched by the one that was away for longer than the lease."""
    board = worker.board
    server.faults.forget = lambda graph: bool(
        board.redis.zadd("maquette:leases", {"place": 1}) + board.claim("place", "another") < 0
    )
    worker.do("place")
    assert server.prompts and board.result("place") is None and worker.done == 0
    assert not list((tmp_path / "store").glob("thing*"))
    assert board.renew("place", "another")


@pytest.mark.parametrize("moment", ["upload", "running"])
def test_a_worker_that_lost_its_job_sends_nothing_more_and_takes_its_prompt_back(
    moment: str, worker: Any, job: dict[str, Any], server: FakeComfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU's time belongs to the next job: what another worker computes by now is not computed here as well."""
    monkeypatch.setattr("maquette.batch.worker.LEASE_SECONDS", 0.08)
    server.seconds = 60

    def take_over() -> None:
        worker.board.redis.zadd("maquette:leases", {"place": 1})
        assert worker.board.claim("place", "another") == 2

    upload, history = worker.server.upload, worker.server.history

    def slow_upload(path: Path, name: str) -> str:
        if moment == "upload":
            take_over()
            time.sleep(0.5)
        return str(upload(path, name))

    def looked(prompt_id: str) -> Any:
        if moment == "running" and server.running and worker.board.redis.hget("maquette:owners", "place") != "another":
            take_over()
        return history(prompt_id)

    monkeypatch.setattr(worker.server, "upload", slow_upload)
    monkeypatch.setattr(worker.server, "history", looked)
    worker.do("place")
    assert len(server.prompts) == (moment == "running") and not server.executions
    wait_for(lambda: not server.running and not server.pending)
    assert worker.board.result("place") is None and worker.board.renew("place", "another")
    assert worker.ledger.get(job["item"]).state == "pending"


@pytest.mark.parametrize(("store", "words"), [("{}/gone", "the store"), ("nonsense://x", "no address")])
def test_a_store_that_fails_is_the_reason_that_is_told(
    worker: Any, job: dict[str, Any], tmp_path: Path, store: str, words: str
) -> None:
    worker.board.publish({**job, "store": store.format(tmp_path)})
    for _ in range(2):
        worker.do("place")
    result = worker.board.result("place")
    assert result["state"] == "dead" and words in result["error"]


def test_health_answers_while_redis_is_away(worker: Any, broker: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through a client that gives up at once: the other would take a minute."""
    assert worker.health()["waiting"] == {"default": 0}
    broker.stop()
    monkeypatch.setattr(worker.board, "redis", None)
    health = worker.health()
    assert health["up"] and health["waiting"] == {} and "Redis is away" in health["last_error"]


def test_an_unreadable_picture_ends_alone(
    pictures: Callable[[int], Path],
    workflow: Path,
    tmp_path: Path,
    broker: Redis,
    server: FakeComfy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is given up with the reason; the others are done."""
    from test_batch_queue import working

    from maquette.batch import remote

    real = remote.file_hash

    def fail(path: Path) -> str:
        if path.name == "thing0001.png":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(remote, "file_hash", fail)
    with working(broker, server):
        assert run(pictures(3), tmp_path / "out", workflow, more=("--broker", broker.url)) == 4
    assert sorted(states(tmp_path / "out").values()) == ["dead", "done", "done"]


def test_ctrl_c_is_heard_while_items_are_submitted(
    pictures: Callable[[int], Path], workflow: Path, tmp_path: Path, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from maquette.batch.board import Board

    real = Board.submit

    def submit(board: Any, job: dict[str, Any]) -> bool:
        signal.raise_signal(signal.SIGINT)
        return real(board, job)

    monkeypatch.setattr(Board, "submit", submit)
    assert run(pictures(3), tmp_path / "out", workflow, more=("--broker", broker.url)) == 130
    assert redis.Redis.from_url(broker.url).hlen("maquette:jobs") == 1
