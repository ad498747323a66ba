"""Turntable sheets and single renders."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from maquette.data import Mesh, Texture
from maquette.errors import BadInputError, BadMeshError
from maquette.geometry.camera import orbit_camera, project
from maquette.preview import render, turntable, turntable_cameras


@pytest.fixture
def box() -> Mesh:
    """A coloured box of 1 x 0.5 x 0.25: red where x > 0, else blue (linear)."""
    solid = trimesh.creation.box((1.0, 0.5, 0.25))
    red = (solid.vertices[:, :1] > 0).astype(np.float32)
    return Mesh(solid.vertices, solid.faces, vertex_colors=np.concatenate([red, 0 * red, 1 - red], axis=1))


def test_a_sheet_has_the_input_and_the_views_side_by_side(box: Mesh) -> None:
    picture = np.full((20, 40, 3), [0.0, 1.0, 0.0], np.float32)
    sheet = turntable(box, views=3, size=64, input_rgb=picture)
    assert sheet.shape == (64, 256, 3)
    assert sheet.dtype == np.float32
    assert 0.0 <= sheet.min() <= sheet.max() <= 1.0
    np.testing.assert_allclose(sheet[32, 32], [0, 1, 0], atol=0.01)
    assert (sheet[2, :64, 1] < 0.97).all(), "a wide picture is fitted, not stretched"
    panels = [sheet[:, 64 * k : 64 * k + 64] for k in (1, 2, 3)]
    assert not np.allclose(panels[0], panels[1], atol=0.05)


def test_every_view_fits_into_its_frame(box: Mesh) -> None:
    turned = box.replace(vertices=box.vertices * 3 + 5)
    for camera in turntable_cameras(turned, 7, 100):
        pixels, depth = project(camera, turned.vertices)
        assert (depth > 0).all()
        assert (pixels > 5).all()
        assert (pixels < 95).all()


def test_the_second_view_shows_the_side_of_positive_x(box: Mesh) -> None:
    first, second = (render(box, c, shading=False) for c in turntable_cameras(box, 4, 64)[:2])
    assert (second[0][second[1] > 0.99][:, 0] > 0.5).mean() > 0.6, "from +x mostly red"
    columns = first[0][32, first[1][32] > 0.99]
    assert columns[-1, 0] > columns[0, 0], "from the front +x is at the right hand"


def test_unshaded_render_is_the_texture_itself_in_srgb() -> None:
    quad = Mesh(
        np.array([[-0.5, -0.5, 0], [0.5, -0.5, 0], [0.5, 0.5, 0], [-0.5, 0.5, 0]]),
        np.array([[0, 1, 2], [0, 2, 3]]),
        uvs=np.array([[0, 1], [1, 1], [1, 0], [0, 0]]),
        texture=Texture(np.array([[[0.9, 0.2, 0.2], [0.2, 0.9, 0.2]], [[0.2, 0.2, 0.9], [0.5, 0.5, 0.5]]])),
    )
    rgb, alpha = render(quad, orbit_camera(0, 0, 128), shading=False)
    rows, columns = np.nonzero(alpha > 0.99)
    top, bottom, left, right = rows.min(), rows.max(), columns.min(), columns.max()
    np.testing.assert_allclose(rgb[top + 3, left + 3], [0.9, 0.2, 0.2], atol=0.02)
    np.testing.assert_allclose(rgb[top + 3, right - 3], [0.2, 0.9, 0.2], atol=0.02)
    np.testing.assert_allclose(rgb[bottom - 3, left + 3], [0.2, 0.2, 0.9], atol=0.02)
    np.testing.assert_allclose(rgb[bottom - 3, right - 3], [0.5, 0.5, 0.5], atol=0.02)


def test_edges_are_smooth_and_carry_no_background_colour(box: Mesh) -> None:
    rgb, alpha = render(box, orbit_camera(30, 20, 64), shading=False)
    soft = (alpha > 0.2) & (alpha < 0.8)
    assert soft.sum() > 20
    assert (rgb[soft][:, 1] < 0.02).all(), "there is no green in the box, so none at its edge"


@pytest.mark.parametrize(("views", "size"), [(0, 64), (65, 64), (4, 8), (4, 10_000)])
def test_impossible_sheets_are_refused(box: Mesh, views: int, size: int) -> None:
    with pytest.raises(BadInputError, match="a sheet needs"):
        turntable(box, views=views, size=size)


def test_bad_meshes_and_pictures_are_refused(box: Mesh) -> None:
    with pytest.raises(BadMeshError):
        turntable(Mesh(np.zeros((0, 3)), np.zeros((0, 3))))
    with pytest.raises(BadInputError, match="input picture"):
        turntable(box, size=32, input_rgb=np.zeros((4, 4, 2), np.float32))
