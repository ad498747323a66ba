"""Training targets: columns behind the first surface, losses, the optimizer, checkpoints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from maquette.reconstruct._nano.network import BINS, bin_edges, columns
from training.files import LIMIT, load_pieces, save_pieces
from training.losses import losses
from training.optimizer import Optimizer, orthogonal
from training.pool import scene_arrays
from training.scenes.native import Renderer, compiler
from training.validate import absolute

needs_compiler = pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")


@needs_compiler
def test_columns_hold_exactly_the_material_of_the_intervals() -> None:
    spans = torch.zeros(1, 2, 2, 12)
    spans[0, 0, 0, :4] = torch.tensor([2.0, 2.1, 2.5, 2.75])
    solid, front = Renderer("cpu").columns(spans, torch.tensor([[2.2, 0.5]]), bin_edges())
    assert abs(float(front[0, 0, 0]) - (2.0 - 2.2) / 0.5) < 1e-6 and float(front[0, 0, 1]) < -100
    length = (solid[0, 0, 0].float() / 255 * bin_edges().diff()).sum()
    assert abs(float(length) - (0.1 + 0.25) / 0.5) < 5e-3
    assert int(solid[0, 0, 0, 0]) == 255 and int(solid[0, 0, 1].sum()) == 0


@needs_compiler
def test_a_batch_is_consistent_and_repeats_with_its_seed() -> None:
    from training.batches import make_batch

    heads, prims = (torch.from_numpy(a) for a in scene_arrays([11, 12], "chair"))
    first, again = (make_batch(Renderer("cpu"), heads, prims, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first.picture, again.picture) and torch.equal(first.depth, again.depth)
    assert torch.isfinite(first.picture).all() and first.picture.min() >= 0 and first.picture.max() <= 1
    for i in range(2):
        assert abs(float(first.depth[i][first.valid[i]].mean())) < 1e-4
    assert bool((first.solid[first.valid][:, 0] > 0).all())  # material right behind every first surface


@needs_compiler
def test_the_truth_has_no_loss_and_full_overlap() -> None:
    from training.batches import make_batch

    heads, prims = (torch.from_numpy(a) for a in scene_arrays([3], "vessel"))
    b = make_batch(Renderer("cpu"), heads, prims, torch.Generator().manual_seed(1))
    raw = torch.zeros(1, 2 + BINS + 3, 128, 128)
    raw[:, 0] = b.depth
    raw[:, 2 : 2 + BINS] = (b.solid.permute(0, 3, 1, 2).float() / 255 - 0.5) * 60
    terms = losses(columns(raw, b.valid), b.depth, b.solid, b.valid, b.back, b.weight)
    assert float(terms["depth"]) < 1e-5 and float(terms["slope"]) < 1e-5 and float(terms["overlap"]) < 0.01
    levels = torch.linspace(-2, 2.4, 80)
    true = absolute(b.depth, (b.solid > 127).float(), levels) > 0.5
    assert bool(true[b.valid].any(-1).float().mean() > 0.9)


def test_the_update_is_orthogonal() -> None:
    g = torch.randn(2, 24, 64, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(g))
    assert float(values.min()) > 0.6 and float(values.max()) < 1.3


def test_the_optimizer_goes_on_exactly_where_it_stopped() -> None:
    torch.manual_seed(0)

    def fresh() -> torch.nn.Module:
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Linear(8, 2))

    def steps(model: torch.nn.Module, optimizer: Optimizer, count: int) -> None:
        for i in range(count):
            x = torch.full((3, 6), float(optimizer.count + 1) / 7)
            model(x).square().sum().backward()
            optimizer.step(0.1 + 0.0 * i)
            model.zero_grad()

    whole = fresh()
    steps(whole, Optimizer(whole), 6)
    half = fresh()
    first = Optimizer(half)
    steps(half, first, 3)
    second = Optimizer(half)
    second.load(first.state())
    steps(half, second, 3)
    for a, b in zip(whole.parameters(), half.parameters(), strict=True):
        assert torch.equal(a, b)


def test_checkpoints_come_back_in_small_pieces(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.full((1000, 1500), float(i)) for i in range(12)}
    paths = save_pieces(tensors, tmp_path)
    assert len(paths) == 3 and all(p.stat().st_size < LIMIT + 10_000 for p in paths)
    back = load_pieces(tmp_path)
    assert back.keys() == tensors.keys() and all(torch.equal(back[k], v) for k, v in tensors.items())
