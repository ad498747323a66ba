"""Reading a GLB without trusting any of our own code."""

from __future__ import annotations

import io
import json
import struct
from typing import Any

import numpy as np
import trimesh


def document(data: bytes) -> dict[str, Any]:
    """The JSON chunk; asserts the header and that the declared length is the real one."""
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data)), (magic, version, length, len(data))
    size, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    return dict(json.loads(data[20 : 20 + size]))


def mesh_of(data: bytes) -> trimesh.Trimesh:
    """The one mesh of the file, UV seams still split."""
    scene = trimesh.load(io.BytesIO(data), file_type="glb", process=False)
    meshes = list(scene.geometry.values())
    assert len(meshes) == 1
    assert isinstance(meshes[0], trimesh.Trimesh)
    return meshes[0]


def welded(mesh: trimesh.Trimesh) -> trimesh.Trimesh:
    """The surface alone: vertices at the same place joined."""
    bare = trimesh.Trimesh(np.asarray(mesh.vertices), np.asarray(mesh.faces), process=False)
    bare.merge_vertices(merge_tex=True, merge_norm=True)
    return bare


def assert_certified_asset(data: bytes, faces: int | None = None) -> dict[str, Any]:
    """A closed, outward, textured, opaque asset with its certificate inside; gives the JSON chunk."""
    head, mesh = document(data), mesh_of(data)
    solid = welded(mesh)
    assert solid.is_watertight and solid.is_winding_consistent and solid.volume > 0
    if faces is not None:
        assert abs(len(mesh.faces) - faces) <= 0.02 * faces, (len(mesh.faces), faces)
    assert_textured(head, mesh)
    extras = head["asset"].get("extras", {})
    assert "certified" in json.dumps(extras), "no certificate in asset.extras"
    assert "MaquetteSave3DAsset" in json.dumps(extras), "no prompt in asset.extras"
    return head


def assert_textured(head: dict[str, Any], mesh: trimesh.Trimesh) -> None:
    """One opaque PBR material with a picture that is neither black nor flat, UVs inside the picture."""
    (material,) = head["materials"]
    assert material.get("alphaMode", "OPAQUE") == "OPAQUE"
    assert "baseColorTexture" in material["pbrMetallicRoughness"]
    picture = np.asarray(mesh.visual.material.baseColorTexture.convert("RGB"), np.float32)
    assert picture.std() > 2, "the texture is flat"
    assert picture.mean() > 5, "the texture is black"
    uvs = np.asarray(mesh.visual.uv)
    assert uvs.min() >= -1e-4 and uvs.max() <= 1 + 1e-4
    assert np.ptp(uvs, axis=0).min() > 0.1
