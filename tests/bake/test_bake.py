"""The texture bake: right colour at the right place, photos first, nothing black, gutters, coverage, bad input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from maquette.appearance import OwnLook, ProjectedPhotos, Uniform
from maquette.appearance.color import to_linear
from maquette.bake import _gutter, bake, color_vertices, dress, unwrap
from maquette.bake._gutter import fill_gutter
from maquette.data import Material, Mesh, SurfaceSample, Texture, View
from maquette.errors import BadInputError, BadMeshError, Cancelled
from maquette.geometry import nearest_pixel
from maquette.geometry.camera import orbit_camera
from maquette.geometry.raster import rasterize_uv
from maquette.mesh.color import sampled
from maquette.preview import render
from maquette.progress import Progress


@dataclass
class ByPlace:
    """Colour = position + 0.5, metallic by x, roughness by y; remembers the largest block it was asked for."""

    largest: int = 0
    known: float = 1.0
    hole: float = -9.0

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        assert points.shape == normals.shape
        torch.testing.assert_close(normals.norm(dim=1), torch.ones_like(points[:, 0]), atol=1e-4, rtol=0)
        self.largest = max(self.largest, len(points))
        color = points + 0.5
        color[points[:, 0] < self.hole] = float("nan")
        flat = torch.zeros_like(points[:, 0])
        return SurfaceSample(color, (points[:, 0] > 0).float(), points[:, 1] + 0.5, flat + self.known)


@pytest.fixture(scope="module")
def ball() -> Mesh:
    solid = trimesh.creation.icosphere(3, 0.5)
    return unwrap(Mesh(solid.vertices, solid.faces), size=256)


def picture(color: tuple[float, float, float], size: int = 128) -> View:
    rgb = np.broadcast_to(np.array(color, np.float32), (size, size, 3))
    return View(rgb, np.ones((size, size), np.float32), orbit_camera(0, 0, size), "front")


def test_every_texel_has_the_colour_of_its_surface_point(ball: Mesh) -> None:
    made = bake(ball, ByPlace(), size=256).mesh
    assert made.texture is not None
    fragments = rasterize_uv(torch.tensor(ball.uvs), torch.tensor(ball.faces), 256)
    seen = fragments.covered.numpy()
    corners = ball.vertices[ball.faces[fragments.face.numpy()[seen]]]
    points = (corners * fragments.bary.numpy()[seen][..., None]).sum(axis=1)
    np.testing.assert_allclose(made.texture.base_color[seen], points + 0.5, atol=1e-4)
    packed = made.texture.metallic_roughness
    assert packed is not None
    np.testing.assert_allclose(packed[seen][:, 1], points[:, 1] + 0.5, atol=1e-4)
    np.testing.assert_allclose(packed[seen][:, 2], points[:, 0] > 0, atol=1e-4)
    assert made.material.metallic == made.material.roughness == 1.0, "factors multiply the map"


def test_a_baked_mesh_looks_as_the_mesh_it_was_baked_from(ball: Mesh) -> None:
    """Texture, vertex colours and factor are all in the new map, and only there."""
    red = ball.replace(
        texture=Texture(np.full((4, 4, 3), 0.9)), vertex_colors=ball.vertices + 0.5, material=Material((0.8, 0.1, 0.3))
    )
    camera = orbit_camera(30, 20, 128)
    truth, alpha = render(red, camera, shading=False)
    inside = alpha > 0.99
    assert np.ptp(truth[inside], axis=0).min() > 0.1 and truth[inside][:, 1].max() < 0.4, "the case is one"
    for made in (
        bake(red, OwnLook(red), size=256).mesh,
        color_vertices(red.replace(texture=None, uvs=None), OwnLook(red)),
    ):
        assert np.abs(render(made, camera, shading=False)[0] - truth)[inside].max() < 0.05
        assert made.material.base_color == (1.0, 1.0, 1.0)


def test_uvs_that_leave_the_square_are_not_kept(ball: Mesh) -> None:
    """Tiles have no texels of their own, so those faces would lose their surface; what no face uses does not matter."""
    assert ball.uvs is not None
    for tiles in (ball.uvs * 2, ball.uvs - 0.3):
        with pytest.raises(BadMeshError, match="leave the square"):
            dress(ball.replace(uvs=tiles), Uniform(), size=64, uvs="keep")
    spare = Mesh(
        np.append(ball.vertices, [[0, 0, 0]], axis=0),
        ball.faces,
        uvs=np.append(ball.uvs * (1 + 5e-5), [[9, 9]], axis=0),
    )
    assert dress(spare, Uniform(), size=64, uvs="keep").mesh.texture is not None


def test_the_rendered_texture_shows_no_seams_and_no_black(ball: Mesh) -> None:
    """Against the exact colour at every pixel: seams and gutters would show as outliers."""
    made = bake(ball, ByPlace(), size=256).mesh
    exact = ball.replace(vertex_colors=to_linear(torch.tensor(ball.vertices + 0.5)).numpy())
    for azimuth in (0, 120, 240):
        camera = orbit_camera(azimuth, 25, 256)
        baked, alpha = render(made, camera, shading=False)
        truth, _ = render(exact, camera, shading=False)
        inside = alpha > 0.99
        assert np.abs(baked - truth)[inside].max() < 0.06
        assert np.abs(baked - truth)[inside].mean() < 0.004


def test_photos_go_first_where_they_see_the_surface(ball: Mesh) -> None:
    done = bake(ball, ByPlace(), views=[picture((0.9, 0.1, 0.2))], size=256)
    rgb, _ = render(done.mesh, orbit_camera(0, 0, 128), shading=False)
    middle = rgb[54:74, 54:74]
    np.testing.assert_allclose(middle, np.broadcast_to([0.9, 0.1, 0.2], middle.shape), atol=0.01)
    back, _ = render(done.mesh, orbit_camera(180, 0, 128), shading=False)
    assert np.abs(back[60:68, 60:68] - [0.5, 0.5, 0.0]).max() < 0.1, "the appearance at (0, 0, -0.5)"
    assert 0.15 < done.coverage["photos"] < 0.5
    assert abs(sum(done.coverage[k] for k in ("photos", "appearance", "fill")) - 1) < 1e-3
    assert done.coverage["fill"] < 0.01


def test_made_up_colours_count_as_fill(ball: Mesh) -> None:
    assert bake(ball, Uniform(), size=64).coverage["fill"] == 1.0
    view = picture((0.5, 0.5, 0.5))
    done = bake(ball, ProjectedPhotos(ball, [view]), views=[view], size=64)
    assert done.coverage["appearance"] < 0.02
    assert done.coverage["fill"] > 0.4


def test_points_that_nothing_knows_take_a_neighbours_colour_and_are_reported(ball: Mesh) -> None:
    done = bake(ball, ByPlace(hole=-0.3), size=128)
    assert done.mesh.texture is not None
    assert np.isfinite(done.mesh.texture.base_color).all()
    assert len(done.notes) == 1
    assert "no colour" in done.notes[0]
    assert done.coverage["fill"] > 0.05
    empty = bake(ball, ByPlace(hole=9.0), size=64)
    assert "plain material" in empty.notes[0]
    assert empty.mesh.texture is not None
    np.testing.assert_allclose(empty.mesh.texture.base_color, 1.0)


def test_a_constant_metallic_and_roughness_goes_into_the_material(ball: Mesh) -> None:
    done = bake(ball, Uniform((0.2, 0.4, 0.6), metallic=0.25, roughness=0.5), size=64).mesh
    assert done.texture is not None
    assert done.texture.metallic_roughness is None
    assert abs(done.material.metallic - 0.25) < 1e-6
    assert abs(done.material.roughness - 0.5) < 1e-6
    np.testing.assert_allclose(done.texture.base_color, np.broadcast_to([0.2, 0.4, 0.6], (64, 64, 3)), atol=1e-6)


def test_the_appearance_is_asked_in_blocks(ball: Mesh) -> None:
    look = ByPlace()
    bake(ball, look, size=1024)
    assert look.largest <= 1 << 18


def test_the_input_is_not_changed(ball: Mesh) -> None:
    assert ball.uvs is not None
    before = ball.vertices.copy(), ball.uvs.copy()
    bake(ball, ByPlace(), size=64)
    np.testing.assert_array_equal(ball.vertices, before[0])
    np.testing.assert_array_equal(ball.uvs, before[1])
    assert ball.texture is None


def test_vertex_colours_are_linear() -> None:
    solid = trimesh.creation.icosphere(1, 0.5)
    mesh = color_vertices(Mesh(solid.vertices, solid.faces), Uniform((0.5, 0.5, 0.5)))
    np.testing.assert_allclose(mesh.vertex_colors, 0.21404, atol=1e-4)


def test_bad_input_is_refused(ball: Mesh) -> None:
    with pytest.raises(BadMeshError, match="no uvs"):
        bake(Mesh(ball.vertices, ball.faces), Uniform())
    with pytest.raises(BadInputError, match="texture size"):
        bake(ball, Uniform(), size=3)
    with pytest.raises(BadMeshError, match="uvs have no area"):
        bake(ball.replace(uvs=np.zeros_like(ball.vertices[:, :2])), Uniform(), size=32)


def test_cancel_reaches_the_bake(ball: Mesh) -> None:
    def stop() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        bake(ball, Uniform(), size=64, progress=Progress(check=stop))


@settings(max_examples=25, deadline=None)
@given(arrays(bool, st.tuples(st.just(12), st.just(12))))
def test_gutters_take_the_nearest_used_texel(used: np.ndarray) -> None:
    if not used.any():
        used[3, 4] = True
    rng = np.random.default_rng(0)
    maps = rng.uniform(0, 1, (12, 12, 2))
    filled = maps.copy()
    fill_gutter(torch.from_numpy(filled), torch.from_numpy(used))
    np.testing.assert_array_equal(filled[used], maps[used])
    places = np.argwhere(used)
    for row, column in np.argwhere(~used):
        distance = ((places - [row, column]) ** 2).sum(axis=1)
        nearest = places[distance == distance.min()]
        assert any((filled[row, column] == maps[r, c]).all() for r, c in nearest)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_a_device_finds_the_same_nearest_texels_as_the_host(seed: int) -> None:
    """Ties included; also where the nearest lies hundreds of columns away, and in few pairs at a time."""
    rng = np.random.default_rng(seed)
    used = torch.from_numpy(rng.random(rng.integers(1, (60, 700))) < rng.choice([0.5, 0.05, 0.001]))
    used[rng.integers(len(used)), rng.integers(used.shape[1])] = True
    rows = slice(*sorted(int(row) for row in rng.integers(0, len(used) + 1, 2)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nearest_pixel, "_PAIRS", int(rng.choice([1000, 1 << 22])))
        found = nearest_pixel.nearest_on_device(used, rows)
    for here, there in zip(_gutter._nearest_on_host(used, rows), found, strict=True):
        assert torch.equal(here, there)


def test_the_search_of_a_device_reaches_across_the_widest_strip() -> None:
    """8192 columns, the only used texel in the last: squares and columns fit into one integer."""
    used = torch.zeros(3, 8192, dtype=torch.bool)
    used[2, -1] = True
    empty, source = nearest_pixel.nearest_on_device(used, slice(0, 1))
    assert torch.equal(empty, torch.arange(8192)) and (source == 3 * 8192 - 1).all()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("hole", [-9.0, -0.3, 9.0])
def test_a_device_bakes_the_texture_of_the_host(ball: Mesh, hole: float) -> None:
    """Every map, gutters, lost texels and figures; a texel exactly at a step of the look may fall on either side."""
    here, there = (bake(ball, ByPlace(hole=hole), size=256, device=device) for device in ("cpu", "cuda"))
    assert here.mesh.texture is not None and there.mesh.texture is not None
    for name in ("base_color", "metallic_roughness"):
        one, two = getattr(here.mesh.texture, name), getattr(there.mesh.texture, name)
        assert (one is None) == (two is None)
        if one is not None:
            assert (np.abs(one - two) > 1e-4).mean() < 0.005
    assert len(here.notes) == len(there.notes)
    assert here.coverage == pytest.approx(there.coverage, rel=1e-3, abs=1e-3)


def test_gutters_of_a_tall_atlas_match_across_strips() -> None:
    used = np.zeros((2600, 2600), bool)
    used[1000:1040, 700:710] = True
    maps = np.zeros((2600, 2600, 1), np.float32)
    maps[1000:1020], maps[1020:1040] = 0.25, 0.75
    fill_gutter(torch.from_numpy(maps), torch.from_numpy(used))
    assert maps[980, 705, 0] == 0.25
    assert maps[1060, 705, 0] == 0.75
    assert abs(maps[2500, 0, 0] - 0.5) < 1e-6, "too far away: the mean"


@pytest.mark.parametrize("size", [128, 256, 512])
def test_every_vertex_reads_its_own_colour_also_at_the_tips_of_charts(size: int) -> None:
    """Colour = place: a bilinear look-up at any vertex gives its place back and never a neighbouring chart's."""
    ball = trimesh.creation.icosphere(3, 0.45)
    bumpy = Mesh(ball.vertices * (1 + 0.1 * np.sin(9 * ball.vertices).sum(axis=1, keepdims=True)), ball.faces)
    mesh = unwrap(bumpy, size=size)
    baked = bake(mesh, ByPlace(), size=size).mesh
    assert baked.texture is not None and baked.uvs is not None
    error = np.abs(sampled(baked.texture, baked.uvs) - (baked.vertices + 0.5)).max(axis=1)
    assert error.max() < 0.04, f"{(error > 0.04).sum()} of {len(error)} vertices, by up to {error.max():.2f}"
