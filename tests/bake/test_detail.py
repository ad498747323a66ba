"""Normal maps in tangent space and ambient occlusion."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from maquette.appearance import Uniform
from maquette.bake import _detail, bake_detail, unwrap
from maquette.bake._strips import strips
from maquette.bake._tangents import tangent_frames
from maquette.bake._texels import bake
from maquette.data import Mesh
from maquette.errors import BadMeshError
from maquette.geometry.normals import vertex_normals
from maquette.native import extension


def texels(mesh: Mesh, values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """[size, size] texels in use, and ``values`` [V, C] interpolated at them [N, C]."""
    used, found = np.zeros((size, size), bool), []
    for rows, inside, part in strips(mesh, values, size):
        used[rows].reshape(-1)[inside.numpy()] = True
        found.append(part.numpy())
    return used, np.concatenate(found)


def ball(level: int, radius: float = 0.5) -> Mesh:
    solid = trimesh.creation.icosphere(level, radius)
    return Mesh(solid.vertices, solid.faces)


def quad(mirrored: bool = False) -> Mesh:
    """A unit square facing +z; u grows with x, the picture's up is +y; mirrored: u grows with -x."""
    uvs = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], float)
    if mirrored:
        uvs[:, 0] = 1 - uvs[:, 0]
    return Mesh(np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float), [[0, 1, 2], [0, 2, 3]], uvs=uvs)


@pytest.mark.parametrize(("mirrored", "right"), [(False, 1.0), (True, -1.0)])
def test_frames_follow_u_and_the_pictures_up_also_on_mirrored_charts(mirrored: bool, right: float) -> None:
    tangent, up, normal = tangent_frames(quad(mirrored))
    np.testing.assert_allclose(tangent, np.broadcast_to([right, 0, 0], (4, 3)), atol=1e-6)
    np.testing.assert_allclose(up, np.broadcast_to([0, 1, 0], (4, 3)), atol=1e-6)
    np.testing.assert_allclose(normal, np.broadcast_to([0, 0, 1], (4, 3)), atol=1e-6)


def test_frames_of_a_ball_are_perpendicular_units() -> None:
    mesh = unwrap(ball(3), size=256)
    frames = np.stack(tangent_frames(mesh), axis=1)
    product = frames @ np.swapaxes(frames, 1, 2)
    np.testing.assert_allclose(product, np.broadcast_to(np.eye(3), product.shape), atol=1e-3)


@pytest.mark.parametrize(("mirrored", "red"), [(False, -1.0), (True, 1.0)])
def test_a_slope_rising_to_the_right_leans_to_the_left(mirrored: bool, red: float) -> None:
    """The detail is the square turned about y by 30 degrees: its normal leans towards -x, in the map to red < .5."""
    detail = quad()
    slope = np.tan(np.radians(30))
    tilted = detail.vertices * [1, 1, 0] + np.outer(detail.vertices[:, 0] - 0.5, [0, 0, slope])
    made = bake_detail(quad(mirrored), Mesh(tilted, detail.faces), size=32)
    assert made.texture is not None
    assert made.texture.normal is not None
    expected = np.array([red * 0.5, 0.0, np.sqrt(0.75)])
    np.testing.assert_allclose(made.texture.normal[16, 16] * 2 - 1, expected, atol=0.02)


def test_the_map_gives_a_coarse_ball_the_normals_of_a_fine_one() -> None:
    """Decoded as a renderer does it, with the frames of the coarse mesh: normals must be those of the true sphere."""
    coarse = unwrap(ball(2), size=256)
    made = bake_detail(coarse, ball(5), size=256)
    assert made.texture is not None
    assert made.texture.normal is not None
    seen, values = texels(made, np.concatenate([made.vertices, *tangent_frames(made)], axis=1), 256)
    local = made.texture.normal[seen] * 2 - 1
    frames = values[:, 3:12].reshape(-1, 3, 3)
    world = (local[:, :, None] * frames).sum(axis=1)
    world /= np.linalg.norm(world, axis=1, keepdims=True)
    truth = values[:, :3] / np.linalg.norm(values[:, :3], axis=1, keepdims=True)
    assert (world * truth).sum(axis=1).min() > np.cos(np.radians(2.5))
    flat = (np.array([0, 0, 1.0]) * local).sum(axis=1)
    assert flat.min() > 0.9, "the same shape: nearly flat map"


def test_a_mesh_is_open_outside_and_dark_in_a_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_detail, "_DIRECTIONS", 24)
    alone = bake_detail(unwrap(ball(2), size=64), size=64, occlusion=True)
    assert alone.texture is not None
    assert alone.texture.occlusion is not None
    assert alone.texture.occlusion.shape == (64, 64, 1)
    assert alone.texture.occlusion.mean() > 0.97
    outer, inner = ball(3), ball(3, 0.3)
    nested = Mesh(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]),
    )
    made = bake_detail(unwrap(nested, size=64), size=64, occlusion=True)
    assert made.texture is not None
    assert made.texture.occlusion is not None
    seen, values = texels(made, made.vertices, 64)
    inside = np.linalg.norm(values, axis=1) < 0.4
    share = made.texture.occlusion[seen][:, 0]
    assert share[inside].max() < 0.05, "the inner ball sees no sky"
    assert share[~inside].mean() > 0.97


def test_a_large_occlusion_map_is_a_smaller_one_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Same places, same values: no shift by half a texel, no other chart's shade."""
    monkeypatch.setattr(_detail, "_DIRECTIONS", 16)
    mesh = unwrap(dish(), size=128)
    plain = bake_detail(mesh, size=128, occlusion=True).texture
    monkeypatch.setattr(_detail, "_SOFT", 64)
    wide = bake_detail(mesh, size=128, occlusion=True).texture
    assert plain is not None and plain.occlusion is not None
    assert wide is not None and wide.occlusion is not None and wide.occlusion.shape == (128, 128, 1)
    seen, _ = texels(mesh, mesh.vertices, 128)
    assert plain.occlusion[seen].std() > 0.2, "a dish is light and dark"
    wrong = np.abs(plain.occlusion - wide.occlusion)[seen].mean()
    assert wrong < 0.012
    for step, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):  # one texel is half of one of the smaller map
        moved = np.roll(wide.occlusion, step, axis)
        assert np.abs(plain.occlusion - moved)[seen].mean() > 1.1 * wrong, "and no place fits better than this"


def test_base_colour_is_kept_and_normals_stay_those_of_the_map() -> None:
    mesh = bake(unwrap(ball(2), size=64), Uniform((0.2, 0.4, 0.6)), size=64).mesh
    made = bake_detail(mesh, ball(3), size=64)
    assert made.texture is not None
    assert mesh.texture is not None
    np.testing.assert_array_equal(made.texture.base_color, mesh.texture.base_color)
    np.testing.assert_array_equal(made.vertex_normals, vertex_normals(mesh))


def test_a_mesh_without_uvs_is_refused() -> None:
    with pytest.raises(BadMeshError, match="no uvs"):
        bake_detail(ball(1), ball(2))


def dish() -> Mesh:
    """A bowl: a cup and its lining, open at the top."""
    outer, inner = ball(3), ball(3, 0.4)
    low = [part.faces[(part.vertices[part.faces][:, :, 1] < 0.1).all(axis=1)] for part in (outer, inner)]
    faces = np.concatenate([low[0], low[1][:, ::-1] + len(outer.vertices)])
    return Mesh(np.concatenate([outer.vertices, inner.vertices]), faces)


def test_occlusion_agrees_with_rays() -> None:
    """Depth maps answer all rays of a direction at once; true rays say the same to a hundredth."""
    made = bake_detail(unwrap(dish(), size=96), size=96, occlusion=True)
    assert made.texture is not None and made.texture.occlusion is not None
    seen, values = texels(made, np.concatenate([made.vertices, vertex_normals(made)], axis=1), 96)
    points, normals = torch.tensor(values[:, :3]).double(), torch.tensor(values[:, 3:]).double()
    normals = torch.nn.functional.normalize(normals, dim=1)
    rays = extension("visibility")
    tree = rays.build(torch.tensor(made.vertices), torch.tensor(made.faces))
    free, total = torch.zeros(len(points)), torch.zeros(len(points))
    for axes in _detail._sky(_detail._DIRECTIONS):
        up = -torch.tensor(np.asarray(axes)[2]).double()
        cosine = (normals @ up).clamp(min=0)
        free += cosine * ~rays.blocked(tree, points + normals * 1e-3, up.expand(len(points), 3))
        total += cosine
    wrong = np.abs((free / total).numpy() - made.texture.occlusion[seen][:, 0])
    assert wrong.mean() < 0.02 and np.quantile(wrong, 0.99) < 0.1


def test_maps_are_the_same_compiled_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Occlusion and colours do not depend on a compiler (where nothing is compiled both runs are the twin's)."""
    mesh = unwrap(dish(), size=64)
    first = bake_detail(bake(mesh, Uniform((0.2, 0.4, 0.6)), size=64).mesh, size=64, occlusion=True)
    monkeypatch.setattr(extension("uv_raster"), "NATIVE", False)
    second = bake_detail(bake(mesh, Uniform((0.2, 0.4, 0.6)), size=64).mesh, size=64, occlusion=True)
    assert first.texture is not None and second.texture is not None
    np.testing.assert_array_equal(first.texture.occlusion, second.texture.occlusion)
    np.testing.assert_array_equal(first.texture.base_color, second.texture.base_color)
