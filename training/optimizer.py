"""Muon for matrices and convolutions, AdamW for the rest, in one small class.

Muon: momentum made orthogonal by a Newton-Schulz iteration (Jordan et al. 2024), with the update scaled to the size
AdamW's would have (Liu et al. 2025, "Muon is scalable for LLM training").
"""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn


def orthogonal(g: Tensor, steps: int = 5) -> Tensor:
    """[N, R, C] matrices -> their nearest (semi-)orthogonal ones, roughly."""
    x = g.bfloat16() if g.is_cuda else g
    wide = x.shape[1] <= x.shape[2]
    x = x if wide else x.mT
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
    return (x if wide else x.mT).to(g.dtype)


class Optimizer:
    """Steps all parameters of ``model``; ``lr`` is scaled by the caller's schedule."""

    def __init__(self, model: nn.Module, lr: float = 1e-3, decay: float = 0.05) -> None:
        self.lr, self.decay = lr, decay
        self.count = 0
        self.groups: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        self.others: list[nn.Parameter] = []
        for name, p in model.named_parameters():
            if p.ndim >= 2 and "place" not in name and "head" not in name and "stem" not in name:
                self.groups[(p.shape[0], p[0].numel())].append(p)
            else:
                self.others.append(p)
        self.momentum = {k: torch.zeros(len(ps), *k, device=ps[0].device) for k, ps in self.groups.items()}
        self.adam = torch.optim.AdamW(
            self.others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=self.others[0].is_cuda
        )

    @torch.no_grad()
    def step(self, scale: float) -> None:
        """One step at ``scale`` times the full learning rate."""
        self.count += 1
        lr = self.lr * scale
        for group in self.adam.param_groups:
            group["lr"] = lr
        self.adam.step()
        for shape, ps in self.groups.items():
            g = torch.stack([p.grad.reshape(shape) for p in ps])  # type: ignore[union-attr]
            m = self.momentum[shape]
            m.lerp_(g, 0.05)
            update = orthogonal(g.lerp(m, 0.95)) * (0.2 * max(shape) ** 0.5 * lr)
            for p, u in zip(ps, update, strict=True):
                p.mul_(1 - lr * self.decay).sub_(u.view_as(p))

    def state(self) -> dict[str, object]:
        """For exact resumption."""
        return {"momentum": self.momentum, "adam": self.adam.state_dict(), "count": self.count}

    def load(self, state: dict[str, object]) -> None:
        """The inverse of ``state``."""
        self.momentum = state["momentum"]  # type: ignore[assignment]
        self.adam.load_state_dict(state["adam"])  # type: ignore[arg-type]
        self.count = state["count"]  # type: ignore[assignment]
