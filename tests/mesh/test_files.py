"""Files: what is written is what is read, whole or not at all, and broken files are errors that say what is wrong."""

from __future__ import annotations

import errno
import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mesh_shapes import box, is_closed_manifold, soup, sphere, torus, volume

from maquette.data import Material, Mesh, Texture
from maquette.errors import BadInputError, BadMeshError, Cancelled
from maquette.mesh import certify, next_path, read_mesh, smooth_normals, write_mesh
from maquette.mesh.color import sampled, to_encoded, to_linear

ALL = ("glb", "obj", "ply", "stl", "3mf")


def rich(seed: int = 0) -> Mesh:
    """A ball with everything a Mesh can have."""
    rng = np.random.default_rng(seed)
    ball = soup(sphere(2))
    count = len(ball.vertices)
    texture = Texture(
        rng.random((16, 16, 3)), rng.random((16, 16, 3)), rng.random((16, 16, 3)), rng.random((16, 16, 1))
    )
    return smooth_normals(ball).replace(
        vertex_colors=rng.random((count, 3)), uvs=rng.random((count, 2)), confidence=rng.random(count), texture=texture
    )


def tree_of(path: Path) -> dict[str, Any]:
    """The JSON of a GLB, read without the library."""
    data = path.read_bytes()
    magic, version, total, length, kind = struct.unpack_from("<4sIIII", data)
    assert (magic, version, total, kind) == (b"glTF", 2, len(data), 0x4E4F534A)
    return dict(json.loads(data[20 : 20 + length]))


@pytest.mark.parametrize("ending", ALL)
def test_geometry_survives_every_format(tmp_path: Path, ending: str) -> None:
    """Written and read again: the same closed surface, to float32 where the format allows."""
    mesh = torus()
    path = write_mesh(mesh, tmp_path / f"ring.{ending}")
    again = read_mesh(path)
    assert certify(again).certified and certify(again).genus == 1
    assert volume(again) == pytest.approx(volume(mesh), rel=1e-6)
    if ending != "stl":
        assert np.array_equal(again.vertices, mesh.vertices) and np.array_equal(again.faces, mesh.faces)


def test_glb_keeps_everything(tmp_path: Path) -> None:
    """Vertices, normals, exact linear colours, uvs, confidence, and all four maps to 8 bits."""
    mesh = rich()
    again = read_mesh(write_mesh(mesh, tmp_path / "a.glb"))
    assert np.allclose(again.vertex_normals, mesh.vertex_normals, atol=1e-6)  # type: ignore[arg-type]
    for name in ("vertices", "faces", "vertex_colors", "confidence"):
        assert np.array_equal(getattr(again, name), getattr(mesh, name)), name
    assert np.allclose(again.uvs, mesh.uvs, atol=1e-7)  # type: ignore[arg-type]
    assert again.texture is not None and mesh.texture is not None
    for name in ("base_color", "metallic_roughness", "normal"):
        assert np.abs(getattr(again.texture, name) - getattr(mesh.texture, name)).max() <= 0.5 / 255 + 1e-6, name
    assert again.texture.occlusion is not None
    assert np.abs(again.texture.occlusion[..., :1] - mesh.texture.occlusion).max() <= 0.5 / 255 + 1e-6


def test_factors_survive(tmp_path: Path) -> None:
    """Material factors are written exactly, not as bytes."""
    material = Material((0.123, 0.456, 0.789), metallic=0.3, roughness=0.7, double_sided=True)
    path = write_mesh(box().replace(material=material), tmp_path / "a.glb")
    pbr = tree_of(path)["materials"][0]["pbrMetallicRoughness"]
    assert pbr == {"baseColorFactor": [0.123, 0.456, 0.789, 1.0], "metallicFactor": 0.3, "roughnessFactor": 0.7}
    again = read_mesh(path).material
    assert (again.metallic, again.roughness, again.double_sided) == (0.3, 0.7, True)
    assert again.base_color == pytest.approx(material.base_color, abs=0.5 / 255)


def test_the_first_texture_row_is_at_v_zero(tmp_path: Path) -> None:
    """glTF's uv origin is the top left: the stored v is ours, and the stored picture is not upside down."""
    picture = np.zeros((4, 4, 3))
    picture[0] = (1.0, 0.0, 0.0)
    corners = Mesh(np.eye(3), [[0, 1, 2]], uvs=[[0.1, 0.05], [0.9, 0.05], [0.5, 0.2]], texture=Texture(picture))
    path = write_mesh(corners, tmp_path / "a.glb")
    tree, data = tree_of(path), path.read_bytes()
    start = 28 + struct.unpack_from("<I", data, 12)[0]
    accessor = tree["accessors"][tree["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]]
    view = tree["bufferViews"][accessor["bufferView"]]
    stored = np.frombuffer(data, "<f4", 6, start + view.get("byteOffset", 0)).reshape(3, 2)
    assert np.allclose(stored, [[0.1, 0.05], [0.9, 0.05], [0.5, 0.2]], atol=1e-6)
    again = read_mesh(path)
    assert again.texture is not None and np.array_equal(again.texture.base_color[0, 0], [1, 0, 0])


def test_obj_uses_the_other_origin_and_lands_with_its_files(tmp_path: Path) -> None:
    """OBJ has v up; material and pictures lie beside it under its name."""
    mesh = rich()
    path = write_mesh(mesh, tmp_path / "thing.obj")
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "thing.mtl", "thing.obj", "thing_color.png", "thing_normal.png",
    ]  # fmt: skip
    line = next(x for x in path.read_text().splitlines() if x.startswith("vt "))
    assert float(line.split()[2]) == pytest.approx(1 - float(mesh.uvs[0, 1]), abs=1e-6)  # type: ignore[index]
    again = read_mesh(path)
    assert np.allclose(again.uvs, mesh.uvs, atol=1e-6)  # type: ignore[arg-type]
    assert again.texture is not None and mesh.texture is not None
    assert np.abs(again.texture.base_color - mesh.texture.base_color).max() <= 0.5 / 255 + 1e-6


@pytest.mark.parametrize("ending", ["ply", "obj"])
def test_vertex_colors_are_srgb_in_old_formats(tmp_path: Path, ending: str) -> None:
    """Linear in glTF and here, sRGB in PLY and OBJ: a round trip changes them by half an 8-bit step at most."""
    mesh = sphere(2)
    colors = np.random.default_rng(0).random((len(mesh.vertices), 3))
    again = read_mesh(write_mesh(mesh.replace(vertex_colors=colors), tmp_path / f"a.{ending}"))
    assert again.vertex_colors is not None
    assert np.abs(to_encoded(again.vertex_colors) - to_encoded(colors)).max() <= 0.51 / 255


def test_a_texture_becomes_colors_where_the_format_has_none(tmp_path: Path) -> None:
    """PLY holds no picture: the texture is sampled, not lost."""
    mesh = rich().replace(vertex_colors=None)
    again = read_mesh(write_mesh(mesh, tmp_path / "a.ply"))
    assert again.vertex_colors is not None and mesh.texture is not None and mesh.uvs is not None
    want = sampled(mesh.texture, mesh.uvs)
    assert np.abs(to_encoded(again.vertex_colors) - want).max() <= 0.51 / 255


def test_print_sizes(tmp_path: Path) -> None:
    """size_mm: the longest side has that many millimetres and up is z."""
    tall = Mesh(box().vertices * np.array([1.0, 2.0, 0.5]), box().faces)
    for ending in ("stl", "3mf"):
        again = read_mesh(write_mesh(tall, tmp_path / f"a.{ending}", size_mm=80.0))
        assert np.ptp(again.vertices, axis=0) == pytest.approx([40.0, 20.0, 80.0], rel=1e-5)
        assert volume(again) > 0
    with pytest.raises(BadInputError, match="size_mm"):
        write_mesh(tall, tmp_path / "b.stl", size_mm=-1.0)


def test_3mf_has_no_seams(tmp_path: Path) -> None:
    """A slicer takes open edges for holes: the textured soup is welded by index."""
    again = read_mesh(write_mesh(rich(), tmp_path / "a.3mf"))
    assert len(again.vertices) == len(sphere(2).vertices)


def test_report_and_workflow_travel_inside(tmp_path: Path) -> None:
    """asset.extras holds the report under maquette.mesh and the metadata beside it."""
    report = certify(box()).as_dict()
    path = write_mesh(box(), tmp_path / "a.glb", report=report, metadata={"prompt": {"1": {"x": [1, None]}}})
    asset = tree_of(path)["asset"]
    assert asset["generator"].startswith("Maquette ")
    assert asset["extras"] == {"maquette": {"mesh": report}, "prompt": {"1": {"x": [1, None]}}}
    whole = {"mesh": report, "backend": "x"}
    assert tree_of(write_mesh(box(), path, report=whole))["asset"]["extras"]["maquette"] == whole


@pytest.mark.parametrize("ending", ALL)
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC while flushing: WriteError, the folder as before, an older file intact."""
    old = tmp_path / f"a.{ending}"
    old.write_bytes(b"older")

    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInputError, match="No space left"):
        write_mesh(rich(), old)
    assert [p.name for p in tmp_path.iterdir()] == [old.name] and old.read_bytes() == b"older"


def test_a_set_lands_together_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rename of the OBJ fails after its material moved: the older material is back, the picture gone."""
    (tmp_path / "a.mtl").write_text("older")
    real = Path.replace

    def refuse(self: Path, target: Any) -> Path:
        if self.suffix == ".obj":
            raise OSError(errno.EIO, "broken")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(BadInputError, match="broken"):
        write_mesh(rich(), tmp_path / "a.obj")
    assert [p.name for p in tmp_path.iterdir()] == ["a.mtl"] and (tmp_path / "a.mtl").read_text() == "older"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root and Windows may write anywhere")
def test_an_unwritable_folder_says_so(tmp_path: Path) -> None:
    """Permission denied becomes a sentence."""
    tmp_path.chmod(0o500)
    with pytest.raises(BadInputError, match="writable"):
        write_mesh(box(), tmp_path / "a.glb")


def test_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    """The folder's name is taken by a file."""
    (tmp_path / "taken").write_text("x")
    with pytest.raises(BadInputError, match="cannot write"):
        write_mesh(box(), tmp_path / "taken" / "a.glb")


def test_cancel_while_writing_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception of the caller's, which is no OSError, cleans up too."""
    from maquette.mesh import writing

    def cancel(*_: Any) -> None:
        raise Cancelled("enough")

    monkeypatch.setattr(writing, "_compared", cancel)
    with pytest.raises(Cancelled):
        write_mesh(box(), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_what_does_not_come_back_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file read again had other faces, it never gets its name."""
    from maquette.mesh import writing

    monkeypatch.setattr(writing, "read_mesh", lambda _path: box(2.0))
    with pytest.raises(BadInputError, match="thrown away"):
        write_mesh(box(), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_made_and_endings_checked(tmp_path: Path) -> None:
    """A new folder is made; an unknown ending is refused with the list."""
    assert write_mesh(box(), tmp_path / "new" / "er" / "a.glb").is_file()
    with pytest.raises(BadInputError, match=r"\.glb, \.obj"):
        write_mesh(box(), tmp_path / "a.fbx")


def test_corrupt_meshes_are_not_written(tmp_path: Path) -> None:
    """Empty, NaN, out of range: BadMeshError and no file."""
    for mesh in (
        Mesh(np.zeros((0, 3)), np.zeros((0, 3))),
        Mesh(np.full((3, 3), np.nan), [[0, 1, 2]]),
        Mesh(np.eye(3), [[0, 1, 7]]),
    ):
        with pytest.raises(BadMeshError):
            write_mesh(mesh, tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def broken_files(folder: Path) -> dict[str, tuple[str, bytes]]:
    """Broken in every way we have seen."""
    whole = write_mesh(rich(), folder / "whole.glb").read_bytes()
    return {
        "empty": ("a.glb", b""),
        "text as glb": ("a.glb", b"<html>not found</html>" * 9),
        "cut in the header": ("a.glb", whole[:16]),
        "cut in the json": ("a.glb", whole[:200]),
        "cut in the data": ("a.glb", whole[: len(whole) // 2]),
        "json damaged": ("a.glb", whole[:24] + b"\xff\xfe{{{" + whole[30:]),
        "gltf no json": ("a.gltf", b"hello"),
        "gltf missing buffer": (
            "a.gltf",
            b'{"asset":{"version":"2.0"},"buffers":[{"uri":"gone.bin","byteLength":9}],"scenes":[{"nodes":[0]}],'
            b'"nodes":[{"mesh":0}],"meshes":[{"primitives":[{"attributes":{"POSITION":0}}]}],"accessors":[{'
            b'"bufferView":0,"componentType":5126,"count":3,"type":"VEC3"}],"bufferViews":[{"buffer":0,"byteLength":9}]}',
        ),
        "obj no faces": ("a.obj", b"v 0 0 0\nv 1 0 0\n"),
        "obj garbage": ("a.obj", b"\x00\x01\x02 f f f\nf 1 2 x\n"),
        "ply garbage": ("a.ply", b"ply\nformat ascii 1.0\nelement vertex 3\nend_header\n1 2\n"),
        "stl short": ("a.stl", b"\x00" * 80 + struct.pack("<I", 500) + b"\x00" * 20),
        "3mf no zip": ("a.3mf", b"PK\x03\x04nothing"),
        "off garbage": ("a.off", b"OFF\n1 2\n"),
        "unknown": ("a.blend", b"BLENDER"),
    }


def test_broken_files_are_errors_with_the_name(tmp_path: Path) -> None:
    """Each is a BadMeshError that names the file; nothing else escapes and nothing is made up in its place."""
    for what, (name, data) in broken_files(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(BadMeshError) as caught:
            read_mesh(path)
        assert name in str(caught.value) or "GLB" in str(caught.value) or "format" in str(caught.value), what
    with pytest.raises(BadMeshError, match="there is no"):
        read_mesh(tmp_path / "missing.glb")


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
@example(seed=116)
def test_a_damaged_glb_never_crashes_the_reader(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    """Random bytes overwritten: either a mesh or a BadMeshError, never another exception."""
    folder = tmp_path_factory.mktemp("fuzz")
    data = bytearray(write_mesh(torus(columns=8, rows=6), folder / "a.glb").read_bytes())
    rng = np.random.default_rng(seed)
    for place in rng.integers(0, len(data), int(rng.integers(1, 12))):
        data[place] = int(rng.integers(256))
    (folder / "b.glb").write_bytes(bytes(data))
    try:
        read_mesh(folder / "b.glb")
    except BadMeshError:
        return


def scene_file(folder: Path) -> Path:
    """Two textured parts and a plain one, moved, turned and mirrored by scene nodes (written by trimesh)."""
    import trimesh
    from PIL import Image

    scene = trimesh.Scene()
    for index, (color, at) in enumerate((((255, 0, 0), 0.0), ((0, 255, 0), 3.0), (None, 6.0))):
        part = trimesh.Trimesh(box().vertices, box().faces, process=False)
        if color is not None:
            material = trimesh.visual.material.PBRMaterial(
                baseColorTexture=Image.new("RGB", (8, 8), color), roughnessFactor=0.25, metallicFactor=0.5
            )
            part.visual = trimesh.visual.TextureVisuals(uv=np.full((8, 2), 0.5), material=material)
        else:
            material = trimesh.visual.material.PBRMaterial(baseColorFactor=[0, 0, 255, 255])
            part.visual = trimesh.visual.TextureVisuals(material=material)
        matrix = np.diag([-1.0, 1.0, 1.0, 1.0]) if index == 1 else np.eye(4)
        matrix[0, 3] = at
        scene.add_geometry(part, transform=matrix, geom_name=f"part{index}")
    path = folder / "scene.glb"
    path.write_bytes(scene.export(file_type="glb"))
    return path


def test_a_scene_becomes_one_mesh_with_one_atlas(tmp_path: Path) -> None:
    """Parts stand where the scene puts them, mirrored ones are not inside out, and each keeps its colour."""
    mesh = read_mesh(scene_file(tmp_path))
    report = certify(mesh)
    assert report.components == 3 and report.watertight and report.volume == pytest.approx(3.0, rel=1e-5)
    assert report.bounds_max[0] == pytest.approx(6.5)
    assert mesh.texture is not None and mesh.uvs is not None
    color = sampled(mesh.texture, mesh.uvs)
    for place, want in ((0.0, [1, 0, 0]), (3.0, [0, 1, 0]), (6.0, [0, 0, 1])):
        here = np.abs(mesh.vertices[:, 0] - place) < 1
        assert np.allclose(color[here], want, atol=2 / 255), place
    packed = mesh.texture.metallic_roughness
    assert packed is not None
    texel = sampled(Texture(packed), mesh.uvs)
    assert np.allclose(texel[np.abs(mesh.vertices[:, 0]) < 1][:, 1:], [0.25, 0.5], atol=2 / 255)


def test_external_gltf_files_are_followed(tmp_path: Path) -> None:
    """A .gltf with its .bin beside it."""
    import trimesh

    files = trimesh.Scene({"a": trimesh.Trimesh(box().vertices, box().faces, process=False)}).export(file_type="gltf")
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    path = next(tmp_path.glob("*.gltf"))
    assert is_closed_manifold(read_mesh(path)) and volume(read_mesh(path)) == pytest.approx(1.0)


def test_counters_do_not_collide(tmp_path: Path) -> None:
    """ComfyUI's naming: one more than the highest number there, whatever its ending."""
    assert next_path(tmp_path, "thing", ".glb").name == "thing_00001_.glb"
    (tmp_path / "thing_00007_.obj").write_text("x")
    (tmp_path / "other_00099_.glb").write_text("x")
    (tmp_path / "thing_x_00050_.glb").write_text("x")
    assert next_path(tmp_path, "thing", ".glb").name == "thing_00008_.glb"
    assert next_path(tmp_path / "new", "a", ".stl") == tmp_path / "new" / "a_00001_.stl"
    for bad in ("", "..", "a/b"):
        with pytest.raises(BadInputError):
            next_path(tmp_path, bad, ".glb")


def test_color_curves_are_inverse_and_match_known_values() -> None:
    """sRGB 0.5 is linear 0.2140; the curves undo each other."""
    assert float(to_linear(np.array(0.5))) == pytest.approx(0.21404, abs=1e-5)
    values = np.linspace(0, 1, 256)
    assert np.allclose(to_encoded(to_linear(values)), values, atol=1e-9)
