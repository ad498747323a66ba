"""Is this the published file? Size at once, the hash once per file, remembered in this user's cache."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ..backends import WeightFile
from ..errors import WeightsError
from ..log import log
from ..progress import Progress
from ._places import cache

CHUNK = 1 << 22


def check(path: Path, file: WeightFile, progress: Progress, *, again: bool = False) -> Path:
    """``path`` when it is the published file; WeightsError naming both sizes or both hashes when it is not.

    The hash is read once and remembered; ``again``: read it in any case. A safetensors copy,
    and a file whose hash nobody published, cannot be compared: the loader then checks names and shapes.
    """
    if path.name != Path(file.path).name:
        return path
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        raise WeightsError(
            f"'{path}' is not the published {file.path}: it has {size} bytes in place of {file.size}"
            f"{_hashes(path, file, progress)}; delete it and fetch it again"
        )
    if file.sha256 is None or (not again and _remembered(path) == file.sha256):
        return path
    got = sha256(path, progress)
    if got != file.sha256:
        raise WeightsError(
            f"'{path}' is not the published {file.path}: its SHA-256 is {got} in place of {file.sha256};"
            " delete it and fetch it again"
        )
    remember(path, got)
    return path


def _hashes(path: Path, file: WeightFile, progress: Progress) -> str:
    if file.sha256 is None:
        return ""
    return f" and SHA-256 {sha256(path, progress)} in place of {file.sha256}"


def sha256(path: Path, progress: Progress) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest, total = hashlib.sha256(), path.stat().st_size
    done = 0
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress.update(done, total, f"checking {path.name}")
    return digest.hexdigest()


def remember(path: Path, digest: str) -> None:
    """Note that the file was checked; a cache that cannot be written to only costs another check."""
    stat = path.stat()
    note = {"sha256": digest, "size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    try:
        _note(path).parent.mkdir(parents=True, exist_ok=True)
        _note(path).write_text(json.dumps(note), encoding="utf-8")
    except OSError as error:
        log.debug("cannot remember the check of %s: %s", path, error)


def _remembered(path: Path) -> str | None:
    """The hash noted for exactly this state of the file."""
    try:
        note = json.loads(_note(path).read_text(encoding="utf-8"))
        stat = path.stat()
    except (OSError, ValueError):
        return None
    same = isinstance(note, dict) and note.get("size") == stat.st_size and note.get("mtime_ns") == stat.st_mtime_ns
    return str(note["sha256"]) if same and "sha256" in note else None


def _note(path: Path) -> Path:
    """In this user's cache: the file may lie in another program's folder, which is never written to."""
    name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
    return cache() / "checked" / f"{name}.json"
