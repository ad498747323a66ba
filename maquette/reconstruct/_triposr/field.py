"""The scene as functions of space: density and colour, read from the triplanes in blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...native import extension
from .config import Config
from .network import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable


class SceneField:
    """Density and colour of one picture's triplanes, in the model frame (cube of half side ``radius``).

    block: points evaluated at once; that, and nothing else, sets the memory of a query.
    """

    def __init__(
        self,
        codes: Tensor,  # [3, P, H, W] on the device and in the type of the computation
        decoder: Decoder,
        config: Config,
        *,
        block: int = 1 << 18,
        kernel: bool = True,
    ) -> None:
        self._family = extension("triplane")
        weights = [layer.weight.detach() for layer in decoder.linears]
        biases = [layer.bias.detach() for layer in decoder.linears]
        self._ready = self._family.prepare(codes, weights, biases, kernel=kernel)
        self._radius, self._bias, self.block = config.radius, config.density_bias, block

    @property
    def method(self) -> str:
        """How points are evaluated: "fused kernel" or "torch"."""
        return str(self._ready.method)

    @property
    def why_no_kernel(self) -> str:
        """Empty when the kernel runs."""
        return str(self._ready.reason)

    @property
    def device(self) -> torch.device:
        """Where points are evaluated."""
        device: torch.device = self._ready.planes.device
        return device

    def raw(self, points: Tensor) -> Tensor:
        """[N] log density: ``density = exp(raw)``; points: [N, 3] float32."""
        return self._blocks(points, 1, lambda out: out[:, 0] + self._bias)

    def density(self, points: Tensor) -> Tensor:
        """[N] density, never negative; the published threshold of the surface is 25."""
        return torch.exp(self.raw(points))

    def color(self, points: Tensor) -> Tensor:
        """[N, 3] sRGB in [0, 1]."""
        return self._blocks(points, 4, lambda out: torch.sigmoid(out[:, 1:]))

    def both(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Log density [N] and sRGB colour [N, 3] from one look-up."""
        out = self._blocks(points, 4, lambda out: out)
        return out[:, 0] + self._bias, torch.sigmoid(out[:, 1:])

    def _blocks(self, points: Tensor, channels: int, finish: Callable[[Tensor], Tensor]) -> Tensor:
        """``finish`` of the decoder's output at all points; one block's temporaries live at a time."""
        if len(points) <= self.block:
            return finish(self._query(points, channels))
        return torch.cat([finish(self._query(part, channels)) for part in points.split(self.block)])

    def _query(self, points: Tensor, channels: int) -> Tensor:
        out: Tensor = self._family.query(self._ready, points / self._radius, channels)
        return out
