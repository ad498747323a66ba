"""The compiled raster equals its PyTorch twin bit by bit; the conservative option adds every touched pixel."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from compiled import compile_and_compare
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import BadInputError
from maquette.geometry.raster import rasterize, rasterize_uv
from maquette.native import extension

family = extension("uv_raster")

COMPARE = "from test_uv_raster import compare_all\ncompare_all(family)"


def scene(seed: int) -> tuple[torch.Tensor, torch.Tensor, int, int]:
    """Random triangles, many with corners on pixel centres and borders, some without area, far out or twice."""
    rng = np.random.default_rng(seed)
    count, step = int(rng.integers(3, 40)), float(rng.choice([0.25, 0.5, 1.0, 1e-3]))
    flat = np.round(rng.uniform(-20, 80, (count, 2)) / step) * step
    depth = np.ones(count) if seed % 3 == 0 else rng.uniform(-1, 3, count)
    vertices = np.column_stack([flat, depth.round() if seed % 5 == 0 else depth])
    faces = rng.integers(0, count, (int(rng.integers(0, 50)), 3))
    faces = np.concatenate([faces, faces[: len(faces) // 3]])
    return torch.tensor(vertices), torch.tensor(faces), int(rng.integers(1, 80)), int(rng.integers(1, 50))


def compare_all(module, seeds=range(60)) -> None:
    """Kernel against twin: face, weights, depth and counts, every option."""
    for seed in seeds:
        vertices, faces, columns, rows = scene(seed)
        for options in [{"perspective": p, "conservative": c} for p in (False, True) for c in (False, True)]:
            assert module.method() == "native"
            ours = module.rasterize(vertices, faces, columns, rows, **options)
            counted = module.count(vertices[:, :2], faces, columns, rows)
            native, module.NATIVE = module.NATIVE, False
            assert module.method() == "torch"
            twin = module.rasterize(vertices, faces, columns, rows, **options, block=100)
            again = module.count(vertices[:, :2], faces, columns, rows)
            module.NATIVE = native
            for name, one, two in zip(("face", "bary", "depth"), ours, twin, strict=True):
                assert torch.equal(one, two), (seed, options, name)
            assert torch.equal(counted, again), seed


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: identical bits."""
    compile_and_compare("uv_raster", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
def test_compiled_here_equals_twin():
    """The library that lies in the tree, where there is one, gives the twin's bits."""
    compare_all(family, range(60, 75))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu():
    """On a GPU the wrapper (kernel or twin) gives the CPU's bits."""
    for seed in range(20):
        vertices, faces, columns, rows = scene(seed)
        for options in [{"perspective": p, "conservative": c} for p in (False, True) for c in (False, True)]:
            here = family.rasterize(vertices, faces, columns, rows, **options)
            there = family.rasterize(vertices.cuda(), faces.cuda(), columns, rows, **options)
            for name, one, two in zip(("face", "bary", "depth"), here, there, strict=True):
                assert torch.equal(one, two.cpu()), (seed, options, name)
        counted = family.count(vertices[:, :2].cuda(), faces.cuda(), columns, rows)
        assert torch.equal(family.count(vertices[:, :2], faces, columns, rows), counted.cpu())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_follows_the_stream_of_the_caller():
    """On a stream of its own, behind work that is not done yet, the picture is that of what was written last."""
    vertices, faces, columns, rows = scene(1)
    wanted = family.rasterize(vertices, faces, columns, rows)
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        late = torch.zeros_like(vertices, device="cuda")
        for _ in range(20):
            torch.rand(2000, 2000, device="cuda") @ torch.rand(2000, 2000, device="cuda")
        late.copy_(vertices)
        found = family.rasterize(late, faces.cuda(), columns, rows)
    stream.synchronize()
    assert all(torch.equal(one, two.cpu()) for one, two in zip(wanted, found, strict=True))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_with_nothing_to_draw():
    """No face, no pixel: no launch of zero threads."""
    points, none = torch.rand(3, 3, device="cuda"), torch.zeros(0, 3, dtype=torch.int64, device="cuda")
    for conservative in (False, True):
        assert (family.rasterize(points, none, 8, 8, conservative=conservative)[0] == -1).all()
        assert family.rasterize(points, none, 0, 8, conservative=conservative)[0].shape == (8, 0)
    assert not family.count(points[:, :2], none, 8, 8).any()


def overlaps(triangle: list[tuple[Fraction, Fraction]], column: int, row: int) -> bool:
    """Does the triangle share area with the pixel's square? Sutherland-Hodgman in exact fractions."""
    polygon = triangle
    for axis, side, sign in ((0, column, 1), (0, column + 1, -1), (1, row, 1), (1, row + 1, -1)):
        inside = [sign * (point[axis] - side) for point in polygon]
        clipped = []
        for k, point in enumerate(polygon):
            after, here, there = polygon[(k + 1) % len(polygon)], inside[k], inside[(k + 1) % len(polygon)]
            if here >= 0:
                clipped.append(point)
            if here * there < 0:
                share = here / (here - there)
                clipped.append(tuple(p + share * (q - p) for p, q in zip(point, after, strict=True)))
        polygon = clipped
        if not polygon:
            return False
    ring = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return sum(p[0] * q[1] - p[1] * q[0] for p, q in ring) != 0


corner = st.tuples(st.integers(-8, 56), st.integers(-8, 56))


@settings(max_examples=60, deadline=None)
@given(st.lists(corner, min_size=3, max_size=3, unique=True))
def test_conservative_is_exactly_the_squares_that_share_area(corners):
    """Against clipping in fractions, with corners on quarter pixels: slivers, edges along borders."""
    triangle = [(Fraction(x, 4), Fraction(y, 4)) for x, y in corners]
    vertices = torch.tensor([[x / 4, y / 4, 1.0] for x, y in corners])
    found = rasterize(vertices, torch.tensor([[0, 1, 2]]), 12, 12, conservative=True)
    wanted = [[overlaps(triangle, column, row) for column in range(12)] for row in range(12)]
    np.testing.assert_array_equal(found.covered.numpy(), np.array(wanted))
    exact = rasterize(vertices, torch.tensor([[0, 1, 2]]), 12, 12)
    assert (found.covered | ~exact.covered).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_conservative_keeps_what_was_exact_and_adds_points_of_the_face(seed):
    """Where a centre is covered nothing changes; elsewhere the weights name a point of the face within reach."""
    vertices, faces, columns, rows = scene(seed)
    exact = rasterize(vertices, faces, columns, rows)
    found = rasterize(vertices, faces, columns, rows, conservative=True)
    inside = exact.covered
    assert torch.equal(found.face[inside], exact.face[inside])
    assert torch.equal(found.bary[inside], exact.bary[inside])
    rim = found.covered & ~inside
    assert (found.bary[rim] >= 0).all()
    torch.testing.assert_close(found.bary[rim].sum(dim=1), torch.ones(int(rim.sum())))


def test_a_sliver_between_the_centres_is_found_only_conservatively():
    """A hair of a triangle misses every centre; its squares are not lost."""
    uvs = torch.tensor([[0.0, 0.001], [1.0, 0.001], [1.0, 0.002]])
    faces = torch.tensor([[0, 1, 2]])
    assert not rasterize_uv(uvs, faces, 16).covered.any()
    touched = rasterize_uv(uvs, faces, 16, conservative=True).covered
    assert touched[0].all() and not touched[1:].any()


@pytest.fixture(params=["as it is", "twin"])
def either(request, monkeypatch):
    """The wrapper with what is compiled here (if anything), and with the twin."""
    if request.param == "twin":
        monkeypatch.setattr(family, "NATIVE", False)
    return family


@pytest.mark.parametrize("thickness", [1e-3, 0.05, 0.4])
@pytest.mark.parametrize("turned", [False, True])
def test_along_a_sliver_the_weights_move_with_the_pixel(either, thickness, turned):
    """Every texel of a hair between the centres takes the place beside its own centre, not the tip of the hair."""
    flat = torch.tensor([[0.0, 3.05, 1.0], [16.0, 3.05, 1.0], [16.0, 3.05 + thickness, 1.0]])
    flat = flat[:, [1, 0, 2]] if turned else flat
    face, bary, _ = either.rasterize(flat, torch.tensor([[0, 1, 2]]), 16, 16, conservative=True)
    rows, columns = (face >= 0).nonzero(as_tuple=True)
    found = bary[rows, columns] @ flat[:, :2]
    centre = torch.stack([columns, rows], dim=1) + 0.5
    along = 1 if turned else 0
    assert len(rows) == 16
    torch.testing.assert_close(found[:, along], centre[:, along], atol=0.02, rtol=0)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(-8, 56), st.integers(-8, 56)), min_size=3, max_size=3, unique=True))
def test_conservative_weights_are_those_of_the_nearest_point(corners):
    """Against all three edges in double precision; the weights lie in the triangle."""
    flat = np.array(corners) / 4
    vertices = torch.tensor(np.column_stack([flat, np.ones(3)]))
    exact = family.rasterize(vertices, torch.tensor([[0, 1, 2]]), 12, 12)[0] >= 0
    face, bary, _ = family.rasterize(vertices, torch.tensor([[0, 1, 2]]), 12, 12, conservative=True)
    for row, column in ((face >= 0) & ~exact).nonzero().tolist():
        centre, weights = np.array([column + 0.5, row + 0.5]), bary[row, column].double().numpy()
        assert (weights >= 0).all() and abs(weights.sum() - 1) < 1e-6
        ends = [(flat[k], flat[(k + 1) % 3] - flat[k]) for k in range(3)]
        feet = [a + d * np.clip((centre - a) @ d / (d @ d), 0, 1) for a, d in ends]
        least = min(np.linalg.norm(centre - foot) for foot in feet)
        assert abs(np.linalg.norm(centre - weights @ flat) - least) < 1e-4


def test_faces_without_area_are_never_drawn():
    """Points, needles and repeated corners, also conservatively."""
    vertices = torch.tensor([[1.0, 1, 0], [5, 5, 0], [3, 3, 0], [1, 1, 0]])
    faces = torch.tensor([[0, 1, 2], [0, 0, 1], [0, 3, 1], [2, 2, 2]])
    assert not rasterize(vertices, faces, 8, 8, conservative=True).covered.any()


@pytest.mark.parametrize("faces", [[[0, 1, 3]], [[-1, 0, 1]]])
def test_a_face_without_its_vertex_is_refused(faces):
    """Compiled code must never read beyond the vertices."""
    with pytest.raises(BadInputError, match="names a vertex that is not among the 3"):
        rasterize(torch.rand(3, 3), torch.tensor(faces), 8, 8)


@pytest.mark.parametrize("shape", [(0, 4), (4, 0)])
def test_a_picture_without_pixels_is_empty(shape):
    """Nothing to draw on is no error."""
    found = rasterize(torch.rand(3, 3), torch.tensor([[0, 1, 2]]), shape[1], shape[0])
    assert found.face.shape == shape and found.bary.shape == (*shape, 3)
