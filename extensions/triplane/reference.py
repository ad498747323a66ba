"""The twin: triplane look-up and decoder in plain PyTorch, as the paper states them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

AXES = ((0, 1), (0, 2), (1, 2))
"""Coordinates that address each plane: the first runs along the plane's last axis, the second along its rows."""


def sample(
    planes: Tensor,  # [3, C, H, W]
    points: Tensor,  # [N, 3]; the volume is the cube [-1, 1]^3
) -> Tensor:
    """[N, 3 C]: bilinear at half-pixel centres, zero outside, planes one after another.

    Half-precision planes are read at float32 coordinates and answer in float32: half precision cannot even name the
    points of a 1024 lattice.
    """
    if planes.dtype in (torch.float16, torch.bfloat16):
        planes = planes.float()
    where = torch.stack([points[:, list(pair)] for pair in AXES])[:, None].to(planes.dtype)
    taken = functional.grid_sample(planes, where, mode="bilinear", padding_mode="zeros", align_corners=False)
    return taken[:, :, 0].permute(2, 0, 1).flatten(1)


def decode(
    features: Tensor,  # [N, 3 C]
    weights: Sequence[Tensor],  # each [out, in]
    biases: Sequence[Tensor],  # each [out]
) -> Tensor:
    """[N, 4] before activation: density, red, green, blue."""
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        features = functional.silu(functional.linear(features, weight, bias))
    return functional.linear(features, weights[-1], biases[-1])


def query(
    planes: Tensor,
    points: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    channels: int = 4,
) -> Tensor:
    """[N, channels] float32: the first ``channels`` outputs at every point; the decoder runs in the weights' type."""
    features = sample(planes, points).to(weights[0].dtype)
    return decode(features, [*weights[:-1], weights[-1][:channels]], [*biases[:-1], biases[-1][:channels]]).float()
