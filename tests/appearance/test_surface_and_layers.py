"""Vertex colours, textures of another mesh, one colour, layers; and the nearest-surface look-up behind them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.appearance import Layered, TexturedMesh, Uniform, VertexColors
from maquette.appearance.color import to_srgb
from maquette.data import Appearance, Material, Mesh, SurfaceSample, Texture
from maquette.errors import BadInputError, BadMeshError
from maquette.geometry.closest import ClosestSurface
from maquette.mesh.color import with_vertex_colors


def quad() -> Mesh:
    """A unit square facing +z whose texture is red, green / blue, white."""
    return Mesh(
        np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float),
        np.array([[0, 1, 2], [0, 2, 3]]),
        uvs=np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float),
        texture=Texture(np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]], float)),
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_closest_points_agree_with_trimesh(seed: int) -> None:
    rng = np.random.default_rng(seed)
    solid = trimesh.creation.icosphere(2, 0.5)
    mesh = Mesh(solid.vertices, solid.faces)
    points = rng.uniform(-0.8, 0.8, (60, 3))
    hits = ClosestSurface(mesh).query(points)
    _, expected, _ = trimesh.proximity.closest_point_naive(solid, points)
    np.testing.assert_allclose(hits.distance, expected, atol=2e-3)
    np.testing.assert_allclose(hits.bary.sum(axis=1), 1, atol=1e-5)
    found = (mesh.vertices[mesh.faces[hits.face]] * hits.bary[..., None]).sum(axis=1)
    np.testing.assert_allclose(np.linalg.norm(found - points, axis=1), hits.distance, atol=1e-5)


def test_large_faces_beside_small_ones_are_found() -> None:
    small = trimesh.creation.icosphere(3, 0.1)
    vertices = np.concatenate([small.vertices, [[-5, -5, -0.2], [5, -5, -0.2], [0, 9, -0.2]]])
    mesh = Mesh(vertices, np.concatenate([small.faces, [[len(small.vertices) + k for k in range(3)]]]))
    hits = ClosestSurface(mesh).query([[2.0, -3.0, 0.0]])
    assert hits.face[0] == len(small.faces)
    assert abs(hits.distance[0] - 0.2) < 1e-6


def test_a_thin_wall_answers_with_the_side_that_faces_the_point() -> None:
    box = trimesh.creation.box((1, 1, 0.002))
    mesh = Mesh(box.vertices, box.faces)
    normals = np.array([[0, 0, 1.0], [0, 0, -1.0]])
    hits = ClosestSurface(mesh).query([[0.1, 0.1, 0.0]] * 2, normals)
    np.testing.assert_allclose(box.face_normals[hits.face][:, 2], [1, -1], atol=1e-6)


def test_vertex_colours_are_linear_and_come_out_as_srgb() -> None:
    mesh = quad().replace(vertex_colors=np.array([[0.2, 0.2, 0.2]] * 4))
    found = VertexColors(mesh).sample(torch.tensor([[0.3, 0.3, 0.1]]), torch.tensor([[0.0, 0, 1]]))
    torch.testing.assert_close(found.base_color, to_srgb(torch.full((1, 3), 0.2)))
    assert found.known.tolist() == [1.0]


def test_textures_are_not_mirrored_and_uvs_start_at_the_top_left() -> None:
    points = torch.tensor([[0.1, 0.9, 0.0], [0.9, 0.9, 0], [0.1, 0.1, 0], [0.9, 0.1, 0]])
    found = TexturedMesh(quad()).sample(points, torch.tensor([[0.0, 0, 1]]).expand(4, 3))
    expected = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]])
    torch.testing.assert_close(found.base_color, expected, atol=1e-4, rtol=0)


RED = (0.8, 0.1, 0.2)
HALF = np.array([[0.5, 1.0, 0.25]] * 4)


def test_factor_vertex_colours_and_texture_are_multiplied_in_linear_light() -> None:
    """As glTF says a mesh is seen, in every pair and all three together."""
    at = torch.tensor([[0.9, 0.1, 0.0]]), torch.tensor([[0.0, 0, 1]])  # the white quarter
    red = quad().replace(material=Material(RED))
    cases = [
        (TexturedMesh(red), np.array(RED)),
        (TexturedMesh(quad().replace(vertex_colors=HALF)), HALF[0]),
        (TexturedMesh(red.replace(vertex_colors=HALF)), HALF[0] * RED),
        (VertexColors(red.replace(vertex_colors=HALF)), HALF[0] * RED),
    ]
    for look, expected in cases:
        found = look.sample(*at).base_color
        torch.testing.assert_close(found, to_srgb(torch.tensor(expected[None], dtype=torch.float32)), atol=1e-4, rtol=0)


def test_a_texture_that_becomes_vertex_colours_takes_factor_and_colours_along_once() -> None:
    white = quad().replace(texture=Texture(np.ones((2, 2, 3))), material=Material(RED), vertex_colors=HALF)
    made = with_vertex_colors(white)
    np.testing.assert_allclose(made.vertex_colors, HALF * RED, rtol=1e-6)
    assert made.material.base_color == (1.0, 1.0, 1.0) and made.texture is None


def test_metallic_and_roughness_are_read_from_their_channels() -> None:
    texture = Texture(np.zeros((2, 2, 3)), np.broadcast_to([1.0, 0.3, 0.9], (2, 2, 3)))
    found = TexturedMesh(quad().replace(texture=texture)).sample(torch.zeros(1, 3), torch.zeros(1, 3))
    assert abs(float(found.roughness) - 0.3) < 1e-6
    assert abs(float(found.metallic) - 0.9) < 1e-6


def test_meshes_without_a_look_are_refused() -> None:
    bare = Mesh(quad().vertices, quad().faces)
    with pytest.raises(BadMeshError, match="no vertex colours"):
        VertexColors(bare)
    with pytest.raises(BadMeshError, match="no texture"):
        TexturedMesh(bare)


class Half:
    """Knows only x > 0."""

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        flat = torch.zeros_like(points[:, 0])
        return SurfaceSample(torch.zeros_like(points), flat + 1, flat, (points[:, 0] > 0).float())


def test_layers_fill_what_those_above_do_not_know() -> None:
    look = Layered([Half(), Uniform((1.0, 0.5, 0.25), roughness=0.6)])
    assert isinstance(look, Appearance)
    found = look.sample(torch.tensor([[1.0, 0, 0], [-1, 0, 0]]), torch.zeros(2, 3))
    torch.testing.assert_close(found.base_color, torch.tensor([[0.0, 0, 0], [1.0, 0.5, 0.25]]))
    torch.testing.assert_close(found.metallic, torch.tensor([1.0, 0.0]))
    torch.testing.assert_close(found.roughness, torch.tensor([0.0, 0.6]))
    assert found.known.tolist() == [1.0, 0.0]


def test_no_layers_is_an_error() -> None:
    with pytest.raises(BadInputError, match="at least one"):
        Layered([])
