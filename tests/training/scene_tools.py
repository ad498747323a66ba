"""What several tests of scenes use."""

from __future__ import annotations

import torch

from training.scenes import layout as at


def points(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def plain_look() -> torch.Tensor:
    look = torch.zeros(at.LOOK)
    look[at.STRETCH], look[at.STRETCH_STEP] = 1.0, 1.0
    return look
