"""Many items over many servers: who gets what and when, what happens after a failure, and when it is over.

The main thread decides and a thread per server works. At most one prompt is in flight per server. A free server that is
below 80 % of its GPU memory gets the next item, the least loaded first; a server that fails several times in a row is
set aside and looked at again later, less and less often.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from ..errors import MissingError
from ..log import log
from .client import Server, ServerFaultError, ServerLostError
from .cooldown import Rest, has_gpu, rest
from .events import Listener
from .failures import Failure, backoff_seconds, lowest_rung
from .items import Item, safe_name
from .job import DiskFullError, Job, Outcome, Plan, Stopped
from .ledger import LONGEST_WAIT, Ledger, Row

Tell = Callable[[str, Mapping[str, Any]], None]
"""Called from the main thread with an event name (start, done, skip, retry, dead, cooldown, aside, back) and facts."""


@dataclass(frozen=True)
class Policy:
    """How patient the driver is. retries: tries after the first; backoff in seconds; full: share of GPU memory in use
    above which a server gets nothing; aside_after: failures in a row before a server is set aside; models: server url
    -> model versions it serves (empty: all); patience: how long to wait for the first answer of any server;
    give_up_after: and later on, when there had been one."""

    retries: int = 3
    backoff: float = 5.0
    backoff_ceiling: float = 300.0
    cooldown: float = 15.0
    hottest: float = 83.0
    full: float = 0.8
    aside_after: int = 3
    probe_every: float = 10.0
    patience: float = 300.0
    give_up_after: float = 3600.0
    models: Mapping[str, frozenset[str]] = field(default_factory=dict)
    restart: Callable[[str], None] | None = None


@dataclass
class Slot:
    """A server and what the driver knows of it."""

    server: Server
    ears: Listener
    job: Job
    gpu: bool = False
    idle_free: int = 0
    share_used: float = 0.0
    failures: int = 0
    look_again: float = 0.0
    probes: int = 0
    item: Item | None = None
    rest: Rest | None = None
    owed: list[Row] = field(default_factory=list)
    """Prompts that this server may still have or have done: nobody else may send them."""
    crowded: float = 0.0


class Driver:
    """``Driver(...).run()`` until everything is done or given up, or the user stops it."""

    def __init__(
        self, servers: Sequence[Server], ledger: Ledger, plan: Plan, policy: Policy, tell: Tell = lambda *_: None
    ) -> None:
        self.ledger, self.plan, self.policy, self.tell = ledger, plan, policy, tell
        self.stopping = False
        self.leaving = False
        self._slots = [self._slot(server) for server in servers]
        self._lowest = lowest_rung(plan.graph)

    def _slot(self, server: Server) -> Slot:
        ears = Listener(server.socket_url, server.headers)
        return Slot(server, ears, Job(server, ears, self.ledger, self.plan, lambda: self.leaving))

    @property
    def busy(self) -> list[Slot]:
        """The servers that work, for display."""
        return [slot for slot in self._slots if slot.item is not None]

    def stop(self) -> None:
        """First call: finish what runs and start nothing new. Second call: interrupt what runs and leave."""
        self.leaving, self.stopping = self.stopping, True

    def run(self, items: Iterable[Item], keys: Mapping[str, str]) -> None:
        """Work through ``items``; ``keys`` maps an item's name to its ledger key."""
        by_key = {keys[item.name]: item for item in items}
        futures: dict[Future[tuple[Outcome, Rest | None]], tuple[Slot, Row]] = {}
        with ThreadPoolExecutor(len(self._slots), thread_name_prefix="maquette") as pool:
            for slot in self._slots:
                slot.ears.__enter__()
            try:
                self._recover(by_key)
                self._refuse_unserved(by_key)
                self._loop(by_key, pool, futures)
            finally:
                for slot in self._slots:
                    slot.ears.__exit__()

    def _recover(self, by_key: Mapping[str, Item]) -> None:
        """Prompts that an earlier driver left behind go back to the server they were sent to, the others start anew."""
        for row in list(self.ledger.rows("submitted")):
            if row.key not in by_key:
                continue
            slot = next((s for s in self._slots if s.server.url == row.server), None)
            if slot is None:
                self.ledger.returned(row.key, f"the server {row.server} is not in this run; sent again")
            elif all(owed.key != row.key for owed in slot.owed):
                slot.owed.append(row)

    def _refuse_unserved(self, by_key: Mapping[str, Item]) -> None:
        """An item whose model no server of this run has would wait for ever."""
        for row in list(self.ledger.rows("pending", "failed")):
            item = by_key.get(row.key)
            if item is None or any(self._serves(slot, item) for slot in self._slots):
                continue
            words = f"no server of this run serves the model '{item.model_version}'; name one with --server URL=MODEL"
            facts = {"name": item.name, "key": row.key, "server": "", "notes": [], "failure": "input", "error": words}
            self._bury(item, row, Failure("input", words), facts)

    def _loop(self, by_key: Mapping[str, Item], pool: ThreadPoolExecutor, futures: dict[Any, Any]) -> None:
        idle_since = time.monotonic()
        while True:
            started = False if self.stopping else self._dispatch(by_key, pool, futures)
            if futures:
                ended, _ = wait(futures, timeout=0.2, return_when=FIRST_COMPLETED)
                for future in ended:
                    slot, row = futures.pop(future)
                    self._ended(slot, row, future)
                idle_since = time.monotonic()
            elif started:
                continue
            elif self.stopping or not self._open(by_key):
                return
            else:
                self._nobody_home(time.monotonic() - idle_since)
                time.sleep(0.1)

    def _open(self, by_key: Mapping[str, Item]) -> bool:
        return not self.ledger.open_keys().isdisjoint(by_key)

    def _nobody_home(self, seconds: float) -> None:
        """Raise MissingError when no server has taken work for too long; sooner when none has ever answered."""
        never = all(slot.idle_free == 0 for slot in self._slots)
        limit = self.policy.patience if never else self.policy.give_up_after
        if seconds > limit and all(slot.look_again > 0 for slot in self._slots):
            urls = ", ".join(slot.server.url + (" (GPU memory full)" if slot.crowded else "") for slot in self._slots)
            raise MissingError(f"no server took work for {seconds:.0f} s: {urls}; start ComfyUI and run this again")

    def _dispatch(self, by_key: Mapping[str, Item], pool: ThreadPoolExecutor, futures: dict[Any, Any]) -> bool:
        idle = [slot for slot in self._slots if slot.item is None]
        taken = {row.key for _, row in futures.values()}  # the ledger hears of them only when they are sent
        taken |= {row.key for slot in self._slots for row in slot.owed}
        wanted = [slot for slot in idle if self._next(slot, by_key, taken) is not None]
        free = [slot for slot in wanted if self._fit(slot)]
        started = False
        for slot in sorted(free, key=lambda s: s.share_used):
            row = self._next(slot, by_key, taken)
            if row is None:
                continue
            slot.owed = [owed for owed in slot.owed if owed.key != row.key]
            taken.add(row.key)
            self._begin(slot, by_key[row.key], row, pool, futures)
            started = True
        return started

    def _next(self, slot: Slot, by_key: Mapping[str, Item], taken: set[str]) -> Row | None:
        """What this server owes, else the first ready row that it serves and nobody works on."""
        if slot.owed:
            return slot.owed[0]
        ready = (row for row in self.ledger.ready(time.time()) if row.key in by_key and row.key not in taken)
        return next((row for row in ready if self._serves(slot, by_key[row.key])), None)

    def _serves(self, slot: Slot, item: Item) -> bool:
        served = self.policy.models.get(slot.server.url)
        return not served or not item.model_version or item.model_version in served

    def _fit(self, slot: Slot) -> bool:
        """True when the server answers and has memory left; measured once per job, not once per look."""
        now = time.monotonic()
        if now < slot.look_again:
            return False
        try:
            if slot.idle_free == 0:
                slot.gpu = has_gpu(slot.server)
            known = slot.rest is not None and slot.rest.total and now - slot.rest.end < 1.0
            free, total = (slot.rest.free, slot.rest.total) if slot.rest and known else slot.server.vram()
        except (ServerLostError, ServerFaultError) as error:
            self._aside(slot, str(error))
            return False
        slot.share_used = 1 - free / total if total and slot.gpu else 0.0
        slot.idle_free = slot.idle_free or free
        if slot.share_used > self.policy.full and not slot.owed:
            self._crowded(slot, now)
            return False
        if slot.probes or slot.crowded:
            self.tell("back", {"server": slot.server.url})
        slot.look_again, slot.probes, slot.crowded = 0.0, 0, 0.0
        return True

    def _crowded(self, slot: Slot, now: float) -> None:
        """The GPU is full though nothing of ours runs: cached models go when asked to, other programs do not."""
        slot.look_again = now + 1.0
        if not slot.crowded:
            slot.crowded = now
            with contextlib.suppress(ServerLostError, ServerFaultError):
                slot.server.free()
        elif slot.crowded > 0 and now - slot.crowded > 5.0:
            slot.crowded = -1.0  # said once
            reason = f"its GPU memory is {slot.share_used:.0%} full with what is not ours; waiting for it"
            self.tell("aside", {"server": slot.server.url, "reason": reason})

    def _aside(self, slot: Slot, reason: str) -> None:
        """Leave a server alone for a while; the watchdog command may restart it."""
        slot.probes += 1
        new = slot.idle_free == 0
        ceiling = self.policy.probe_every * (1 if new else 6)
        slot.look_again = time.monotonic() + backoff_seconds(slot.probes, self.policy.probe_every / 4, ceiling)
        if slot.probes == 1:
            wish = f"; waiting up to {self.policy.patience:.0f} s: start ComfyUI, or correct --server" if new else ""
            self.tell("aside", {"server": slot.server.url, "reason": reason + wish})
            if self.policy.restart is not None:
                self.policy.restart(slot.server.url)

    def _begin(self, slot: Slot, item: Item, row: Row, pool: ThreadPoolExecutor, futures: dict[Any, Any]) -> None:
        slot.item = item
        self.tell("start", {"name": item.name, "key": row.key, "server": slot.server.url, "attempt": row.attempts + 1})
        futures[pool.submit(self._work, slot, item, row)] = (slot, row)

    def _work(self, slot: Slot, item: Item, row: Row) -> tuple[Outcome, Rest | None]:
        outcome = slot.job.run(item, row)
        if outcome.failure is None:
            self.ledger.done(row.key, outcome.outputs, outcome.seconds, time.time())
        if outcome.lost or not slot.gpu:
            return outcome, None
        policy = self.policy
        return outcome, rest(slot.server, slot.idle_free, policy.cooldown, policy.hottest, lambda: self.stopping)

    def _ended(self, slot: Slot, row: Row, future: Future[tuple[Outcome, Rest | None]]) -> None:
        item, slot.item = slot.item, None
        assert item is not None
        try:
            outcome, pause = future.result()
        except Stopped as stopped:
            if stopped.cancelled:  # else the prompt may still run there: the next run looks for it
                self.ledger.returned(row.key, "interrupted by the user")
            self.tell("interrupted", {"name": item.name, "key": row.key})
            return
        except DiskFullError:
            self.stopping = True  # the others finish what they can; the error reaches the user
            raise
        facts = {"name": item.name, "key": row.key, "server": slot.server.url, "notes": list(outcome.notes)}
        if outcome.failure is None:
            slot.failures = 0
            shutil.rmtree(self.plan.output / "dead_letter" / item.name, ignore_errors=True)
            self.tell("done", {**facts, "seconds": outcome.seconds, "outputs": outcome.outputs})
        else:
            self._failed(slot, item, row, outcome, facts)
        slot.rest = pause
        if pause is not None:
            self.tell("cooldown", {**facts, "line": pause.line(), "seconds": pause.seconds})

    def _failed(self, slot: Slot, item: Item, row: Row, outcome: Outcome, facts: dict[str, Any]) -> None:
        failure = outcome.failure
        assert failure is not None
        facts = {**facts, "failure": failure.kind, "error": failure.message}
        if outcome.lost:
            self._aside(slot, failure.message)
            if (self.ledger.get(row.key) or row).attempts > self.policy.retries:
                self._bury(item, row, failure, facts)  # it may be what kills the server
            else:
                self._lost(slot, row, failure)
                self.tell("retry", {**facts, "in": 0.0})
            return
        slot.failures = slot.failures + 1 if failure.kind in ("server", "timeout", "output") else 0
        if slot.failures >= self.policy.aside_after:
            slot.failures = 0
            self._aside(slot, failure.message)
        rung = min(row.rung + (failure.kind == "memory"), self._lowest)
        spent = (self.ledger.get(row.key) or row).attempts > self.policy.retries
        if failure.final or spent:
            self._bury(item, row, failure, facts)
            return
        ceiling = min(self.policy.backoff_ceiling, LONGEST_WAIT / 2)
        pause = backoff_seconds(row.attempts + 1, self.policy.backoff, ceiling)
        self.ledger.failed(row.key, failure.kind, failure.message, time.time() + pause, rung)
        self.tell("retry", {**facts, "in": pause, "rung": rung})

    def _lost(self, slot: Slot, row: Row, failure: Failure) -> None:
        """The server went and stayed away. A prompt that it got is looked for there when it comes back, unless another
        server can do the item: then nobody waits."""
        now = self.ledger.get(row.key) or row
        if now.state == "submitted" and len(self._slots) == 1:
            slot.owed.append(now)
        elif now.state == "submitted":
            self.ledger.returned(row.key, failure.message)

    def _bury(self, item: Item, row: Row, failure: Failure, facts: dict[str, Any]) -> None:
        """The dead letter: the pictures, the error and how to try again, in one folder."""
        folder = self.plan.output / "dead_letter" / item.name
        if folder.is_symlink():
            folder.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        for view, path in item.views.items():
            with contextlib.suppress(OSError):  # it may be the very reason
                shutil.copyfile(path, folder / f"{safe_name(view)}{path.suffix}")
        how = "run the same command again with --retry-failed"
        letter = {"name": item.name, "failure": failure.kind, "error": failure.message, "retry": how, **facts}
        (folder / "error.json").write_text(json.dumps(letter, indent=2), encoding="utf-8")
        self.ledger.dead(row.key, failure.kind, failure.message, time.time())
        log.info("%s given up: %s", item.name, failure.message)
        self.tell("dead", {**facts, "folder": str(folder)})
