"""The field as the walk sees it: lattice coordinates in, values out, in bounded batches, with a running account."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...errors import BadInputError
from ...progress import Progress

Field = Callable[[Tensor], Tensor]
"""World points [N, 3] float32 -> values [N], larger = inside; called with at most ``batch`` points."""


class Sampler:
    """Counts queries; keeps lowest, highest and NaN count on the device, so that no batch waits for the host."""

    def __init__(
        self,
        field: Field,
        lower: Sequence[float],
        upper: Sequence[float],
        shape: Sequence[int],
        device: torch.device,
        batch: int,
        progress: Progress,
    ) -> None:
        self.field, self.batch, self.progress = field, batch, progress
        self.lower = torch.tensor(list(lower), dtype=torch.float32, device=device)
        step = [(b - a) / (n - 1) for a, b, n in zip(lower, upper, shape, strict=True)]
        self.step = torch.tensor(step, dtype=torch.float32, device=device)
        self.queried = 0
        self.low = torch.full((), torch.inf, device=device)
        self.high = torch.full((), -torch.inf, device=device)
        self.bad = torch.zeros((), dtype=torch.int64, device=device)

    def world(self, coordinates: Tensor) -> Tensor:
        """Lattice coordinates [N, 3], also fractions -> world points [N, 3] float32."""
        return self.lower + coordinates.float() * self.step

    def __call__(self, coordinates: Tensor) -> Tensor:
        """Values [N] float32 at lattice coordinates [N, 3]."""
        out = torch.empty(len(coordinates), device=self.lower.device)
        for start in range(0, len(coordinates), self.batch):
            self.progress.check()
            part = coordinates[start : start + self.batch]
            out[start : start + len(part)] = self._values(part)
        return out

    def _values(self, coordinates: Tensor) -> Tensor:
        values = self.field(self.world(coordinates))
        if values.numel() != len(coordinates):
            raise BadInputError(
                f"the field must give one value a point: got {list(values.shape)} for {len(coordinates)} points"
            )
        values = values.reshape(-1).float()
        self.queried += len(values)
        self.low = torch.fmin(self.low, values.min())
        self.high = torch.fmax(self.high, values.max())
        self.bad += torch.isnan(values).sum()
        return values

    def check(self) -> None:
        """BadInputError when any value was NaN (one wait for the device)."""
        bad = int(self.bad)
        if bad:
            raise BadInputError(
                f"the field is NaN at {bad} of {self.queried} points; broken weights or a half-precision overflow"
            )
