"""Inside tests are right for closed and broken meshes, and solidify always gives one closed 2-manifold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maquette.data import Mesh
from maquette.errors import BadInputError, BadMeshError
from maquette.geometry._columns import Columns
from maquette.geometry._winding_tree import WindingTree, solid_angles
from maquette.geometry.closest import ClosestSurface
from maquette.geometry.winding import SNAP, LatticeSolid, is_closed, solidify, winding_numbers


def mesh_of(shape: trimesh.Trimesh) -> Mesh:
    return Mesh(shape.vertices, shape.faces)


def back(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def assert_solid(mesh: Mesh) -> trimesh.Trimesh:
    out = back(mesh)
    assert out.is_watertight and out.is_winding_consistent and out.volume > 0
    assert is_closed(mesh.faces)
    return out


def exact(corners: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    return torch.stack([solid_angles(corners - p).sum() for p in points]) / (4 * np.pi)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 700))
def test_tree_equals_the_sum_of_solid_angles(seed, count):
    """On random triangle soups the tree is within a few hundredths of the exact sum (scaled by the soup's area)."""
    rng = torch.Generator().manual_seed(seed)
    centers = torch.rand((count, 1, 3), generator=rng)
    corners = centers + 0.1 * torch.randn((count, 3, 3), generator=rng)
    points = torch.rand((40, 3), generator=rng) * 1.4 - 0.2
    tree = WindingTree(corners)
    assert torch.allclose(tree.winding(points), exact(corners, points), atol=0.05)


def test_closed_meshes_wind_once():
    """One inside, zero outside; two where shells overlap; minus one in a shell that is inside out."""
    ball = trimesh.creation.icosphere(4)
    inside, outside = [[0.1, 0.2, 0.3]], [[1.2, 0.4, 0.0]]
    assert winding_numbers(mesh_of(ball), inside) == pytest.approx([1.0], abs=0.02)
    assert winding_numbers(mesh_of(ball), outside) == pytest.approx([0.0], abs=0.02)
    two = trimesh.util.concatenate([ball, ball.copy().apply_scale(0.8)])
    assert winding_numbers(mesh_of(two), inside) == pytest.approx([2.0], abs=0.04)
    turned = ball.copy()
    turned.invert()
    assert winding_numbers(mesh_of(turned), inside) == pytest.approx([-1.0], abs=0.02)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.0, 0.3))
def test_numbers_equal_the_sum_of_solid_angles(seed, cut):
    """Closed or with faces missing, at random points: what the sum over all faces says, exactly where it is closed."""
    rng = np.random.default_rng(seed)
    shape = trimesh.creation.icosphere(2)
    faces = shape.faces[rng.random(len(shape.faces)) >= cut]
    mesh = Mesh(shape.vertices * rng.uniform(0.7, 1.2, (len(shape.vertices), 1)), faces)
    points = rng.uniform(-1.3, 1.3, (60, 3)).astype(np.float32)
    truth = exact(torch.from_numpy(mesh.vertices[mesh.faces]), torch.from_numpy(points))
    found = winding_numbers(mesh, points)
    near_half = np.abs(truth.numpy() - np.round(truth.numpy())) > 0.2
    assert np.abs(found - truth.numpy())[near_half].max(initial=0) < 0.5
    assert (np.abs(found - truth.numpy()) < (1e-4 if cut == 0 else 0.35)).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.booleans())
@example(2133512, True)
def test_lines_through_a_closed_mesh_always_balance(seed, snapped):
    """Every line enters as often as it leaves, also through corners, edges and faces that lie exactly on it."""
    rng = np.random.default_rng(seed)
    shape = trimesh.creation.icosphere(1)
    vertices = shape.vertices * rng.uniform(2, 6, (len(shape.vertices), 1)) + 8
    if snapped:
        vertices = np.round(vertices)
    vertices = np.round(vertices * SNAP) / SNAP
    corners = torch.from_numpy(vertices[shape.faces])
    lattice = torch.cartesian_prod(*[torch.arange(17)] * 3)
    for axis in range(3):
        up, down = Columns(corners, axis, (17, 17, 17)).winding(lattice)
        assert torch.equal(up, down)


def test_three_axes_agree_with_the_true_ball():
    """At every lattice point of a closed ball all six counts equal the analytic inside test."""
    shape = trimesh.creation.icosphere(4)
    corners = torch.from_numpy(shape.vertices[shape.faces])
    solid = LatticeSolid(corners, (-1.21, -1.22, -1.23), 0.1, (25, 25, 25), closed=False)
    lattice = torch.cartesian_prod(*[torch.arange(25)] * 3)
    radius = (lattice * 0.1 - torch.tensor([1.21, 1.22, 1.23])).norm(dim=1)
    sure = (radius - 1).abs() > 0.01
    assert torch.equal(solid.winding(lattice)[sure], (radius < 1).float()[sure])
    assert solid.asked_tree == 0


@pytest.mark.parametrize("resolution", [8, 33, 96])
def test_solid_of_a_box_keeps_volume_and_corners(resolution):
    """A box whose sides coincide with cells comes back closed, with its volume, within a cell of its bounds."""
    result = solidify(mesh_of(trimesh.creation.box((1.0, 0.5, 0.25))), resolution=resolution)
    out = assert_solid(result.mesh)
    assert out.volume == pytest.approx(0.125, rel=4 / resolution)
    assert np.abs(out.bounds - [[-0.5, -0.25, -0.125], [0.5, 0.25, 0.125]]).max() <= result.cell
    assert out.euler_number == 2


def test_vertices_lie_on_the_input_surface():
    """Every vertex of the solid of a ball lies on the ball's own triangles."""
    shape = trimesh.creation.icosphere(3)
    result = solidify(mesh_of(shape), resolution=64)
    distance = ClosestSurface(mesh_of(shape)).query(result.mesh.vertices[::7]).distance
    assert distance.max() < 2e-3 * result.cell + 1e-5
    assert result.closed and result.guessed == 0


def test_overlapping_shells_become_one():
    """Two overlapping balls and one inside both give a single shell with the union's volume."""
    ball = trimesh.creation.icosphere(4)
    other = ball.copy().apply_translation((0.8, 0, 0))
    small = ball.copy().apply_scale(0.3).apply_translation((0.4, 0, 0))
    result = solidify(mesh_of(trimesh.util.concatenate([ball, other, small])), resolution=60)
    out = assert_solid(result.mesh)
    lens = np.pi * (4 + 0.8) * (2 - 0.8) ** 2 / 12
    assert out.body_count == 1
    assert out.volume == pytest.approx(2 * 4.18879 - lens, rel=0.01)


def test_holes_are_closed():
    """A ball with its cap cut off comes back watertight, and the patch stays near the rim's plane."""
    shape = trimesh.creation.icosphere(4)
    cut = trimesh.Trimesh(shape.vertices, shape.faces[shape.triangles_center[:, 2] < 0.7], process=False)
    result = solidify(mesh_of(cut), resolution=32)
    out = assert_solid(result.mesh)
    assert not result.closed and result.guessed > 0
    assert 0.68 < out.bounds[1, 2] < 0.95
    assert out.volume == pytest.approx(4.18879 - np.pi * 0.3**2 * (3 - 0.3) / 3, rel=0.05)


def test_double_wall_becomes_one_wall_on_request():
    """An inner shell is a cavity by default and is dropped with fill_cavities."""
    ball = trimesh.creation.icosphere(4)
    inner = ball.copy().apply_scale(0.85)
    inner.invert()
    both = mesh_of(trimesh.util.concatenate([ball, inner]))
    hollow, full = (solidify(both, resolution=40, fill_cavities=fill).mesh for fill in (False, True))
    assert assert_solid(hollow).volume == pytest.approx(4.18879 * (1 - 0.85**3), rel=0.03)
    assert assert_solid(full).volume == pytest.approx(4.18879, rel=0.01)
    assert back(full).body_count == 1


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31))
def test_any_soup_that_encloses_something_gives_a_closed_mesh(seed):
    """Random triangles, duplicated and degenerate ones among them: closed, or a clear error."""
    rng = np.random.default_rng(seed)
    shape = trimesh.creation.icosphere(2)
    faces = shape.faces[rng.random(len(shape.faces)) < 0.8]
    soup = np.concatenate([faces, faces[:5], rng.integers(0, len(shape.vertices), (6, 3)), faces[:3, [0, 0, 1]]])
    try:
        result = solidify(Mesh(shape.vertices + 0.02 * rng.normal(size=shape.vertices.shape), soup), resolution=16)
    except BadInputError as error:
        assert "encloses nothing" in str(error)
    else:
        assert is_closed(result.mesh.faces) and back(result.mesh).is_watertight


def test_unwelded_mesh_is_no_worse():
    """Vertices split as along UV seams: the lines still balance and the tree is never asked."""
    shape = trimesh.creation.icosphere(3)
    soup = Mesh(shape.triangles.reshape(-1, 3), np.arange(3 * len(shape.faces)).reshape(-1, 3))
    result = solidify(soup, resolution=40)
    assert not result.closed and result.guessed == 0
    assert assert_solid(result.mesh).volume == pytest.approx(shape.volume, rel=0.01)


@pytest.mark.parametrize(
    ("mesh", "error", "words"),
    [
        (Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]), BadInputError, "encloses nothing"),
        (Mesh(np.zeros((3, 3)), [[0, 1, 2]]), BadInputError, "no extent"),
        (Mesh(np.zeros((0, 3)), np.zeros((0, 3))), BadMeshError, "empty"),
        (Mesh([[0, 0, 0], [1, 0, np.nan], [0, 1, 0]], [[0, 1, 2]]), BadMeshError, "NaN"),
    ],
)
def test_meshes_without_inside_are_refused(mesh, error, words):
    """Sheets, points, empty and NaN meshes each get their own message."""
    with pytest.raises(error, match=words):
        solidify(mesh, resolution=16)
