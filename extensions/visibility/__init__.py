"""Is there anything along a ray? Compiled where it was built, the PyTorch twin otherwise; both give the same verdict.

The tree is built once (``build``) and asked as often as wanted (``blocked``). A ray that only touches a triangle, along
an edge or in a corner, meets it; a ray within the plane of a triangle does not, but meets what that triangle joins.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..build import load
from . import reference
from .tree import FAN, LEAF, Tree, build, morton

NATIVE = load("visibility")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""
_MARGIN = 2e-6
"""Boxes grow by this share of the largest coordinate: single precision must not lose a triangle."""

__all__ = ["FAN", "LEAF", "NATIVE", "Tree", "blocked", "build", "method", "morton", "reference"]


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "torch"."""
    key = "CUDA" if torch.device(device).type == "cuda" else "CPU"
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    fits = torch.device(device).type in ("cpu", "cuda")
    return "native" if NATIVE and fits and has_kernel("maquette::visibility", key) else "torch"


def blocked(
    tree: Tree,
    origins: Tensor,  # [N, 3] floating point
    ways: Tensor,  # [N, 3] floating point, any length
    *,
    near: float = 0.0,
    far: float = math.inf,
) -> Tensor:
    """[N] bool: does the ray meet a triangle at more than ``near`` and at most ``far`` from its origin?

    Distances in world units; a ray without direction meets nothing. ValueError for NaN and for shapes that do not fit.
    """
    if origins.ndim != 2 or origins.shape != ways.shape or origins.shape[1] != 3:
        raise ValueError(f"rays are two arrays [N, 3], got {list(origins.shape)} and {list(ways.shape)}")
    device = tree.corners.device
    origin, way = origins.to(device, torch.float64).contiguous(), ways.to(device, torch.float64)
    if not bool(torch.isfinite(origin).all() & torch.isfinite(way).all()):
        raise ValueError("rays hold NaN or infinite values; what made them is broken")
    if len(tree.corners) == 0 or len(origin) == 0:
        return torch.zeros(len(origin), dtype=torch.bool, device=device)
    rays = _scaled(origin, way, near, far)
    reach = tree.magnitude
    groups, starts = tree.packed(_MARGIN * (reach + float(origin.abs().max())))
    if method(device) == "native":
        answer: Tensor = torch.ops.maquette.visibility(
            groups, starts, tree.leaves, rays.origin, rays.way, rays.near, rays.far
        )
        return answer
    return reference.visibility(groups, starts, tree.leaves, rays, reach)


def _scaled(origin: Tensor, way: Tensor, near: float, far: float) -> reference.Rays:
    """The largest component of each way becomes 1 or -1, and the distances follow; without direction far < near."""
    longest = way.abs().amax(dim=1)
    still = longest == 0
    unit = way / longest.masked_fill(still, 1.0)[:, None]
    unit[still, 2] = 1.0
    # a step of 1 along ``unit`` is this many world units
    length = unit.norm(dim=1)
    ahead, behind = near / length, (far / length).masked_fill(still, -1.0)
    return reference.Rays(origin, unit.contiguous(), ahead.contiguous(), behind.contiguous())
