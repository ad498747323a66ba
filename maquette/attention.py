"""Scaled dot-product attention for every network of the pack: flash-attn where installed, torch's SDPA otherwise.

softmax(Q K^T / sqrt(d)) V (Vaswani et al. 2017, equation 1). Both ways compute the same function to rounding;
flash-attn takes half precision on CUDA only, so float32 always goes to SDPA.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from types import ModuleType

import torch
from torch import Tensor
from torch.nn import functional

from .errors import BadInputError

FLASH_IS_THERE = importlib.util.find_spec("flash_attn") is not None
"""Looked up once: the search costs more than a whole attention call."""


def attend(
    query: Tensor,  # [B, N, H, D]
    key: Tensor,  # [B, M, H, D]
    value: Tensor,  # [B, M, H, D]
) -> Tensor:
    """[B, N, H, D]: every query looks at all M keys of its own batch row."""
    flash = _flash(query)
    if flash is not None:
        return flash.flash_attn_func(query, key, value)
    q, k, v = (x.transpose(1, 2) for x in (query, key, value))
    return functional.scaled_dot_product_attention(q, k, v).transpose(1, 2)


def attend_packed(
    query: Tensor,  # [sum(query_lengths), H, D]
    key: Tensor,  # [sum(key_lengths), H, D]
    value: Tensor,  # [sum(key_lengths), H, D]
    query_lengths: Sequence[int],
    key_lengths: Sequence[int],
) -> Tensor:
    """[sum(query_lengths), H, D]: sequences of different lengths lie one after another; each sees only its own keys.

    A sequence without queries is skipped; BadInputError when one has queries but no keys, or lengths do not add up.
    """
    _check_lengths(query, key, query_lengths, key_lengths)
    flash = _flash(query)
    if flash is not None:
        return flash.flash_attn_varlen_func(
            query,
            key,
            value,
            _offsets(query_lengths, query.device),
            _offsets(key_lengths, query.device),
            max(query_lengths, default=0),
            max(key_lengths, default=0),
        )
    parts = zip(
        query.split(list(query_lengths)),
        key.split(list(key_lengths)),
        value.split(list(key_lengths)),
        strict=True,
    )
    done = [attend(q[None], k[None], v[None])[0] for q, k, v in parts if len(q)]
    return torch.cat(done) if done else query.new_zeros(query.shape)


def method(device: str | torch.device, dtype: torch.dtype = torch.float16) -> str:
    """Which implementation would run there: "flash-attn" or "torch SDPA" (for reports)."""
    return "flash-attn" if _suits(torch.device(device), dtype) else "torch SDPA"


def _suits(device: torch.device, dtype: torch.dtype) -> bool:
    return device.type == "cuda" and dtype in (torch.float16, torch.bfloat16) and FLASH_IS_THERE


def _flash(query: Tensor) -> ModuleType | None:
    """The flash_attn package when it takes this tensor."""
    if not _suits(query.device, query.dtype) or query.shape[-1] > 256:
        return None
    import flash_attn

    return flash_attn


def _offsets(lengths: Sequence[int], device: torch.device) -> Tensor:
    """[S + 1] int32 running starts."""
    return torch.tensor([0, *lengths], dtype=torch.int32).cumsum(0, dtype=torch.int32).to(device)


def _check_lengths(query: Tensor, key: Tensor, queries: Sequence[int], keys: Sequence[int]) -> None:
    if len(queries) != len(keys) or sum(queries) != len(query) or sum(keys) != len(key):
        raise BadInputError(
            f"the lengths do not fit: {len(queries)} query and {len(keys)} key sequences of {sum(queries)} and"
            f" {sum(keys)} tokens, but {len(query)} and {len(key)} tokens were given"
        )
    if any(n > 0 and m == 0 for n, m in zip(queries, keys, strict=True)):
        raise BadInputError("a sequence has queries but no keys to look at; leave it out")
