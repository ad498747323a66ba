"""The submitting side of a queue: ``batch_process.py --broker``. The ledger here stays the record of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .board import QUEUE, Board, board_key
from .items import Item, file_hash
from .ledger import Ledger
from .store import Store
from .workflow import Graph

STRAY_SECONDS = 10.0
"""Between two looks for jobs whose message was lost."""
Tell = Callable[[str, Mapping[str, Any]], None]
Whole = Callable[[Sequence[Mapping[str, Any]]], bool]


def queue_of(item: Item) -> str:
    """One queue per model version (with its VRAM class in the name, e.g. ``trellis2-24g``)."""
    return item.model_version or QUEUE


@dataclass
class Remote:
    """Has the workers of a queue do the open items of a ledger. ``look()`` looks at the store once and says of a
    result's files whether all are there; ``stop()``: the user does not want to wait any longer."""

    graph: Graph
    ledger: Ledger
    board: Board
    store: Store
    tell: Tell
    look: Callable[[], Whole]
    stop: Callable[[], bool] = lambda: False
    gate: str = ""
    pause: float = 0.5
    _waiting: dict[str, tuple[str, Item]] = field(default_factory=dict)  # board key -> ledger key, item

    def run(self, items: Sequence[Item], keys: Mapping[str, str]) -> None:
        """Submit every open item, note results until all are there or ``stop()``; what is submitted stays queued."""
        open_keys = self.ledger.open_keys()
        found = [(keys[item.name], item) for item in items if keys[item.name] in open_keys]
        wanted = {board_key(key, self.store.url, self.gate): (key, item) for key, item in found}
        self._distrust(wanted)
        for place, (key, item) in wanted.items():
            if self.stop():
                return
            self._submit(place, key, item)
        self._wait()

    def _distrust(self, wanted: Mapping[str, object]) -> None:
        """Forget results of an earlier run whose files are not there any more."""
        old = {place: r for place, r in self.board.results(wanted).items() if r["state"] == "done"}
        whole = self.look() if old else None
        gone = [place for place, result in old.items() if whole is not None and not whole(result["outputs"])]
        if gone:
            self.board.forget(gone)

    def _submit(self, place: str, key: str, item: Item) -> None:
        try:
            views = {view: f".inputs/{file_hash(path)}{path.suffix.lower()}" for view, path in item.views.items()}
        except OSError as error:
            words = f"the picture '{error.filename}' cannot be read: {error.strerror or error}"
            self._note(key, item, {"state": "dead", "failure": "input", "error": words})
            return
        for view, path in item.views.items():
            self.store.put(path, views[view])
        self._waiting[place] = (key, item)
        if self.board.submit(self._job(place, key, item, views)):
            self.tell("start", {"name": item.name, "key": key, "server": f"queue {queue_of(item)}", "attempt": 1})

    def _job(self, place: str, key: str, item: Item, views: Mapping[str, str]) -> dict[str, Any]:
        said = [[o.node, o.input, o.value] for o in item.overrides]
        facts = {"key": place, "item": key, "name": item.name, "views": views, "graph": self.graph, "overrides": said}
        facts |= {"store": self.store.url, "gate": self.gate}
        return {**facts, "model_version": item.model_version, "queue": queue_of(item)}

    def _wait(self) -> None:
        strays: set[str] = set()
        look = time.monotonic() + STRAY_SECONDS
        while self._waiting and not self.stop():
            results = self.board.results(self._waiting)
            for place, result in results.items():
                self._note(*self._waiting.pop(place), result)
            if results:
                self.board.forget(results)
            self.board.sweep()
            if self._waiting and time.monotonic() > look:
                strays, look = self._find_lost(strays), time.monotonic() + STRAY_SECONDS
            if self._waiting:
                time.sleep(self.pause)

    def _find_lost(self, before: set[str]) -> set[str]:
        """Send again what was found without a message now and ``before``; what was found now."""
        for place in self.board.gone(self._waiting):
            self._submit(place, *self._waiting.pop(place))
        found = self.board.strays({queue_of(item) for _, item in self._waiting.values()}, self._waiting)
        for place in found & before:  # seen twice: not just on its way from the queue to a worker
            self.board.resend(place)
        return found - before

    def _note(self, key: str, item: Item, result: Mapping[str, Any]) -> None:
        facts = {"name": item.name, "key": key, "server": result.get("server", ""), "notes": result.get("notes", [])}
        if result["state"] == "done":
            outputs = list(result["outputs"])
            self.ledger.done(key, outputs, float(result["seconds"]), time.time())
            self.ledger.replaced(key, str(outputs[0]["path"]).split("/")[0])
            self.tell("done", {**facts, "seconds": result["seconds"], "outputs": outputs})
        else:
            self.ledger.dead(key, result["failure"], result["error"], time.time())
            self.tell("dead", {**facts, "failure": result["failure"], "error": result["error"]})
