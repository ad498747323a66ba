"""Launches on a GPU recorded once and replayed: hundreds of small ones take the host longer than the GPU."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from ...log import log

if TYPE_CHECKING:
    from torch import Tensor

WARM = 2
"""Runs before the launches are recorded, in which libraries choose their kernels."""
MOST = 8
"""Recordings kept of one function, each with its working memory; of further shapes the launches are made one by one."""

_lock = threading.Lock()


@dataclass(frozen=True)
class _Recording:
    graph: torch.cuda.CUDAGraph
    given: tuple[Tensor, ...]
    found: tuple[Tensor, ...]


class Recorded:
    """``work`` (tensors, then numbers) -> a tensor or a tuple of them, recorded for each shape of the tensors and each
    of the numbers. ``work`` must not make the host wait. Where recording fails, and on a CPU, it is called as it is.
    """

    def __init__(self, work: Callable[..., Any]) -> None:
        self.work = work
        self.records = True
        self.known: dict[tuple[Any, ...], _Recording] = {}

    def __call__(self, *given: Tensor, **numbers: float) -> tuple[Tensor, ...]:
        """What ``work`` answers; copies, which the next call leaves alone."""
        with torch.inference_mode():
            if not self.records or given[0].device.type != "cuda":
                return self._plainly(given, numbers)
            with _lock:
                key = (*((one.shape, one.dtype, one.device) for one in given), *sorted(numbers.items()))
                if key not in self.known and len(self.known) < MOST:
                    self._record(key, given, numbers)
                if key not in self.known:
                    return self._plainly(given, numbers)
                known = self.known[key]
                for place, one in zip(known.given, given, strict=True):
                    place.copy_(one)
                known.graph.replay()
                return tuple(one.clone() for one in known.found)

    def _plainly(self, given: tuple[Tensor, ...], numbers: dict[str, float]) -> tuple[Tensor, ...]:
        found = self.work(*given, **numbers)
        return found if isinstance(found, tuple) else (found,)

    def _record(self, key: tuple[Any, ...], given: tuple[Tensor, ...], numbers: dict[str, float]) -> None:
        device = given[0].device
        places = tuple(one.clone(memory_format=torch.preserve_format) for one in given)
        try:
            graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream(device)
            side.wait_stream(torch.cuda.current_stream(device))
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    self._plainly(places, numbers)
            torch.cuda.current_stream(device).wait_stream(side)
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                found = self._plainly(places, numbers)
        except RuntimeError as error:
            log.info("the launches could not be recorded: %s", error)
            self.records = False
            return
        self.known[key] = _Recording(graph, places, found)
