"""Fixtures of the batch driver's tests."""

from __future__ import annotations

import json
import struct
import sys
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fake_server import WORKFLOW, FakeComfy
from redis_server import Redis


def png(number: int) -> bytes:
    """A valid 1 x 1 PNG whose pixel depends on ``number``."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixel = zlib.compress(b"\0" + struct.pack(">I", number)[1:])
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def wait_for(truth: Callable[[], bool], seconds: float = 30) -> None:
    """Until ``truth`` holds; fails after ``seconds``."""
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


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


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    """A Redis of our own."""
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """ "host:port" of an AWS of cardboard: a server of moto in this process, found through the environment."""
    server = pytest.importorskip(
        "moto.server", reason="NO MOTO: S3 and SQS were not tested (pip install 'moto[server,s3,sqs]')"
    )
    moto = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    yield f"{host}:{port}"
    moto.stop()


@pytest.fixture
def bucket(request: pytest.FixtureRequest) -> str:
    """Address of an empty S3 bucket, spoken to over HTTP by s3fs."""
    s3fs = pytest.importorskip("s3fs", reason="NO S3FS: S3 was not tested (pip install s3fs)")
    request.getfixturevalue("aws")
    s3fs.S3FileSystem.clear_instance_cache()
    name = f"bucket-{uuid.uuid4().hex[:8]}"
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"
