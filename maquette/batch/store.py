"""Where pictures wait and results go when many machines work: a shared folder, or any fsspec address (S3, GCS, ...)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import BadInputError, MaquetteError, MissingError
from .items import MARKER
from .job import put_in_place

_FAULTS = {
    "aiohttp": ("ClientError",),
    "azure.core.exceptions": ("AzureError",),
    "botocore.exceptions": ("BotoCoreError", "ClientError"),
    "gcsfs.retry": ("HttpError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "requests": ("RequestException",),
}
"""What the libraries behind fsspec raise beside OSError."""


class StoreError(MaquetteError):
    """The store is away, full, refuses, or has not what was asked for."""


class Store:
    """``Store("/shared/out")`` or ``Store("s3://bucket/out")``. Names inside are relative and made by us alone.

    Raises MissingError when the address needs a package that is not there; every call StoreError.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/") if "://" in url else str(Path(url).absolute())  # workers stand in other folders
        self._fs: Any = None
        if "://" in url:
            self._fs, self._root = _open(self.url)

    @property
    def remote(self) -> bool:
        """True for an address; False for a folder."""
        return self._fs is not None

    def put(self, source: Path, name: str) -> None:
        """Store a file once; an equal name is equal content (names are hashes)."""
        with self._named_faults():
            self._put(source, name)

    def _put(self, source: Path, name: str) -> None:
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
        """Fetch a file."""
        with self._named_faults():
            if self._fs is not None:
                self._fs.get_file(f"{self._root}/{name}", str(target))
            else:
                shutil.copyfile(Path(self.url) / name, target)

    def put_folder(self, folder: Path, name: str) -> str:
        """Store a finished item's folder; the name it got: that of another item's result is not taken. The marker goes
        last: what has it is whole."""
        ours = _key((folder / MARKER).read_bytes())
        with self._named_faults():
            if self._fs is None:
                return self._move_in(folder, name, ours)
            place = next(place for place in _names(name) if self._owner(place) in (ours, None))
            for path in sorted(folder.iterdir(), key=lambda p: p.name == MARKER):
                self._upload(path, f"{place}/{path.name}")
            self._tidy(place, {path.name for path in folder.iterdir()})
            return place

    def _move_in(self, folder: Path, name: str, ours: str) -> str:
        copy = Path(self.url) / ".incoming" / uuid.uuid4().hex
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(folder, copy)
            for place in _names(name):
                target = Path(self.url) / place
                if os.path.lexists(target):
                    if not target.is_symlink() and self._owner(place) == ours:
                        return put_in_place(copy, target)[0].name
                elif _renamed(copy, target):
                    return place
            raise AssertionError("the names have no end")
        finally:
            shutil.rmtree(copy, ignore_errors=True)

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
        with self._named_faults():
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
        """Key of the item whose result lies there; "" for what cannot be told, None where no marker is."""
        try:
            if self._fs is None:
                return _key((Path(self.url) / name / MARKER).read_bytes())
            return _key(self._fs.cat_file(f"{self._root}/{name}/{MARKER}"))
        except (FileNotFoundError, NotADirectoryError):
            return None

    @contextlib.contextmanager
    def _named_faults(self) -> Iterator[None]:
        try:
            yield
        except _known_faults() as error:
            raise StoreError(f"the store '{self.url}' fails ({type(error).__name__}: {error})") from error


def _known_faults() -> tuple[type[Exception], ...]:
    there = [(sys.modules[module], names) for module, names in _FAULTS.items() if module in sys.modules]
    return (
        OSError,
        asyncio.TimeoutError,
        *(getattr(module, name) for module, names in there for name in names if hasattr(module, name)),
    )


def _names(name: str) -> Iterator[str]:
    yield name
    count = 1
    while True:
        count += 1
        yield f"{name}_{count}"


def _renamed(folder: Path, target: Path) -> bool:
    """False when another was quicker to put a folder there."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EACCES) or not target.exists():
            raise
        return False
    return True


def _key(marker: bytes) -> str:
    """The key in a marker's text, "" when there is none to read."""
    try:
        found = json.loads(marker)
    except ValueError:
        return ""
    return str(found.get("key") or "") if isinstance(found, dict) else ""


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
