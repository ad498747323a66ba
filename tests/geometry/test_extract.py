"""Coarse-to-fine extraction equals marching cubes on the full lattice, for a fraction of the queries."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import BadInputError, Cancelled
from maquette.geometry.extract import extract, marching_cubes
from maquette.native import extension
from maquette.progress import Progress


def ball(center, radius):
    return lambda p: radius - (p - torch.tensor(center)).norm(dim=1)


def union(*fields):
    return lambda p: torch.stack([f(p) for f in fields]).amax(dim=0)


def bumpy(p):
    x, y, z = p.unbind(1)
    return 0.38 - p.norm(dim=1) + 0.03 * torch.sin(30 * x) * torch.sin(28 * y) * torch.sin(32 * z)


def dense(field, shape, lower=(-0.5,) * 3, upper=(0.5,) * 3, level=0.0):
    lines = [
        torch.tensor(a) + torch.arange(n) * torch.tensor((b - a) / (n - 1))
        for a, b, n in zip(lower, upper, shape, strict=True)
    ]
    values = field(torch.cartesian_prod(*lines)).view(*shape)
    return marching_cubes(values, level, lower=lower, upper=upper)


def triangles(vertices, faces):
    """The mesh as a sorted set of triangles, each starting at its smallest corner (keeps the winding)."""
    corners = torch.round(vertices[faces].double() * 2**18).long().numpy()
    keys = corners @ np.array([1, 2**20, 2**40])
    first = np.argmin(keys, axis=1)
    turned = np.stack([keys[np.arange(len(keys)), (first + k) % 3] for k in range(3)], axis=1)
    return turned[np.lexsort(turned.T)]


def assert_same(one, other):
    assert len(one[0]) == len(other[0]) and len(one[1]) == len(other[1])
    assert np.array_equal(triangles(*one), triangles(*other))


def assert_closed(faces):
    f = faces.numpy()
    directed = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed)
    assert np.array_equal(np.unique(directed, axis=0), np.unique(directed[:, ::-1], axis=0))


@pytest.mark.parametrize("resolution", [2, 3, 17, 32, 33, 64, 100, 129])
def test_equals_dense(resolution):
    """Same vertices, same faces, same winding as the full lattice, at sizes that are and are not powers of two."""
    vertices, faces, stats = extract(bumpy, resolution=resolution)
    assert_same((vertices, faces), dense(bumpy, (resolution,) * 3))
    assert stats.resolution == (resolution,) * 3


@pytest.mark.parametrize("block", [4, 8, 16])
def test_block_and_batch_sizes_do_not_matter(block):
    """The same mesh whatever the block size and the batch."""
    base = extract(bumpy, resolution=96)
    other = extract(bumpy, resolution=96, block=block, batch=1000)
    assert_same(base[:2], other[:2])


def test_box_that_is_no_cube():
    """Another number of samples and another length on every axis."""
    lower, upper, shape = (-0.5, -0.3, -1.0), (0.5, 0.3, 1.0), (65, 40, 130)
    field = lambda p: 0.25 - (p * torch.tensor([1.0, 1.2, 0.4])).norm(dim=1)  # noqa: E731
    vertices, faces, _ = extract(field, lower=lower, upper=upper, resolution=shape)
    assert_same((vertices, faces), dense(field, shape, lower, upper))
    assert_closed(faces)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([20, 37, 64]), st.sampled_from([4, 9, 16]))
def test_random_blobs_equal_dense_where_no_component_is_missed(seed, resolution, coarse):
    """Random unions and dents: every component that was found is the dense one; what is missing is whole components."""
    rng = torch.Generator().manual_seed(seed)
    centers = (torch.rand((6, 3), generator=rng) - 0.5) * 0.5
    radii = 0.02 + 0.12 * torch.rand(6, generator=rng)
    signs = torch.where(torch.rand(6, generator=rng) < 0.7, 1.0, -1.0)

    def field(p):
        return (
            sum(s * torch.exp(-((p - c) ** 2).sum(dim=1) / r**2) for s, c, r in zip(signs, centers, radii, strict=True))
            - 0.4
        )

    vertices, faces, _ = extract(field, resolution=resolution, coarse=coarse)
    expected = dense(field, (resolution,) * 3)
    assert {tuple(t) for t in triangles(vertices, faces)} <= {tuple(t) for t in triangles(*expected)}
    assert_closed(faces)


def test_surface_that_leaves_the_box():
    """A surface cut by the border has the dense result's vertices on all six sides."""
    field = ball((0.0, 0.0, 0.0), 0.6)
    vertices, faces, _ = extract(field, resolution=70)
    assert_same((vertices, faces), dense(field, (70,) * 3))


def test_far_fewer_queries():
    """At 256 about a twentieth of the lattice is asked; the share falls as the resolution grows."""
    small, large = (extract(bumpy, resolution=n)[2] for n in (128, 256))
    assert large.share < 0.07 and large.share < small.share
    assert large.dense == 256**3


@pytest.mark.parametrize("refine", [0, 2])
def test_the_rows_are_those_of_the_dense_lattice_compiled_or_not(monkeypatch, refine):
    """Same faces in the same order as marching cubes on every point; the kernel, where it is built, changes no bit."""
    shape = (40, 64, 50)
    found = [extract(bumpy, resolution=shape, refine=refine)[:2]]
    monkeypatch.setattr(extension("marching_cubes"), "NATIVE", False)
    found.append(extract(bumpy, resolution=shape, refine=refine)[:2])
    vertices, faces = dense(bumpy, shape)
    for one in found:
        assert torch.equal(one[1], faces)
        torch.testing.assert_close(one[0], vertices, atol=1e-2 if refine else 1e-6, rtol=0)
    assert torch.equal(found[0][0], found[1][0])


def test_every_point_is_asked_at_most_once():
    """No lattice point is evaluated twice, coarse pass apart; duplicates are under one in twenty."""
    seen: list[torch.Tensor] = []

    def field(p):
        seen.append(p.clone())
        return bumpy(p)

    stats = extract(field, resolution=128)[2]
    points = torch.cat(seen)
    assert len(points) == stats.queried
    assert len(torch.unique(points, dim=0)) > 0.95 * len(points)


def test_a_thin_arm_is_followed_from_its_body():
    """A rod thinner than two coarse cells, seen only where it leaves its ball, is found to its end."""

    def rod(p):
        x, y, z = p.unbind(1)
        across = torch.maximum((y - 0.0123).abs(), (z + 0.0071).abs())
        return torch.minimum(0.008 - across, 0.45 - x.abs())

    field = union(ball((-0.25, 0.0, 0.0), 0.15), rod)
    vertices, faces, stats = extract(field, resolution=200, coarse=26)
    assert_same((vertices, faces), dense(field, (200,) * 3))
    assert vertices[:, 0].max() > 0.445
    assert stats.share < 0.06


@pytest.mark.parametrize("kind", ["rod", "sheet"])
def test_slope_bound_misses_nothing(kind):
    """With the Lipschitz bound of a true distance, parts far below the coarse cell size are found."""
    hits = 0
    for seed in range(8):
        rng = torch.Generator().manual_seed(seed)
        center = (torch.rand(3, generator=rng) - 0.5) * 0.3
        half = torch.tensor([0.2, 0.011, 0.011]) if kind == "rod" else torch.tensor([0.2, 0.2, 0.011])

        def field(p, center=center, half=half):
            q = (p - center).abs() - half
            return -(q.clamp(min=0).norm(dim=1) + q.amax(dim=1).clamp(max=0))

        result = extract(field, resolution=96, coarse=7, slope=1.0)
        assert_same(result[:2], dense(field, (96,) * 3))
        hits += len(result[1]) > 0
    assert hits == 8


def test_isolated_thin_rods_are_found_by_caution():
    """Rods of two fine cells, half a coarse cell, that touch nothing: found without any bound on the field."""
    found = {0.0: 0, 0.4: 0}
    for seed in range(10):
        rng = torch.Generator().manual_seed(seed)
        turn = torch.linalg.qr(torch.randn((3, 3), generator=rng)).Q
        center = (torch.rand(3, generator=rng) - 0.5) * 0.3

        def field(p, turn=turn, center=center):
            q = ((p - center) @ turn).abs() - torch.tensor([0.05, 1 / 95, 1 / 95])
            return -(q.clamp(min=0).norm(dim=1) + q.amax(dim=1).clamp(max=0))

        for caution in found:
            found[caution] += len(extract(field, resolution=96, coarse=25, caution=caution)[1]) > 0
    assert found[0.4] == 10 > found[0.0]


def test_adaptive_level_sees_the_coarse_samples():
    """A level function is given the coarse samples, and the level it chose is reported."""
    shapes = []

    def level(samples):
        shapes.append(tuple(samples.shape))
        return float(samples.median())

    _, faces, stats = extract(lambda p: -p.norm(dim=1), resolution=64, level=level)
    assert shapes == [(33, 33, 33)] and len(faces) > 0
    assert stats.level == pytest.approx(-0.49, abs=0.04)


def test_refined_vertices_lie_on_the_true_surface():
    """Regula falsi on a field that is far from linear brings vertices onto the surface without moving topology."""
    field = lambda p: torch.exp(20 * (0.4 - p.norm(dim=1))) - 1  # noqa: E731
    plain, faces, _ = extract(field, resolution=32)
    fine, same, stats = extract(field, resolution=32, refine=3)
    assert torch.equal(faces, same)
    error = [(v.norm(dim=1) - 0.4).abs().max() for v in (plain, fine)]
    assert error[1] < error[0] / 4
    assert stats.queried > 3 * len(fine)


def test_nothing_found_tells_the_range():
    """A level above every value gives an empty mesh, and the stats say why."""
    vertices, faces, stats = extract(bumpy, resolution=64, level=5.0)
    assert len(vertices) == 0 and faces.shape == (0, 3)
    assert stats.low < stats.high < 0.5


def test_cancel_stops_at_once():
    """Cancel passes through and no further batch is asked."""
    asked = []
    stop = threading.Event()

    def check():
        if stop.is_set():
            raise Cancelled("stopped")

    def field(p):
        asked.append(len(p))
        if len(asked) == 3:
            stop.set()
        return bumpy(p)

    with pytest.raises(Cancelled):
        extract(field, resolution=128, batch=1000, progress=Progress(check=check))
    assert len(asked) == 3 and max(asked) <= 1000


def test_progress_only_grows():
    """The reported share never falls and ends at one."""
    shares = []
    extract(bumpy, resolution=96, progress=Progress(report=lambda share, _label: shares.append(share)))
    assert shares == sorted(shares) and shares[-1] == 1.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"field": lambda p: p}, "one value a point"),
        ({"field": lambda p: p[:, 0] * float("nan")}, "NaN"),
        ({"resolution": 1}, "resolution"),
        ({"resolution": (8, 8)}, "resolution"),
        ({"upper": (0.5, -0.5, 0.5)}, "lower < upper"),
        ({"block": 6}, "power of two"),
        ({"batch": 0}, "batch"),
    ],
)
def test_bad_settings_are_refused(change, words):
    """Each impossible setting is named."""
    with pytest.raises(BadInputError, match=words):
        extract(**{"field": bumpy, "resolution": 16, **change})


def test_memory_grows_with_the_surface():
    """Doubling the resolution keeps about four times the blocks, not eight times."""
    small, large = (extract(bumpy, resolution=n)[2] for n in (128, 256))
    assert large.blocks < 4.6 * small.blocks
    assert large.blocks * 8**3 < 0.2 * large.dense


@pytest.mark.gpu
def test_gpu_equals_cpu():
    """The same topology on a CUDA device."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    here, there = extract(bumpy, resolution=128), extract(bumpy, resolution=128, device="cuda")
    assert there[0].is_cuda and abs(len(here[1]) - len(there[1])) < 20
    assert_closed(there[1].cpu())
