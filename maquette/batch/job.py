"""One item on one server, from upload to files in place. However it ends, ``run`` answers with an ``Outcome``.

The order of writes makes a crash at any instant harmless: the prompt id goes into the ledger before the prompt goes to
the server, files get their final name in one rename, and only then the ledger says ``done``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadInputError, GateError, MissingError
from ..log import log
from .client import CorruptFileError, FileGoneError, RefusedError, Server, ServerFaultError, ServerLostError
from .events import Listener
from .failures import Failure, at_rung, from_history
from .items import MARKER, Item, safe_file_name, safe_name
from .ledger import Ledger, Row
from .outputs import RemoteFile, collect, sheets
from .reading import Gate
from .workflow import Graph, Override, apply_overrides, assign_images, problems, title, unknown_inputs

_AWAY = 10.0
_FULL = {errno.ENOSPC, errno.EDQUOT}
_SHEET_CLASS = "MaquettePreviewMesh"
_LOSSES = 3
"""How often one run of a job sends a prompt that the server keeps forgetting."""


@dataclass(frozen=True)
class Plan:
    """What a run asks of every item."""

    graph: Graph
    output: Path
    overrides: tuple[Override, ...] = ()
    timeout: float = 1800.0
    poll: float = 1.0
    patience: float = 300.0
    """Seconds to wait for a server that was lost in the middle of a prompt."""
    gate: Gate | None = None
    lost: Callable[[str], None] | None = None
    """Called once with the server's address when it has been away for ``_AWAY`` seconds in the middle of a prompt."""


@dataclass(frozen=True)
class Outcome:
    """How it ended: ``failure`` is None when the files are in place; ``lost``: the server went and stayed away."""

    failure: Failure | None = None
    lost: bool = False
    outputs: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    notes: tuple[str, ...] = ()


class Stopped(Exception):  # noqa: N818 - the user's wish, not an error
    """The driver was told to leave at once. ``cancelled``: the server knows, nothing of the prompt will be left."""

    def __init__(self, cancelled: bool) -> None:
        super().__init__("stopped")
        self.cancelled = cancelled


class DiskFullError(MissingError):
    """No room for the results. What was computed waits on the server and is fetched by the next run."""


class Job:
    """Runs items on one server, one at a time."""

    def __init__(self, server: Server, ears: Listener, ledger: Ledger, plan: Plan, stop: Callable[[], bool]) -> None:
        self.server, self.ears, self.ledger, self.plan, self._stop = server, ears, ledger, plan, stop
        self._known: Mapping[str, Any] | None = None
        self.stage = ""

    @property
    def doing(self) -> str:
        """The stage in words; of a running prompt the node, and how far it is when it says so."""
        live = self.ears.live
        if self.stage != "running" or live.node not in self.plan.graph:
            return self.stage
        share = f" {live.value / live.maximum:.0%}" if live.maximum > 0 else ""
        return title(self.plan.graph[live.node]) + share

    def run(self, item: Item, row: Row) -> Outcome:
        """Do the item, or go on with the prompt that an earlier driver left on this server."""
        began = time.monotonic()
        try:
            graph, notes = at_rung(apply_overrides(self.plan.graph, (*self.plan.overrides, *item.overrides)), row.rung)
            entry = self._resume(row) or self._start(item, row, graph)
            failure = from_history(entry, graph)
            if failure is not None:
                return Outcome(failure, notes=tuple(notes))
            outputs = self._collect(item, row, entry)
            return Outcome(None, outputs=outputs, seconds=time.monotonic() - began, notes=tuple(notes))
        except GateError as error:
            return Outcome(Failure("gate", str(error)))
        except (RefusedError, BadInputError) as error:
            return Outcome(Failure("input", str(error)))
        except ServerLostError as error:
            return Outcome(Failure("server", str(error)), lost=True)
        except (ServerFaultError, CorruptFileError) as error:
            return Outcome(Failure("output" if isinstance(error, CorruptFileError) else "server", str(error)))
        except TimeoutError as error:
            return Outcome(Failure("timeout", str(error)))
        except OSError as error:
            if error.errno in _FULL:
                raise DiskFullError(
                    f"no space is left for '{self.plan.output}'; free some and run the same command again: finished"
                    " work is kept, and what the server has computed is fetched without computing it again"
                ) from error
            return Outcome(Failure("output", f"cannot write the results: {error.strerror or error}"))

    def _resume(self, row: Row) -> dict[str, Any] | None:
        """The record of a prompt that was submitted before, waited for if it still runs; None when it is lost."""
        if row.state != "submitted" or not row.prompt_id:
            return None
        self.stage = "looking for an earlier prompt"
        entry = self._await(row.prompt_id, time.monotonic() + self.plan.timeout)
        if entry is None:
            words = f"prompt {row.prompt_id} was lost by {row.server}; sent again"
            self.ledger.returned(row.key, words, counts=True)  # it may be what killed the server
        return entry

    def _start(self, item: Item, row: Row, graph: Graph) -> dict[str, Any]:
        """Upload, submit, wait. A prompt that the server forgets (it was restarted) is sent again, a few times."""
        self._check(graph, item)
        self.stage = "upload"
        names = {view: self._upload(row.key, view, path) for view, path in item.views.items()}
        ready = _own_prefix(assign_images(graph, names), item, row.key, row.attempts)
        deadline = time.monotonic() + self.plan.timeout
        trouble = f"{self.server.url} forgot the prompt {_LOSSES} times"
        for loss in range(_LOSSES):
            if self._stop():
                raise Stopped(cancelled=True)
            prompt_id = str(uuid.uuid4())
            self.ledger.submitting(row.key, self.server.url, prompt_id, time.time())
            self.stage = "queued"
            try:
                accepted = self.server.submit(ready, prompt_id)
            except (ServerLostError, ServerFaultError) as error:
                accepted, trouble = prompt_id, str(error)  # it may have arrived all the same: waiting finds out
            if accepted != prompt_id:
                self.ledger.accepted_as(row.key, accepted)
            entry = self._await(accepted, deadline)
            if entry is not None:
                return entry
            if loss < _LOSSES - 1:  # the last loss counts as an attempt: a picture may be what kills the server
                self.ledger.returned(row.key, f"prompt {accepted} was lost by {self.server.url}; sent again")
        raise ServerFaultError(trouble)

    def _upload(self, key: str, view: str, path: Path) -> str:
        """Named by the item's key, so that the same picture is never stored twice and no two items can mix."""
        try:
            return self.server.upload(path, f"{key[:16]}_{safe_name(view)}{path.suffix.lower()}")
        except OSError as error:
            raise BadInputError(f"the picture '{path}' cannot be read: {error.strerror or error}") from error

    def _check(self, graph: Graph, item: Item) -> None:
        if self._known is None:
            self._known = self.server.object_info()
        found = problems(graph, self._known)
        found += unknown_inputs(graph, (*self.plan.overrides, *item.overrides), self._known)
        if found:
            raise RefusedError("the workflow does not fit this server: " + "; ".join(found))

    def _await(self, prompt_id: str, deadline: float) -> dict[str, Any] | None:
        """The history record, or None when the server neither has nor knows the prompt.

        Raises TimeoutError past the deadline (the prompt is cancelled), ServerLostError when the server stays away for
        longer than the plan's patience, Stopped when the user does not want to wait.
        """
        away_since: float | None = None
        told = False
        pause = min(self.plan.poll, 0.05)
        while True:
            if self._stop():
                raise Stopped(self._cancel(prompt_id))
            try:
                entry = self.server.history(prompt_id)
                if entry is not None:
                    return entry
                running, pending = self.server.queued()
                if prompt_id not in running and prompt_id not in pending:
                    return self.server.history(prompt_id)  # it may have ended between the two looks
                self.stage, away_since, told = ("running" if prompt_id in running else "queued"), None, False
            except (ServerLostError, ServerFaultError):
                away_since = away_since or time.monotonic()
                self.stage, self._known = "waiting for the server", None
                away = time.monotonic() - away_since
                if away > min(_AWAY, self.plan.patience / 2) and not told and self.plan.lost is not None:
                    told = True
                    self.plan.lost(self.server.url)
                if away > self.plan.patience:
                    raise
            if time.monotonic() > deadline:
                self._cancel(prompt_id)
                raise TimeoutError(f"no result within {self.plan.timeout:.0f} s")
            self.ears.wait(pause)
            pause = min(pause * 2, self.plan.poll)

    def _cancel(self, prompt_id: str) -> bool:
        """True when the server took it."""
        with contextlib.suppress(ServerLostError, ServerFaultError):
            self.server.cancel(prompt_id)
            return True
        return False

    def _collect(self, item: Item, row: Row, entry: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Download all files of the prompt into a folder of its own, then give it its final name."""
        files = collect(entry.get("outputs") or {})
        if not files:
            raise BadInputError("the prompt succeeded but saved no file: end the workflow in a Save node")
        self.stage = "download"
        folder = self.plan.output / ".work" / f"{row.key[:8]}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        try:
            facts = self._fetch_all(files, folder)
            facts += self._sheet(entry, folder)
            if self.plan.gate is not None:
                self.plan.gate(folder)
            write_marker(folder, item, row.key, facts)
            target, replaced = put_in_place(folder, self.plan.output / item.name)
        except BaseException:  # Ctrl-C and Stopped too: a folder that is not whole goes; raised again
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if replaced:
            self.ledger.replaced(row.key, target.name)
        return [{**fact, "path": f"{target.name}/{fact['path']}"} for fact in facts]

    def _fetch_all(self, files: list[RemoteFile], folder: Path) -> list[dict[str, Any]]:
        facts = []
        for file, name in local_names(files).items():
            try:
                facts.append(self._download(file, name, folder))
            except FileGoneError:
                if file.sure:
                    raise
                log.debug("%s names '%s', which is no file of its output folder", file.node, file.filename)
        if not facts:
            raise BadInputError("the prompt succeeded but saved no file: end the workflow in a Save node")
        return facts

    def _sheet(self, entry: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
        """The turntable picture of a Preview Mesh node, for the result page; doing without it is no failure."""
        nodes = [node for node, spec in self.plan.graph.items() if spec["class_type"] == _SHEET_CLASS]
        found = sheets(entry.get("outputs") or {}, nodes)
        if not found or (folder / "turntable.png").exists():
            return []
        try:
            return [{"path": "turntable.png", **self.server.fetch(found[0], folder / "turntable.png")}]
        except (ServerLostError, ServerFaultError, CorruptFileError) as error:
            log.info("no turntable: %s", error)
            return []

    def _download(self, file: RemoteFile, name: str, folder: Path, tries: int = 3) -> dict[str, Any]:
        for attempt in range(tries):
            try:
                return {"path": name, **self.server.fetch(file, folder / name)}
            except (ServerLostError, ServerFaultError, CorruptFileError) as error:
                if attempt == tries - 1 or isinstance(error, FileGoneError):
                    raise
                time.sleep(0.2 * 2**attempt)
        raise AssertionError("unreachable")


def _own_prefix(graph: Graph, item: Item, key: str, attempt: int) -> Graph:
    """Every save node writes under a prefix of this item, so that neither files nor cached results of two items mix;
    a later attempt has another one, because a server answers a known graph from its cache, even if the file is gone."""
    again = f"_{attempt + 1}" if attempt else ""
    out = {node_id: {**node, "inputs": dict(node["inputs"])} for node_id, node in graph.items()}
    for node in out.values():
        prefix = node["inputs"].get("filename_prefix")
        if isinstance(prefix, str):
            head = prefix.rsplit("/", 1)[0] + "/" if "/" in prefix else ""
            ascii_name = item.name.encode("ascii", "ignore").decode().strip() or "item"
            node["inputs"]["filename_prefix"] = f"{head}{ascii_name[:60].replace('%', '_')}_{key[:8]}{again}"
    return out


def local_names(files: list[RemoteFile]) -> dict[RemoteFile, str]:
    """A safe, unique local file name for each remote file."""
    out: dict[RemoteFile, str] = {}
    taken = {MARKER}
    for file in files:
        path = Path(safe_file_name(file.filename))
        name, count = path.name, 1
        while name.lower() in taken:
            count += 1
            name = f"{path.stem}_{count}{path.suffix}"
        taken.add(name.lower())
        out[file] = name
    return out


def write_marker(folder: Path, item: Item, key: str, facts: list[dict[str, Any]]) -> None:
    """What the files were made from; it also marks the folder as the driver's own."""
    sources = {view: str(path) for view, path in item.views.items()}
    text = json.dumps({"name": item.name, "key": key, "sources": sources, "files": facts}, indent=2)
    (folder / MARKER).write_text(text + "\n", encoding="utf-8")


def put_in_place(folder: Path, target: Path) -> tuple[Path, bool]:
    """Rename a finished folder to its final name; (that name, whether an earlier result was replaced).

    Only a folder that the driver made is ever replaced. Anything else of that name is somebody's work and stays; the
    result then gets a number.
    """
    place, count = target, 1
    while place.is_symlink() or (place.exists() and not (place / MARKER).is_file()):
        count += 1
        place = target.with_name(f"{target.name}_{count}")
    replaced = place.exists()
    if replaced:
        old = folder.with_name(folder.name + ".old")
        place.rename(old)
        folder.rename(place)
        shutil.rmtree(old, ignore_errors=True)
    else:
        folder.rename(place)
    return place, replaced
