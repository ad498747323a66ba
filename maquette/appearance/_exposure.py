"""Exposure match: pictures of one object that are brighter or warmer than each other, brought to their common mean."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .color import to_linear, to_srgb

_LEAST = 40
"""Points that two views must both see well before they are compared."""
_MOST = 0.35
"""Largest change, as a natural logarithm (about 1.4 times): beyond that the views disagree for another reason."""
_PULL = 0.05
"""Weight that holds the gains of all views near 1."""
_USABLE = (0.02, 0.9)
"""Linear values outside are too dark or too near clipping to compare."""


def gains(colors: Sequence[Tensor], sure: Sequence[Tensor]) -> Tensor:
    """Factors [n, 3] in linear light for n views, from what each sees (sRGB [V, 3]) and how well [V] at common points.

    Medians of the logarithmic ratios of every pair, less their spread (where the geometry is wrong the views show
    different things at one point, which is no matter of exposure), then least squares: 1 where nothing overlaps.
    """
    count = len(colors)
    matrix, right = _PULL * torch.eye(count), torch.zeros((count, 3))
    linear = [to_linear(color.cpu().float()) for color in colors]
    for i in range(count):
        for j in range(i + 1, count):
            both = (sure[i].cpu() > 0.5) & (sure[j].cpu() > 0.5)
            for part in (linear[i], linear[j]):
                both &= ((part > _USABLE[0]) & (part < _USABLE[1])).all(dim=1)
            if int(both.sum()) < _LEAST:
                continue
            ratios = linear[i][both].log() - linear[j][both].log()
            middle = ratios.median(dim=0).values
            spread = (ratios - middle).abs().median(dim=0).values
            apart = middle.sign() * (middle.abs() - spread).clamp(min=0)
            matrix[i, i] += 1
            matrix[j, j] += 1
            matrix[i, j] -= 1
            matrix[j, i] -= 1
            right[i] -= apart
            right[j] += apart
    return torch.linalg.solve(matrix, right).clamp(-_MOST, _MOST).exp()


def exposed(rgb: Tensor, gain: Tensor) -> Tensor:
    """sRGB picture [H, W, 3] times ``gain`` [3] in linear light."""
    return to_srgb(to_linear(rgb) * gain.to(rgb))
