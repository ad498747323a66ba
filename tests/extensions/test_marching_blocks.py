"""Sparse blocks: the compiled kernel equals the twin, and both the dense volume row by row where blocks cover it."""

from __future__ import annotations

import pytest
import torch
from compiled import compile_and_compare

from maquette.native import extension

family = extension("marching_cubes")

COMPARE = "from test_marching_blocks import compare_all\ncompare_all(family)"


def cut(values: torch.Tensor, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """All blocks of a dense volume [B, n, n, n] and their places, in random order; NaN beyond the volume."""
    grid = [-(-side // n) for side in values.shape]
    padded = torch.full([side * n for side in grid], torch.nan)
    padded[tuple(slice(side) for side in values.shape)] = values
    cells = padded.view(grid[0], n, grid[1], n, grid[2], n).permute(0, 2, 4, 1, 3, 5).reshape(-1, n, n, n)
    place = torch.cartesian_prod(*(torch.arange(side) for side in grid)).view(-1, 3)
    order = torch.randperm(len(cells), generator=torch.Generator().manual_seed(seed))
    return cells[order], place[order]


def near(values: torch.Tensor, level: float, n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Only the blocks that hold a corner of a cell with both sides."""
    inside = (values > level).float()[None, None]
    high, low = (torch.nn.functional.max_pool3d(sign * inside, 2, 1) for sign in (1, -1))
    crossed = ((high > 0) & (low > -1)).float()
    touched = torch.nn.functional.max_pool3d(torch.nn.functional.pad(crossed, (1,) * 6), 2, 1)[0, 0] > 0
    blocks, place = cut(values, n, seed)
    busy = cut(touched.float().masked_fill(~touched, torch.nan), n, seed)[0].nan_to_num(0).flatten(1).any(dim=1)
    return blocks[busy], place[busy]


def field(seed: int, shape: tuple[int, int, int]) -> torch.Tensor:
    """Noise, noise with values at the level, infinities, or smooth blobs that leave most blocks empty."""
    rng = torch.Generator().manual_seed(seed)
    values = torch.randn(shape, generator=rng)
    if seed % 4 == 1:
        return (2 * values).round() / 2
    if seed % 4 == 2:
        return torch.where(values > 1, torch.inf, values * 1e38)
    if seed % 4 == 3:
        line = [torch.linspace(-1, 1, side) for side in shape]
        points = torch.stack(torch.meshgrid(*line, indexing="ij"), dim=-1)
        middle = torch.rand(3, 3, generator=rng) - 0.5
        return torch.stack([0.3 - (points - at).norm(dim=-1) for at in middle]).amax(dim=0)
    return values


def compare_all(module, seeds=range(24)) -> None:
    """Kernel, twin and dense volume: the same rows, all blocks and only those near the surface."""
    for seed in seeds:
        shape = [(8, 8, 8), (9, 17, 33), (5, 2, 70), (32, 16, 24), (23, 40, 18)][seed % 5]
        n, level = [2, 3, 8, 16, 32][seed // 2 % 5], 0.5 if seed % 4 == 1 else 0.1
        values = field(seed, shape)
        dense = module.reference.marching_cubes(values, level)
        for parts, place in (cut(values, n, seed), near(values, level, n, seed)):
            assert module.method() == "native"
            ours = module.marching_cubes_blocks(parts, place, level, shape=shape)
            native, module.NATIVE = module.NATIVE, False
            twin = module.marching_cubes_blocks(parts, place, level, shape=shape)
            module.NATIVE = native
            for name, one, two, three in zip(("vertices", "faces"), ours, twin, dense, strict=True):
                assert torch.equal(one, two), (seed, name)
                assert torch.equal(one, three), (seed, name)


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: identical bits."""
    compile_and_compare("marching_cubes", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
def test_compiled_here_equals_twin():
    """The library that lies in the tree, where there is one, gives the twin's rows."""
    compare_all(family, range(24, 36))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu():
    """On a GPU the wrapper (kernel or twin) gives the CPU's faces, and vertices within a rounding."""
    for seed in range(8):
        values = field(seed, (23, 40, 18))
        parts, place = near(values, 0.1, 8)
        here = family.marching_cubes_blocks(parts, place, 0.1, shape=values.shape)
        there = family.marching_cubes_blocks(parts.cuda(), place.cuda(), 0.1, shape=values.shape)
        assert torch.equal(here[1], there[1].cpu())
        torch.testing.assert_close(here[0], there[0].cpu(), atol=1e-5, rtol=0)
    none = torch.zeros(0, 8, 8, 8, device="cuda"), torch.zeros(0, 3, dtype=torch.int64, device="cuda")
    quiet = torch.ones(2, 8, 8, 8, device="cuda"), torch.tensor([[0, 0, 0], [4, 0, 1]], device="cuda")
    assert all(len(part) == 0 for given in (none, quiet) for part in family.marching_cubes_blocks(*given))


@pytest.fixture(params=["as it is", "twin"])
def either(request, monkeypatch):
    """The wrapper with what is compiled here (if anything), and with the twin."""
    if request.param == "twin":
        monkeypatch.setattr(family, "NATIVE", False)
    return family


@pytest.mark.parametrize("seed", range(10))
def test_blocks_that_cover_the_surface_give_the_dense_rows(either, seed):
    """Bit for bit and in the order of the dense volume, whatever the order of the blocks."""
    shape, n = [(9, 17, 33), (24, 16, 24)][seed % 2], [2, 8, 5][seed % 3]
    values = field(seed, shape)
    level = 0.5 if seed % 4 == 1 else 0.1
    parts, place = near(values, level, n, seed)
    found, dense = either.marching_cubes_blocks(parts, place, level, shape=shape), either.marching_cubes(values, level)
    assert torch.equal(found[0], dense[0]) and torch.equal(found[1], dense[1])


def test_one_block_is_a_small_volume(either):
    """Alone, anywhere on the lattice: the dense mesh of its samples, moved."""
    values = torch.randn(1, 7, 7, 7, generator=torch.Generator().manual_seed(3))
    found = either.marching_cubes_blocks(values, torch.tensor([[5, 0, 1000]]), 0.2)
    vertices, faces = either.marching_cubes(values[0], 0.2)
    assert torch.equal(found[1], faces)
    torch.testing.assert_close(found[0] - torch.tensor([35.0, 0.0, 7000.0]), vertices, atol=1e-3, rtol=0)


@pytest.mark.parametrize("step", [(1, 1, 0), (0, 1, 1), (1, 1, 1), (2, 0, 0), (1, -1, 0)])
def test_blocks_that_touch_at_an_edge_or_a_corner_are_not_joined(either, step):
    """The cells between them lack samples: two meshes side by side."""
    values = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(1))
    place = torch.tensor([[3, 3, 3], [3 + step[0], 3 + step[1], 3 + step[2]]])
    vertices, faces = either.marching_cubes_blocks(values, place)
    alone = [either.marching_cubes(one) for one in values]
    assert len(faces) == sum(len(one[1]) for one in alone) and len(vertices) == sum(len(one[0]) for one in alone)
    assert int(faces.max()) == len(vertices) - 1


def test_three_blocks_round_a_missing_one(either):
    """Joined across faces; the cells at the missing corner stay open, and every vertex has one number."""
    values = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(4))
    parts, place = cut(values, 4)
    here = ~(place == 1).all(dim=1)
    vertices, faces = either.marching_cubes_blocks(parts[here], place[here])
    whole, all_faces = either.marching_cubes(values)
    assert 0 < len(faces) < len(all_faces)
    assert len(torch.unique(vertices, dim=0)) == len(vertices)
    known = {tuple(point) for point in whole.tolist()}
    assert all(tuple(point) in known for point in vertices.tolist())


def test_empty_blocks_give_an_empty_mesh(either):
    """All inside, all outside, no block at all."""
    for values in (torch.ones(3, 4, 4, 4), -torch.ones(3, 4, 4, 4), torch.zeros(0, 4, 4, 4)):
        place = torch.tensor([[0, 0, 0], [0, 0, 1], [7, 0, 0]])[: len(values)]
        vertices, faces = either.marching_cubes_blocks(values, place)
        assert vertices.shape == (0, 3) and faces.shape == (0, 3)
        assert vertices.dtype == torch.float32 and faces.dtype == torch.int64


def test_only_the_wanted_cells_are_meshed(either):
    """The busy cells alone give the whole mesh, none gives none; a missing owner is refused."""
    values = torch.randn(8, 8, 8, generator=torch.Generator().manual_seed(6))
    parts, place = cut(values, 4)
    wanted = cut((torch.arange(8) < 6).float()[:, None, None].expand(8, 8, 8).clone(), 4)[0] == 1
    with pytest.raises(ValueError, match="owner of an edge"):
        either.marching_cubes_blocks(parts, place, cells=wanted)
    codes = either.reference._codes(values > 0).view(8, 8, 8)
    busy = (codes != 0) & (codes != 255)
    assert int((~busy).sum()) > 0
    found = either.marching_cubes_blocks(parts, place, cells=cut(busy.float(), 4)[0] == 1)
    assert all(torch.equal(one, two) for one, two in zip(found, either.marching_cubes(values), strict=True))
    assert len(either.marching_cubes_blocks(parts, place, cells=torch.zeros_like(wanted))[0]) == 0


def test_nan_next_to_the_surface_is_refused_and_elsewhere_is_not(either):
    """As with the dense volume: NaN counts as outside, and a vertex beside it has no place."""
    values = torch.full((2, 4, 4, 4), -1.0)
    values[0, 1, 1, 1], values[1, 3, 3, 3] = 1.0, torch.nan
    place = torch.tensor([[0, 0, 0], [0, 0, 1]])
    assert len(either.marching_cubes_blocks(values, place)[1]) == 8
    values[0, 1, 1, 2] = torch.nan
    with pytest.raises(ValueError, match="NaN next to the surface"):
        either.marching_cubes_blocks(values, place)


def test_what_it_is_given_stays_as_it_is(either):
    """Half precision, other layouts and int32 places; nothing is written to."""
    values = torch.randn(2, 4, 4, 4, generator=torch.Generator().manual_seed(2)).half().transpose(1, 3)
    place = torch.tensor([[0, 0, 0], [0, 1, 0]], dtype=torch.int32)
    kept = values.clone()
    found = either.marching_cubes_blocks(values, place, 0.1)
    plain = either.marching_cubes_blocks(values.float().contiguous(), place.long(), 0.1)
    assert torch.equal(values, kept) and all(torch.equal(one, two) for one, two in zip(found, plain, strict=True))


@pytest.mark.parametrize(
    ("values", "place", "options", "words"),
    [
        (torch.rand(4, 4, 4), torch.zeros(1, 3).long(), {}, "n 2 to 32"),
        (torch.rand(1, 33, 33, 33), torch.zeros(1, 3).long(), {}, "n 2 to 32"),
        (torch.rand(1, 4, 4, 5), torch.zeros(1, 3).long(), {}, "n 2 to 32"),
        (torch.ones(1, 4, 4, 4).long(), torch.zeros(1, 3).long(), {}, "floating point"),
        (torch.rand(1, 4, 4, 4), torch.zeros(1, 3), {}, "place must be integers"),
        (torch.rand(2, 4, 4, 4), torch.zeros(1, 3).long(), {}, r"integers \[2, 3\]"),
        (torch.rand(2, 4, 4, 4), torch.ones(2, 3).long(), {}, "given twice"),
        (torch.rand(1, 4, 4, 4), torch.tensor([[0, -1, 0]]), {}, "outside the lattice"),
        (torch.rand(1, 4, 4, 4), torch.tensor([[0, 2, 0]]), {"shape": (8, 8, 8)}, "outside the lattice"),
        (torch.rand(1, 4, 4, 4), torch.zeros(1, 3).long(), {"shape": (8, 8)}, "three numbers"),
        (torch.rand(1, 4, 4, 4), torch.zeros(1, 3).long(), {"cells": torch.ones(4, 4, 4).bool()}, "cells must be bool"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(values, place, options, words):
    """Each with what was got."""
    with pytest.raises(ValueError, match=words):
        family.marching_cubes_blocks(values, place, **options)
