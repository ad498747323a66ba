"""Rays: the compiled walk equals its twin, both equal brute force, and nothing slips through an edge."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from compiled import compile_and_compare
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.native import extension

family = extension("visibility")

COMPARE = "from test_visibility import compare_all\ncompare_all(family)"


def soup(seed: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random triangles of very different sizes, some without area, some twice."""
    rng = np.random.default_rng(seed)
    middle, size = rng.uniform(-1, 1, (count, 1, 3)), 10.0 ** rng.uniform(-3, 0, (count, 1, 1))
    points = (middle + size * rng.normal(size=(count, 3, 3))).astype(np.float32).reshape(-1, 3)
    faces = np.arange(3 * count).reshape(-1, 3)
    faces[::7, 2] = faces[::7, 1]
    return torch.tensor(points), torch.tensor(np.concatenate([faces, faces[: count // 4]]))


def rays(seed: int, points: torch.Tensor, count: int = 300) -> tuple[torch.Tensor, torch.Tensor]:
    """Origins and ways of any length: free ones, along axes, from vertices, at vertices, without direction."""
    rng = np.random.default_rng(seed)
    origins, ways = rng.uniform(-2, 2, (count, 3)), rng.normal(size=(count, 3)) * 10.0 ** rng.uniform(-3, 3, (count, 1))
    chosen = points.double().numpy()[rng.integers(0, len(points), count)]
    kind = np.arange(count) % 5
    ways[kind == 1] = np.eye(3)[rng.integers(0, 3, (kind == 1).sum())] * rng.choice([-1, 1])
    origins[kind == 2] = chosen[kind == 2]
    ways[kind == 3] = chosen[kind == 3] - origins[kind == 3]
    ways[7] = 0
    return torch.tensor(origins), torch.tensor(ways)


def compare_all(module, seeds=range(40)) -> None:
    """Kernel against twin, trees from one triangle to six levels, with and without limits."""
    for seed in seeds:
        points, faces = soup(seed, [1, 3, 4, 5, 17, 300, 1500][seed % 7])
        tree, (origins, ways) = module.build(points, faces), rays(seed, points)
        for near, far in [(0.0, np.inf), (1e-6, 0.5), (0.3, 1e9), (1.0, 0.5)]:
            assert module.method() == "native"
            ours = module.blocked(tree, origins, ways, near=near, far=far)
            native, module.NATIVE = module.NATIVE, False
            assert module.method() == "torch"
            twin = module.blocked(tree, origins, ways, near=near, far=far)
            module.NATIVE = native
            assert torch.equal(ours, twin), (seed, near, far, (ours != twin).sum())


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: the same verdicts."""
    compile_and_compare("visibility", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
def test_compiled_here_equals_twin():
    """The library that lies in the tree, where there is one, gives the twin's verdicts."""
    compare_all(family, range(40, 54))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu():
    """On a GPU the wrapper (kernel or twin) gives the CPU's verdicts."""
    for seed in range(14):
        points, faces = soup(seed, [1, 300, 6000][seed % 3])
        origins, ways = rays(seed, points)
        here = family.blocked(family.build(points, faces), origins, ways)
        tree = family.build(points.cuda(), faces.cuda())
        there = family.blocked(tree, origins.cuda(), ways.cuda())
        assert torch.equal(here, there.cpu())
        here = family.blocked(family.build(points, faces), origins, ways, near=0.3, far=0.9)
        assert torch.equal(here, family.blocked(tree, origins.cuda(), ways.cuda(), near=0.3, far=0.9).cpu())
        assert family.blocked(tree, origins[:0].cuda(), ways[:0].cuda()).shape == (0,)


@pytest.fixture(params=["as it is", "twin"])
def either(request, monkeypatch):
    """The wrapper with what is compiled here (if anything), and with the twin."""
    if request.param == "twin":
        monkeypatch.setattr(family, "NATIVE", False)
    return family


def by_hand(points: np.ndarray, faces: np.ndarray, origins: np.ndarray, ways: np.ndarray) -> np.ndarray:
    """[N] every ray against every triangle, by solving for the crossing (no tree, other arithmetic)."""
    corner = points[faces]
    one, two = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    hit = np.zeros(len(origins), bool)
    for n, (origin, way) in enumerate(zip(origins, ways, strict=True)):
        systems = np.stack([one, two, np.broadcast_to(-way, one.shape)], axis=2)
        good = np.abs(np.linalg.det(systems)) > 1e-300
        u, v, t = np.linalg.solve(systems[good], (origin - corner[good, 0])[..., None])[..., 0].T
        hit[n] = ((u >= 0) & (v >= 0) & (u + v <= 1) & (t > 0)).any()
    return hit


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 200))
def test_equals_brute_force(seed, count):
    """Free rays through triangles of any size."""
    points, faces = soup(seed, count)
    rng = np.random.default_rng(seed)
    origins, ways = rng.uniform(-2, 2, (60, 3)), rng.normal(size=(60, 3))
    tree = family.build(points, faces)
    wanted = by_hand(points.double().numpy(), faces.numpy(), origins, ways)
    found = family.blocked(tree, torch.tensor(origins), torch.tensor(ways)).numpy()
    np.testing.assert_array_equal(found, wanted)


def grid(side: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A flat square of ``side`` x ``side`` cells in the plane z = 0, two triangles each."""
    x, y = torch.meshgrid(torch.arange(side + 1), torch.arange(side + 1), indexing="ij")
    points = torch.stack([x, y, torch.zeros_like(x)], dim=2).view(-1, 3).double()
    k = (torch.arange(side)[:, None] * (side + 1) + torch.arange(side)).reshape(-1)
    one, two = torch.stack([k, k + side + 1, k + side + 2], 1), torch.stack([k, k + side + 2, k + 1], 1)
    return points, torch.cat([one, two])


def test_no_ray_slips_through_edges_and_corners(either):
    """Straight down and askew, exactly at vertices, at edges, at the border of the mesh; a step outside is free."""
    tree = either.build(*grid(5))
    at = torch.tensor(list(itertools.product(np.arange(0, 5.25, 0.25), repeat=2)))
    target = torch.cat([at, torch.zeros(len(at), 1)], dim=1).double()
    for way in ([0, 0, -1], [0.25, 0.5, -1], [-3, 1, -0.125]):
        ways = torch.tensor(way, dtype=torch.float64).expand(len(at), 3)
        assert either.blocked(tree, target - 2 * ways, ways).all(), way
    outside = target + torch.tensor([0, 0, 1.0]) + torch.tensor([5.01, 0, 0])
    assert not either.blocked(tree, outside, torch.tensor([0, 0, -1.0]).expand(len(at), 3)).any()


def test_a_closed_surface_holds_every_ray_from_within(either):
    """From inside a ball aimed at its own vertices and edges, from many places: none escapes."""
    from scipy.spatial import ConvexHull

    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)
    faces = ConvexHull(points).simplices
    targets = np.concatenate([points, (points[faces] + points[faces][:, [1, 2, 0]]).reshape(-1, 3) / 2])
    origins = np.resize(rng.uniform(-0.5, 0.5, (50, 3)), targets.shape)
    tree = either.build(torch.tensor(points), torch.tensor(faces.astype(np.int64)))
    assert either.blocked(tree, torch.tensor(origins), torch.tensor(targets - origins)).all()
    away = torch.tensor(targets * 1.001)
    assert not either.blocked(tree, away, torch.tensor(targets)).any()


def test_from_the_surface_a_ray_does_not_meet_its_own_face(either):
    """Distances are world units whatever the length of the way; ``far`` is part of the ray, ``near`` is not."""
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 2], [1, 0, 2], [0, 1, 2]])
    tree = either.build(points, torch.tensor([[0, 1, 2], [3, 4, 5]]))
    start = torch.tensor([[0.25, 0.25, 0.0]])
    for length in (1e-3, 1.0, 50.0):
        up = torch.tensor([[0.0, 0.0, length]])
        assert either.blocked(tree, start, up, near=1e-6)
        assert not either.blocked(tree, start, up, near=1e-6, far=1.99)
        assert either.blocked(tree, start, up, near=1e-6, far=2.0)
        assert not either.blocked(tree, start, up, near=2.0)
        assert not either.blocked(tree, start, -up, near=1e-6)


def test_grazing_rays(either):
    """Within the plane of a lone triangle nothing is met; along the side of a box its other sides are."""
    lone = either.build(torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]), torch.tensor([[0, 1, 2]]))
    start, way = torch.tensor([[-1.0, 0.25, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    assert not either.blocked(lone, start, way)
    corners = torch.tensor(list(itertools.product([0.0, 1.0], repeat=3)))
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = torch.tensor([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    box = either.build(corners, faces)
    assert either.blocked(box, start, way) and either.blocked(box, start - torch.tensor([0, 0.25, 0.0]), way)
    assert not either.blocked(box, start - torch.tensor([0, 0, 1e-6]), way)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_size_and_distance_do_not_matter(either, scale):
    """Small and large meshes, seen from a thousand of their sizes away."""
    points, faces = grid(4)
    tree = either.build((points - torch.tensor([2.0, 2.0, 0])) * scale, faces)
    at = (torch.rand(200, 3, generator=torch.Generator().manual_seed(0)).double() - 0.5) * 8 * scale
    at[:, 2] = 0
    inside = (at[:, :2].abs() < 2 * scale).all(dim=1)
    eye = torch.tensor([300.0, 500.0, 4000.0], dtype=torch.float64) * scale
    found = either.blocked(tree, eye.expand(200, 3), at - eye)
    assert torch.equal(found, inside)


def test_nothing_there(either):
    """No mesh, no rays, no area, no direction: never blocked, never an error."""
    none = torch.zeros(0, 3)
    empty = either.build(none, torch.zeros(0, 3, dtype=torch.int64))
    one, up = torch.rand(5, 3), torch.tensor([[0.0, 0, 1]]).expand(5, 3)
    assert not either.blocked(empty, one, up).any()
    line = either.build(torch.tensor([[0.0, 0, 1], [1, 1, 1], [2, 2, 1]]), torch.tensor([[0, 1, 2], [1, 1, 1]]))
    assert not either.blocked(line, torch.tensor([[1.0, 1, 0]]), up[:1]).any()
    points, faces = grid(2)
    tree = either.build(points, faces)
    assert either.blocked(tree, none, none).shape == (0,)
    assert not either.blocked(tree, points, torch.zeros_like(points)).any()


def test_bad_input_is_refused_and_an_unused_bad_vertex_is_not(either):
    """NaN in rays or used vertices, indices out of range, shapes."""
    points, faces = grid(2)
    tree = either.build(points, faces)
    up = torch.tensor([[0.0, 0, 1]])
    for bad in (float("nan"), float("inf")):
        for origins, ways in ((up * bad, up), (up, up * bad)):
            with pytest.raises(ValueError, match="rays hold NaN or infinite"):
                either.blocked(tree, origins, ways)
        spoiled = torch.cat([points, torch.tensor([[bad, 0, 0]])])
        assert either.blocked(either.build(spoiled, faces), torch.tensor([[0.5, 0.5, -1]]), up)
        with pytest.raises(ValueError, match="mesh holds NaN or infinite"):
            either.build(spoiled, torch.cat([faces, torch.tensor([[0, 1, len(points)]])]))
    with pytest.raises(ValueError, match="two arrays"):
        either.blocked(tree, up, up[0])
    with pytest.raises(ValueError, match="not among the 9"):
        either.build(points, torch.tensor([[0, 1, 9]]))


def test_the_verdict_agrees_with_embree():
    """Where somebody installed embreex: it says the same of nearly all rays (its sums are single precision)."""
    scene_of = pytest.importorskip("embreex.rtcore_scene")
    mesh_of = pytest.importorskip("embreex.mesh_construction")
    points, faces = soup(5, 400)
    origins, ways = rays(6, points, 2000)
    keep = torch.arange(2000) % 5 == 0  # free rays
    scene = scene_of.EmbreeScene()
    kept = mesh_of.TriangleMesh(scene, points.numpy(), faces.numpy().astype(np.int32))
    theirs = scene.run(origins[keep].float().numpy(), ways[keep].float().numpy()) >= 0
    ours = family.blocked(family.build(points, faces), origins[keep], ways[keep]).numpy()
    assert kept is not None and (ours == theirs).mean() > 0.99
