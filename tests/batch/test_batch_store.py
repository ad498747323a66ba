"""Pictures and results in a folder, in any fsspec address, and in S3: whole, never mixed, made once."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from maquette.batch.items import MARKER
from maquette.batch.store import Store, StoreError
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
    with pytest.raises(StoreError, match="the store"):
        store.get(".inputs/gone.png", back)


def test_a_result_made_again_takes_its_own_place(store: Store, tmp_path: Path) -> None:
    """And what the first left under other names is gone; another item of the same name never touches it."""
    assert store.put_folder(result(tmp_path / "1", "k1", a=b"aa", b=b"bb"), "thing ü") == "thing ü"
    assert store.put_folder(result(tmp_path / "2", "k1", a=b"new"), "thing ü") == "thing ü"
    store.get("thing ü/a.glb", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"new"
    with pytest.raises(StoreError):
        store.get("thing ü/b.glb", tmp_path / "b")
    assert store.put_folder(result(tmp_path / "3", "k2", a=b"other"), "thing ü") == "thing ü_2"
    store.put(tmp_path / "a", f"torn/{MARKER}")  # no JSON: somebody else's, for all we know
    assert store.put_folder(result(tmp_path / "4", "k3", a=b"third"), "torn") == "torn_2"
    for name, data in {"thing ü": b"new", "thing ü_2": b"other", "torn_2": b"third"}.items():
        store.get(f"{name}/a.glb", tmp_path / "a")
        assert (tmp_path / "a").read_bytes() == data


def test_a_store_that_is_away_says_so(tmp_path: Path, aws: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own errors (here: no credentials) come as ours; a folder that cannot be written as well."""
    s3fs = pytest.importorskip("s3fs", reason="NO S3FS: S3 was not tested (pip install s3fs)")
    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    (tmp_path / "file").write_bytes(b"")
    for url in ("s3://bucket/out", str(tmp_path / "file")):
        with pytest.raises(StoreError, match="fails"):
            Store(url).put_folder(result(tmp_path / uuid.uuid4().hex, "k"), "thing")


def test_a_folder_is_named_for_processes_that_stand_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Store("out/").url == str(tmp_path / "out")


def test_addresses_that_cannot_be_used_are_named() -> None:
    with pytest.raises(BadInputError, match="no address"):
        Store("nonsense://x")
    with pytest.raises(MissingError, match="one more package"):
        Store("libarchive://x")
