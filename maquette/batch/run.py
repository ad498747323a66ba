"""One run of the batch driver: read the input, note it in the ledger, have it done, report.

``Run`` joins the parts; who does the work is ``driver`` (servers of this run) or ``remote`` (workers of a queue).
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import BadInputError, MissingError
from ..log import log
from .client import Server, ServerFaultError, ServerLostError
from .display import Display
from .driver import Driver, Policy, Slot
from .items import Item, file_hash, read_items
from .job import Plan
from .journal import Journal, WebHook, line
from .ledger import Ledger
from .page import write_page
from .reading import gate_of
from .store import Store
from .workflow import Override, apply_overrides, assign_images, load_workflow, problems, unknown_inputs

if TYPE_CHECKING:
    from .board import Board

DEFAULT_SERVER = "http://127.0.0.1:8188"
_PAGE_SECONDS = 60.0
"""How old the page may be while a run goes on."""


class Run:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.output: Path = options.output
        self.overrides = tuple(Override.parse(text) for text in options.overrides)
        self.graph = apply_overrides(load_workflow(options.workflow), self.overrides)
        self.servers, self.models = _servers(options.server or [DEFAULT_SERVER])
        self.skipped = 0
        self._news, self._page_at = True, time.monotonic()
        self._doubles: set[str] = set()
        self._seen: set[str] = set()  # keys that were counted already, so that --watch does not count them twice
        self._keys: dict[str, str] = {}  # of all rounds: ledger key -> name
        self._hashes: dict[tuple[str, int, int], str] = {}  # --watch looks again and again at the same files
        self.gate = gate_of(options.gate)
        self.store = Store(options.store) if options.store else None
        self.hook = WebHook(options.webhook, os.environ.get("MAQUETTE_WEBHOOK_SECRET", "")) if options.webhook else None

    def go(self) -> int:
        """Read, check, work, report."""
        if self.options.dry_run:
            with tempfile.TemporaryDirectory() as folder:
                return self._dry_run(read_items(self.options.input, Path(folder), self.output))
        items = self._read()
        try:
            self.output.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInputError(f"cannot make '{self.output}': {error.strerror}; choose another output") from error
        with Ledger(self.output / "ledger.sqlite") as ledger:
            self._ledger = ledger
            shutil.rmtree(self.output / ".work", ignore_errors=True)
            if self.options.retry_failed:
                ledger.revive()
            self.journal = Journal(self.output / "events.jsonl")
            try:
                return self._work(ledger, items)
            finally:
                self.journal.close()
                if self.hook is not None:
                    self.hook.close()

    def _work(self, ledger: Ledger, items: list[Item]) -> int:
        with Display(quiet=self.options.json) as self.display:
            stopped = (self._work_remote if self.options.broker else self._work_here)(ledger, items)
        return self._close(ledger, stopped)

    def _work_remote(self, ledger: Ledger, items: list[Item]) -> bool:
        """Have the workers of a queue do it; True when the user stopped waiting."""
        from .board import BrokerError
        from .remote import Remote

        board = self._board()
        from redis import RedisError

        stopped: list[int] = []
        old = signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
        try:
            items, keys = self._enter(ledger, items)
            self._announce(ledger, keys, list)
            store, gate = self.store or Store(str(self.output.resolve())), self.options.gate
            ways = (self._tell, self._look, lambda: bool(stopped))
            Remote(self.graph, ledger, board, store, *ways, gate).run(items, keys)
        except (RedisError, BrokerError) as error:
            away = f"the queue's Redis went away ({type(error).__name__}) and did not come back"
            words = str(error) if isinstance(error, BrokerError) else away
            raise MissingError(f"{words}; nothing is lost: run the same command again") from error
        finally:
            signal.signal(signal.SIGINT, old)
            self._write_page(ledger)
        return bool(stopped)

    def _board(self) -> Board:
        from .board import Board

        return Board(self.options.board or self.options.broker, self.options.broker)

    def _work_here(self, ledger: Ledger, items: list[Item]) -> bool:
        """Drive the servers of this run; True when the user stopped it."""
        driver = self._driver(ledger)
        with _signals(driver):
            while True:
                items, keys = self._enter(ledger, items)
                self._announce(ledger, keys, lambda: driver.busy)
                try:
                    driver.run(items, keys)
                finally:
                    self._write_page(ledger)
                if not self.options.watch or driver.stopping:
                    return driver.stopping
                self._pause(driver)
                items = self._look_again()

    def _driver(self, ledger: Ledger) -> Driver:
        options = self.options
        restart = _restarter(options.restart_cmd)
        policy = Policy(
            retries=options.retries,
            cooldown=options.cooldown,
            hottest=options.hottest,
            models=self.models,
            restart=restart,
            patience=options.patience,
        )
        plan = Plan(
            self.graph,
            self.output,
            overrides=self.overrides,
            timeout=options.timeout,
            patience=options.patience,
            gate=self.gate,
            lost=restart,
        )
        return Driver([Server(url) for url in self.servers], ledger, plan, policy, self._tell)

    def _write_page(self, ledger: Ledger) -> None:
        if self._news:  # --watch comes by every two seconds
            write_page(self.output, ledger)
            self._news, self._page_at = False, time.monotonic()

    def _announce(self, ledger: Ledger, keys: Mapping[str, str], busy: Callable[[], Sequence[Slot]]) -> None:
        left = len(set(keys.values()) & ledger.open_keys())
        self.display.total(len(self._keys), left, ledger.typical_seconds, busy)

    def _read(self) -> list[Item]:
        return read_items(self.options.input, self.output / ".unpacked", self.output)

    def _enter(self, ledger: Ledger, items: list[Item]) -> tuple[list[Item], dict[str, str]]:
        """Note new items; say which are done already. A result that was deleted or cut short is made again; equal
        pictures are made once."""
        keys: dict[str, str] = {}
        fresh: dict[str, Item] = {}
        for item in items:
            key = item.key(self.graph, (), self._hash)
            if key in fresh:
                self._double(item, fresh[key], key)
            else:
                fresh[key], keys[item.name] = item, key
        self._keys |= {key: item.name for key, item in fresh.items()}
        ledger.add((key, item.name) for key, item in fresh.items())
        whole = self._look()
        for key, item in fresh.items():
            row = ledger.get(key)
            if row is None or row.state != "done":
                continue
            if whole(row.outputs):
                self._skip(item.name, key)
            else:
                ledger.returned(key, "its files are gone or not whole; made again")
        return list(fresh.values()), keys

    def _double(self, item: Item, first: Item, key: str) -> None:
        if item.name not in self._doubles:
            self._doubles.add(item.name)
            self._tell("double", {"name": item.name, "same_as": first.name, "key": key})

    def _hash(self, path: Path) -> str:
        """``file_hash`` that reads an unchanged file once; a file that cannot be read stands for its own name, and its
        job will say what is wrong with it."""
        try:
            facts = path.stat()
            place = (str(path), facts.st_size, facts.st_mtime_ns)
            if place not in self._hashes:
                self._hashes[place] = file_hash(path)
            return self._hashes[place]
        except OSError as error:
            return f"unreadable {path} {error.errno}"

    def _look(self) -> Callable[[Sequence[Mapping[str, Any]]], bool]:
        """Look at the store once; whether all of a result's files are there, and whole."""
        there = self.store.sizes() if self.store is not None and self.store.remote else None
        return lambda outputs: bool(outputs) and all(self._is_whole(out, there) for out in outputs)

    def _is_whole(self, out: Mapping[str, Any], there: Mapping[str, int] | None) -> bool:
        """``there``: bytes per file of a remote store; None looks in the store's or the output's folder."""
        path = Path(self.store.url if self.store is not None else self.output, out["path"])
        size = there.get(out["path"]) if there is not None else path.stat().st_size if path.is_file() else None
        return size is not None and size == out.get("bytes", size)

    def _skip(self, name: str, key: str) -> None:
        if key not in self._seen:
            self._seen.add(key)
            self.skipped += 1
            self._tell("skip", {"name": name, "key": key})

    def _look_again(self) -> list[Item]:
        """What is there now, without files that are still being written."""
        try:
            return [item for item in self._read() if all(_is_settled(path) for path in item.views.values())]
        except BadInputError:
            return []

    def _pause(self, driver: Driver, seconds: float = 2.0) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not driver.stopping:
            time.sleep(0.1)

    def _tell(self, event: str, facts: Mapping[str, Any]) -> None:
        self.journal.write(event, facts)
        self._news = True
        if event == "done" and time.monotonic() - self._page_at > _PAGE_SECONDS:
            self._write_page(self._ledger)
        if event == "done":
            self._seen.add(facts["key"])
        if self.options.json:
            sys.stdout.write(json.dumps({"event": event, **facts}, default=str) + "\n")
            sys.stdout.flush()
        else:
            self.display.say(event, line(event, facts))
        if self.hook is not None and event in ("done", "dead", "summary"):
            self.hook.send(event, facts)

    def _close(self, ledger: Ledger, stopped: bool) -> int:
        states = Counter(row.state for row in ledger.rows() if row.key in self._keys)
        facts = {
            "total": len(self._keys),
            "success": states["done"] - self.skipped,
            "skipped": self.skipped,
            "failed": states["dead"],
            "open": len(self._keys) - states["done"] - states["dead"],
        }
        self._tell("summary", facts)
        return 130 if stopped else 4 if states["dead"] else 0

    def _dry_run(self, items: list[Item]) -> int:
        """Check pictures, workflow and every server; nothing is queued and nothing is written. Ends with 3, as a
        run does, where nothing is wrong but that a server is away."""
        troubles, away = [], []
        for item in items:
            try:
                graph = apply_overrides(self.graph, item.overrides)
                assign_images(graph, dict.fromkeys(item.views, "x.png"))
            except BadInputError as error:
                troubles.append(f"{item.name}: {error}")
        if self.options.broker:
            self._board()
        for url in [] if self.options.broker else self.servers:
            try:
                known = Server(url).object_info()
                found = problems(self.graph, known) + unknown_inputs(self.graph, self.overrides, known)
                troubles += [f"{url}: {text}" for text in found]
            except ServerLostError as error:
                away.append(f"{error}; start ComfyUI there, or correct --server")
            except ServerFaultError as error:
                troubles.append(str(error))
        for text in (*troubles, *away):
            sys.stdout.write(text + "\n")
        sys.stdout.write(f"{_counted(len(items), 'item')}, {_counted(len(troubles) + len(away), 'problem')}\n")
        return 2 if troubles else MissingError.exit_code if away else 0


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _is_settled(path: Path, seconds: float = 1.0) -> bool:
    try:
        return time.time() - path.stat().st_mtime > seconds or path.stat().st_mtime > time.time()
    except OSError:
        return False


def _servers(texts: Sequence[str]) -> tuple[list[str], dict[str, frozenset[str]]]:
    """``URL`` or ``URL=model,model`` -> addresses, and the model versions each serves."""
    urls, models = [], {}
    shown_urls: set[str] = set()
    for text in texts:
        url, _, served = text.partition("=")
        shown = Server(url).url
        urls.append(url)
        shown_urls.add(shown)
        if served:
            models[shown] = frozenset(word.strip() for word in served.split(","))
    if len(shown_urls) != len(urls):
        raise BadInputError("the same server was given twice; one job at a time runs on each")
    return urls, models


def _restarter(command: str) -> Callable[[str], None] | None:
    if not command:
        return None

    def restart(url: str) -> None:
        words = [word.replace("{url}", url) for word in shlex.split(command)]
        log.warning("starting the watchdog command for %s", url)
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return restart


class _signals:  # noqa: N801 - used as a with-statement
    """Ctrl-C once finishes the running jobs, twice interrupts them on the server; SIGTERM is the second kind."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def __enter__(self) -> None:
        self._old = {name: signal.signal(name, self._take) for name in (signal.SIGINT, signal.SIGTERM)}

    def __exit__(self, *_: object) -> None:
        for name, handler in self._old.items():
            signal.signal(name, handler)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            self._driver.stop()
        self._driver.stop()
