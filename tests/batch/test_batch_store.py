"""Pictures and results in a folder, in any fsspec address, and in S3: whole, never mixed, made once."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from maquette.batch.items import MARKER
from maquette.batch.store import Store
from maquette.errors import BadInputError, MissingError

pytest.importorskip("fsspec", reason="NO FSSPEC: addresses such as s3:// were not tested (pip install fsspec)")


@pytest.fixture(params=["folder", "file", "memory", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """A store of each kind."""
    urls = {
        "folder": str(tmp_path / "store"),
        "file": f"file://{tmp_path}/store",
        "memory": f"memory://{uuid.uuid4().hex}/out",
    }
    return Store(urls.get(request.param) or f"{request.getfixturevalue('bucket')}/deep/out/")


def result(folder: Path, key: str, **files: bytes) -> Path:
    folder.mkdir()
    (folder / MARKER).write_text(json.dumps({"key": key}))
    for name, data in files.items():
        (folder / f"{name}.glb").write_bytes(data)
    return folder


def test_a_picture_is_stored_once_and_comes_back(store: Store, tmp_path: Path) -> None:
    picture, back = tmp_path / "a.png", tmp_path / "b.png"
    picture.write_bytes(b"one")
    store.put(picture, ".inputs/abc.png")
    picture.write_bytes(b"two")
    store.put(picture, ".inputs/abc.png")  # names are hashes: the first stays
    store.get(".inputs/abc.png", back)
    assert back.read_bytes() == b"one"
    with pytest.raises(OSError):
        store.get(".inputs/gone.png", back)


def test_a_result_made_again_takes_its_own_place(store: Store, tmp_path: Path) -> None:
    """And what the first left under other names is gone; another item of the same name never touches it."""
    assert store.put_folder(result(tmp_path / "1", "k1", a=b"aa", b=b"bb"), "thing ü") == "thing ü"
    assert store.put_folder(result(tmp_path / "2", "k1", a=b"new"), "thing ü") == "thing ü"
    store.get("thing ü/a.glb", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(OSError):
        store.get("thing ü/b.glb", tmp_path / "b")
    if store.remote:
        assert store.put_folder(result(tmp_path / "3", "k2", a=b"other"), "thing ü") == "thing ü_2"
        sizes = store.sizes()
        assert {name: size for name, size in sizes.items() if name.endswith(".glb")} == {
            "thing ü/a.glb": 3,
            "thing ü_2/a.glb": 5,
        }


def test_addresses_that_cannot_be_used_are_named() -> None:
    with pytest.raises(BadInputError, match="no address"):
        Store("nonsense://x")
    with pytest.raises(MissingError, match="one more package"):
        Store("libarchive://x")
