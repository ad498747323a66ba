"""The compiled marching cubes equals its PyTorch twin row by row, and the wrapper validates for both."""

from __future__ import annotations

import pytest
import torch
from compiled import compile_and_compare

from maquette.native import extension

family = extension("marching_cubes")
build = extension("build")

COMPARE = """
import torch
torch.manual_seed(0)
for shape in [(2, 2, 2), (2, 3, 64), (5, 7, 9), (9, 5, 65), (4, 5, 63), (6, 6, 130), (3, 40, 128), (24, 24, 24)]:
    for kind in ("noise", "sign", "level", "huge", "inside", "outside"):
        values = torch.randn(shape)
        if kind == "sign":
            values = values.sign()
        if kind == "level":
            values = (2 * values).round() / 2
        if kind == "huge":
            values = torch.where(values > 1, torch.inf, values * 1e38)
        if kind in ("inside", "outside"):
            values = values.abs() + 1 if kind == "inside" else -values.abs() - 1
        ours, twin = torch.ops.maquette.marching_cubes(values, 0.5), family.reference.marching_cubes(values, 0.5)
        assert torch.equal(ours[1], twin[1]), (shape, kind)
        assert torch.equal(ours[0], twin[0]), (shape, kind, (ours[0] - twin[0]).abs().max())
"""


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: identical vertices and faces."""
    compile_and_compare("marching_cubes", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
@pytest.mark.parametrize("shape", [(2, 2, 2), (5, 7, 9), (9, 5, 65), (6, 6, 130)])
def test_compiled_here_equals_twin(shape):
    """The library that lies in the tree, where there is one, gives the twin's rows."""
    values = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    ours, twin = torch.ops.maquette.marching_cubes(values, 0.2), family.reference.marching_cubes(values, 0.2)
    assert torch.equal(ours[0], twin[0]) and torch.equal(ours[1], twin[1])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu_twin():
    """On a GPU the wrapper (kernel or twin) gives the CPU's rows."""
    values = torch.randn((33, 40, 70), generator=torch.Generator().manual_seed(1))
    here, there = family.marching_cubes(values), family.marching_cubes(values.cuda())
    assert torch.equal(here[1], there[1].cpu())
    assert torch.allclose(here[0], there[0].cpu(), atol=1e-5)


def test_wrapper_uses_what_is_there(monkeypatch):
    """Switched to the twin, the wrapper gives the same mesh."""
    values = torch.randn((9, 9, 9), generator=torch.Generator().manual_seed(2))
    first = family.marching_cubes(values, 0.1)
    monkeypatch.setattr(family, "NATIVE", False)
    assert family.method() == "torch"
    second = family.marching_cubes(values, 0.1)
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])


def test_table_header_is_the_python_table():
    """The generated C header is what the table gives today."""
    table = extension("marching_cubes.table")
    assert (build.ROOT / "marching_cubes/csrc/table.h").read_text() == table.header()


def test_table_uses_every_crossed_edge_and_no_other():
    """Per case: the triangles touch exactly the crossed edges, and complementary cases have as many loops of
    vertices.
    """
    table = extension("marching_cubes.table")
    for case, triangles in enumerate(table.TRIANGLES):
        used = {edge for triangle in triangles for edge in triangle}
        crossed = {k for k, (low, high) in enumerate(table.EDGES) if (case >> low & 1) != (case >> high & 1)}
        assert used == crossed
        assert all(len(set(triangle)) == 3 for triangle in triangles)
