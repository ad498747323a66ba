"""The submitting side of a queue: ``batch_process.py --broker``. The ledger here stays the record of the run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .board import QUEUE, Board
from .items import Item, file_hash
from .ledger import Ledger
from .store import Store
from .workflow import Graph

STRAY_SECONDS = 10.0
"""Between two looks for jobs whose message was lost."""
Tell = Callable[[str, Mapping[str, Any]], None]


def queue_of(item: Item) -> str:
    """One queue per model version (with its VRAM class in the name, e.g. ``trellis2-24g``)."""
    return item.model_version or QUEUE


def run_remote(
    items: Sequence[Item],
    keys: Mapping[str, str],
    graph: Graph,
    ledger: Ledger,
    board: Board,
    store: Store,
    tell: Tell,
    stop: Callable[[], bool] = lambda: False,
    gate: str = "",
    pause: float = 0.5,
) -> None:
    """Submit every open item, note results until all are there or ``stop()``; what is submitted stays queued."""
    waiting = {}
    open_keys = ledger.open_keys()
    for item in items:
        key = keys[item.name]
        if key in open_keys:
            waiting[key] = item
            if board.submit({**_job(key, item, graph, store), "gate": gate}):
                tell("start", {"name": item.name, "key": key, "server": f"queue {queue_of(item)}", "attempt": 1})
    strays: set[str] = set()
    look = time.monotonic() + STRAY_SECONDS
    while waiting and not stop():
        results = board.results(waiting)
        for key, result in results.items():
            _note(key, waiting.pop(key), result, ledger, tell)
        if results:
            board.forget(results)
        board.sweep()
        if waiting and time.monotonic() > look:
            found = board.strays({queue_of(item) for item in waiting.values()}, waiting)
            for key in found & strays:  # seen twice: not just on its way from the queue to a worker
                board.resend(key)
            strays, look = found - strays, time.monotonic() + STRAY_SECONDS
        if waiting:
            time.sleep(pause)


def _job(key: str, item: Item, graph: Graph, store: Store) -> dict[str, Any]:
    views = {}
    for view, path in item.views.items():
        views[view] = f".inputs/{file_hash(path)}{path.suffix.lower()}"
        store.put(path, views[view])
    said = [[o.node, o.input, o.value] for o in item.overrides]
    facts = {"key": key, "name": item.name, "views": views, "graph": graph, "overrides": said, "store": store.url}
    return {**facts, "model_version": item.model_version, "queue": queue_of(item)}


def _note(key: str, item: Item, result: Mapping[str, Any], ledger: Ledger, tell: Tell) -> None:
    facts = {"name": item.name, "key": key, "server": result.get("server", ""), "notes": result.get("notes", [])}
    if result["state"] == "done":
        outputs = list(result["outputs"])
        ledger.done(key, outputs, float(result["seconds"]), time.time())
        ledger.replaced(key, str(outputs[0]["path"]).split("/")[0])
        tell("done", {**facts, "seconds": result["seconds"], "outputs": outputs})
    else:
        ledger.dead(key, result["failure"], result["error"], time.time())
        tell("dead", {**facts, "failure": result["failure"], "error": result["error"]})
