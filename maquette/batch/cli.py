"""The batch driver's command line.

Exit codes: 0 all done, 2 bad input, 3 something is missing (no server), 4 some items failed for good, 130 stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from ..errors import BadInputError, MaquetteError, MissingError
from ..log import log
from .client import Server, ServerFaultError, ServerLostError
from .display import Display
from .driver import Driver, Policy
from .items import Item, file_hash, read_items
from .job import Gate, Plan
from .journal import Journal, WebHook, line
from .ledger import Ledger
from .page import write_page
from .workflow import Override, apply_overrides, assign_images, load_workflow, problems, unknown_inputs

_DEFAULT_WORKFLOW = Path(__file__).resolve().parent.parent.parent / "workflows" / "api" / "single_image.json"
_DEFAULT_SERVER = "http://127.0.0.1:8188"


def parser() -> argparse.ArgumentParser:
    """The grammar."""
    p = argparse.ArgumentParser(prog="batch_process.py", description="Many pictures through ComfyUI, unattended.")
    p.add_argument("input", help="folder, glob, .zip, or a manifest (.csv, .jsonl)")
    p.add_argument("-o", "--output", type=Path, required=True, help="folder of the results, the ledger and the report")
    p.add_argument("--workflow", type=Path, default=_DEFAULT_WORKFLOW, help="workflow in API format")
    p.add_argument("--server", action="append", default=[], metavar="URL[=MODEL,..]", help="repeat for several servers")
    p.add_argument("--set", action="append", default=[], metavar="NODE.input=VALUE", dest="overrides")
    p.add_argument("--cooldown", type=float, default=15, help="longest pause after a job in seconds, 0 = off")
    p.add_argument("--hottest", type=float, default=83, help="wait while a local GPU is hotter than this (Celsius)")
    p.add_argument("--retries", type=int, default=3)
    p.add_argument("--timeout", type=float, default=1800, help="seconds a prompt may take")
    p.add_argument("--patience", type=float, default=300, help="seconds to wait for a server lost in the middle")
    p.add_argument(
        "--gate", default="", metavar="EXPR", help="refuse meshes unless, e.g. 'watertight and faces<=50000'"
    )
    p.add_argument("--restart-cmd", default="", help="command that restarts a lost server ({url} is replaced)")
    p.add_argument("--webhook", default="", help="address that gets each result; secret: MAQUETTE_WEBHOOK_SECRET")
    p.add_argument("--retry-failed", action="store_true", help="try what was given up before")
    p.add_argument("--broker", default="", metavar="URL", help="submit to workers (maquette worker) over redis://...")
    p.add_argument("--store", default="", metavar="URL", help="with --broker: where results go (default: the output)")
    p.add_argument("--watch", action="store_true", help="go on looking for new pictures until stopped")
    p.add_argument("--dry-run", action="store_true", help="check everything, queue nothing")
    p.add_argument("--json", action="store_true", help="print events as JSON lines")
    p.add_argument("-v", "--verbose", action="store_true")
    return p


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the batch."""
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    log.setLevel(
        logging.DEBUG if options.verbose else logging.WARNING
    )  # ours alone: urllib3 would log secret addresses
    try:
        return Run(options).go()
    except MaquetteError as error:
        sys.stderr.write(f"batch_process: {error}\n")
        return error.exit_code
    except (OSError, sqlite3.Error) as error:  # the ledger's last state is on the disk: nothing is lost
        sys.stderr.write(f"batch_process: {error}; put it right and run the same command again\n")
        return MissingError.exit_code


class Run:
    """One call of the command."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.output: Path = options.output
        self.overrides = tuple(Override.parse(text) for text in options.overrides)
        self.graph = apply_overrides(load_workflow(options.workflow), self.overrides)
        self.servers, self.models = _servers(options.server or [_DEFAULT_SERVER])
        self.skipped = 0
        self._doubles: set[str] = set()
        self._seen: set[str] = set()  # keys that were counted already, so that --watch does not count them twice
        self._keys: dict[str, str] = {}  # of all rounds: ledger key -> name
        self._hashes: dict[tuple[str, int, int], str] = {}  # --watch looks again and again at the same files
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

    def _work_remote(self, ledger: Ledger, items: list[Item]) -> int:
        from .board import Board
        from .remote import run_remote
        from .store import Store

        board, store = Board(self.options.broker), Store(self.options.store or str(self.output.resolve()))
        stopped: list[int] = []
        old = signal.signal(signal.SIGINT, lambda number, _frame: stopped.append(number))
        try:
            with Display(quiet=self.options.json) as self.display:
                items, keys = self._enter(ledger, items)
                left = len(set(keys.values()) & ledger.open_keys())
                self.display.total(len(self._keys), left, ledger.typical_seconds, list)
                run_remote(items, keys, self.graph, ledger, board, store, self._tell, lambda: bool(stopped))
                write_page(self.output, ledger)
        finally:
            signal.signal(signal.SIGINT, old)
        return self._close(ledger, bool(stopped))

    def _work(self, ledger: Ledger, items: list[Item]) -> int:
        if self.options.broker:
            return self._work_remote(ledger, items)
        policy = Policy(
            retries=self.options.retries,
            cooldown=self.options.cooldown,
            hottest=self.options.hottest,
            models=self.models,
            restart=_restarter(self.options.restart_cmd),
        )
        plan = Plan(
            self.graph,
            self.output,
            overrides=self.overrides,
            timeout=self.options.timeout,
            patience=self.options.patience,
            gate=_gate(self.options.gate),
            lost=policy.restart,
        )
        servers = [Server(url) for url in self.servers]
        with Display(quiet=self.options.json) as self.display:
            driver = Driver(servers, ledger, plan, policy, self._tell)
            with _signals(driver):
                while True:
                    items, keys = self._enter(ledger, items)
                    left = len(set(keys.values()) & ledger.open_keys())
                    self.display.total(len(self._keys), left, ledger.typical_seconds, lambda: driver.busy)
                    driver.run(items, keys)
                    write_page(self.output, ledger)
                    if not self.options.watch or driver.stopping:
                        break
                    self._pause(driver)
                    items = self._look_again()
        return self._close(ledger, driver.stopping)

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
        for key, item in fresh.items():
            row = ledger.get(key)
            if row is None or row.state != "done":
                continue
            if row.outputs and all(_is_whole(self.output / out["path"], out) for out in row.outputs):
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
        }
        self._tell("summary", facts)
        return 130 if stopped else 4 if states["dead"] else 0

    def _dry_run(self, items: list[Item]) -> int:
        """Check pictures, workflow and every server; nothing is queued and nothing is written."""
        troubles = []
        for item in items:
            try:
                graph = apply_overrides(self.graph, item.overrides)
                assign_images(graph, dict.fromkeys(item.views, "x.png"))
            except BadInputError as error:
                troubles.append(f"{item.name}: {error}")
        for url in self.servers:
            try:
                known = Server(url).object_info()
                found = problems(self.graph, known) + unknown_inputs(self.graph, self.overrides, known)
                troubles += [f"{url}: {text}" for text in found]
            except (ServerLostError, ServerFaultError) as error:
                troubles.append(str(error))
        for text in troubles:
            sys.stdout.write(text + "\n")
        sys.stdout.write(f"{len(items)} items, {len(troubles)} problems\n")
        return 2 if troubles else 0


def _is_whole(path: Path, out: Mapping[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == out.get("bytes", path.stat().st_size)


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


def _gate(expression: str) -> Gate | None:
    if not expression:
        return None
    from ..gate import gate
    from .reading import report_of

    def check(folder: Path) -> None:
        report = report_of(folder)
        if not report:
            raise BadInputError("--gate: the result holds no Maquette report; save it with 'Save 3D Asset'")
        gate(report, expression)

    return check


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
