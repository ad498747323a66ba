"""What kind of failure it was decides what happens next: try again, try smaller, or give up and say why."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from .workflow import Graph, title

Kind = Literal["input", "memory", "timeout", "server", "node", "gate", "interrupted", "output"]
_MEMORY_WORDS = (
    "outofmemory",
    "out of memory",
    "cuda error: out of memory",
    "allocation on device",
    "hip out of memory",
)
_INPUT_ERRORS = {
    "BadInputError",
    "BadImageError",
    "BadMaskError",
    "BadMeshError",
    "BadViewsError",
    "UnidentifiedImageError",
}
LADDER_INPUTS = {"resolution": 64, "octree_resolution": 64, "texture_size": 512, "texture": 512}
"""Inputs that are halved, rung by rung, after the GPU ran out of memory, and how low each may go."""


@dataclass(frozen=True)
class Failure:
    """kind: see ``Kind``; message: one line for people; final: never worth another try."""

    kind: Kind
    message: str
    node: str = ""

    @property
    def final(self) -> bool:
        """True when the same input would fail the same way."""
        return self.kind in ("input", "gate")


def from_history(entry: Mapping[str, Any], graph: Graph) -> Failure | None:
    """The failure that a ``/history`` record tells of, or None when the prompt succeeded."""
    status = entry.get("status") or {}
    messages = [m for m in status.get("messages") or [] if isinstance(m, (list, tuple)) and len(m) == 2]
    for kind, data in messages:
        if kind == "execution_interrupted":
            return Failure("interrupted", "the prompt was interrupted on the server")
        if kind == "execution_error" and isinstance(data, Mapping):
            return _of_exception(data, graph)
    if status.get("status_str") == "error":
        return Failure("node", "the server says 'error' and nothing more")
    return None


def _of_exception(data: Mapping[str, Any], graph: Graph) -> Failure:
    node = str(data.get("node_id") or "")
    name = title(graph[node]) if node in graph else str(data.get("node_type") or "?")
    text = " ".join(str(data.get("exception_message") or "").split())
    exception = str(data.get("exception_type") or "").rsplit(".", 1)[-1]
    message = f"{name}: {exception}: {text}"
    if any(word in f"{exception} {text}".lower() for word in _MEMORY_WORDS):
        return Failure("memory", message, node)
    if exception in _INPUT_ERRORS or str(data.get("node_type")) in ("LoadImage", "LoadImageMask"):
        return Failure("input", message, node)
    return Failure("node", message, node)


def backoff_seconds(attempt: int, base: float, ceiling: float, random_share: float | None = None) -> float:
    """Exponential back-off with full jitter in its upper half: base, 2 base, 4 base ... at most ``ceiling``."""
    share = random.random() if random_share is None else random_share
    whole = min(base * 2 ** max(attempt - 1, 0), ceiling)
    return whole * (0.5 + 0.5 * share)


def at_rung(graph: Graph, rung: int) -> tuple[Graph, list[str]]:
    """The graph with its costly inputs halved ``rung`` times, and what was changed, in words (for the record)."""
    if rung <= 0:
        return graph, []
    out, changes = copy.deepcopy(graph), []
    for node_id, node in out.items():
        for name, lowest in LADDER_INPUTS.items():
            value = node["inputs"].get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > lowest:
                node["inputs"][name] = max(value >> rung, lowest)
                changes.append(f"{title(node)} ({node_id}): {name} {value} -> {node['inputs'][name]}")
    return out, changes


def lowest_rung(graph: Graph) -> int:
    """How many rungs change anything: 0 when no input of the graph can be lowered."""
    rungs = 0
    while at_rung(graph, rungs + 1)[0] != at_rung(graph, rungs)[0]:
        rungs += 1
    return rungs
