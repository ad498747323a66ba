"""What people see of a run: bars on a terminal (items, present stage, estimate of the end), plain lines in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from .driver import Slot

_COUNTED = {"done", "dead"}


class Display:
    """``with Display(quiet) as d``: ``d.total(n, seconds, busy)`` once per round, ``d.say(event, line)`` per event."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Any = None
        self._task: Any = None
        self._left, self._count, self._seconds = 0, 0, _unknown
        self._ahead = ""
        self._busy: Callable[[], Sequence[Slot]] = lambda: ()

    def __enter__(self) -> Display:
        if not self._quiet and sys.stderr.isatty():
            self._bars, self._task = _bars(self._now)
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def total(self, count: int, left: int, seconds: Callable[[], float], busy: Callable[[], Sequence[Slot]]) -> None:
        """A round begins: ``count`` items in all, ``left`` to do; ``seconds()`` = typical time of one, ``busy()`` names
        what runs."""
        self._seconds, self._busy, self._left, self._count = seconds, busy, left, count
        if self._bars is not None:
            self._ahead = self._estimate()
            self._bars.update(self._task, total=count, completed=count - left)

    def say(self, event: str, text: str) -> None:
        """Print the line of an event and move the bar."""
        if event in _COUNTED and self._left > 0:
            self._left -= 1
            text = f"{text}  {self._place()}"
        if self._bars is not None:
            if event != "cooldown":
                self._bars.console.print(text, markup=False, highlight=False)
            self._ahead = self._estimate()
            self._bars.update(self._task, completed=self._count - self._left)
        elif not self._quiet:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def _now(self) -> str:
        """Drawn several times a second: asks nobody but the listeners."""
        running = [f"{slot.item.name}: {slot.job.doing}" for slot in self._busy() if slot.item is not None]
        return "  ".join([", ".join(running), self._ahead])

    def _place(self) -> str:
        left = f", {self._estimate()}" if self._left else ""
        return f"[{self._count - self._left}/{self._count}{left}]"

    def _estimate(self) -> str:
        if not self._seconds():
            return f"{self._left} left"  # nothing was done yet that could tell how long one takes
        return f"about {in_words(self._left * self._seconds() / max(len(self._busy()), 1))} left"


def _bars(now: Callable[[], str]) -> tuple[Any, Any]:
    """rich's bars and their one task; what ``now`` says stands at their end."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    class Now(ProgressColumn):
        def render(self, _task: Task) -> Text:
            return Text(now())

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Progress(*columns, Now(), console=Console(stderr=True), refresh_per_second=4)
    return bars, bars.add_task("items", total=None)


def in_words(seconds: float) -> str:
    """40 s, 12 min, 3 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def _unknown() -> float:
    return 0.0
