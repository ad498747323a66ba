"""Projected photos: what a view saw, occlusion, edges, several views, what is made up."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from maquette.appearance import ProjectedPhotos
from maquette.appearance._photo_maps import extended
from maquette.appearance.color import to_linear, to_srgb
from maquette.data import Mesh, View
from maquette.errors import BadMeshError, BadViewsError
from maquette.geometry.camera import orbit_camera, preset_camera
from maquette.geometry.closest import ClosestSurface
from maquette.geometry.normals import vertex_normals
from maquette.geometry.raster import interpolate, render_fragments
from maquette.preview import render

GREEN = np.array([0.0, 1.0, 0.0], np.float32)


def ball(radius: float = 0.5, center: tuple[float, float, float] = (0, 0, 0), level: int = 4) -> Mesh:
    solid = trimesh.creation.icosphere(level, radius)
    return Mesh(solid.vertices + np.array(center), solid.faces)


def joined(*meshes: Mesh) -> Mesh:
    starts = np.cumsum([0, *[len(m.vertices) for m in meshes[:-1]]])
    faces = [m.faces + start for m, start in zip(meshes, starts, strict=True)]
    return Mesh(np.concatenate([m.vertices for m in meshes]), np.concatenate(faces))


def painted(points: np.ndarray) -> np.ndarray:
    """[N, 3] a smooth colour for every place in space, without green where x and y are low."""
    return np.clip(0.5 + 0.8 * points, 0, 1).astype(np.float32)


def photo(mesh: Mesh, name: str, size: int = 256) -> View:
    """A picture of ``mesh`` painted by position, on a green background that must never reach the surface."""
    camera = preset_camera(name, size)
    fragments = render_fragments(mesh, camera)
    points = interpolate(fragments, torch.tensor(mesh.faces), torch.tensor(mesh.vertices)).numpy()
    mask = fragments.covered.numpy().astype(np.float32)
    rgb = np.where(mask[..., None] > 0, painted(points) * [1, 0, 1], GREEN)
    return View(rgb.astype(np.float32), mask, camera, name)


def sampled(photos: ProjectedPhotos, mesh: Mesh) -> tuple[np.ndarray, np.ndarray]:
    found = photos.sample(torch.tensor(mesh.vertices), torch.tensor(vertex_normals(mesh)))
    return found.base_color.numpy(), found.known.numpy()


def test_what_the_view_saw_has_the_colour_of_the_picture() -> None:
    mesh = ball()
    color, known = sampled(ProjectedPhotos(mesh, [photo(mesh, "front")]), mesh)
    front = vertex_normals(mesh)[:, 2] > 0.65
    assert known[front].mean() > 0.99
    np.testing.assert_allclose(color[front], painted(mesh.vertices[front]) * [1, 0, 1], atol=0.02)


def test_what_no_view_saw_is_not_called_known() -> None:
    mesh = ball()
    _, known = sampled(ProjectedPhotos(mesh, [photo(mesh, "front")]), mesh)
    assert (known[vertex_normals(mesh)[:, 2] < 0] == 0).all()


def test_no_background_colour_reaches_any_point() -> None:
    mesh = ball()
    for mirror in (True, False):
        color, _ = sampled(ProjectedPhotos(mesh, [photo(mesh, "front")], mirror=mirror), mesh)
        assert np.isfinite(color).all()
        assert color[:, 1].max() < 0.02, "green is only in the background"


def test_the_far_side_shows_the_mirrored_picture() -> None:
    mesh = ball()
    color, _ = sampled(ProjectedPhotos(mesh, [photo(mesh, "front")]), mesh)
    back = vertex_normals(mesh)[:, 2] < -0.5
    opposite = mesh.vertices[back] * [1, 1, -1]
    assert np.abs(color[back] - painted(opposite) * [1, 0, 1]).mean() < 0.05


def test_a_surface_behind_another_does_not_take_its_colour() -> None:
    """A small ball before a large one: its picture must not be printed on the large one."""
    near, far = ball(0.12, (0.0, 0.0, 0.38), 3), ball(0.35, (0.0, 0.0, -0.1), 4)
    mesh = joined(near, far)
    view = photo(mesh, "front")
    small = render_fragments(mesh, view.camera).face.numpy() < len(near.faces)
    rgb = np.where((small & (view.mask > 0))[..., None], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]).astype(np.float32)
    photos = ProjectedPhotos(mesh, [View(rgb, view.mask, view.camera)])
    color, known = sampled(photos, mesh)
    behind = np.arange(len(mesh.vertices)) >= len(near.vertices)
    hidden = behind & (np.linalg.norm(mesh.vertices[:, :2], axis=1) < 0.08) & (mesh.vertices[:, 2] > 0)
    assert hidden.sum() > 3
    assert (known[hidden] == 0).all()
    facing = behind & (vertex_normals(mesh)[:, 2] > 0.05)
    assert color[facing, 0].max() < 0.05, "no yellow on the side of the ball behind that the picture shows"
    tip = mesh.vertices[:, 2] > 0.48
    np.testing.assert_allclose(color[tip], np.broadcast_to([1, 1, 0], color[tip].shape), atol=0.02)


def test_several_views_cover_the_surface_and_agree() -> None:
    mesh = ball()
    views = [photo(mesh, name) for name in ("front", "right", "back", "left")]
    color, known = sampled(ProjectedPhotos(mesh, views), mesh)
    belt = np.abs(vertex_normals(mesh)[:, 1]) < 0.7
    assert (known[belt] > 0.95).mean() > 0.97
    np.testing.assert_allclose(color[belt], painted(mesh.vertices[belt]) * [1, 0, 1], atol=0.03)


def test_views_of_other_exposure_are_brought_together() -> None:
    """One view 1.25 times as bright (linear): after the match the same points have the same colour in all of them."""
    mesh = ball()
    views = [photo(mesh, name) for name in ("front", "right", "back", "left")]
    views = [View(np.where(v.mask[..., None] > 0, 0.3 + 0.5 * v.rgb, GREEN), v.mask, v.camera, v.name) for v in views]
    assert float(ProjectedPhotos(mesh, views).gains.log().abs().max()) < 0.02
    bright = to_srgb(to_linear(torch.tensor(views[1].rgb)) * 1.25).numpy()
    views[1] = View(bright, views[1].mask, views[1].camera, "right")
    photos = ProjectedPhotos(mesh, views)
    np.testing.assert_allclose((photos.gains[0] / photos.gains[1]).numpy(), 1.25, rtol=0.05)
    assert (ProjectedPhotos(mesh, views, match=False).gains == 1).all()


def test_left_and_right_are_not_exchanged() -> None:
    mesh = ball()
    views = [photo(mesh, name) for name in ("right", "left")]
    color, _ = sampled(ProjectedPhotos(mesh, views), mesh)
    right = mesh.vertices[:, 0] > 0.4
    left = mesh.vertices[:, 0] < -0.4
    assert color[right, 0].mean() > 0.75
    assert color[left, 0].mean() < 0.25


def test_unseen_colours_change_smoothly() -> None:
    """Between neighbouring vertices of the unseen part there is no jump that the pictures do not have."""
    mesh = ball(level=4)
    color, known = sampled(ProjectedPhotos(mesh, [photo(mesh, "front")], mirror=False), mesh)
    edges = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]]])
    unseen = (known[edges] == 0).all(axis=1)
    assert unseen.sum() > 500
    assert np.abs(color[edges[unseen, 0]] - color[edges[unseen, 1]]).max() < 0.12


def test_a_simplified_mesh_keeps_the_detail_of_the_photo() -> None:
    """Stripes finer than the faces survive, because every point is projected, not every vertex."""
    mesh = ball(level=2)
    camera = orbit_camera(0, 0, 256)
    _, alpha = render(mesh, camera)
    stripes = (np.arange(256) // 4 % 2).astype(np.float32)
    rgb = np.broadcast_to(stripes[:, None, None], (256, 256, 3))
    photos = ProjectedPhotos(mesh, [View(rgb, (alpha > 0.5).astype(np.float32), camera)])
    line = np.stack([np.zeros(400), np.linspace(-0.2, 0.2, 400), np.full(400, 0.45)], axis=1)
    hits = ClosestSurface(mesh).query(line)
    points = torch.tensor((mesh.vertices[mesh.faces[hits.face]] * hits.bary[..., None]).sum(axis=1))
    color, known = photos.seen(points, torch.tensor([[0.0, 0.0, 1.0]]).expand(400, 3))
    assert (known > 0.99).all()
    assert int((color[1:, 0].round() - color[:-1, 0].round()).abs().sum()) > 30


def test_extended_keeps_the_inside_and_fills_the_outside_from_it() -> None:
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 1
    rgb = np.where(mask[..., None] > 0, [0.2, 0.3, 0.4], [1.0, 1.0, 1.0]).astype(np.float32)
    np.testing.assert_allclose(extended(rgb, mask), np.broadcast_to([0.2, 0.3, 0.4], rgb.shape), atol=1e-6)
    line = np.zeros((40, 40), np.float32)
    line[20, :] = 1
    assert np.isfinite(extended(rgb, line)).all()


def test_a_subject_one_pixel_wide_still_gives_colours() -> None:
    mesh = ball()
    camera = orbit_camera(0, 0, 64)
    mask = np.zeros((64, 64), np.float32)
    mask[:, 32] = 1
    rgb = np.where(mask[..., None] > 0, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).astype(np.float32)
    color, _ = sampled(ProjectedPhotos(mesh, [View(rgb, mask, camera)]), mesh)
    assert color[:, 1].max() < 0.02


def test_bad_views_and_meshes_are_refused() -> None:
    mesh = ball(level=1)
    with pytest.raises(BadViewsError, match="at least one view"):
        ProjectedPhotos(mesh, [])
    with pytest.raises(BadViewsError, match="'rear' has no camera"):
        ProjectedPhotos(mesh, [View(np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32), None, "rear")])
    with pytest.raises(BadMeshError):
        ProjectedPhotos(Mesh(np.zeros((0, 3)), np.zeros((0, 3))), [photo(mesh, "front", 32)])
