"""What is minimised: median depth, solid columns, colour of the far side; every picture counts the same."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from maquette.reconstruct._nano.network import Columns, bin_edges


def _per_picture(values: Tensor, where: Tensor, weight: Tensor) -> Tensor:
    """Mean over the pixels of ``where``, then over the pictures."""
    mean = (values * where).sum((1, 2)) / where.sum((1, 2)).clamp(min=1.0)
    return (mean * weight).sum() / weight.sum().clamp(min=1.0)


def _slopes(depth: Tensor, true: Tensor, where: Tensor, weight: Tensor) -> Tensor:
    """Error of depth differences between neighbours at three distances."""
    total = depth.new_zeros(())
    for step in (1, 2, 4):
        for axis in (1, 2):
            n = depth.shape[axis] - step
            a, b = depth.narrow(axis, step, n), depth.narrow(axis, 0, n)
            c, d = true.narrow(axis, step, n), true.narrow(axis, 0, n)
            both = where.narrow(axis, step, n) * where.narrow(axis, 0, n)
            total = total + _per_picture(((a - b) - (c - d)).abs().clamp(max=0.5), both, weight)
    return total / 6


def losses(c: Columns, depth: Tensor, solid: Tensor, valid: Tensor, back: Tensor, weight: Tensor) -> dict[str, Tensor]:
    """Each term, already weighted; their sum is minimised. Shapes as in batches.Batch."""
    where = valid.float()
    error = (c.depth - depth).abs()
    spread = c.log_error.clamp(-6, 2)
    edges = bin_edges().to(depth.device)
    width = edges[1:] - edges[:-1]
    share = (width.sqrt() / width.sqrt().sum())[:, None, None]
    target = solid.permute(0, 3, 1, 2).float() / 255.0
    cross = (F.binary_cross_entropy_with_logits(c.logits, target, reduction="none") * share).sum(1)
    full = torch.sigmoid(c.logits)
    volume = width[:, None, None] * where[:, None]
    both = (full * target * volume).sum((1, 2, 3))
    either = ((full + target - full * target) * volume).sum((1, 2, 3))
    overlap = 1 - both / either.clamp(min=1e-4)
    return {
        "depth": 2.0 * _per_picture(error, where, weight),
        "slope": 4.0 * _slopes(c.depth, depth, where, weight),
        "spread": 0.05 * _per_picture(error.detach() * (-spread).exp() + spread, where, weight),
        "cross": 2.0 * _per_picture(cross, where, weight),
        "overlap": 0.3 * (overlap * weight).sum() / weight.sum().clamp(min=1.0),
        "back": 0.5 * _per_picture((c.back - back).abs().mean(1), where, weight),
    }
