"""Fixtures of the batch driver's tests."""

from __future__ import annotations

import json
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_server import WORKFLOW, FakeComfy


def png(number: int) -> bytes:
    """A valid 1 x 1 PNG whose pixel depends on ``number``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixel = zlib.compress(b"\0" + struct.pack(">I", number)[1:])
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


@pytest.fixture
def pictures(tmp_path: Path) -> Callable[[int], Path]:
    """A folder of n different pictures."""

    def make(count: int) -> Path:
        folder = tmp_path / "in"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            (folder / f"thing{number:04}.png").write_bytes(png(number))
        return folder

    return make


@pytest.fixture
def workflow(tmp_path: Path) -> Path:
    """The fake server's workflow as a file."""
    path = tmp_path / "workflow.json"
    path.write_text(json.dumps(WORKFLOW))
    return path


@pytest.fixture
def server() -> Iterator[FakeComfy]:
    """One fake server."""
    with FakeComfy() as fake:
        yield fake
