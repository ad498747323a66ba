"""Celery and Redis: a killed worker's job comes back, nothing is done twice, poison ends in the dead letters."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from conftest import wait_for
from endpoints import ask, receiver
from fake_server import FakeComfy, Faults
from redis_server import Redis, free_port
from test_batch_run import ROOT, assert_complete, run, states

from maquette.batch.ledger import Ledger
from maquette.batch.store import Store

pytest.importorskip("celery", reason="NO CELERY: the queue was not tested (pip install celery redis)")
redis = pytest.importorskip("redis", reason="NO REDIS CLIENT: the queue was not tested (pip install celery redis)")
if shutil.which("redis-server") is None:
    pytest.skip("NO REDIS SERVER: the queue was not tested (apt install redis-server)", allow_module_level=True)

Pictures = Callable[[int], Path]


@contextlib.contextmanager
def working(broker: Redis, *servers: FakeComfy, more: tuple[str, ...] = ()) -> Iterator[list[subprocess.Popen[bytes]]]:
    """A worker process per server."""
    command = [sys.executable, "-m", "maquette", "worker", "--broker", broker.url, "--backoff", "0.1"]
    command += ["--cooldown", "0", *more]
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
        assert a.executions and b.executions
        asked = [prompt["prompt"]["2"]["inputs"]["resolution"] for prompt in b.prompts]
        assert 256 in asked and 512 in asked  # and after that, whichever of the two takes it, half
    assert_complete(out, 20)
    assert run(source, out, workflow, more=("--broker", broker.url)) == 0
    assert_nothing_open(broker)


@pytest.mark.parametrize("count", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_four_workers_do_everything_once_though_redis_and_a_worker_are_killed(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, count: int
) -> None:
    """By item key: each of the jobs has one result and one whole file. Redis is killed and comes back with its journal;
    of the thousand, a worker is killed too: only what it had under way may have been computed a second time."""
    kills = count > 100  # it costs the time of a lease
    out, source = tmp_path / "out", pictures(count)
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(FakeComfy(seconds=0.02)) for _ in range(4)]
        workers = stack.enter_context(working(broker, *servers))
        driver = start(source, out, workflow, broker)
        wait_for(lambda: computed(servers) > count // 4, 300)
        broker.stop()
        time.sleep(0.5)
        broker.start()
        wait_for(lambda: computed(servers) > count // 2, 300)
        if kills:
            workers[0].send_signal(signal.SIGKILL)
        text, _ = driver.communicate(timeout=500)
        assert driver.returncode == 0, text
        times = sum((server.executions for server in servers), Counter())
        assert len(times) == count
        assert sum(times.values()) <= count + kills
    assert f"Success: {count} | Skipped: 0 | Failed: 0" in text
    assert_complete(out, count)
    assert_nothing_open(broker)


def test_a_killed_workers_job_is_back_within_thirty_seconds_also_over_a_redis_restart(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    """kill -9 in the middle of a job, Redis killed and started again from its journal: another worker does it."""
    from maquette.batch.board import _SWEEP_MS, LEASE_SECONDS

    out, source = tmp_path / "out", pictures(3)
    with FakeComfy(seconds=60) as stuck, FakeComfy() as fine:
        driver = start(source, out, workflow, broker)
        with working(broker, stuck) as (victim,):
            wait_for(lambda: bool(stuck.running), 60)
            victim.send_signal(signal.SIGKILL)
        broker.stop()
        broker.start()
        with working(broker, fine):
            text, _ = driver.communicate(timeout=120)
        assert driver.returncode == 0, text
        assert len(fine.executions) == 3 and set(fine.executions.values()) == {1}
    assert_complete(out, 3)
    assert (
        LEASE_SECONDS + LEASE_SECONDS / 4 + _SWEEP_MS / 1000 < 30
    )  # the longest it can take: lease, look, one more look


def test_a_job_that_kills_its_workers_comes_to_an_end(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody answers for it, attempt after attempt: it is claimed once more, not computed, and buried."""
    from maquette.batch.board import Board

    source, out, board = pictures(1), tmp_path / "out", Board(broker.url)
    driver = start(source, out, workflow, broker)
    wait_for(lambda: board.redis.hlen("maquette:jobs") == 1, 30)
    (key,) = board.redis.hkeys("maquette:jobs")
    for attempt in (1, 2):  # what a worker leaves behind that dies in its job
        assert board.claim(key, f"victim{attempt}") == attempt
        board.redis.zadd("maquette:leases", {key: 1})
    with FakeComfy() as server, working(broker, server, more=("--retries", "1")):
        text, _ = driver.communicate(timeout=60)
        assert not server.prompts
    assert driver.returncode == 4 and "its worker was lost in 2 attempts" in text
    assert board.redis.llen("maquette:dead") == 1


def test_poison_ends_in_the_dead_letters_health_tells_and_the_hook_is_told(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried as often as allowed, then a dead letter; the worker's hook is signed and tried again."""
    monkeypatch.setenv("MAQUETTE_WEBHOOK_SECRET", "s3cret")
    port = free_port()
    with FakeComfy() as server, receiver(fail_first=2) as (address, got):
        server.faults.fail_names = frozenset({"_front"})  # every picture
        more = ("--retries", "1", "--health-port", str(port), "--webhook", address)
        with working(broker, server, more=more):
            assert run(pictures(1), tmp_path / "out", workflow, more=("--broker", broker.url)) == 4
            health = ask(port)
            wait_for(lambda: len(got) == 3)
            server.stop()
            assert ask(port)["up"] is False  # and the answer's status is 503
            server.start()
        assert len(server.prompts) == 2
    (letter,) = redis.Redis.from_url(broker.url).lrange("maquette:dead", 0, -1)
    assert "not amused" in json.loads(letter)["error"]
    with Ledger(tmp_path / "out" / "ledger.sqlite") as ledger:
        assert ledger.get(json.loads(letter)["item"]) is not None
    assert health["up"] and health["vram_total"] > 0 and "not amused" in health["last_error"]
    assert health["waiting"] == {"default": 0}
    assert len({body for body, _ in got}) == 1
    for body, signature in got:
        assert signature == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    told = json.loads(got[0][0])
    assert told["event"] == "dead" and "not amused" in told["error"]


def test_a_job_goes_to_the_queue_of_its_model_and_through_the_gate(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    """Workers take only the queues they name; the submitter's gate is applied by the worker."""
    folder, out = pictures(2), tmp_path / "out"
    rows = [{"image": f"thing000{n}.png", "model_version": v} for n, v in enumerate(("triposr-4g", "trellis2-24g"))]
    (folder / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    more = ("--broker", broker.url, "--gate", "faces <= 11")
    with FakeComfy() as small, FakeComfy() as large:
        with (
            working(broker, small, more=("--queues", "triposr-4g")),
            working(broker, large, more=("--queues", "trellis2-24g,other")),
        ):
            assert run(folder / "m.jsonl", out, workflow, more=more) == 4
        assert len(small.executions) == len(large.executions) == 1
        assert small.executions != large.executions
    assert set(states(out).values()) == {"dead"} and not list(out.glob("*/*.glb"))


def test_what_only_workers_can_do_is_refused_with_a_broker(
    pictures: Pictures, workflow: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = pictures(1), tmp_path / "out"
    for more in (("--watch",), ("--retries", "1"), ("--server", "http://127.0.0.1:1")):
        assert run(source, out, workflow, more=("--broker", "redis://127.0.0.1:1/0", *more)) == 2
        assert f"{more[0]} cannot go with --broker" in capsys.readouterr().err
    assert run(source, out, workflow, more=("--broker", f"redis://u:pa55@127.0.0.1:{free_port()}/0")) == 3
    text = capsys.readouterr().err
    assert "no Redis answers at 127.0.0.1" in text and "pa55" not in text
    assert run(source, out, workflow, more=("--broker", "sqs://", "--board", "sqs://")) == 2
    assert run(source, out, workflow, more=("--store", "s3://x/y")) == 2
    assert not out.exists() or not list(out.glob("thing*"))


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_the_messages_may_go_another_way_than_redis_and_results_to_any_store(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, kind: str, request: pytest.FixtureRequest
) -> None:
    """Any transport of Celery (SQS in the cloud, a folder here) beside the Redis of the leases, and results to a store
    that is an address: a second run looks there and makes again what is gone."""
    folder = tmp_path / "messages"
    folder.mkdir()
    broker_url = "filesystem://"
    out, source, store = tmp_path / "out", pictures(3), f"file://{tmp_path}/store/deep"
    if kind == "s3":
        store = f"{request.getfixturevalue('bucket')}/deep"
    more = ("--broker", broker_url, "--board", broker.url, "--store", store)
    with pytest.MonkeyPatch.context() as patch, FakeComfy() as server:
        patch.setattr("maquette.batch.board.make_app", folder_app(folder))
        with worker_thread(broker, broker_url, server):
            assert run(source, out, workflow, more=more) == 0
            assert run(source, out, workflow, more=more) == 0
            assert sum(server.executions.values()) == 3
            files = Store(store)
            gone = next(name for name in files.sizes() if name.endswith(".glb"))
            files._fs.rm_file(f"{files._root}/{gone}")
            assert run(source, out, workflow, more=more) == 0
            assert sum(server.executions.values()) == 4
    assert sum(name.endswith(".glb") for name in Store(store).sizes()) == 3
    assert not list(out.glob("*/*.glb"))


@pytest.mark.parametrize("what", ["message", "job"])
def test_a_job_whose_message_was_lost_is_sent_again(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """As when a Redis is killed while it hands a message to a worker, or another submitter of the same job took its
    result: the submitter notices, and all is done once."""
    monkeypatch.setattr("maquette.batch.remote.STRAY_SECONDS", 0.5)
    out, source, client = tmp_path / "out", pictures(3), redis.Redis.from_url(broker.url)

    def lose_one() -> None:
        wait_for(lambda: client.llen("default") == 3)
        if what == "message":
            client.lpop("default")
        else:
            client.hdel("maquette:jobs", client.hkeys("maquette:jobs")[0])
            wait_for(lambda: client.hlen("maquette:jobs") == 3)

    thief = threading.Thread(target=lose_one)
    thief.start()
    with FakeComfy() as server:

        def work() -> None:
            thief.join()
            with working(broker, server):
                done.wait(60)

        done = threading.Event()
        worker = threading.Thread(target=work)
        worker.start()
        assert run(source, out, workflow, more=("--broker", broker.url)) == 0
        done.set()
        worker.join()
        assert sorted(server.executions.values()) == [1] * 3
    assert_complete(out, 3)
    assert_nothing_open(broker)


def test_one_item_for_two_folders_is_two_jobs_and_an_old_result_needs_its_files(
    pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis
) -> None:
    """A submitter goes away before its result is there; another wants the same item elsewhere; the first comes back
    and finds a result on the board whose file is gone."""
    source, first, second = pictures(1), tmp_path / "first", tmp_path / "second"
    client, more = redis.Redis.from_url(broker.url), ("--broker", broker.url)
    driver = start(source, first, workflow, broker)
    wait_for(lambda: client.llen("default") == 1)
    driver.kill()
    driver.communicate()
    with FakeComfy() as server, working(broker, server):
        assert run(source, second, workflow, more=more) == 0
        assert_complete(second, 1)
        wait_for(lambda: client.hlen("maquette:results") == 1)
        (file,) = first.glob("*/*.glb")
        file.unlink()
        assert run(source, first, workflow, more=more) == 0
        assert sum(server.executions.values()) == 3
    assert_complete(first, 1)
    assert_nothing_open(broker)


def test_messages_go_through_sqs(pictures: Pictures, workflow: Path, tmp_path: Path, broker: Redis, aws: str) -> None:
    """Celery's SQS transport with real workers; the leases stay in Redis."""
    pytest.importorskip("pycurl", reason="NO PYCURL: SQS was not tested (pip install 'kombu[sqs]')")
    out, source, url = tmp_path / "out", pictures(8), f"sqs://k:k@{aws}/"
    more = ("--broker", url, "--board", broker.url)
    with FakeComfy(seconds=0.05) as a, FakeComfy(seconds=0.05) as b, working(broker, a, b, more=more):
        assert run(source, out, workflow, more=more) == 0
        assert sorted((a.executions + b.executions).values()) == [1] * 8
    assert_complete(out, 8)
    assert_nothing_open(broker)


def start(source: Path, out: Path, workflow: Path, broker: Redis, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(out), "--broker", broker.url]
    return subprocess.Popen([*command, "--workflow", str(workflow), *more], stdout=subprocess.PIPE, text=True)


def computed(servers: list[FakeComfy]) -> int:
    return sum(sum(server.executions.values()) for server in servers)


def assert_nothing_open(broker: Redis) -> None:
    client = redis.Redis.from_url(broker.url)
    for name in ("jobs", "attempts", "owners", "results"):
        assert client.hlen(f"maquette:{name}") == 0, name
    assert client.zcard("maquette:leases") == client.zcard("maquette:later") == client.llen("maquette:dead") == 0


def folder_app(folder: Path) -> Callable[[str], Any]:
    """``make_app`` whose messages lie in files."""
    from maquette.batch.board import make_app

    def make(url: str) -> Any:
        app = make_app(url)
        if url.startswith("filesystem"):
            places = {f"data_folder_{way}": str(folder) for way in ("in", "out")}
            app.conf.broker_transport_options = {**places, "control_folder": str(folder / "control")}
        return app

    return make


@contextlib.contextmanager
def worker_thread(broker: Redis, broker_url: str, server: FakeComfy) -> Iterator[None]:
    """A worker in this process that is fed by hand: Celery's own loop may not run beside pytest's."""
    from maquette.batch.worker import Worker, WorkerSettings

    worker = Worker(WorkerSettings(broker_url, server.url, board=broker.url, cooldown=0))
    over = threading.Event()

    def work() -> None:
        with worker.board._app.connection_for_read() as link, worker.ears:
            queue = link.SimpleQueue("default")
            while not over.is_set():
                with contextlib.suppress(Empty):
                    message = queue.get(timeout=0.2)
                    worker.do(*message.payload[0])
                    message.ack()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        worker.ledger.close()
