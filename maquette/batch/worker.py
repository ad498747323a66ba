"""``maquette worker``: takes jobs from a queue, has its ComfyUI server do them, puts the results where they belong.

The worker holds no GPU itself. One worker per server, one job at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MaquetteError
from ..log import log
from .board import LEASE_SECONDS, QUEUE, TASK, Board, BrokerError, make_app
from .client import Server, ServerFaultError, ServerLostError
from .cooldown import has_gpu, rest
from .events import Listener
from .failures import Failure, backoff_seconds
from .health import serve_health
from .items import Item
from .job import Job, Outcome, Plan, Stopped
from .journal import WebHook
from .ledger import Ledger
from .reading import gate_of
from .store import Store
from .workflow import Override, checked

_ROOM_SECONDS = 5.0


@dataclasses.dataclass(frozen=True)
class WorkerSettings:
    """broker: where messages come from; board: the Redis of the shared state ("": the broker); state: folder of this
    worker's own ledger (a prompt that survives a restart of the worker is found again); times in seconds."""

    broker: str
    server: str
    board: str = ""
    queues: tuple[str, ...] = (QUEUE,)
    retries: int = 3
    timeout: float = 1800.0
    patience: float = 60.0
    full: float = 0.8
    backoff: float = 5.0
    cooldown: float = 15.0
    hottest: float = 83.0
    state: Path | None = None
    health_host: str = "127.0.0.1"
    health_port: int = 0
    webhook: str = ""


class _TakenOverError(Exception):
    """The lease ran out, and another worker has the job."""


class Worker:
    """``Worker(settings).run()`` until SIGTERM. ``do(key)`` is one delivery of a job."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.board = Board(settings.board or settings.broker, settings.broker)
        self.server = Server(settings.server)
        self.folder = settings.state or Path(tempfile.mkdtemp(prefix="maquette-worker-"))
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        self.ears = Listener(self.server.socket_url, self.server.headers)
        self.current, self.last_error, self.done = "", "", 0
        self._idle_free: int | None = None  # of the GPU before the first job; 0 without one
        self._crowded = False
        secret = os.environ.get("MAQUETTE_WEBHOOK_SECRET", "")
        self.hook = WebHook(settings.webhook, secret) if settings.webhook else None

    def run(self, say: Callable[[str], None] = log.info) -> int:
        """Work until told to stop. ``say`` hears one line about who works for whom."""
        app = make_app(self.settings.broker)
        app.task(name=TASK)(self.do)
        health = serve_health(self.health, self.settings.health_host, self.settings.health_port)
        where = f"http://{self.settings.health_host}:{health.server_port}/"
        say(f"{self.name} takes {', '.join(self.settings.queues)} for {self.server.url}; its health: {where}")
        arguments = [
            "--quiet",
            "worker",
            "--pool=solo",
            "--concurrency=1",
            "--loglevel=WARNING",
            "--without-gossip",
            "--without-mingle",
        ]
        try:
            with self.ears, _every(LEASE_SECONDS / 4, self._sweep):
                app.worker_main([*arguments, "-Q", ",".join(self.settings.queues), "-n", f"{self.name}@%h"])
        finally:
            health.shutdown()
            self.ledger.close()
            if self.hook is not None:
                self.hook.close()
            if self.settings.state is None:
                shutil.rmtree(self.folder, ignore_errors=True)
        return 0

    def do(self, key: str) -> None:
        """One delivery: claim, compute, store, say so. A delivery of what is done or under way ends at once."""
        job = self.board.job(key)
        if job is None:
            return
        if not self._room():
            self.board.no_room(key, 1.0)
            return
        attempt = self.board.claim(key, self.name)
        if not attempt:
            return
        self.current = job["name"]
        try:
            with self._renewing(key) as lost:
                if attempt > self.settings.retries + 1:  # also a job that kills its workers comes to an end
                    words = f"its worker was lost in {attempt - 1} attempts"
                    self._bury(key, job, Failure("server", job.get("error") or words))
                else:
                    self._settle(key, job, self._compute(key, job, lost), attempt)
        except _TakenOverError:
            log.warning("%s is another worker's by now; its result is left to that one", job["name"])
        finally:
            self.current = ""
        if self._idle_free:
            rest(self.server, self._idle_free, self.settings.cooldown, self.settings.hottest)

    @contextlib.contextmanager
    def _renewing(self, key: str) -> Iterator[Callable[[], bool]]:
        """Keep the lease while the block runs; gives what tells whether it is another's by now."""
        lost = threading.Event()

        def renew() -> None:
            if not self.board.renew(key, self.name):
                lost.set()

        with _every(LEASE_SECONDS / 4, renew):
            yield lost.is_set

    def _room(self) -> bool:
        """False when the server is away, or its GPU fuller than the settings allow, for some seconds: another worker
        may take the job then."""
        end = time.monotonic() + _ROOM_SECONDS
        while not self._fit():
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True

    def _fit(self) -> bool:
        try:
            free, total = self.server.vram()
            if self._idle_free is None:
                self._idle_free = free if has_gpu(self.server) else 0
            used = 1 - free / total if total and self._idle_free else 0.0
            if used <= self.settings.full:
                self._crowded = False
                return True
            self.last_error = f"GPU memory {used:.0%} full"
            if not self._crowded:  # asked once: what ComfyUI keeps for later is no reason to refuse work
                self._crowded, self._idle_free = True, None
                self.server.free()
        except (ServerLostError, ServerFaultError) as error:
            self.last_error = str(error)
        return False

    def _keep(self, key: str) -> None:
        """Raises _TakenOverError when another worker has the lease: what it makes is not to be touched."""
        if not self.board.renew(key, self.name):
            raise _TakenOverError

    def _compute(self, key: str, job: dict[str, Any], lost: Callable[[], bool]) -> Outcome:
        """Until ``lost()``: then nothing more is sent, and a prompt that runs is taken back from the server."""
        work = self.folder / key[:16]
        self.ledger.add([(job["item"], job["name"])])
        row = self.ledger.get(job["item"])
        assert row is not None
        try:
            store = Store(job["store"])
            item = Item(job["name"], _fetch(store, job["views"], work), _overrides(job), job.get("model_version", ""))
            plan = Plan(
                checked(job["graph"], "the job's workflow"),
                work / "out",
                timeout=self.settings.timeout,
                patience=self.settings.patience,
                gate=gate_of(job.get("gate", "")),
            )
            runner = Job(self.server, self.ears, self.ledger, plan, lost)
            outcome = runner.run(item, dataclasses.replace(row, rung=int(job.get("rung", 0))))
            if outcome.failure is None:
                self._keep(key)
                made = work / "out" / str(outcome.outputs[0]["path"]).split("/")[0]
                name = store.put_folder(made, item.name)
                files = [{**out, "path": f"{name}/{str(out['path']).split('/', 1)[1]}"} for out in outcome.outputs]
                outcome = dataclasses.replace(outcome, outputs=files)
            return outcome
        except Stopped as stopped:
            if stopped.cancelled:
                self.ledger.returned(job["item"], "another worker has it")
            raise _TakenOverError from stopped
        except BadInputError as error:
            return Outcome(Failure("input", str(error)))
        except (MaquetteError, OSError) as error:  # its disk or the store: another worker may do better
            return Outcome(Failure("output", f"{self.name}: {error}"))
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _settle(self, key: str, job: dict[str, Any], outcome: Outcome, attempt: int) -> None:
        failure = outcome.failure
        self._keep(key)
        if failure is None:
            self._succeed(key, job, outcome)
            return
        self.last_error = failure.message
        if not outcome.lost:  # a prompt that failed is not to be found again; one whose server went away is
            self.ledger.failed(job["item"], failure.kind, failure.message, 0.0, 0)
        if failure.final or attempt > self.settings.retries:
            self._bury(key, job, failure)
            return
        again = {**job, "rung": int(job.get("rung", 0)) + (failure.kind == "memory"), "error": failure.message}
        self.board.later(again, backoff_seconds(attempt, self.settings.backoff, 300), self.name)

    def _succeed(self, key: str, job: dict[str, Any], outcome: Outcome) -> None:
        result = {"state": "done", "name": job["name"], "outputs": outcome.outputs, "seconds": outcome.seconds}
        first = self.board.finish(key, {**result, "notes": list(outcome.notes), "server": self.server.url})
        self.ledger.done(job["item"], outcome.outputs, outcome.seconds, time.time())
        self.done += 1
        if first and self.hook is not None:
            self.hook.send("done", {**result, "key": job["item"]})

    def _bury(self, key: str, job: dict[str, Any], failure: Failure) -> None:
        result = {"state": "dead", "name": job["name"], "failure": failure.kind, "error": failure.message}
        if self.board.finish(key, {**result, "item": job["item"]}) and self.hook is not None:
            self.hook.send("dead", {**result, "key": job["item"]})

    def _sweep(self) -> None:
        for key in self.board.sweep():
            log.info("job %s is sent again", key)

    def health(self) -> dict[str, Any]:
        """What the health endpoint says: memory in bytes, messages per queue, the last error."""
        from redis import RedisError

        free, total, up, waiting = 0, 0, False, {}
        try:
            free, total = self.server.vram()
            up = True
            waiting = self.board.lengths(list(self.settings.queues), patient=False)
        except (ServerLostError, ServerFaultError) as error:
            self.last_error = str(error)
        except RedisError as error:
            self.last_error = f"the queue's Redis is away ({type(error).__name__})"
        return {
            "worker": self.name,
            "server": self.server.url,
            "up": up,
            "vram_free": free,
            "vram_total": total,
            "current": self.current,
            "done": self.done,
            "waiting": waiting,
            "last_error": self.last_error,
        }


def _fetch(store: Store, views: dict[str, str], folder: Path) -> dict[str, Path]:
    """The job's pictures: view -> file below ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    out = {}
    for view, name in views.items():
        out[view] = folder / Path(name).name
        store.get(name, out[view])
    return out


def _overrides(job: dict[str, Any]) -> tuple[Override, ...]:
    return tuple(Override(*said) for said in job["overrides"])


@contextlib.contextmanager
def _every(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Do something again and again in a thread while the block runs; a queue that is away is met with patience."""
    from redis import RedisError

    over = threading.Event()

    def run() -> None:
        while not over.wait(seconds):
            try:
                act()
            except (RedisError, BrokerError) as error:
                log.warning("the queue is away (%s: %s)", type(error).__name__, error)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield
    finally:
        over.set()
