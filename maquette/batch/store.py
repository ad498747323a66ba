"""Where pictures wait and results go when many machines work: a shared folder, or any fsspec address (S3, GCS, ...)."""

from __future__ import annotations

import json
import shutil
import uuid
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MissingError
from .items import MARKER
from .job import put_in_place


class Store:
    """``Store("/shared/out")`` or ``Store("s3://bucket/out")``. Names inside are relative and made by us alone.

    Raises MissingError when the address needs a package that is not there.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs: Any = None
        if "://" in url:
            self._fs, self._root = _open(self.url)

    @property
    def remote(self) -> bool:
        """True for an address; False for a folder."""
        return self._fs is not None

    def put(self, source: Path, name: str) -> None:
        """Store a file once; an equal name is equal content (names are hashes)."""
        if self._fs is not None:
            if not self._fs.exists(f"{self._root}/{name}"):
                self._upload(source, name)
            return
        target = Path(self.url) / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}")
            shutil.copyfile(source, part)
            part.replace(target)

    def get(self, name: str, target: Path) -> None:
        """Fetch a file. Raises OSError when it is not there."""
        if self._fs is not None:
            self._fs.get_file(f"{self._root}/{name}", str(target))
        else:
            shutil.copyfile(Path(self.url) / name, target)

    def put_folder(self, folder: Path, name: str) -> str:
        """Store a finished item's folder; the name it got: that of another item's result is not taken. The marker goes
        last: what has it is whole."""
        if self._fs is None:
            copy = Path(self.url) / ".incoming" / uuid.uuid4().hex
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(folder, copy)
            return put_in_place(copy, Path(self.url) / name)[0].name
        ours, place, count = _key(json.loads((folder / MARKER).read_text(encoding="utf-8"))), name, 1
        while self._owner(place) not in (ours, None):
            count += 1
            place = f"{name}_{count}"
        for path in sorted(folder.iterdir(), key=lambda p: p.name == MARKER):
            self._upload(path, f"{place}/{path.name}")
        self._tidy(place, {path.name for path in folder.iterdir()})
        return place

    def _tidy(self, place: str, kept: set[str]) -> None:
        """Remove what an earlier result of the same item left."""
        self._fs.invalidate_cache()
        for name in self._fs.ls(f"{self._root}/{place}", detail=False):
            if name.rsplit("/", 1)[-1] not in kept:
                self._fs.rm_file(name)

    def sizes(self) -> dict[str, int]:
        """Bytes of every file of an address, by name: what is really there."""
        if self._fs is None:
            raise BadInputError("a folder is looked at file by file")
        self._fs.invalidate_cache()
        found = self._fs.find(self._root, detail=True)
        head = len(self._fs._strip_protocol(self._root).rstrip("/")) + 1
        return {name[head:]: int(facts["size"]) for name, facts in found.items()}

    def _upload(self, source: Path, name: str) -> None:
        target = f"{self._root}/{name}"
        try:
            self._fs.put_file(str(source), target)
        except FileNotFoundError:  # object stores have no folders, others want them first
            self._fs.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
            self._fs.put_file(str(source), target)

    def _owner(self, name: str) -> str | None:
        """Key of the item whose result lies there."""
        try:
            return _key(json.loads(self._fs.cat_file(f"{self._root}/{name}/{MARKER}")))
        except FileNotFoundError:
            return None


def _key(marker: Any) -> str:
    return str(marker.get("key")) if isinstance(marker, dict) else ""


def _open(url: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError as error:
        raise MissingError("addresses such as s3:// need fsspec: python install.py --extras queue") from error
    try:
        return fsspec.core.url_to_fs(url)  # type: ignore[no-any-return]
    except ImportError as error:
        raise MissingError(f"'{url}' needs one more package: {error}") from error
    except ValueError as error:
        raise BadInputError(f"'{url}' is no address that fsspec knows: {error}") from error
