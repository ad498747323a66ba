"""The driver's overhead per item and the ledger's opening time: ``python -m benchmarks.batch [items]``."""

from __future__ import annotations

import contextlib
import io
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "batch"))  # the fake server lives with the tests

from conftest import png  # noqa: E402
from fake_server import WORKFLOW, FakeComfy  # noqa: E402

from maquette.batch.cli import main as batch  # noqa: E402
from maquette.batch.ledger import Ledger  # noqa: E402


def through_fake_server(count: int, folder: Path) -> tuple[float, float]:
    """(seconds of driver and fake server together per item, MB of peak memory)."""
    source = folder / "in"
    source.mkdir()
    for number in range(count):
        (source / f"{number:05}.png").write_bytes(png(number))
    workflow = folder / "workflow.json"
    workflow.write_text(json.dumps(WORKFLOW))
    with FakeComfy() as server:
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            words = [str(source), "-o", str(folder / "out"), "--workflow", str(workflow), "--cooldown", "0"]
            code = batch([*words, "--server", server.url])
        seconds = time.perf_counter() - began
    assert code == 0
    return seconds / count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    """Print both figures."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    with tempfile.TemporaryDirectory() as folder:
        each, memory = through_fake_server(count, Path(folder))
        opened = ledger_opens(10_000, Path(folder))
    print(f"{count} items: {each * 1000:.1f} ms per item, fake server included; peak {memory:.0f} MB")
    print(f"10,000-row ledger: open, count and first row in {opened * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
