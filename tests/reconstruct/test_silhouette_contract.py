"""The reconstruct stage's face: cameras for views, and mesh, cameras and appearance brought to size 1 together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _silhouette_scenes import disc, view

from maquette import reconstruct as stage
from maquette.data import Mesh, Reconstruction, SurfaceSample
from maquette.errors import BadMeshError
from maquette.geometry.camera import PRESETS, orbit_camera, project
from maquette.geometry.frame import normalising, picture_camera
from maquette.reconstruct import Settings
from maquette.reconstruct._cameras import with_cameras


class PositionColors:
    """An appearance whose colour is the position: it shows in which world it is asked."""

    def sample(self, points, normals):
        flat = torch.zeros(len(points))
        return SurfaceSample(points, flat, flat, flat)


def tetrahedron(scale, center):
    corners = np.array([[0, 0, 0], [2, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32) * scale + center
    return Mesh(corners, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


def test_mesh_cameras_and_appearance_move_together():
    """Longest side 1, centred; every vertex stays on its pixel and keeps its colour."""
    mesh = tetrahedron(3.0, np.array([4.0, -5.0, 6.0], np.float32))
    camera = orbit_camera(20, 10, 64, distance=30.0)
    made = Reconstruction(mesh, PositionColors(), (view(disc(size=64), camera=camera),), "test")
    done = stage.normalised(made)
    assert np.ptp(done.mesh.vertices, axis=0).max() == pytest.approx(1, abs=1e-6)
    assert np.allclose(done.mesh.bounds.sum(axis=0), 0, atol=1e-6)
    before, after = project(camera, mesh.vertices)[0], project(done.views[0].camera, done.mesh.vertices)[0]
    assert np.allclose(before, after, atol=1e-3)
    points = torch.as_tensor(done.mesh.vertices.copy())
    assert np.allclose(done.appearance.sample(points, points).base_color, mesh.vertices, atol=1e-4)
    assert stage.normalised(done) is done


def test_unusable_meshes_of_backends():
    """An empty mesh, NaN, and all vertices in one point are errors that say so."""
    for vertices, match in (
        (np.zeros((0, 3)), "empty"),
        (np.full((3, 3), np.nan), "NaN"),
        (np.ones((3, 3)), "longest side is 0"),
    ):
        mesh = Mesh(vertices, np.zeros((0, 3)) if len(vertices) == 0 else [[0, 1, 2]])
        with pytest.raises(BadMeshError, match=match):
            stage.normalised(Reconstruction(mesh, PositionColors(), (), "test"))
    with pytest.raises(BadMeshError):
        normalising(np.zeros((0, 3)))


@pytest.mark.parametrize("name", PRESETS)
def test_named_views_get_their_camera(name):
    """A preset's camera sits where the preset says, looking at the origin."""
    (placed,) = with_cameras([view(disc(size=32), name)], Settings())
    assert np.allclose(placed.camera.cam_to_world, orbit_camera(*PRESETS[name], size=32).cam_to_world)


def test_azimuths_beat_names_and_cameras_beat_both():
    """Settings place views without a camera; a view's own camera is never replaced."""
    own = orbit_camera(77, 5, 32)
    views = [view(disc(size=32), "front"), view(disc(size=32), "x.png", own)]
    placed = with_cameras(views, Settings(azimuths=(45.0, 0.0), elevations=(30.0, 0.0), field_of_view=60.0))
    assert np.allclose(placed[0].camera.cam_to_world, orbit_camera(45, 30, 32, 60).cam_to_world)
    assert placed[1].camera is own


def test_one_picture_is_the_front_whatever_its_name():
    """A single picture called after its file is seen from the front, by a camera of its shape."""
    mask = np.ones((20, 50), np.float32)
    (placed,) = with_cameras([view(mask, "cat.png")], Settings())
    assert (placed.camera.width, placed.camera.height) == (50, 20)
    assert np.allclose(placed.camera.intrinsics, picture_camera(50, 20).intrinsics)
    assert placed.camera.intrinsics[0, 2] == 25 and placed.camera.intrinsics[1, 2] == 10
    assert placed.camera.position[2] > 1


def test_names_are_in_order_of_preference():
    """silhouette is listed and can always run."""
    assert "silhouette" in stage.names() and stage.unavailable("silhouette") == ""
    ranks = [stage.load(n).SPEC.default_rank for n in stage.names() if not stage.unavailable(n)]
    assert ranks == sorted(ranks)
