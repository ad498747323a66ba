"""Regression tests named after bugs that peers shipped (mission, section C): 6, 7, 10, 11 and 12."""

from __future__ import annotations

import importlib
import json
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mesh_shapes import box, is_closed_manifold, joined, moebius, sphere, torus, volume, without_faces

from maquette.data import Mesh, Texture
from maquette.errors import BadInputError, BadMeshError, MaquetteError, MissingError
from maquette.mesh import certify, clean, read_mesh, simplify, write_mesh


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes a library impossible to import."""

    def remove(name: str) -> None:
        for loaded in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
            monkeypatch.delitem(sys.modules, loaded)
        monkeypatch.setitem(sys.modules, name, None)

    return remove


def test_bug_06_a_missing_extension_is_a_hard_error(no_library: Any) -> None:
    """A step whose library is gone raises; it never hands back a stand-in (a 12-face cube, then textured perfectly)."""
    mesh = torus()
    no_library("fast_simplification")
    with pytest.raises(MissingError, match="pip install fast-simplification"):
        simplify(mesh, 200)


@pytest.mark.parametrize("step", ["read", "write"])
def test_bug_06_files_without_trimesh_are_a_hard_error(step: str, tmp_path: Path, no_library: Any) -> None:
    """Neither reading nor writing puts anything in the place of a mesh; the message says what to install."""
    path = write_mesh(torus(), tmp_path / "a.glb")
    no_library("trimesh")
    with pytest.raises(MissingError, match="pip install trimesh"):
        if step == "read":
            read_mesh(path)
        else:
            write_mesh(torus(), tmp_path / "b.glb")
    assert [p.name for p in tmp_path.iterdir()] == ["a.glb"]


def test_bug_06_nothing_in_the_stage_makes_boxes_up(root: Path) -> None:
    """The stage has no code that creates a primitive, so no failure can be papered over with one."""
    for path in (root / "maquette" / "mesh").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert ".creation" not in text and "icosphere" not in text and "primitives.Box" not in text, path


def test_bug_06_a_failed_read_or_clean_never_returns_geometry(tmp_path: Path) -> None:
    """Broken input ends in an error of ours."""
    (tmp_path / "bad.glb").write_bytes(b"glTF" + bytes(40))
    with pytest.raises(MaquetteError):
        read_mesh(tmp_path / "bad.glb")
    with pytest.raises(MaquetteError):
        clean(Mesh(np.full((8, 3), np.nan), box().faces))


def tree_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return dict(json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]]))


@pytest.mark.parametrize("kind", ["textured", "colored", "plain"])
def test_bug_07_materials_are_opaque(kind: str, tmp_path: Path) -> None:
    """alphaMode OPAQUE is written for every material, and the base colour picture has no alpha channel."""
    import io

    from PIL import Image

    mesh = sphere(2)
    count = len(mesh.vertices)
    if kind == "textured":
        rgba = np.zeros((8, 8, 4))  # a fully transparent picture, as projection bakes can make
        mesh = mesh.replace(uvs=np.random.default_rng(0).random((count, 2)), texture=Texture(rgba))
    elif kind == "colored":
        mesh = mesh.replace(vertex_colors=np.zeros((count, 3)))
    path = write_mesh(mesh, tmp_path / "a.glb")
    tree, data = tree_of(path), path.read_bytes()
    assert tree["materials"] and all(m["alphaMode"] == "OPAQUE" for m in tree["materials"])
    assert all(m["pbrMetallicRoughness"]["baseColorFactor"][3] == 1.0 for m in tree["materials"])
    begin = 28 + struct.unpack_from("<I", data, 12)[0]
    for image in tree.get("images", []):
        view = tree["bufferViews"][image["bufferView"]]
        start = begin + view.get("byteOffset", 0)
        assert Image.open(io.BytesIO(data[start : start + view["byteLength"]])).mode == "RGB"


def test_bug_10_simplified_meshes_are_not_blocky() -> None:
    """A smooth ball stays smooth: every face's normal is near the ball's, and no face is larger than its share."""
    made = simplify(sphere(6), 2000)
    corner = made.vertices[made.faces].astype(float)
    normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    area = np.linalg.norm(normal, axis=1) / 2
    cosine = np.einsum("fi,fi->f", normal / (2 * area)[:, None], corner.mean(axis=1) / 0.5)
    assert cosine.min() > 0.97  # a blocky ball has faces along the axes: 0.58
    assert area.max() < 8 * area.mean()
    assert np.abs(np.linalg.norm(made.vertices, axis=1) - 0.5).max() < 5e-3
    assert len(np.unique(np.round(normal / (2 * area)[:, None], 2), axis=0)) > 500


def test_bug_11_non_manifold_meshes_are_repaired_and_never_saved_empty(tmp_path: Path) -> None:
    """Non-manifold edges are repaired first, so the step after them has something to work on; empty is refused."""
    tee = joined(box(), box(at=(1.0, 1.0, 0.0)), box(at=(1.0, -1.0, 0.0)))
    assert certify(tee).non_manifold_edges > 0
    made = clean(tee).mesh
    assert certify(made).non_manifold_edges == 0 and is_closed_manifold(made)
    path = write_mesh(made, tmp_path / "a.glb")
    assert len(read_mesh(path).faces) == len(made.faces) == 36
    with pytest.raises(BadMeshError, match="empty"):
        write_mesh(Mesh(np.zeros((0, 3)), np.zeros((0, 3))), tmp_path / "b.glb")
    assert not (tmp_path / "b.glb").exists()


def test_bug_11_a_file_that_lost_its_faces_is_thrown_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the exporter writes a large file without a mesh in it, the check after writing finds out."""
    gltf = importlib.import_module("trimesh.exchange.gltf")
    text = b'{"asset":{"version":"2.0"},"buffers":[{"byteLength":52000}]}'
    text += b" " * (-len(text) % 4)
    hollow = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + 52000)
    hollow += struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", 52000, 0x004E4942) + bytes(52000)
    monkeypatch.setattr(gltf, "export_glb", lambda *_, **__: hollow)
    with pytest.raises(BadInputError, match="thrown away"):
        write_mesh(torus(), tmp_path / "a.glb")
    assert list(tmp_path.iterdir()) == []


def floaters(count: int, seed: int = 0) -> list[Mesh]:
    rng = np.random.default_rng(seed)
    return [sphere(0, 0.01, at=tuple(rng.uniform(0.7, 2.0, 3).tolist())) for _ in range(count)]


def test_bug_12_the_largest_part_always_stays() -> None:
    """Sixty floaters go and the object stays, whatever the share; a flat or open object stays too."""
    body = torus()
    for share in (0.01, 0.05, 0.5, 0.999):
        result = clean(joined(body, *floaters(60)), floaters=share)
        assert result.figures["floaters"] == 60 and len(result.mesh.faces) == len(body.faces)
        assert volume(result.mesh) == pytest.approx(volume(body), rel=1e-6)


def test_bug_12_the_bounding_box_does_not_count() -> None:
    """A thin frame with a small share of its bounding box's volume is not a floater of itself."""
    frame = torus(0.5, 0.005, 96, 8)
    assert volume(frame) < 0.05 * 1.0 * 1.0 * 0.01 * 10
    assert len(clean(joined(frame, *floaters(3)), floaters=0.5).mesh.faces) >= len(frame.faces)


@pytest.mark.parametrize(
    "mesh",
    [
        moebius(),
        without_faces(sphere(2), np.arange(320) % 2 == 0),
        Mesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]]),
        joined(*(sphere(1, 0.1, at=(float(k), 0.0, 0.0)) for k in range(5))),
        Mesh(np.random.default_rng(0).random((90, 3)), np.arange(90).reshape(-1, 3)),
    ],
    ids=["moebius", "shreds", "quad", "equal parts", "rubble"],
)
@pytest.mark.parametrize("share", [0.01, 0.9])
def test_bug_12_nothing_is_ever_emptied(mesh: Mesh, share: float) -> None:
    """Open, flat, equal or scattered parts: something always remains, at every share."""
    assert len(clean(mesh, floaters=share).mesh.faces) > 0
