"""What every benchmark shares: wall time and peak memory of one call in a fresh process, and a table with ratios."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any


@dataclass(frozen=True)
class Measured:
    """Seconds (median of the repeats after a warm-up), peak resident megabytes, and the last answer."""

    seconds: float
    peak_mb: float
    value: Any


def measure(work: Callable[..., Any], *args: Any, repeats: int = 1, warmup: int = 0) -> Measured:
    """Run ``work(*args)`` in a process of its own, so that peaks of different alternatives do not mix."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, work, args, repeats, warmup))
    process.start()
    sender.close()
    try:
        return Measured(*receiver.recv())
    except EOFError as error:
        process.join()
        raise RuntimeError(f"{work.__name__} died with exit code {process.exitcode}") from error
    finally:
        process.join()


def _run(sender: Connection, work: Callable[..., Any], args: tuple[Any, ...], repeats: int, warmup: int) -> None:
    for _ in range(warmup):
        work(*args)
    seconds, value = [], None
    for _ in range(repeats):
        began = time.perf_counter()
        value = work(*args)
        seconds.append(time.perf_counter() - began)
    unit = 1024**2 if sys.platform == "darwin" else 1024
    sender.send((statistics.median(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, value))


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A markdown table; numbers with three significant digits."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(header), *cells]) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"\n{title}\n", line(list(header)), rule, *(line(row) for row in cells)])


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return "" if value is None else str(value)
