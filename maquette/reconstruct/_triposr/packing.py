"""Several linear layers of one input as one matrix product.

Their weights stay separate parameters under their own names; when they happen to lie one after another in memory (as
``shelf.Shelf`` lays them), one product serves them all.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def joint_linear(x: Tensor, layers: tuple[nn.Linear, ...]) -> tuple[Tensor, ...]:
    """``tuple(layer(x) for layer in layers)``; x: [..., in]."""
    weight = adjacent([layer.weight for layer in layers])
    if weight is None:
        return tuple(layer(x) for layer in layers)
    bias = None
    if layers[0].bias is not None:
        bias = adjacent([layer.bias for layer in layers])
        if bias is None:
            return tuple(layer(x) for layer in layers)
    return functional.linear(x, weight, bias).split([layer.out_features for layer in layers], dim=-1)


def adjacent(tensors: list[Tensor]) -> Tensor | None:
    """One view over tensors that follow one another in one storage (joined along axis 0), else None."""
    first, rows = tensors[0], 0
    storage = first.untyped_storage().data_ptr()
    expected = first.storage_offset()
    for tensor in tensors:
        same = tensor.untyped_storage().data_ptr() == storage and tensor.storage_offset() == expected
        if not same or not tensor.is_contiguous() or tensor.dtype != first.dtype:
            return None
        rows += tensor.shape[0]
        expected += tensor.numel()
    shape = (rows, *first.shape[1:])
    return torch.as_strided(first.detach(), shape, first.stride(), first.storage_offset())
