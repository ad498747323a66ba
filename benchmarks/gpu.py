"""Everything a GPU is wanted for, in one run on a bare machine with torch: python -m benchmarks.gpu [--minutes 9]

Compiles the kernels in place, runs the tests marked ``gpu``, and measures what has a target on a GPU. Each step is a
process of its own with a time limit, ordered by value; each figure is written to ``gpu.json`` and ``gpu.md`` in the
output folder (``--out``, else the variable OUT, else out/gpu) as soon as it exists, and everything that was said to
``gpu.log``. A step that fails or hangs costs its own time only. ``--device cpu --tiny`` tries all of it on small sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks._gpu_measure import ROW, machine
from benchmarks._gpu_models import MODELS
from benchmarks.measure import table

ROOT = Path(__file__).resolve().parent.parent
LEAST_S = 4.0
"""A step is not begun with less time than this."""


@dataclass(frozen=True)
class Step:
    """name; the longest it may take in seconds; the command; whether it is of use on tiny sizes too."""

    name: str
    limit: float
    command: Sequence[str]
    tiny: bool = True

    @property
    def label(self) -> str:
        """The name, and which model."""
        return " ".join([self.name, *self.command[4:6]]) if self.name == "model" else self.name


@dataclass
class Book:
    """The figures so far, written down at every change."""

    folder: Path
    about: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def add(self, row: dict[str, Any]) -> None:
        """One more figure."""
        self.rows.append(row)
        self.save()

    def done(self, step: dict[str, Any]) -> None:
        """One more step has ended."""
        self.steps.append(step)
        self.save()

    def save(self) -> None:
        """Replace both files, so that a run that is cut off leaves whole ones."""
        content = {"machine": self.about, "rows": self.rows, "steps": self.steps}
        for name, text in (("gpu.json", json.dumps(content, indent=1) + "\n"), ("gpu.md", self.text())):
            scratch = self.folder / f".{name}"
            scratch.write_text(text)
            scratch.replace(self.folder / name)

    def text(self) -> str:
        """The figures and the steps as markdown tables."""
        columns = ("row", "method", "ms", "target_ms", "peak_mb", "note")
        figures = table(
            "Figures (CUDA events, median after warm-up; peak of allocated GPU memory)", columns,
            [[row.get(name) for name in columns] for row in self.rows],
        )  # fmt: skip
        steps = table(
            "Steps", ("step", "outcome", "s"), [[step["step"], step["outcome"], step["s"]] for step in self.steps]
        )
        return "\n".join([f"{key}: {value}" for key, value in self.about.items()]) + f"\n{figures}\n{steps}\n"


def steps(device: str, tiny: bool, folder: Path) -> list[Step]:
    """In order of value."""
    python = sys.executable

    def row(name: str, limit: float, *more: str) -> Step:
        options = ["--device", device, "--scratch", str(folder / "scratch"), *(["--tiny"] if tiny else [])]
        return Step(name, limit, [python, "-m", "benchmarks._gpu_rows", name, *more, *options])

    def tests(name: str, limit: float, kernels: bool) -> Step:
        found = [
            str(path.relative_to(ROOT))
            for path in sorted((ROOT / "tests").rglob("test_*.py"))
            if "mark.gpu" in path.read_text(encoding="utf-8") and ("extensions" in path.parts) is kernels
        ]
        options = ["-rfE", "--tb=short", "--continue-on-collection-errors"]  # a bare machine lacks some packages
        return Step(name, limit, [python, "-m", "pytest", "-m", "gpu", *options, *found])

    def extraction(side: str) -> Step:
        command = [python, "-m", "benchmarks.extract", "--device", device, "--no-missed", "--resolutions", side]
        return Step(f"extraction {side}", 60, [*command, "--json", str(folder / f"extract_{side}.json")])

    triposr = [python, "-m", "benchmarks.triposr", "--device", device, "--repeats", "3"]
    triposr += ["--resolutions", "128", "256", "512", "--json", str(folder / "triposr.json")]
    return [
        row("build", 230),
        tests("tests of the kernels", 120, kernels=True),
        row("cubes", 60),
        row("blocks", 60),
        row("raster", 60),
        row("visibility", 60),
        row("bake", 75),
        row("nano", 60),
        *(row("model", 75, *name) for name in (MODELS[:1] if tiny else MODELS)),
        tests("all other gpu tests", 180, kernels=False),
        Step("triposr", 120, triposr, tiny=False),
        *(extraction(side) for side in (("32",) if tiny else ("256", "512"))),
        row("unwrap", 60),
        *sanitizer(device),
    ]


def sanitizer(device: str) -> list[Step]:
    """The kernels' tests once more under NVIDIA's memory checker, where it is installed."""
    home = os.environ.get("CUDA_HOME") or "/usr/local/cuda"
    tool = shutil.which("compute-sanitizer") or shutil.which("compute-sanitizer", path=f"{home}/bin")
    if tool is None or not device.startswith("cuda"):
        return []
    command = [tool, "--tool", "memcheck", "--error-exitcode", "9", sys.executable, "-m", "pytest", "-q", "-m", "gpu"]
    return [Step("sanitizer", 150, [*command, "tests/extensions", "-k", "not triplane"], tiny=False)]


def run(step: Step, seconds: float, book: Book, log: Any) -> str:
    """Outcome of one step; its rows go to the book as they come, all it says goes to the log."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        step.command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        for line in process.stdout:
            log.write(line)
            log.flush()
            if line.startswith(ROW):
                with contextlib.suppress(ValueError):  # cut in the middle
                    book.add(json.loads(line.removeprefix(ROW)))
        code = process.wait()
    finally:
        timer.cancel()
        stop_left_over(process)
    return f"stopped after {seconds:.0f} s" if late.is_set() else "done" if code == 0 else f"failed ({code})"


def stop_left_over(process: subprocess.Popen[str]) -> None:
    """What the step started and left running would disturb the next one's figures."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the steps within the minutes; print the tables last. 0 where every step that was begun went well."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="small sizes: does every step run?")
    parser.add_argument("--minutes", type=float, default=8.8)
    parser.add_argument("--out", type=Path, default=Path(os.environ.get("OUT") or ROOT / "out" / "gpu"))
    parser.add_argument("--only", default="", help="comma-separated parts of the names of steps")
    options = parser.parse_args(arguments)
    end = time.monotonic() + 60 * options.minutes
    options.out.mkdir(parents=True, exist_ok=True)
    book = Book(options.out, machine(options.device))
    book.save()
    with (options.out / "gpu.log").open("w", encoding="utf-8") as log:
        for step in steps(options.device, options.tiny, options.out):
            if not any(word.strip() in step.label for word in options.only.split(",")):
                continue
            if options.tiny and not step.tiny:
                continue
            limit = step.limit * (4 if options.device == "cpu" else 1)
            began, left = time.monotonic(), end - time.monotonic()
            log.write(f"\n===== {step.label}: {' '.join(step.command)}\n")
            outcome = run(step, min(limit, left), book, log) if left > LEAST_S else "not begun: no time left"
            book.done({"step": step.label, "outcome": outcome, "s": round(time.monotonic() - began, 1)})
            print(f"{step.label}: {outcome}, {time.monotonic() - began:.0f} s", flush=True)
    print(book.text(), flush=True)
    return int(any(step["outcome"].startswith("failed") for step in book.steps))


if __name__ == "__main__":
    sys.exit(main())
