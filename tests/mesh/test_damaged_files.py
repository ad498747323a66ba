"""A glTF tree of any shape is a mesh or a BadMeshError: never another exception, never a lake of memory."""

from __future__ import annotations

import contextlib
import copy
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mesh_shapes import torus

from maquette.batch.reading import report_of
from maquette.data import Texture
from maquette.errors import BadMeshError
from maquette.mesh import read_mesh, write_mesh
from maquette.mesh.gltf import joined_glb, split_glb

Tree = dict[str, Any]
STRANGE: tuple[Any, ...] = (
    None, True, -1, 0, 1, 2, 3, 7, 65_535, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), -0.5,
    "", "POSITION", "\ud800", "data:;base64,AAAA", "/dev/zero", [], [0], [[]], [None], {}, {"0": {}}, {"attributes": 3},
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tree, bytes]:
    """A GLB with texture, normals, colours and a report."""
    mesh, rng = torus(columns=6, rows=5), np.random.default_rng(0)
    count = len(mesh.vertices)
    picture = Texture(rng.random((8, 8, 3)), rng.random((8, 8, 3)))
    mesh = mesh.replace(uvs=rng.random((count, 2)), vertex_colors=rng.random((count, 3)), texture=picture)
    path = write_mesh(mesh, tmp_path_factory.mktemp("whole") / "a.glb", report={"faces": 1, "certified": True})
    return split_glb(path.read_bytes())


def places(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of everything below ``value``."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in ((value, key), *places(value[key]))]


def damage(tree: Tree, seed: int) -> Tree:
    """One to four values of the tree taken away, doubled, exchanged or replaced by something strange."""
    rng, tree = random.Random(seed), copy.deepcopy(tree)
    for _ in range(rng.randint(1, 4)):
        found = places(tree)
        if not found:
            break
        holder, key = rng.choice(found)
        kind = rng.randrange(6)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            holder[key] = [holder[key], holder[key]]
        elif kind == 2:
            other, name = rng.choice(found)
            if name in (other if isinstance(other, dict) else range(len(other))):
                holder[key] = copy.deepcopy(other[name])
        else:
            holder[key] = copy.deepcopy(rng.choice(STRANGE))
    return tree


def try_to_read(path: Path) -> None:
    """Either answer is right, whatever else is raised fails the test; so does a mesh that ``checked`` cannot judge."""
    with contextlib.suppress(BadMeshError):
        read_mesh(path).checked()
    assert isinstance(report_of(path.parent), dict)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**9))
@example(seed=0)
def test_a_tree_of_another_shape_never_crashes_the_reader(
    tmp_path_factory: pytest.TempPathFactory, whole: tuple[Tree, bytes], seed: int
) -> None:
    """Structured damage gets past the JSON parser, where random bytes seldom do; as GLB and, every third, as glTF."""
    path = tmp_path_factory.mktemp("shape") / ("a.gltf" if seed % 3 == 0 else "a.glb")
    tree = damage(whole[0], seed)
    path.write_bytes(json.dumps(tree).encode() if path.suffix == ".gltf" else joined_glb(tree, whole[1]))
    try_to_read(path)


JSON = st.recursive(
    st.sampled_from([v for v in STRANGE if not isinstance(v, (list, dict))]) | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["mesh", "faces", "count"]), inner),
    max_leaves=6,
)
NAMES = ["meshes", "accessors", "nodes", "scenes", "buffers", "bufferViews", "asset", "extensionsUsed", "materials"]


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), JSON) | JSON)
@example({"meshes": [{"attributes": {}}]})
@example({"asset": {"extras": [1]}, "extensionsUsed": 7})
def test_any_json_at_all(tmp_path_factory: pytest.TempPathFactory, tree: Any) -> None:
    """What was never a glTF tree."""
    path = tmp_path_factory.mktemp("json") / "a.glb"
    path.write_bytes(joined_glb(tree, b""))
    try_to_read(path)


def test_a_count_of_billions_is_refused_before_memory_is_taken(tmp_path: Path, whole: tuple[Tree, bytes]) -> None:
    """An accessor without data is all zeros: the reader would make them."""
    tree = copy.deepcopy(whole[0])
    tree["accessors"][0] = {**tree["accessors"][0], "count": 10**10}
    del tree["accessors"][0]["bufferView"]
    (tmp_path / "a.glb").write_bytes(joined_glb(tree, whole[1]))
    with pytest.raises(BadMeshError, match=r"a\.glb: accessors\[0\].*10000000000"):
        read_mesh(tmp_path / "a.glb")


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    """Brackets by the ten thousand: Python's parser gives up, the reader says so; the report reader finds nothing."""
    text = b"[" * 100_000
    head = struct.pack("<4sIIII", b"glTF", 2, 20 + len(text), len(text), 0x4E4F534A)
    (tmp_path / "a.glb").write_bytes(head + text)
    with pytest.raises(BadMeshError, match="JSON"):
        read_mesh(tmp_path / "a.glb")
    assert report_of(tmp_path) == {}
