"""Progress and Cancel: one small object handed down to every long loop.

A stage calls ``progress.check()`` at least twice a second and ``progress.update(done, total, "what")`` when it got on.
The caller (command line, ComfyUI node, test) decides what both do: ``check`` raises the caller's own exception to
cancel (``Cancelled`` outside ComfyUI, ``InterruptProcessingException`` inside), which no stage may swallow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

Report = Callable[[float, str], None]
"""Called with the share done in [0, 1] of the whole job and a short label of the present step."""


def _ignore(_share: float, _label: str) -> None: ...


def _never() -> None: ...


@dataclass
class Timings:
    """Seconds a stage took, by name, in the order they ran (the report prints it)."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, seconds: float) -> None:
        """Add ``seconds`` to stage ``name``."""
        self.seconds[name] = self.seconds.get(name, 0.0) + seconds


@dataclass(frozen=True)
class Progress:
    """A window ``[start, start + span]`` of the whole job, with the caller's two hooks.

    Frozen: ``part`` makes a narrower window, so that a stage needs to know nothing of the stages around it.
    """

    report: Report = _ignore
    check: Callable[[], None] = _never
    start: float = 0.0
    span: float = 1.0
    timings: Timings = field(default_factory=Timings)

    def update(self, done: float, total: float, label: str = "") -> None:
        """Report ``done`` of ``total`` steps of this window, after giving Cancel its chance."""
        self.check()
        share = min(max(done / total, 0.0), 1.0) if total > 0 else 1.0
        self.report(self.start + self.span * share, label)

    def part(self, start: float, stop: float) -> Progress:
        """The window from ``start`` to ``stop``, both shares in [0, 1] of this window."""
        return Progress(
            self.report, self.check, self.start + self.span * start, self.span * (stop - start), self.timings
        )

    @contextmanager
    def stage(self, name: str, start: float, stop: float) -> Iterator[Progress]:
        """A named window whose wall time goes into ``timings``."""
        began = time.perf_counter()
        window = self.part(start, stop)
        window.update(0, 1, name)
        try:
            yield window
        finally:
            self.timings.add(name, time.perf_counter() - began)
        window.update(1, 1, name)


def silent() -> Progress:
    """A progress that reports nothing and never cancels."""
    return Progress()
