"""What commands share: a progress bar on a terminal, JSON on standard output, atomic text files."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BadInputError
from ..landing import landing
from ..progress import Progress


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """A bar on standard error when that is a terminal; nothing in a pipe."""
    if quiet or not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<24}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=1.0)
        yield Progress(lambda share, label: bars.update(task, completed=share, description=label or None))


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, indent=2)
    sys.stdout.write("\n")


def say(text: str = "") -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def within(name: str, value: float, low: float, high: float) -> None:
    """BadInputError unless ``low <= value <= high``."""
    if not low <= value <= high:
        raise BadInputError(f"{name} must lie between {low:g} and {high:g}, got {value:g}")


def numbers(name: str, text: str | None) -> tuple[float, ...]:
    """``0,90,180`` as numbers; empty for None."""
    try:
        return tuple(float(word) for word in words(text))
    except ValueError as error:
        raise BadInputError(f"{name} takes numbers such as 0,90,180,270; got '{text}'") from error


def words(text: str | None) -> tuple[str, ...]:
    """``front,back`` as words; empty for None."""
    return tuple(word.strip() for word in text.split(",")) if text else ()


def directions(options: argparse.Namespace, paths: Sequence[Path]) -> tuple[str, ...]:
    """What ``--views`` says, else the directions that the files of several views are called by (``front.png``,
    ``robot_back.png``), when each of them is, and differently; empty = not told."""
    from ..geometry.camera import PRESETS

    if options.views or options.azimuths or len(paths) < 2:
        return words(options.views)
    found = tuple(re.split(r"[_\-. ]", path.stem.lower())[-1] for path in paths)
    return found if len(set(found) & set(PRESETS)) == len(found) else ()


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines whose columns stand below each other; the last column is as long as it is."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def write_text(path: Path, text: str) -> None:
    """Write a whole file or nothing."""
    with landing(path) as folder:
        (folder / path.name).write_text(text, encoding="utf-8")


def checked_ending(path: Path, endings: Sequence[str]) -> None:
    """BadInputError unless the file's ending is one of ``endings``."""
    if path.suffix.lower() not in endings:
        raise BadInputError(f"cannot write '{path.name}': the ending must be one of {', '.join(endings)}")


def checked_folder(path: Path) -> Path:
    """The folder of an output path, made when absent; BadInputError when nothing can be written there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInputError(
            f"cannot make the folder '{path.parent}': {error.strerror}; choose another output"
        ) from error
    if not os.access(path.parent, os.W_OK):
        raise BadInputError(f"the folder '{path.parent}' cannot be written to; choose another output")
    return path.parent
