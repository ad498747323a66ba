"""The network ready to be asked: on a GPU in half precision, kept from call to call, its launches recorded once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import torch

from ...log import log
from ...memory import let_go_first
from .weights import load_network

if TYPE_CHECKING:
    from torch import Tensor

    from .network import NanoNet, Shape

WARM = 2
"""Runs before the launches are recorded, in which libraries choose their kernels."""

_kept: dict[str, Engine] = {}
_lock = threading.Lock()


class Engine:
    """The network in half precision on a CUDA device. Called as the network, float32 in and out.

    Its several hundred small launches take the host longer than the GPU, so they are recorded for each size of batch
    and replayed. Where recording fails, they are made one by one.
    """

    def __init__(self, network: NanoNet, device: str) -> None:
        self.shape: Shape = network.shape
        self.network = network.to(device, torch.float16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recorded: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        self.records = True

    def __call__(self, pictures: Tensor) -> Tensor:
        """[B, 4, S, S] -> the raw head [B, 85, S/2, S/2]."""
        with torch.inference_mode(), _lock:
            given = pictures.to(torch.float16, memory_format=torch.channels_last)
            if self.records and len(given) not in self.recorded:
                self._record(given)
            if len(given) not in self.recorded:
                return self.network(given).float()
            graph, source, answer = self.recorded[len(given)]
            source.copy_(given)
            graph.replay()
            return answer.float()

    def _record(self, given: Tensor) -> None:
        source = given.clone(memory_format=torch.preserve_format)
        try:
            graph, side = torch.cuda.CUDAGraph(), torch.cuda.Stream(given.device)
            side.wait_stream(torch.cuda.current_stream(given.device))
            with torch.cuda.stream(side):
                for _ in range(WARM):
                    self.network(source)
            torch.cuda.current_stream(given.device).wait_stream(side)
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                answer = self.network(source)
        except RuntimeError as error:
            log.info("the network's launches could not be recorded: %s", error)
            self.records = False
            return
        self.recorded[len(given)] = graph, source, answer


def engine(device: str) -> Engine | NanoNet:
    """The shipped network for ``device``: on a GPU made once and kept (about 50 MB and its working memory) until
    another model asks for the device (``memory.own``)."""
    if torch.device(device).type != "cuda":
        return load_network().to(device)
    if device not in _kept:
        _kept[device] = Engine(load_network(), device)
        let_go_first(forget)
    return _kept[device]


def forget() -> None:
    """Gives back what is kept on GPUs."""
    _kept.clear()
