"""Weights on a shelf in host memory: one flat tensor per part of the network, lent to a device and put back.

A part's weights travel in one copy; the linear layers that read the same input end up side by side, so that
``packing.joint_linear`` serves them with one product; and a part can be on the GPU only while it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ...errors import WeightsError
from .network import Network


class Shelf:
    """The weights of one part, in ``dtype`` in host memory; the part's parameters are views of it."""

    def __init__(self, part: nn.Module, prefix: str, take: Callable[[str], Tensor], dtype: torch.dtype) -> None:
        """take: gives a tensor by its full name and may forget it. WeightsError for values that are not finite."""
        self._part = part
        named = sorted(part.named_parameters(), key=lambda item: item[1].ndim == 1)  # weights first, then vectors
        self._slots: list[tuple[str, torch.Size, int]] = []
        size = 0
        for name, parameter in named:
            self._slots.append((name, parameter.shape, size))
            size += parameter.numel()
        self.flat = torch.empty(size, dtype=dtype)
        for name, shape, start in self._slots:
            self.flat[start : start + shape.numel()] = take(f"{prefix}.{name}" if prefix else name).reshape(-1)
        if not bool(torch.isfinite(self.flat).all()):
            raise WeightsError(
                f"the weights of '{prefix}' hold NaN or values beyond {dtype}; the file is broken: fetch it again"
            )
        self._point(self.flat)

    def _point(self, flat: Tensor) -> None:
        """Make the part's parameters views of ``flat``."""
        for name, shape, start in self._slots:
            owner, _, leaf = name.rpartition(".")
            view = flat[start : start + shape.numel()].view(shape)
            module = self._part.get_submodule(owner)
            module._parameters[leaf] = nn.Parameter(view, requires_grad=False)

    @contextmanager
    def lent(self, device: str | torch.device, dtype: torch.dtype) -> Iterator[None]:
        """Within the block the part's weights are on ``device`` in ``dtype``."""
        there = self.flat.to(device, dtype, non_blocking=True)
        if there is self.flat:
            yield
            return
        self._point(there)
        try:
            yield
        finally:
            self._point(self.flat)


class Shelves:
    """All parts of a network that a pass uses (the pooler is not among them, nor the decoder, which is tiny)."""

    def __init__(self, network: Network, take: Callable[[str], Tensor], dtype: torch.dtype) -> None:
        names = {id(module): name for name, module in network.named_modules()}
        self._of = {id(part): Shelf(part, names[id(part)], take, dtype) for part in network.parts()}
        self.dtype = dtype

    @property
    def size(self) -> int:
        """Bytes of all parts in host memory."""
        return sum(shelf.flat.nbytes for shelf in self._of.values())

    @property
    def largest(self) -> int:
        """Bytes of the largest part: what streaming holds at once."""
        return max(shelf.flat.nbytes for shelf in self._of.values())

    @contextmanager
    def all_lent(self, device: str | torch.device, dtype: torch.dtype) -> Iterator[None]:
        """Within the block every part is on ``device``."""
        with ExitStack() as stack:
            for shelf in self._of.values():
                stack.enter_context(shelf.lent(device, dtype))
            yield

    @contextmanager
    def one_lent(self, part: nn.Module, device: str | torch.device, dtype: torch.dtype) -> Iterator[None]:
        """Within the block one part is on ``device``."""
        with self._of[id(part)].lent(device, dtype):
            yield
