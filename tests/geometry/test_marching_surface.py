"""Marching cubes gives closed, outward, welded surfaces with the vertices that scikit-image and TripoSR's data have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import BadInputError
from maquette.geometry.extract import marching_cubes


def grid(n: int) -> tuple[torch.Tensor, ...]:
    line = torch.linspace(-0.5, 0.5, n)
    return torch.meshgrid(line, line, line, indexing="ij")


def sphere(n: int, radius: float = 0.4) -> torch.Tensor:
    x, y, z = grid(n)
    return radius - (x * x + y * y + z * z).sqrt()


def assert_closed_manifold(vertices: torch.Tensor, faces: torch.Tensor) -> None:
    """Every directed edge once, its reverse once; one fan of triangles round every vertex; every vertex used."""
    f = faces.numpy()
    directed = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    keys = directed[:, 0] * (len(vertices) + 1) + directed[:, 1]
    back = directed[:, 1] * (len(vertices) + 1) + directed[:, 0]
    assert len(np.unique(keys)) == len(keys)
    assert np.array_equal(np.sort(keys), np.sort(back))
    assert np.array_equal(np.unique(f), np.arange(len(vertices)))
    assert fans(f, len(vertices)) == len(vertices)


def fans(faces: np.ndarray, count: int) -> int:
    """Cycles of the permutation 'corner -> next corner round its vertex'; equals the vertex count on a 2-manifold."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    corner_vertex = faces.reshape(-1)
    following = faces[:, [1, 2, 0]].reshape(-1)
    before = faces[:, [2, 0, 1]].reshape(-1)
    out_edge = {(a, b): i for i, (a, b) in enumerate(zip(corner_vertex.tolist(), following.tolist(), strict=True))}
    step = [out_edge[(a, b)] for a, b in zip(corner_vertex.tolist(), before.tolist(), strict=True)]
    n = len(corner_vertex)
    links = coo_matrix((np.ones(n), (np.arange(n), step)), shape=(n, n))
    return int(connected_components(links, directed=False)[0])


def signed_volume(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    a, b, c = vertices.double()[faces].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum() / 6)


def area(vertices: torch.Tensor, faces: torch.Tensor) -> float:
    a, b, c = vertices.double()[faces].unbind(1)
    return float(torch.linalg.cross(b - a, c - a).norm(dim=1).sum() / 2)


def euler(vertices: torch.Tensor, faces: torch.Tensor) -> int:
    return len(vertices) - len(faces) * 3 // 2 + len(faces)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31),
    st.tuples(*[st.integers(2, 9)] * 3),
    st.sampled_from(["normal", "binary", "quantised", "at level"]),
)
def test_any_volume_gives_a_closed_manifold(seed, shape, kind):
    """Random noise, with all ambiguous cases and with values exactly at the level, never cracks or folds."""
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    if kind == "binary":
        noise = noise.sign()
    elif kind == "quantised":
        noise = (noise * 2).round() / 2
    elif kind == "at level":
        noise = torch.where(noise > 0.5, noise, torch.zeros(()))
    values = torch.nn.functional.pad(noise, (1,) * 6, value=-1.0)
    vertices, faces = marching_cubes(values)
    assert_closed_manifold(vertices, faces)
    a, b, c = vertices.double()[faces].unbind(1)
    assert (torch.linalg.cross(b - a, c - a).norm(dim=1) > 0).all(), "a triangle without area"
    if (noise > 0).any():
        assert signed_volume(vertices, faces) > 0


def test_every_case_is_closed_and_outward():
    """Each of the 256 sign patterns alone in a volume of outside."""
    for case in range(1, 256):
        values = torch.full((4, 4, 4), -1.0)
        for corner in range(8):
            if case >> corner & 1:
                values[1 + (corner & 1), 1 + (corner >> 1 & 1), 1 + (corner >> 2 & 1)] = 1.0
        vertices, faces = marching_cubes(values)
        assert_closed_manifold(vertices, faces)
        assert signed_volume(vertices, faces) > 0


def test_sphere_area_volume_euler():
    """A sphere has the sphere's numbers."""
    vertices, faces = marching_cubes(sphere(64))
    assert_closed_manifold(vertices, faces)
    assert euler(vertices, faces) == 2
    assert area(vertices, faces) == pytest.approx(4 * np.pi * 0.4**2, rel=2e-3)
    assert signed_volume(vertices, faces) == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=2e-3)
    assert vertices.norm(dim=1).sub(0.4).abs().max() < 5e-4


def test_torus_has_genus_one():
    """A torus has Euler characteristic 0."""
    x, y, z = grid(48)
    values = 0.12 - (((x * x + y * y).sqrt() - 0.3) ** 2 + z * z).sqrt()
    vertices, faces = marching_cubes(values)
    assert_closed_manifold(vertices, faces)
    assert euler(vertices, faces) == 0


def test_normals_point_to_lower_values():
    """Each face of a sphere looks away from the centre."""
    vertices, faces = marching_cubes(sphere(24))
    a, b, c = vertices[faces].unbind(1)
    normals = torch.linalg.cross(b - a, c - a)
    assert ((normals * (a + b + c)).sum(dim=1) > 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_same_vertices_as_scikit_image(seed):
    """The welded vertex set is that of scikit-image's Lorensen marching cubes on noise."""
    skimage = pytest.importorskip("skimage.measure")
    values = torch.randn((12, 10, 14), generator=torch.Generator().manual_seed(seed))
    ours, _ = marching_cubes(values, lower=(0, 0, 0), upper=(11, 9, 13))
    theirs, _, _, _ = skimage.marching_cubes(values.numpy(), 0.0, method="lorensen")
    assert len(ours) == len(theirs)
    from scipy.spatial import cKDTree

    distance, _ = cKDTree(theirs).query(ours.numpy())
    assert distance.max() < 2e-3


def golden() -> Path:
    here = Path(__file__).resolve()
    for folder in here.parents:
        for candidate in (folder / "shared/golden/triposr/tiny", folder / "tests/data/triposr/tiny"):
            if candidate.exists():
                return candidate
    pytest.skip("the TripoSR golden data is not here")


def test_same_vertices_as_triposr_reference():
    """On the reference's own density grid the crossing points are its ``iso_points``."""
    from safetensors.torch import load_file
    from scipy.spatial import cKDTree

    case = load_file(golden() / "case_a_expected.safetensors")
    vertices, faces = marching_cubes(case["grid_density_act"], 25.0, lower=(-0.87,) * 3, upper=(0.87,) * 3)
    assert len(vertices) == len(case["iso_points"])
    for one, other in ((vertices, case["iso_points"]), (case["iso_points"], vertices)):
        distance, _ = cKDTree(other.numpy()).query(one.numpy())
        assert distance.max() < 5e-4
    assert len(faces) > 0


def test_level_itself_is_outside():
    """A volume that nowhere exceeds the level has no surface; one voxel above it has a small octahedron."""
    values = torch.zeros(5, 5, 5)
    assert len(marching_cubes(values, 0.0)[1]) == 0
    values[2, 2, 2] = 1e-6
    vertices, faces = marching_cubes(values, 0.0)
    assert (len(vertices), len(faces)) == (6, 8)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_float_types_and_layouts(dtype):
    """Half and double precision and a transposed view give the same topology as contiguous float32."""
    values = sphere(20).to(dtype)
    expected = marching_cubes(values.float())
    vertices, faces = marching_cubes(values)
    assert torch.equal(faces, expected[1])
    assert torch.allclose(vertices, expected[0], atol=1e-5)
    assert len(marching_cubes(values.transpose(0, 2))[1]) == len(faces)


def test_infinite_values_next_to_the_surface():
    """An overflowed density still gives finite vertices."""
    values = sphere(16)
    values[values > 0] = float("inf")
    vertices, faces = marching_cubes(values)
    assert torch.isfinite(vertices).all()
    assert_closed_manifold(vertices, faces)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (torch.zeros(4, 4), "X, Y, Z"),
        (torch.zeros(1, 4, 4), "at least 2"),
        (torch.zeros(4, 4, 4, dtype=torch.int32), "floating"),
        (sphere(8).index_fill(0, torch.tensor([4]), float("nan")), "NaN"),
    ],
)
def test_bad_volumes_are_refused(values, words):
    """The message names what is wrong."""
    with pytest.raises(BadInputError, match=words):
        marching_cubes(values)


def test_bad_bounds_are_refused():
    """An empty box is named with its corners."""
    with pytest.raises(BadInputError, match="lower < upper"):
        marching_cubes(sphere(8), lower=(0, 0, 0), upper=(1, 0, 1))


def test_input_is_not_changed():
    """The volume stays as it was (ComfyUI caches it)."""
    values = sphere(12)
    copy = values.clone()
    marching_cubes(values)
    assert torch.equal(values, copy)
