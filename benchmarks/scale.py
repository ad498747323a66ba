"""What the queue costs, and what that means for many GPUs: ``python -m benchmarks.scale [jobs] [workers]``.

1. Real: ``batch_process.py --broker`` and real workers over a real Redis, with fake servers that take no time: the most
   the queue can do here, and what one job costs Redis, the worker and the submitter.
2. Idle: the same workers with nothing to do.
3. Simulated: a thousand workers as one loop of the real board's calls against the real Redis, at their true pace.
4. Model: those costs, multiplied.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maquette.batch.board import LEASE_SECONDS, Board
from maquette.batch.ledger import Ledger

from ._fakes import fleet, make_input

from redis_server import Redis  # isort: skip  - _fakes puts its folder on the path

ROOT = Path(__file__).resolve().parent.parent
CELERY_IDLE_SECONDS = 1.0
"""How long Celery's Redis transport blocks for a message before it asks again."""


@dataclass(frozen=True)
class Load:
    """Of a Redis over some time: commands, seconds of processor, bytes in and out."""

    commands: float
    cpu: float
    bytes: float

    def __sub__(self, other: Load) -> Load:
        return Load(self.commands - other.commands, self.cpu - other.cpu, self.bytes - other.bytes)

    def per(self, count: float) -> Load:
        """The load of one of ``count``."""
        return Load(self.commands / count, self.cpu / count, self.bytes / count)


def load(client: Any) -> Load:
    """What this Redis has done since it started."""
    facts = client.info()
    return Load(
        facts["total_commands_processed"],
        facts["used_cpu_sys"] + facts["used_cpu_user"],
        facts["total_net_input_bytes"] + facts["total_net_output_bytes"],
    )


@contextlib.contextmanager
def workers(broker: Redis, urls: list[str]) -> Iterator[None]:
    """A worker process per server, ready when the block begins; stopped as an operator does."""
    command = [sys.executable, "-m", "maquette", "worker", "--broker", broker.url, "--cooldown", "0"]
    running = [subprocess.Popen([*command, "--server", url], cwd=ROOT, stderr=subprocess.DEVNULL) for url in urls]
    try:
        time.sleep(8)
        yield
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(60)


def over_time(client: Any, seconds: float) -> Load:
    """The load per second while nothing is asked of it by us."""
    before = load(client)
    time.sleep(seconds)
    return (load(client) - before).per(seconds)


def children_cpu() -> float:
    """Seconds of processor of all ended child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def real(folder: Path, broker: Redis, client: Any, jobs: int, count: int) -> tuple[Load, Load]:
    """Print what was measured; (load of one job, load of one idle worker in a second)."""
    source, workflow = make_input(folder, jobs)
    nothing = over_time(client, 10).cpu  # its own housekeeping
    command = [sys.executable, str(ROOT / "batch_process.py"), str(source), "-o", str(folder / "out"), "--json"]
    with fleet(count) as servers:
        with workers(broker, servers.urls):
            idle = over_time(client, 10)
            idle = Load(idle.commands, max(idle.cpu - nothing, 0.0), idle.bytes).per(count)
            before, start, cpu = load(client), time.perf_counter(), children_cpu()
            done = subprocess.run(
                [*command, "--workflow", str(workflow), "--broker", broker.url], stdout=subprocess.DEVNULL, check=False
            )
            seconds, submitter = time.perf_counter() - start, children_cpu() - cpu
            used, cpu = load(client) - before, children_cpu()
        busy = children_cpu() - cpu
    assert done.returncode == 0
    times = [n for executions in servers.executions for n in executions.values()]
    assert len(times) == jobs and set(times) == {1}
    each = used.per(jobs)
    idle_part = Load(idle.commands, idle.cpu, idle.bytes).per(jobs / (seconds * count))
    job = each - idle_part
    print(f"real: {jobs} jobs, {count} workers: {seconds:.1f} s, {jobs / seconds:.1f} jobs/s, each exactly once")
    print(f"  one job: {job.commands:.1f} Redis commands, {job.cpu * 1e3:.2f} ms of Redis, {job.bytes / 1e3:.1f} kB")
    shares = f"submitter {submitter / jobs * 1e3:.1f} ms, workers {busy / jobs * 1e3:.1f} ms with their start"
    print(f"  processor per job: {shares}")
    print(f"  one idle worker: {idle.commands:.1f} commands/s, {idle.cpu * 1e3:.2f} ms of Redis per second")
    stored = sum(f.stat().st_size for f in (folder / "out").glob("ledger.sqlite*")) / jobs
    events = (folder / "out" / "events.jsonl").stat().st_size / jobs
    print(f"  stored per job beside pictures and meshes: ledger {stored:.0f} B, events {events:.0f} B")
    return job, idle


def simulated(client: Any, board: Board, fleet_size: int, job_seconds: float, seconds: float) -> None:
    """A fleet at its true pace: each worker looks for a message every second, sweeps and renews every three, and ends a
    job every ``job_seconds``. Printed: jobs per second and the share of one core that Redis was busy."""
    client.flushall()
    total = int(fleet_size / job_seconds * (seconds + job_seconds)) + fleet_size
    keys = iter([f"job{n:06}" for n in range(total)])
    for n in range(total):
        client.hset("maquette:jobs", f"job{n:06}", json.dumps({"key": f"job{n:06}", "name": "n", "queue": "sim"}))
    has = {worker: next(keys) for worker in range(fleet_size)}
    for worker, key in has.items():
        assert board.claim(key, str(worker)) == 1
    began, before = time.perf_counter(), load(client)
    pace = {"look": CELERY_IDLE_SECONDS, "sweep": LEASE_SECONDS / 4, "renew": LEASE_SECONDS / 4, "end": job_seconds}
    agenda = [(began + pace[what] * w / fleet_size, w, what) for w in range(fleet_size) for what in pace]
    heapq.heapify(agenda)
    ended, late = 0, 0.0
    while (now := time.perf_counter()) < began + seconds:
        due, worker, what = agenda[0]
        if due > now:
            time.sleep(min(due - now, 0.001))
            continue
        heapq.heapreplace(agenda, (due + pace[what], worker, what))
        late = max(late, now - due)
        if what == "look":
            client.rpop("sim")
        elif what == "sweep":
            board.sweep()
        elif what == "renew":
            assert board.renew(has[worker], str(worker))
        elif what == "end":
            ended += board.finish(has[worker], {"state": "done", "name": "n", "outputs": [], "seconds": 1})
            has[worker] = next(keys)
            assert board.claim(has[worker], str(worker)) == 1
    used = (load(client) - before).per(seconds)
    print(
        f"simulated: {fleet_size} workers, {job_seconds:.0f} s per job, {seconds:.0f} s: {ended / seconds:.1f} jobs/s"
    )
    print(
        f"  {used.commands:.0f} commands/s, Redis busy {used.cpu:.1%} of one core; at most {late:.1f} s behind its pace"
    )


def ledger_cost(folder: Path, rows: int = 500) -> float:
    """Seconds per item of the ledger's two steps, to the disk."""
    with Ledger(folder / "l.sqlite") as ledger:
        ledger.add((f"k{n}", f"n{n}") for n in range(rows))
        began = time.perf_counter()
        for n in range(rows):
            ledger.submitting(f"k{n}", "http://s", "p", 1.0)
            ledger.done(f"k{n}", [{"path": "a/b.glb", "sha256": "0" * 64, "bytes": 1}], 1.0, 1.0)
        return (time.perf_counter() - began) / rows


def model(job: Load, idle: Load) -> None:
    """The table: load of Redis for so many GPUs and seconds per job."""
    print("model: Redis commands/s and share of one core for GPUs x seconds per job")
    for gpus in (1, 10, 100, 1000):
        cells = []
        for seconds in (10, 60):
            rate = gpus / seconds
            commands, cpu = rate * job.commands + gpus * idle.commands, rate * job.cpu + gpus * idle.cpu
            cells.append(
                f"{seconds} s: {rate:.1f} jobs/s, {commands:.0f}/s, {cpu:.1%}, {rate * job.bytes / 1e6:.2f} MB/s"
            )
        print(f"  {gpus:>4}  " + "   ".join(cells))


def main() -> int:
    """Print everything."""
    import redis

    given = [int(word) for word in sys.argv[1:] if word.isdecimal()]
    jobs, count = given if len(given) == 2 else (1000, 4)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Redis(folder / "redis", "everysec")
        broker.start()
        try:
            client = redis.Redis.from_url(broker.url, decode_responses=True)
            job, idle = real(folder / "real", broker, client, jobs, count)
            simulated(client, Board(broker.url), 1000, 20, 30)
            print(f"ledger: {ledger_cost(folder) * 1e3:.1f} ms per item for its two steps on this disk")
        finally:
            broker.stop()
    model(job, idle)
    print(f"load of this machine: {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
