"""Density and colour of a triplane at points: one fused kernel on a GPU with Triton, the PyTorch twin anywhere else."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from . import reference

__all__ = ["Triplane", "prepare", "query", "reference"]


@dataclass(frozen=True)
class Triplane:
    """Planes and decoder, laid out for one method.

    planes: [3, C, H, W]; weights, biases: the decoder's linear layers, on the planes' device and in their type;
    folded: what the kernel reads, None = the twin computes; reason: why the kernel is off, empty when it is on.
    """

    planes: Tensor
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    folded: Any = None
    reason: str = ""

    @property
    def method(self) -> str:
        """For reports."""
        return "fused kernel" if self.folded is not None else "torch"


def prepare(
    planes: Tensor,  # [3, C, H, W] on the device and in the type of the computation
    weights: Sequence[Tensor],  # each [out, in]
    biases: Sequence[Tensor],  # each [out]
    *,
    kernel: bool = True,
) -> Triplane:
    """Get ready for many queries. The kernel is taken where it can run and the type is half; it is tried out here."""
    ready = Triplane(
        planes,
        tuple(w.to(planes.device, planes.dtype) for w in weights),
        tuple(b.to(planes.device, planes.dtype) for b in biases),
    )
    reason = "not asked for" if not kernel else _unsuitable(planes, weights)
    if reason:
        return Triplane(ready.planes, ready.weights, ready.biases, reason=reason)
    folded, reason = _try_kernel(planes, weights, biases)
    return Triplane(ready.planes, ready.weights, ready.biases, folded, reason)


def query(
    triplane: Triplane,
    points: Tensor,  # [N, 3] float32; the volume is the cube [-1, 1]^3
    channels: int = 4,
) -> Tensor:
    """[N, channels] float32 before activation: density, red, green, blue (the first ``channels`` of them)."""
    if triplane.folded is None:
        return reference.query(triplane.planes, points, triplane.weights, triplane.biases, channels)
    from . import kernel as fused

    return fused.query(triplane.folded, points.float().contiguous(), channels)


def _unsuitable(planes: Tensor, weights: Sequence[Tensor]) -> str:
    width = weights[0].shape[0]
    if planes.device.type != "cuda":
        return f"no kernel for {planes.device.type}"
    if planes.dtype not in (torch.float16, torch.bfloat16):
        return f"the kernel computes in half precision, not in {planes.dtype}"
    if width < 16 or width & (width - 1):
        return f"the decoder's width {width} is no power of two from 16 on"
    if importlib.util.find_spec("triton") is None:
        return "Triton is not installed"
    return ""


def _try_kernel(planes: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> tuple[Any, str]:
    """What the kernel reads, after one launch; or None and the reason (no C compiler, an odd driver ...)."""
    try:
        from . import kernel as fused
    except (ImportError, RuntimeError, OSError) as error:
        return None, f"Triton does not load: {_first_line(error)}"
    try:
        folded = fused.fold(planes, weights, biases, planes.dtype)
        fused.query(folded, torch.zeros((1, 3), device=planes.device), 1)
    except torch.cuda.OutOfMemoryError:
        raise
    except (RuntimeError, OSError, subprocess.SubprocessError, fused.TritonError) as error:
        return None, f"Triton could not build the kernel: {_first_line(error)}"
    return folded, ""


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:200]}"
