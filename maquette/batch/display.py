"""What people see of a run: bars on a terminal (items, present stage, estimate of the end), plain lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from .driver import Slot

_COUNTED = {"done", "skip", "dead"}


class Display:
    """``with Display(quiet) as d``: ``d.total(n, seconds, busy)`` once per round, ``d.say(event, line)`` per event."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._task: Any = None
        self._left, self._seconds = 0, 0.0
        self._busy: Callable[[], Sequence[Slot]] = lambda: ()

    def __enter__(self) -> Display:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self._bars = Progress(*columns, TextColumn("{task.fields[now]}"), console=Console(stderr=True))
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def total(self, count: int, seconds: float, busy: Callable[[], Sequence[Slot]]) -> None:
        """A round of ``count`` items begins; ``seconds`` = typical time of one, ``busy`` names what runs."""
        self._seconds, self._busy, self._left = seconds, busy, count
        if self._bars is not None and self._task is None:
            self._task = self._bars.add_task("items", total=count, now="")

    def say(self, event: str, text: str) -> None:
        """Print the line of an event and move the bar."""
        if event in _COUNTED:
            self._left -= 1
        if self._bars is not None:
            if event != "cooldown":
                self._bars.console.print(text, markup=False, highlight=False)
            step = 1 if event in _COUNTED else 0
            self._bars.update(self._task, advance=step, now=self._now())
        elif not self._quiet:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def _now(self) -> str:
        running = list(self._busy())
        stages = ", ".join(f"{slot.item.name}: {slot.job.stage}" for slot in running if slot.item is not None)
        minutes = max(self._left, 0) * self._seconds / max(len(running), 1) / 60
        return f"{stages}  about {minutes:.0f} min left"
