"""The driver's overhead per item, its memory, and the ledger's opening time: ``python -m benchmarks.batch [items]``.

The server is a fake that computes nothing, in a process of its own: what is left is the driver's work, the two sides'
HTTP, and the disk's (every result and every change of state is on the disk before the driver goes on).
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from maquette.batch.cli import main as batch
from maquette.batch.ledger import Ledger

from ._fakes import fleet, make_input


@dataclass
class Memory:
    """Resident memory in MB of this process, sampled as the run goes on."""

    samples: list[float] = field(default_factory=list)

    def at(self, share: float) -> float:
        """The highest sample in the tenth of the run that ends at ``share``."""
        end = max(int(len(self.samples) * share), 1)
        return max(self.samples[max(end - len(self.samples) // 10 - 1, 0) : end])


@contextlib.contextmanager
def watched() -> Iterator[Memory]:
    """Sample while the block runs (Linux)."""
    memory, over = Memory(), threading.Event()
    page = os.sysconf("SC_PAGE_SIZE") / 1024**2

    def look() -> None:
        while not over.wait(0.05):
            memory.samples.append(int(Path("/proc/self/statm").read_text().split()[1]) * page)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def through_fake_server(count: int, folder: Path) -> str:
    """One line: wall and processor time per item, memory early and late."""
    source, workflow = make_input(folder, count)
    with fleet(1) as servers, watched() as memory:
        words = [str(source), "-o", str(folder / "out"), "--workflow", str(workflow), "--cooldown", "0"]
        began, busy = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(io.StringIO()):
            code = batch([*words, "--server", servers.urls[0]])
        wall, busy = time.perf_counter() - began, time.process_time() - busy
    assert code == 0
    assert sorted(servers.executions[0].values()) == [1] * count
    return (
        f"{count} items: {wall / count * 1000:.1f} ms per item, of it {busy / count * 1000:.1f} ms of processor;"
        f" memory {memory.at(0.2):.0f} MB at a fifth, {memory.at(1):.0f} MB at the end"
    )


def disk(folder: Path, tries: int = 50) -> float:
    """Seconds that this disk takes to make a small write last."""
    began = time.perf_counter()
    with (folder / "probe").open("wb") as stream:
        for _ in range(tries):
            stream.write(b"x" * 4096)
            stream.flush()
            os.fsync(stream.fileno())
    return (time.perf_counter() - began) / tries


def ledger_opens(rows: int, folder: Path) -> float:
    """Seconds to open a ledger of ``rows`` rows and find the first ready one."""
    with Ledger(folder / "big.sqlite") as ledger:
        ledger.add((f"key{number}", f"name{number}") for number in range(rows))
    began = time.perf_counter()
    with Ledger(folder / "big.sqlite") as ledger:
        next(ledger.ready(time.time()))
        ledger.counts()
    return time.perf_counter() - began


def main() -> int:
    """Print the figures."""
    count = next((int(word) for word in sys.argv[1:] if word.isdecimal()), 500)
    with tempfile.TemporaryDirectory() as folder:
        print(through_fake_server(count, Path(folder)))
        opened, synced = ledger_opens(10_000, Path(folder)), disk(Path(folder))
    print(f"10,000-row ledger: open, count and first row in {opened * 1000:.0f} ms")
    print(f"this disk makes a write last in {synced * 1000:.1f} ms; load {os.getloadavg()[0]:.1f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
