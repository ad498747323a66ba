"""``maquette worker``: takes jobs from a queue, has its ComfyUI server do them, puts the results where they belong.

The worker holds no GPU itself. One worker per server, one job at a time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import tempfile
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from ..log import log
from .board import LEASE_SECONDS, QUEUE, TASK, Board, make_app
from .client import Server, ServerFaultError, ServerLostError
from .events import Listener
from .failures import Failure, backoff_seconds
from .items import Item
from .job import Job, Outcome, Plan
from .journal import WebHook
from .ledger import Ledger
from .store import Store
from .workflow import Override, checked


@dataclasses.dataclass(frozen=True)
class WorkerSettings:
    """state: folder of this worker's own ledger (a prompt that survives a restart of the worker is found again)."""

    broker: str
    server: str
    queues: tuple[str, ...] = (QUEUE,)
    retries: int = 3
    timeout: float = 1800.0
    patience: float = 60.0
    full: float = 0.8
    backoff: float = 5.0
    state: Path | None = None
    health_port: int = 0
    webhook: str = ""


class Worker:
    """``Worker(settings).run()`` until SIGTERM. ``do(key)`` is one delivery of a job."""

    def __init__(self, settings: WorkerSettings) -> None:
        self.settings = settings
        self.name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.board = Board(settings.broker)
        self.server = Server(settings.server)
        folder = settings.state or Path(tempfile.mkdtemp(prefix="maquette-worker-"))
        self.folder = folder
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ears = Listener(self.server.socket_url, self.server.headers)
        self.current, self.last_error, self.done = "", "", 0
        secret = os.environ.get("MAQUETTE_WEBHOOK_SECRET", "")
        self.hook = WebHook(settings.webhook, secret) if settings.webhook else None

    def run(self) -> int:
        """Work until told to stop."""
        app = make_app(self.settings.broker)
        app.task(name=TASK)(self.do)
        threading.Thread(target=self._sweep, daemon=True, name="maquette-sweep").start()
        health = _health(self)
        arguments = ["worker", "--pool=solo", "--loglevel=WARNING", "--without-gossip", "--without-mingle"]
        try:
            with self.ears:
                app.worker_main([*arguments, "-Q", ",".join(self.settings.queues), "-n", f"{self.name}@%h"])
        finally:
            health.shutdown()
            self.ledger.close()
            if self.hook is not None:
                self.hook.close()
        return 0

    def do(self, key: str) -> None:
        """One delivery: claim, compute, store, say so. A delivery of what is done or under way ends at once."""
        job = self.board.job(key)
        if job is None or not self._room():
            if job is not None:
                self.board.later(job, 1.0)
            return
        attempt = self.board.claim(key, self.name)
        if not attempt:
            return
        self.current, over = job["name"], threading.Event()
        threading.Thread(target=self._keep, args=(key, over), daemon=True).start()
        try:
            if attempt > self.settings.retries + 1:  # also a job that kills its workers comes to an end
                words = f"its worker was lost in {attempt - 1} attempts"
                outcome: Outcome = Outcome(Failure("server", job.get("error") or words))
                self._bury(key, job, outcome)
            else:
                self._settle(key, job, self._compute(key, job), attempt)
        finally:
            over.set()
            self.current = ""

    def _room(self) -> bool:
        """False while the server is away or its GPU is fuller than the settings allow."""
        try:
            free, total = self.server.vram()
        except (ServerLostError, ServerFaultError) as error:
            self.last_error = str(error)
            return False
        return not total or 1 - free / total <= self.settings.full

    def _compute(self, key: str, job: dict[str, Any]) -> Outcome:
        store = Store(job["store"])
        pictures = self.folder / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        views = {}
        for view, name in job["views"].items():
            views[view] = pictures / Path(name).name
            if not views[view].exists():
                store.get(name, views[view])
        overrides = tuple(Override(*said) for said in job["overrides"])
        item = Item(job["name"], views, overrides, job.get("model_version", ""))
        settings = self.settings
        plan = Plan(
            checked(job["graph"], "the job's workflow"),
            self.folder / "out",
            timeout=settings.timeout,
            patience=settings.patience,
        )
        self.ledger.add([(key, item.name)])
        row = self.ledger.get(key)
        assert row is not None
        runner = Job(self.server, self.ears, self.ledger, plan, lambda: False)
        outcome = runner.run(item, dataclasses.replace(row, rung=int(job.get("rung", 0))))
        if outcome.failure is None:
            made = self.folder / "out" / str(outcome.outputs[0]["path"]).split("/")[0]
            name = store.put_folder(made, item.name)
            files = [{**out, "path": f"{name}/{str(out['path']).split('/', 1)[1]}"} for out in outcome.outputs]
            outcome = dataclasses.replace(outcome, outputs=files)
        return outcome

    def _settle(self, key: str, job: dict[str, Any], outcome: Outcome, attempt: int) -> None:
        if outcome.failure is None:
            result = {"state": "done", "name": job["name"], "outputs": outcome.outputs, "seconds": outcome.seconds}
            self.board.finish(key, {**result, "notes": list(outcome.notes), "server": self.server.url})
            self.ledger.done(key, outcome.outputs, outcome.seconds, time.time())
            self.done += 1
            if self.hook is not None:
                self.hook.send("done", {**result, "key": key})
            return
        self.last_error = outcome.failure.message
        if not outcome.lost:  # a prompt that failed is not to be found again; one whose server went away is
            self.ledger.failed(key, outcome.failure.kind, outcome.failure.message, 0.0, 0)
        if outcome.failure.final or attempt > self.settings.retries:
            self._bury(key, job, outcome)
            return
        rung = int(job.get("rung", 0)) + (outcome.failure.kind == "memory")
        self.board.later(
            {**job, "rung": rung, "error": outcome.failure.message},
            backoff_seconds(attempt, self.settings.backoff, 300),
        )
        self.board.release(key)

    def _bury(self, key: str, job: dict[str, Any], outcome: Outcome) -> None:
        assert outcome.failure is not None
        result = {"state": "dead", "name": job["name"], "failure": outcome.failure.kind}
        self.board.finish(key, {**result, "error": outcome.failure.message})
        if self.hook is not None:
            self.hook.send("dead", {**result, "key": key, "error": outcome.failure.message})

    def _keep(self, key: str, over: threading.Event) -> None:
        while not over.wait(LEASE_SECONDS / 4):
            self.board.renew(key)

    def _sweep(self) -> None:
        while True:
            time.sleep(LEASE_SECONDS / 4)
            for key in self.board.sweep():
                log.info("job %s is sent again", key)

    def health(self) -> dict[str, Any]:
        """What the health endpoint says."""
        free, total = 0, 0
        try:
            free, total = Server(self.settings.server).vram()  # sessions are not shared between threads
            up = True
        except (ServerLostError, ServerFaultError):
            up = False
        return {
            "worker": self.name,
            "server": self.server.url,
            "up": up,
            "vram_free": free,
            "vram_total": total,
            "current": self.current,
            "done": self.done,
            "waiting": self.board.lengths(list(self.settings.queues)),
            "last_error": self.last_error,
        }


def _health(worker: Worker) -> ThreadingHTTPServer:
    """``GET /`` on 127.0.0.1: 200 when the server is up, else 503; JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            facts = worker.health()
            body = json.dumps(facts).encode()
            self.send_response(200 if facts["up"] else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", worker.settings.health_port), Handler)
    threading.Thread(target=http.serve_forever, daemon=True, name="maquette-health").start()
    log.info("health of %s: http://127.0.0.1:%d/", worker.name, http.server_port)
    return http
