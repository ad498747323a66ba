"""A look that lives on the baked mesh is carried over its faces: the colours of the search, without the search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
import trimesh

from maquette.appearance import OwnLook, TexturedMesh, Uniform, VertexColors
from maquette.bake import bake, unwrap
from maquette.data import Appearance, Material, Mesh, SurfaceSample
from maquette.geometry.copies import copied_vertices


@dataclass(frozen=True)
class Searched:
    """An appearance of which only the look-up by place is known."""

    inner: Appearance

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        return self.inner.sample(points, normals)


@pytest.fixture(scope="module")
def painted() -> Mesh:
    solid = trimesh.creation.icosphere(3, 0.5)
    colors = np.clip(0.5 + solid.vertices @ [[0.9, 0.1, 0.0], [0.0, 0.8, 0.2], [0.3, 0.0, 0.9]], 0, 1)
    material = Material(base_color=(0.9, 0.8, 0.7), metallic=0.3, roughness=0.4)
    return Mesh(solid.vertices, solid.faces, vertex_colors=colors, material=material)


@pytest.fixture(scope="module")
def flat(painted: Mesh) -> Mesh:
    return unwrap(painted.replace(vertex_colors=None), size=128)


class ByPlace:
    """Everything smooth in space, so that it is the same on both sides of a seam."""

    def sample(self, points: torch.Tensor, normals: torch.Tensor) -> SurfaceSample:
        part = (0.5 + 0.8 * points).clamp(0, 1)
        return SurfaceSample(part, part[:, 0], part[:, 1], torch.ones_like(part[:, 0]))


def test_colours_of_the_same_triangles_are_those_of_the_search(painted: Mesh, flat: Mesh) -> None:
    look = VertexColors(painted)
    carried, searched = bake(flat, look, size=128).mesh, bake(flat, Searched(VertexColors(painted)), size=128).mesh
    assert len(flat.vertices) > len(painted.vertices), "seams were cut"
    assert carried.texture is not None and searched.texture is not None
    apart = np.abs(carried.texture.base_color - searched.texture.base_color).max(axis=2)
    assert (apart < 2e-4).mean() > 0.998 and apart.max() < 4e-3, "the search may take the face beside the nearest"
    assert carried.material == searched.material
    assert "_closest" not in vars(look), "no tree was built"


def test_a_texture_is_carried_by_its_own_uvs(painted: Mesh, flat: Mesh) -> None:
    """Every map, factor and vertex colours included, against the search and against what was painted."""
    plain = unwrap(painted.replace(vertex_colors=None, material=Material()), size=256)
    source = bake(plain, ByPlace(), size=256).mesh
    assert source.texture is not None and source.texture.metallic_roughness is not None
    bare, wanted = (bake(flat, look, size=128).mesh.texture for look in (TexturedMesh(source), ByPlace()))
    tinted = source.replace(vertex_colors=np.full((len(source.vertices), 3), 0.5, np.float32))
    looks = TexturedMesh(tinted), Searched(TexturedMesh(tinted))
    carried, searched = (bake(flat, look, size=128).mesh.texture for look in looks)
    for one, two in ((bare, wanted), (carried, searched)):
        assert one is not None and two is not None
        assert one.metallic_roughness is not None and two.metallic_roughness is not None
        np.testing.assert_allclose(one.base_color, two.base_color, atol=0.02)
        np.testing.assert_allclose(one.metallic_roughness, two.metallic_roughness, atol=0.02)


def test_a_meshs_own_look_is_carried_too_and_one_colour_is_not(painted: Mesh, flat: Mesh) -> None:
    own = OwnLook(painted)
    values = own.carried(flat)
    assert values is not None and values.shape == (len(flat.vertices), 3)
    assert OwnLook(painted.replace(vertex_colors=None)).carried(flat) is None
    there, expected = bake(flat, own, size=64).mesh.texture, bake(flat, VertexColors(painted), size=64).mesh.texture
    assert there is not None and expected is not None
    np.testing.assert_array_equal(there.base_color, expected.base_color)
    assert not hasattr(Uniform(), "carried")


@pytest.mark.parametrize("change", ["moved", "turned", "cut", "glued"])
def test_another_mesh_is_searched(painted: Mesh, flat: Mesh, change: str) -> None:
    """One vertex elsewhere, corners in another order, a face less, two triangles that came to share another vertex."""
    vertices, faces = flat.vertices.copy(), flat.faces.copy()
    if change == "moved":
        vertices[faces[7, 0], 0] += 1e-6
    elif change == "turned":
        faces[7] = faces[7][[1, 2, 0]]
    elif change == "cut":
        faces = faces[:-1]
    else:
        faces[7, 0] = faces[600, 1]
    other = flat.replace(vertices=vertices, faces=faces, vertex_normals=None)
    assert copied_vertices(other, painted) is None
    assert copied_vertices(flat, painted) is not None
    assert VertexColors(painted).carried(other) is None
    assert bake(other, VertexColors(painted), size=32).mesh.texture is not None


def test_vertices_that_no_face_uses_do_not_matter(painted: Mesh) -> None:
    more = painted.replace(
        vertices=np.concatenate([painted.vertices, [[9.0, 9, 9]]]).astype(np.float32), vertex_colors=None
    )
    source = copied_vertices(more, painted)
    assert source is not None and source[:-1].tolist() == list(range(len(painted.vertices)))
