"""Vertex and face normals."""

from __future__ import annotations

import numpy as np
import torch
import trimesh

from maquette.data import Mesh
from maquette.geometry.normals import _vertex_normals_on, face_normals, points_and_normals, vertex_normals


def test_normals_of_a_sphere_point_outwards() -> None:
    ball = trimesh.creation.icosphere(3)
    mesh = Mesh(ball.vertices, ball.faces)
    np.testing.assert_allclose(vertex_normals(mesh), ball.vertices, atol=0.01)
    np.testing.assert_allclose(face_normals(mesh), ball.face_normals, atol=1e-4)


def test_cube_corners_do_not_depend_on_how_the_sides_are_cut() -> None:
    """Angle weights make the three sides count alike, whatever their triangulation."""
    solid = trimesh.creation.box()
    mesh = Mesh(solid.vertices, solid.faces)
    np.testing.assert_allclose(vertex_normals(mesh), np.sign(solid.vertices) / np.sqrt(3), atol=1e-5)


def test_lonely_vertices_and_flat_faces_give_finite_unit_normals() -> None:
    mesh = Mesh(np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]], float), np.array([[0, 1, 2]]))
    normals = vertex_normals(mesh)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0)
    assert (face_normals(mesh) == 0).all()


def test_the_meshs_own_normals_are_kept() -> None:
    own = np.array([[0, 0, 1.0]] * 3)
    mesh = Mesh(np.array([[0, 0, 0], [1, 0, 0], [0, 0, 1.0]]), np.array([[0, 1, 2]]), vertex_normals=own)
    np.testing.assert_array_equal(vertex_normals(mesh), own.astype(np.float32))


def test_a_device_computes_the_normals_of_the_host() -> None:
    """The same rule in torch: angles, faces without area, vertices without faces."""
    rng = np.random.default_rng(0)
    vertices = rng.normal(size=(60, 3)).astype(np.float32)
    faces = np.concatenate([rng.integers(0, 50, (200, 3)), [[3, 3, 4], [5, 5, 5]]])
    mesh = Mesh(vertices, faces)
    found = _vertex_normals_on(torch.tensor(vertices), torch.tensor(faces))
    np.testing.assert_allclose(found, vertex_normals(mesh), atol=1e-5)
    both = points_and_normals(mesh).numpy()
    np.testing.assert_array_equal(both, np.concatenate([mesh.vertices, vertex_normals(mesh)], axis=1))
