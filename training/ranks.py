"""Several GPUs of one machine train one network: each makes its own scenes, all step by the mean of their gradients.

Started by ``torchrun --standalone --nproc-per-node N -m training.train ...``; without torchrun there is one rank and
nothing is sent. On CPUs (a test) the messages go through gloo.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor


class Ranks:
    """Which of how many processes this one is, and what they say to each other."""

    def __init__(self) -> None:
        self.rank, self.count = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))

    @property
    def first(self) -> bool:
        """The rank that prints, validates and saves."""
        return self.rank == 0

    def device(self, wanted: str) -> str:
        """This rank's own device of that kind."""
        return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if wanted == "cuda" else wanted

    def join(self, device: str) -> None:
        """Meet the others. Only after worker processes are forked: a fork does not survive CUDA or NCCL."""
        if device.startswith("cuda"):
            torch.cuda.set_device(device)
        if self.count > 1:
            dist.init_process_group("cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo")

    def average(self, gradients: list[Tensor]) -> None:
        """Replace every gradient by the mean over the ranks, in one message."""
        if self.count == 1:
            return
        flat = torch.cat([g.flatten() for g in gradients])
        dist.all_reduce(flat)
        flat /= self.count
        torch._foreach_copy_(gradients, [f.view_as(g) for f, g in zip(_split(flat, gradients), gradients, strict=True)])

    def agree(self, value: float) -> float:
        """The first rank's ``value``: the schedule and the end must be the same step everywhere."""
        if self.count == 1:
            return value
        message = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(message, 0)
        return float(message)

    def align(self, tensors: Iterable[Tensor]) -> None:
        """Copy the first rank's weights: rounding that differs between devices must not add up."""
        if self.count > 1:
            for tensor in tensors:
                dist.broadcast(tensor, 0)

    def leave(self) -> None:
        """The others need not wait."""
        if self.count > 1:
            dist.destroy_process_group()


def _split(flat: Tensor, like: list[Tensor]) -> tuple[Tensor, ...]:
    return flat.split([g.numel() for g in like])
