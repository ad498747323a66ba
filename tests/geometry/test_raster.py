"""The rasteriser: parity with a brute-force twin, exact coverage, depth order, perspective, windows, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

from maquette.data import Mesh
from maquette.errors import BadInputError
from maquette.geometry.camera import orbit_camera, pixel_rays
from maquette.geometry.raster import interpolate, rasterize, rasterize_uv, render_depth, render_fragments

SIZE = 24


def brute_force(
    vertices: np.ndarray, faces: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pixel against every face, in Python integers: (face, faces that cover the pixel, nearest depth)."""
    points = np.round(vertices[:, :2] * 4096).astype(int).tolist()
    best = np.full((height, width), np.inf)
    owner, count = np.full((height, width), -1), np.zeros((height, width), int)
    for index, (i, j, k) in enumerate(faces.tolist()):
        a, b, c = points[i], points[j], points[k]
        area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        if area == 0:
            continue
        ring = [a, b, c] if area > 0 else [a, c, b]
        for row in range(height):
            for column in range(width):
                x, y, inside, edges = column * 4096 + 2048, row * 4096 + 2048, True, []
                for p, q in zip(ring, ring[1:] + ring[:1], strict=True):
                    dx, dy = q[0] - p[0], q[1] - p[1]
                    value = dx * (y - p[1]) - dy * (x - p[0])
                    top_left = dy < 0 or (dy == 0 and dx > 0)
                    inside &= value > 0 or (value == 0 and top_left)
                    edges.append(value / abs(area))
                if not inside:
                    continue
                count[row, column] += 1
                weight_a, weight_b, weight_c = edges[1], edges[2], edges[0]
                if area < 0:
                    weight_b, weight_c = weight_c, weight_b
                z = weight_a * vertices[i, 2] + weight_b * vertices[j, 2] + weight_c * vertices[k, 2]
                if z < best[row, column] - 1e-5:
                    best[row, column], owner[row, column] = z, index
    return owner, count, best


corner = st.tuples(
    st.integers(-16, 4 * SIZE + 16), st.integers(-16, 4 * SIZE + 16), st.sampled_from([1.0, 2.0, 3.0, 4.0])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(corner, min_size=3, max_size=9), st.integers(0, 2**31 - 1))
def test_agrees_with_brute_force_on_lattice_points_where_edges_hit_pixel_centres(
    corners: list[tuple[int, int, float]], seed: int
) -> None:
    """Quarter-pixel corners put many pixel centres exactly on edges, the hard case of the fill rule."""
    vertices = np.array(corners, float) * [0.25, 0.25, 1.0]
    vertices[:, 2] += np.arange(len(vertices)) * 0.01
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, len(vertices), (5, 3))
    fragments = rasterize(torch.tensor(vertices), torch.tensor(faces), SIZE, SIZE)
    owner, count, depth = brute_force(vertices, faces, SIZE, SIZE)
    np.testing.assert_array_equal(fragments.covered.numpy(), count > 0)
    differs = fragments.face.numpy() != owner
    assert (count[differs] > 1).all(), "only equal depths may be resolved differently"
    np.testing.assert_allclose(fragments.depth.numpy(), depth, atol=3e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(4, 60))
def test_a_triangulated_square_covers_every_pixel_exactly_once(seed: int, inner: int) -> None:
    rng = np.random.default_rng(seed)
    frame = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]], float)
    points = np.concatenate([frame, np.round(rng.uniform(1, SIZE - 1, (inner, 2)) * 2) / 2])
    points = np.unique(points, axis=0)
    faces = torch.tensor(Delaunay(points).simplices.astype(np.int64))
    vertices = torch.tensor(np.column_stack([points, np.ones(len(points))]))
    total = sum(rasterize(vertices, face[None], SIZE, SIZE).covered.long() for face in faces)
    assert isinstance(total, torch.Tensor)
    assert (total == 1).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_weights_reproduce_the_pixel_centre(seed: int) -> None:
    rng = np.random.default_rng(seed)
    vertices = torch.tensor(np.column_stack([rng.uniform(-5, SIZE + 5, (6, 2)), rng.uniform(1, 2, 6)]))
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    fragments = rasterize(vertices, faces, SIZE, SIZE)
    found = interpolate(fragments, faces, vertices[:, :2].float())
    y, x = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    seen = fragments.covered
    assert (fragments.bary[seen] >= 0).all()
    torch.testing.assert_close(found[seen], torch.stack([x, y], dim=2)[seen].float(), atol=2e-3, rtol=0)


def test_nearer_face_wins_whatever_the_order_and_equal_depth_goes_to_the_lower_index() -> None:
    quad = torch.tensor([[0.0, 0, 2], [8, 0, 2], [0, 8, 2], [0, 0, 1], [8, 0, 1], [0, 8, 1]])
    near_first, far_first = torch.tensor([[3, 4, 5], [0, 1, 2]]), torch.tensor([[0, 1, 2], [3, 4, 5]])
    assert set(rasterize(quad, near_first, 8, 8).face.unique().tolist()) == {-1, 0}
    assert set(rasterize(quad, far_first, 8, 8).face.unique().tolist()) == {-1, 1}
    twice = torch.tensor([[0, 1, 2], [0, 2, 1]])
    assert set(rasterize(quad, twice, 8, 8).face.unique().tolist()) == {-1, 0}


def test_blocks_do_not_change_the_result() -> None:
    rng = np.random.default_rng(3)
    vertices = torch.tensor(np.column_stack([rng.uniform(-9, 73, (300, 2)), rng.uniform(1, 2, 300)]))
    faces = torch.tensor(rng.integers(0, 300, (200, 3)))
    whole = rasterize(vertices, faces, 64, 64, perspective=True)
    parts = rasterize(vertices, faces, 64, 64, perspective=True, block=50)
    assert torch.equal(whole.face, parts.face)
    assert torch.equal(whole.bary, parts.bary)


def test_windows_put_together_are_the_whole_picture() -> None:
    rng = np.random.default_rng(4)
    uvs, faces = torch.tensor(rng.uniform(0, 1, (90, 2))), torch.tensor(rng.integers(0, 90, (40, 3)))
    whole = rasterize_uv(uvs, faces, 50)
    for left, top, width, height in ((0, 0, 17, 50), (17, 0, 33, 20), (17, 20, 33, 30)):
        part = rasterize_uv(uvs, faces, 50, window=(left, top, width, height))
        assert torch.equal(part.face, whole.face[top : top + height, left : left + width])


def test_depth_of_a_slanted_plane_is_the_ray_intersection() -> None:
    """Perspective-correct: z of the picture must solve the plane equation, which linear weights would not."""
    corners = np.array([[-0.5, -0.5, 0.5], [0.5, -0.5, -0.5], [0.5, 0.5, -0.5], [-0.5, 0.5, 0.5]])  # x + z = 0
    mesh = Mesh(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    camera = orbit_camera(10, 15, 64)
    depth = render_depth(mesh, camera).numpy()
    seen = np.isfinite(depth)
    origin, rays = pixel_rays(camera)
    points = origin + rays * np.where(seen, depth, 0)[..., None]
    assert seen.sum() > 500
    assert np.abs(points[seen] @ np.array([1.0, 0.0, 1.0])).max() < 1e-4
    assert np.abs(points[seen]).max() < 0.51


def test_perspective_interpolation_returns_the_surface_point() -> None:
    rng = np.random.default_rng(1)
    mesh = Mesh(rng.uniform(-0.5, 0.5, (30, 3)), rng.integers(0, 30, (20, 3)))
    camera = orbit_camera(30, -20, 48)
    fragments = render_fragments(mesh, camera)
    points = interpolate(fragments, torch.tensor(mesh.faces.copy()), torch.tensor(mesh.vertices.copy())).numpy()
    origin, rays = pixel_rays(camera)
    seen = fragments.covered.numpy()
    expected = origin + rays * fragments.depth.numpy()[..., None]
    np.testing.assert_allclose(points[seen], expected[seen], atol=2e-4)


def test_faces_behind_the_camera_are_left_out() -> None:
    mesh = Mesh(np.array([[-1, -1, 9.0], [1, -1, 9.0], [0, 1, 9.0]]), np.array([[0, 1, 2]]))
    assert not render_fragments(mesh, orbit_camera(0, 0, 16)).covered.any()


def test_nothing_to_draw_gives_an_empty_picture() -> None:
    fragments = rasterize(torch.zeros(3, 3), torch.tensor([[0, 1, 2]]), 4, 3)
    assert fragments.face.shape == (3, 4)
    assert not fragments.covered.any()
    assert torch.isinf(fragments.depth).all()
    empty = rasterize(torch.zeros(0, 3), torch.zeros(0, 3, dtype=torch.int64), 4, 3)
    assert not empty.covered.any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e9])
def test_nan_and_far_vertices_are_refused_with_a_reason(bad: float) -> None:
    vertices = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, bad, 1]])
    with pytest.raises(BadInputError, match="cannot rasterise"):
        rasterize(vertices, torch.tensor([[0, 1, 2]]), 8, 8)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_gpu_gives_the_same_faces_as_the_cpu() -> None:
    rng = np.random.default_rng(9)
    vertices = torch.tensor(np.column_stack([rng.uniform(-9, 521, (3000, 2)), rng.uniform(1, 2, 3000)]))
    faces = torch.tensor(rng.integers(0, 3000, (2000, 3)))
    here = rasterize(vertices, faces, 512, 512)
    there = rasterize(vertices.cuda(), faces, 512, 512)
    assert (here.face != there.face.cpu()).float().mean() < 1e-5
