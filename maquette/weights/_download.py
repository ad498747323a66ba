"""One file from the Hugging Face hub or a fixed address: resumed, hashed, moved into place whole or not at all.

Two processes that want the same file take turns on a lock that dies with its holder; the second one finds the file.
Bytes go to ``<name>.part``, which nothing ever takes for a model.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends import WeightFile
from ..errors import WeightsError
from ..log import log
from ..progress import Progress
from ._verify import remember, sha256

if TYPE_CHECKING:
    import requests

TRIES = 5
TIMEOUT = (10.0, 30.0)
"""Seconds to connect and between two bytes."""
CHUNK = 1 << 17
SPARE = 64 << 20
"""Bytes that stay free on the disk."""
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_MB = 1_000_000


class _Lost(Exception):  # noqa: N818 - never leaves this file
    """The connection broke; what arrived is kept and the rest is asked for again."""


def download(file: WeightFile, place: Path, progress: Progress) -> Path:
    """``place``, holding exactly the published file. WeightsError says what went wrong and what to do."""
    from filelock import FileLock, Timeout

    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(place.with_name(f".{place.name}.lock"))
        while True:
            try:
                lock.acquire(timeout=0.2)
                break
            except Timeout:
                progress.update(0, 1, f"waiting for another download of {place.name}")
        try:
            return place if place.is_file() else _locked(file, place, progress)
        finally:
            lock.release()
    except OSError as error:
        raise WeightsError(f"cannot write to '{place.parent}': {error}; choose another --models-dir") from error


def _locked(file: WeightFile, place: Path, progress: Progress) -> Path:
    part = place.with_name(f"{place.name}.part")
    total = file.size
    for left in reversed(range(TRIES)):
        have = part.stat().st_size if part.exists() else 0
        if total is not None and have > total:
            part.unlink()
            have = 0
        _check_space(place, None if total is None else total - have)
        try:
            if total is None or have < total:
                _fill(file, part, have, total, progress)
            return _finish(file, part, place, progress)
        except _Lost as error:
            log.warning("the download of %s broke off (%s); %d tries left", place.name, error, left)
            if left == 0:
                raise WeightsError(
                    f"the download of '{file.path}' from {file.repo} broke off {TRIES} times ({error});"
                    " check the network and run again: it goes on where it stopped"
                ) from error
            _pause(TRIES - left, progress)
    raise AssertionError("the last try returns or raises")


def _pause(seconds: float, progress: Progress) -> None:
    until = time.monotonic() + min(seconds, 4.0)
    while time.monotonic() < until:
        progress.check()
        time.sleep(0.1)


def _check_space(place: Path, needed: int | None) -> None:
    free = shutil.disk_usage(place.parent).free
    if needed is not None and free < needed + SPARE:
        raise WeightsError(
            f"'{place.parent}' has {free / _MB:.0f} MB free but '{place.name}' needs {needed / _MB:.0f} MB more;"
            " free some space or choose another --models-dir"
        )


def _fill(file: WeightFile, part: Path, have: int, total: int | None, progress: Progress) -> None:
    """Append what is missing to ``part``; _Lost when the stream ends early."""
    import requests

    try:
        with _answer(file, have) as answer:
            if answer.status_code == 416:  # nothing is left to send: the part was whole, or is of something else
                part.unlink()
                raise _Lost("the part did not fit and was thrown away")
            _refused(answer, file, part.with_suffix(""))
            mode = "ab" if answer.status_code == 206 else "wb"  # a server that cannot resume sends all of it
            have = have if mode == "ab" else 0
            total = total or have + int(answer.headers.get("Content-Length", 0)) or None
            with part.open(mode) as stream:
                for chunk in answer.iter_content(CHUNK):
                    _write(stream, chunk, part)
                    have += len(chunk)
                    label = f"downloading {Path(file.path).name}: {have / _MB:.0f} of {(total or have) / _MB:.0f} MB"
                    progress.update(have, total or have, label)
    except requests.RequestException as error:
        raise _Lost(type(error).__name__) from error
    if total is not None and have < total:
        raise _Lost(f"{have} of {total} bytes")


def _answer(file: WeightFile, have: int) -> requests.Response:
    import requests
    from huggingface_hub import get_token, hf_hub_url

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    url = file.url or hf_hub_url(file.repo, file.path, revision=file.revision, endpoint=endpoint)
    headers = {"User-Agent": "maquette", "Accept-Encoding": "identity"}  # the hub's own helper also phones home
    token = None if file.url else get_token()  # the token is for the hub's eyes only
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if have:
        headers["Range"] = f"bytes={have}-"
    return requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)


def _refused(answer: requests.Response, file: WeightFile, place: Path) -> None:
    status, page = answer.status_code, file.page
    if status in (401, 403) and file.url:
        raise WeightsError(
            f"{file.url} refused the download (HTTP {status}): get it with a browser and put it at '{place}'"
        )
    if status in (401, 403):
        raise WeightsError(
            f"{page} refused the download (HTTP {status}): its licence must be accepted on that page while signed in;"
            " then set HF_TOKEN to a token of that account"
        )
    if status == 404:
        raise WeightsError(
            f"'{file.path}' is no longer at {file.address} (HTTP 404); put a copy of it at '{place}', it is checked"
        )
    if status >= 500 or status == 429:
        raise _Lost(f"HTTP {status}")
    if status not in (200, 206):
        raise WeightsError(f"{file.address} answered HTTP {status}; try again later, or put the file at '{place}'")


def _write(stream: object, chunk: bytes, part: Path) -> None:
    try:
        stream.write(chunk)  # type: ignore[attr-defined]
        stream.flush()  # type: ignore[attr-defined]
    except OSError as error:
        if error.errno not in _FULL:
            raise
        part.unlink(missing_ok=True)  # a full disk is worse than a lost download
        raise WeightsError(
            f"the disk of '{part.parent}' is full ({error.strerror}); the partial download was removed. Free some space"
            " or choose another --models-dir"
        ) from error


def _finish(file: WeightFile, part: Path, place: Path, progress: Progress) -> Path:
    """Check the hash, then move the file into place."""
    digest = sha256(part, progress) if file.sha256 is not None else None
    if digest != file.sha256:
        part.unlink()
        raise WeightsError(
            f"what {file.repo} sent is not the published {file.path}: its SHA-256 is {digest} in place of"
            f" {file.sha256}; nothing was kept: try again, and without a proxy that changes files"
        )
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(place)
    if digest is not None:
        remember(place, digest)
    return place
