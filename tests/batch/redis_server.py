"""A Redis of our own for tests and benchmarks, from the system's ``redis-server``."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from pathlib import Path


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Redis:
    """``start`` and ``stop`` (kill -9), as often as wanted; its journal (AOF) lies in ``folder``."""

    def __init__(self, folder: Path, sync: str = "always") -> None:
        folder.mkdir()
        self.port, self.folder, self.sync = free_port(), folder, sync
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and wait until it answers."""
        import redis

        settings = {"port": self.port, "bind": "127.0.0.1", "dir": self.folder, "appendonly": "yes", "save": ""}
        words = [word for name, value in settings.items() for word in (f"--{name}", str(value))]
        self.process = subprocess.Popen(["redis-server", *words, "--appendfsync", self.sync], stdout=subprocess.DEVNULL)
        client = redis.Redis.from_url(self.url)
        for _ in range(200):
            with contextlib.suppress(redis.ConnectionError):
                if client.ping():
                    return
            time.sleep(0.05)
        raise AssertionError("redis-server did not start")

    def stop(self) -> None:
        """Kill it: what its journal does not hold is gone."""
        self.process.kill()
        self.process.wait()
