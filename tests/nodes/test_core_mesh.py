"""MESH and TRIMESH <-> Mesh: what goes in comes out, padding is read right, nothing is shared or changed."""

from __future__ import annotations

import copy
import importlib
from typing import Any

import numpy as np
import pytest
import torch

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
FACES = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]], np.int32)


def rich(data: Any, size: int = 8) -> Any:
    rng = np.random.default_rng(1)
    texture = data.Texture(
        rng.random((size, size, 3)), rng.random((size, size, 3)), rng.random((size, size, 3)), rng.random((size, size))
    )
    return data.Mesh(
        CORNERS,
        FACES,
        vertex_normals=CORNERS * 2 - 1,
        vertex_colors=rng.random((4, 3)),
        uvs=rng.random((4, 2)),
        confidence=rng.random(4),
        texture=texture,
        material=data.Material((0.5, 0.25, 1.0), 0.3, 0.6, True),
    )


@pytest.fixture
def data(part: Any) -> Any:
    part("_meshes")
    return importlib.import_module("pack.maquette.data")


def core(part: Any, **values: Any) -> Any:
    mesh = part("_meshes")._core_class()(torch.from_numpy(CORNERS)[None], torch.from_numpy(FACES)[None].long())
    for name, value in values.items():
        setattr(mesh, name, value)
    return mesh


def test_each_mesh_of_a_batch_keeps_its_material(part: Any, data: Any) -> None:
    """Core holds one for all, and that is said; between our own nodes nothing is lost. One material needs no word."""
    border = part("_meshes")
    gold, glass = data.Material((1.0, 0.8, 0.3), 1.0, 0.2), data.Material((0.1, 0.2, 0.9), 0.0, 0.05, True)
    batch = [data.Mesh(CORNERS, FACES, material=material) for material in (gold, glass)]
    made = border.core_mesh(batch)
    assert [mesh.material for mesh in border.meshes(made)] == [gold, glass]
    assert made.material["metallic_factor"] == 1.0 and "the factors of the first" in border.material_note(batch)
    alike = border.core_mesh([batch[0], batch[0]])
    assert border.material_note([batch[0], batch[0]]) == "" and not hasattr(alike, "maquette_materials")
    made.vertices, made.faces = made.vertices[:1], made.faces[:1]  # another node has taken the first alone
    assert border.one_mesh(made, "test").material == gold


def test_a_rich_mesh_survives_the_round_trip(part: Any, data: Any) -> None:
    """Every field that core's MESH can carry comes back equal, on old and new core classes."""
    mesh, border = rich(data), part("_meshes")
    made = border.core_mesh(mesh)
    assert isinstance(made, border._core_class())
    back = border.one_mesh(made, "test")
    for name in ("vertices", "faces", "vertex_normals", "vertex_colors", "uvs", "confidence"):
        assert np.array_equal(getattr(back, name), getattr(mesh, name)), name
    assert np.array_equal(back.texture.base_color, mesh.texture.base_color)
    assert np.array_equal(back.texture.normal, mesh.texture.normal)
    assert np.array_equal(back.texture.occlusion, mesh.texture.occlusion)
    assert np.array_equal(back.texture.metallic_roughness[..., 1:], mesh.texture.metallic_roughness[..., 1:])
    assert back.material.base_color == mesh.material.base_color
    assert back.material.double_sided


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("side", [4, 16])
def test_an_occlusion_map_of_another_size_is_resized(part: Any, data: Any, packed: bool, side: int) -> None:
    """glTF lets every map have a size of its own; core packs occlusion and metal-roughness into one."""
    mesh = rich(data)
    ramp = np.repeat(np.linspace(0, 1, side, dtype=np.float32)[:, None], side, axis=1)[..., None]
    other = mesh.texture.metallic_roughness if packed else None
    mesh = mesh.replace(texture=data.Texture(mesh.texture.base_color, other, None, ramp))
    made = part("_meshes").core_mesh(mesh)
    assert made.metallic_roughness.shape == (1, 8, 8, 3) and made.occlusion_in_mr
    np.testing.assert_allclose(
        made.metallic_roughness[0, ..., 0], np.linspace(0, 1, 8)[:, None] + np.zeros(8), atol=0.1
    )


def test_what_goes_out_has_cores_shapes_and_lies_on_the_cpu(part: Any, data: Any) -> None:
    """Batched tensors of core's dtypes, and every newer attribute present also on the old class."""
    made = part("_meshes").core_mesh(rich(data))
    assert made.vertices.shape == (1, 4, 3) and made.vertices.dtype == torch.float32
    assert made.faces.shape == (1, 4, 3) and made.faces.dtype == torch.int64
    assert made.texture.shape == (1, 8, 8, 3)
    for name in ("tangents", "emissive", "unlit", "vertex_counts", "face_counts", "normal_map", "occlusion_in_mr"):
        assert hasattr(made, name), name
    assert made.vertex_counts is None and made.face_counts is None
    assert all(not v.is_cuda for v in vars(made).values() if isinstance(v, torch.Tensor))


def test_nothing_is_shared_with_the_library(part: Any, data: Any) -> None:
    """Writing into the tensors that go out does not reach the Mesh, and the Mesh does not see later changes."""
    mesh, border = rich(data), part("_meshes")
    made = border.core_mesh(mesh)
    back = border.one_mesh(made, "test")
    before = copy.deepcopy(mesh.vertices)
    made.vertices += 5
    made.texture.zero_()
    assert np.array_equal(mesh.vertices, before)
    assert np.array_equal(back.vertices, before)
    assert mesh.texture.base_color.max() > 0


def test_reading_changes_nothing(part: Any) -> None:
    """A MESH that another node owns is the same after we have read it."""
    mesh = core(part, uvs=torch.rand(1, 4, 2), texture=torch.rand(1, 4, 4, 4), vertex_colors=torch.rand(1, 4, 4))
    before = {k: v.clone() for k, v in vars(mesh).items() if isinstance(v, torch.Tensor)}
    names = set(vars(mesh))
    part("_meshes").meshes(mesh)
    assert set(vars(mesh)) == names
    assert all(torch.equal(getattr(mesh, k), v) for k, v in before.items())


def test_batches_of_different_size_are_padded_and_counted(part: Any, data: Any) -> None:
    """A batch goes out zero-padded with counts and comes back item by item at its real size."""
    border = part("_meshes")
    small = data.Mesh(CORNERS[:3], FACES[:1] % 3)
    made = border.core_mesh([small, data.Mesh(CORNERS, FACES)])
    assert made.vertices.shape == (2, 4, 3) and made.faces.shape == (2, 4, 3)
    assert made.vertex_counts.tolist() == [3, 4] and made.face_counts.tolist() == [1, 4]
    assert not made.faces[0, 1:].any()
    first, second = border.meshes(made)
    assert np.array_equal(first.vertices, CORNERS[:3]) and len(first.faces) == 1
    assert np.array_equal(second.faces, FACES)


def test_bare_core_meshes_and_odd_dtypes_are_accepted(part: Any) -> None:
    """Only vertices and faces, half precision, int32, no batch axis: all are meshes."""
    border = part("_meshes")
    duck = type("Duck", (), {})()
    duck.vertices, duck.faces = torch.from_numpy(CORNERS).half(), torch.from_numpy(FACES)
    found = border.one_mesh(duck, "test")
    assert np.array_equal(found.vertices, CORNERS) and np.array_equal(found.faces, FACES)
    assert found.uvs is None and found.texture is None


def test_four_channel_textures_are_reduced(part: Any) -> None:
    """Core's SaveGLB refuses 4 channels, so we never pass them on."""
    border, texture = part("_meshes"), torch.rand(1, 4, 4, 4)
    found = border.one_mesh(core(part, uvs=torch.rand(1, 4, 2), texture=texture), "test")
    assert np.array_equal(found.texture.base_color, texture[0, ..., :3].numpy())
    assert border.core_mesh(found).texture.shape == (1, 4, 4, 3)


def test_texture_without_uvs_is_dropped(part: Any) -> None:
    """Core's clean-up nodes leave a texture behind without UVs; it means nothing any more."""
    assert part("_meshes").one_mesh(core(part, texture=torch.rand(1, 4, 4, 3)), "test").texture is None


def test_a_metal_map_goes_without_factors(part: Any, data: Any) -> None:
    """glTF multiplies factor and map: with a map the factors must stay 1, without one they are passed on."""
    border = part("_meshes")
    material = border.core_mesh(rich(data)).material
    assert "metallic_factor" not in material and "roughness_factor" not in material
    bare = border.core_mesh(data.Mesh(CORNERS, FACES, material=data.Material(metallic=0.7, roughness=0.2))).material
    assert (bare["metallic_factor"], bare["roughness_factor"]) == (0.7, 0.2)


BAD = {
    "empty": ({"faces": torch.zeros(1, 0, 3, dtype=torch.long)}, "empty"),
    "nan": ({"vertices": torch.full((1, 4, 3), float("nan"))}, "NaN"),
    "range": ({"faces": torch.full((1, 1, 3), 77)}, "77"),
    "wrap": ({"faces": torch.full((1, 1, 3), 2**32)}, "corrupt"),
    "float-faces": ({"faces": torch.full((1, 1, 3), 0.5)}, "whole"),
    "quads": ({"faces": torch.zeros(1, 1, 4, dtype=torch.long)}, "faces"),
    "short-uvs": ({"uvs": torch.zeros(1, 2, 2)}, "uvs"),
}


@pytest.mark.parametrize("case", BAD)
def test_broken_meshes_are_refused_in_words(part: Any, data: Any, case: str) -> None:
    """A corrupt mesh from another node stops here, with a message that names the trouble."""
    values, word = BAD[case]
    errors = importlib.import_module("pack.maquette.errors")
    with pytest.raises(errors.BadMeshError, match=word):
        part("_meshes").meshes(core(part, **values))


def test_other_objects_are_refused(part: Any) -> None:
    """A latent wired into a mesh socket by a hand-made API graph gets an answer, not an AttributeError."""
    with pytest.raises(ValueError, match="MESH or a TRIMESH"):
        part("_meshes").meshes({"samples": 1})


def test_a_mixed_batch_is_refused(part: Any, data: Any) -> None:
    """Half a batch with UVs cannot be one MESH."""
    with pytest.raises(ValueError, match="only some items have uvs"):
        part("_meshes").core_mesh([data.Mesh(CORNERS, FACES, uvs=np.zeros((4, 2))), data.Mesh(CORNERS, FACES)])


def test_trimesh_round_trip_keeps_uvs_texture_and_order(part: Any, data: Any) -> None:
    """v is turned over once each way, 8-bit colours come back within half a step, nothing is merged."""
    border, other = part("_meshes"), part("_trimesh")
    mesh = rich(data).replace(vertex_colors=None)
    made = other.to_trimesh(mesh)
    assert np.allclose(made.visual.uv[:, 1], 1 - mesh.uvs[:, 1])
    back = border.one_mesh(made, "test")
    assert np.array_equal(back.vertices, mesh.vertices) and np.array_equal(back.faces, mesh.faces)
    assert np.allclose(back.uvs, mesh.uvs, atol=1e-6)
    assert np.abs(back.texture.base_color - mesh.texture.base_color).max() <= 0.5 / 255 + 1e-6
    assert np.abs(back.texture.metallic_roughness - mesh.texture.metallic_roughness).max() <= 0.5 / 255 + 1e-6


def test_trimesh_vertex_colors_round_trip(part: Any, data: Any) -> None:
    """Colours stay the numbers they were, as in trimesh's own GLB reader and writer."""
    mesh = data.Mesh(CORNERS, FACES, vertex_colors=np.eye(4, 3))
    back = part("_meshes").one_mesh(part("_trimesh").to_trimesh(mesh), "test")
    assert np.array_equal(back.vertex_colors, mesh.vertex_colors)


def test_scenes_are_joined_where_they_stand(part: Any) -> None:
    """A trimesh.Scene counts with its transforms applied."""
    import trimesh

    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([3, 0, 0]))
    scene.add_geometry(trimesh.creation.box())
    found = part("_meshes").one_mesh(scene, "test")
    assert len(found.faces) == 24
    assert np.allclose(found.bounds, [[-0.5, -0.5, -0.5], [3.5, 0.5, 0.5]])


@pytest.mark.parametrize("name", ["base_color", "metallic_roughness", "normal"])
def test_maps_of_different_sizes_are_named(part: Any, data: Any, name: str) -> None:
    """Each of the maps may differ by itself; the sentence says which one, and the sizes."""
    first, rng = rich(data), np.random.default_rng(2)
    maps = {key: getattr(first.texture, key) for key in ("base_color", "metallic_roughness", "normal")}
    other = first.replace(texture=data.Texture(**{**maps, name: rng.random((4, 8, 3))}))
    with pytest.raises(Exception, match=r"8 x 8, 8 x 4") as caught:
        part("_meshes").core_mesh([first.replace(texture=data.Texture(**maps)), other])
    assert type(caught.value).__name__ == "BadMeshError" and caught.value.exit_code == 2
    assert name.split("_")[0][:5] in str(caught.value)
