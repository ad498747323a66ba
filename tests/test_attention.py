"""Attention against the definition, batched and packed, for any lengths; flash-attn is checked with a stand-in."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette import attention
from maquette.attention import attend, attend_packed, method
from maquette.errors import BadInputError


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(Q K^T / sqrt(d)) V in float64; [N, H, D]."""
    scores = torch.einsum("nhd,mhd->hnm", q.double(), k.double()) / q.shape[-1] ** 0.5
    return torch.einsum("hnm,mhd->nhd", scores.softmax(dim=-1), v.double())


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.sampled_from([1, 4, 16]))
def test_attend_is_softmax_attention(batch: int, queries: int, keys: int, heads: int, width: int) -> None:
    """Every row of the batch on its own."""
    q = random(batch, queries, heads, width)
    k, v = random(batch, keys, heads, width, seed=1), random(batch, keys, heads, width, seed=2)
    got = attend(q, k, v)
    for row in range(batch):
        torch.testing.assert_close(got[row].double(), plain(q[row], k[row], v[row]), atol=1e-5, rtol=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 7)), min_size=1, max_size=5))
def test_packed_sequences_do_not_see_each_other(lengths: list[tuple[int, int]]) -> None:
    """Variable lengths, empty query sequences included."""
    queries, keys = [a for a, _ in lengths], [b for _, b in lengths]
    q = random(sum(queries), 2, 8)
    k, v = random(sum(keys), 2, 8, seed=1), random(sum(keys), 2, 8, seed=2)
    got = attend_packed(q, k, v, queries, keys)
    assert got.shape == q.shape
    parts = zip(got.split(queries), q.split(queries), k.split(keys), v.split(keys), strict=True)
    for out, one_q, one_k, one_v in parts:
        torch.testing.assert_close(out.double(), plain(one_q, one_k, one_v), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("queries", "keys", "words"), [([3], [4], "do not fit"), ([4], [2, 2], "do not fit"), ([2, 2], [4, 0], "no keys")]
)
def test_lengths_that_do_not_add_up_are_refused(queries: list[int], keys: list[int], words: str) -> None:
    """Before anything is computed."""
    q = random(4, 1, 4)
    with pytest.raises(BadInputError, match=words):
        attend_packed(q, q, q, queries, keys)


def test_flash_attn_is_called_with_its_layout_and_offsets(monkeypatch: pytest.MonkeyPatch) -> None:
    """[B, N, H, D] as it is, and running starts as int32."""
    calls: list[Any] = []
    stand_in = types.ModuleType("flash_attn")
    stand_in.flash_attn_func = lambda *args: calls.append(args) or args[0]  # type: ignore[attr-defined]
    stand_in.flash_attn_varlen_func = lambda *args: calls.append(args) or args[0]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "flash_attn", stand_in)
    monkeypatch.setattr(attention, "_suits", lambda *_: True)
    q = random(1, 5, 2, 4)
    attend(q, q, q)
    assert calls[0][0].shape == (1, 5, 2, 4)
    attend_packed(q[0], q[0], q[0], [2, 3], [4, 1])
    _, _, _, starts_q, starts_k, longest_q, longest_k = calls[1]
    assert (starts_q.tolist(), starts_k.tolist()) == ([0, 2, 5], [0, 4, 5])
    assert (longest_q, longest_k, starts_q.dtype) == (3, 4, torch.int32)


def test_the_report_names_the_method() -> None:
    """float32 and the CPU always go to SDPA."""
    assert method("cpu") == "torch SDPA"
    assert method("cuda", torch.float32) == "torch SDPA"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_on_the_gpu(dtype: torch.dtype) -> None:
    """Within half's rounding of the definition, also packed."""
    q, k, v = (random(1, 300, 4, 64, seed=s).to("cuda", dtype) for s in range(3))
    want = plain(q[0], k[0], v[0])
    for got in (attend(q, k, v)[0], attend_packed(q[0], k[0], v[0], [300], [300])):
        assert float((got.double() - want).norm() / want.norm()) < 1e-2
