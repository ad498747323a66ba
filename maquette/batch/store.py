"""Where pictures wait and results go when many machines work: a shared folder, or any fsspec address (S3, GCS, ...)."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from ..errors import MissingError
from .items import MARKER
from .job import put_in_place


class Store:
    """``Store("/shared/out")`` or ``Store("s3://bucket/out")``. Names inside are relative and made by us alone."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._fs: Any = None
        if "://" in url:
            try:
                import fsspec
            except ImportError as error:
                raise MissingError("addresses such as s3:// need fsspec: pip install 'fsspec' 's3fs'") from error
            self._fs, self._root = fsspec.core.url_to_fs(self.url)

    def put(self, source: Path, name: str) -> None:
        """Store a file once; an equal name is equal content (names are hashes)."""
        if self._fs is not None:
            if not self._fs.exists(f"{self._root}/{name}"):
                self._fs.put_file(str(source), f"{self._root}/{name}")
            return
        target = Path(self.url) / name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f"{target.name}.{tempfile.gettempprefix()}{id(self)}")
            shutil.copyfile(source, part)
            part.replace(target)

    def get(self, name: str, target: Path) -> None:
        """Fetch a file."""
        if self._fs is not None:
            self._fs.get_file(f"{self._root}/{name}", str(target))
        else:
            shutil.copyfile(Path(self.url) / name, target)

    def put_folder(self, folder: Path, name: str) -> str:
        """Store a finished item's folder; the name it got. The marker goes last: what has it is whole."""
        if self._fs is None:
            work = Path(self.url) / ".work"
            work.mkdir(parents=True, exist_ok=True)
            copy = Path(tempfile.mkdtemp(dir=work))
            shutil.copytree(folder, copy, dirs_exist_ok=True)
            return put_in_place(copy, Path(self.url) / name)[0].name
        for path in sorted(folder.iterdir(), key=lambda p: p.name == MARKER):
            self._fs.put_file(str(path), f"{self._root}/{name}/{path.name}")
        return name
