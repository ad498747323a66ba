"""The network ready to be asked: on a GPU in half precision, kept from call to call, its launches recorded once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from ...memory import let_go_first
from .material import material
from .recorded import Recorded
from .weights import load_network

if TYPE_CHECKING:
    from torch import Tensor

    from .network import NanoNet, Shape

_kept: dict[str, Engine] = {}


class Engine:
    """The network in half precision on a device, float32 in and out, and its columns made pieces of material."""

    def __init__(self, network: NanoNet, device: str) -> None:
        self.shape: Shape = network.shape
        self.network = network.to(device, torch.float16).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.recorded = Recorded(self.network)
        self.material = Recorded(material)

    def __call__(self, pictures: Tensor) -> Tensor:
        """[B, 4, S, S] -> the raw head [B, 85, S/2, S/2]."""
        (raw,) = self.recorded(pictures.to(torch.float16, memory_format=torch.channels_last))
        return raw.float()


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
