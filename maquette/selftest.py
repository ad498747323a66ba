"""Does this environment compute what it should? Small problems with known answers, run by the doctor.

Two of the mission's twelve bugs are environments that load and then fail or lie: a cuDNN that does not fit torch
(bug 4) and a package that replaces a library underneath and corrupts its maths (bug 5). Both show on a few numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

TOLERANCE = 2e-3
"""Relative; wide enough for TF32, far below any wrong answer."""


def check_device(device: str) -> list[str]:
    """What is wrong with the arithmetic on ``device``, in words; empty when every probe agrees with numpy."""
    return [trouble for name, probe in PROBES.items() if (trouble := _run(name, probe, device))]


def _run(name: str, probe: Callable[[torch.Tensor], float], device: str) -> str:
    import torch

    values = torch.linspace(-1, 1, 4 * 6 * 6, dtype=torch.float64).reshape(1, 4, 6, 6)
    try:
        got = probe(values.to(device, torch.float32))
    except RuntimeError as error:  # torch reports driver, cuDNN and kernel trouble as RuntimeError
        return f"{name} fails on {device}: {str(error).splitlines()[0]}"
    want = REFERENCES[name](values.numpy())
    if not np.isfinite(got) or abs(got - want) > TOLERANCE * max(1.0, abs(want)):
        return f"{name} on {device} gives {got:.5g} where {want:.5g} is right"
    return ""


def _matmul(x: torch.Tensor) -> float:
    a = x.reshape(12, 12)
    return float((a @ a.T).abs().sum())


def _conv(x: torch.Tensor) -> float:
    import torch

    kernel = torch.ones(2, 4, 3, 3, device=x.device)
    return float(torch.nn.functional.conv2d(x.abs(), kernel).sum())


def _lookup(x: torch.Tensor) -> float:
    import torch

    center = torch.zeros(1, 1, 1, 2, device=x.device)
    return float(torch.nn.functional.grid_sample(x + 2, center, align_corners=False).sum())


def _sort(x: torch.Tensor) -> float:
    values = x.flatten().flip(0).sort().values
    return float((values * values.cumsum(0)).sum())


def _numpy_conv(x: np.ndarray) -> float:
    windows = np.lib.stride_tricks.sliding_window_view(np.abs(x[0]), (3, 3), axis=(1, 2))
    return float(2 * windows.sum())


def _numpy_matmul(x: np.ndarray) -> float:
    a = x.reshape(12, 12)
    return float(np.abs(np.einsum("ij,kj->ik", a, a)).sum())


def _numpy_sort(x: np.ndarray) -> float:
    values = np.sort(x.ravel())
    return float((values * np.cumsum(values)).sum())


PROBES: dict[str, Callable[[torch.Tensor], float]] = {
    "matrix product": _matmul,
    "convolution": _conv,
    "grid look-up": _lookup,
    "sort and sum": _sort,
}
REFERENCES: dict[str, Callable[[np.ndarray], float]] = {
    "matrix product": _numpy_matmul,
    "convolution": _numpy_conv,
    "grid look-up": lambda x: float((x[0, :, 2:4, 2:4] + 2).mean(axis=(1, 2)).sum()),
    "sort and sum": _numpy_sort,
}
