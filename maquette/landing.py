"""Files land whole or not at all: written in a hidden folder beside their goal, flushed, checked, then renamed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import BadInputError


class WriteError(BadInputError):
    """A file could not be written (folder not writable, disk full); nothing of it was left behind."""


@contextmanager
def landing(goal: Path) -> Iterator[Path]:
    """A new folder beside ``goal``; what stands in it when the block ends moves to ``goal``'s folder, ``goal`` last.

    So a reader that waits for ``goal`` finds the files it names. When the block or a move fails, or the user cancels,
    nothing is left and files that were there before are back. Raises WriteError for what the disk refuses.
    """
    try:
        goal.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=goal.parent, prefix=".maquette-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            yield folder
            files = sorted(folder.iterdir(), key=lambda p: (p.name == goal.name, p.name))
            for path in files:
                _flush(path)
            _move(files, goal.parent, folder)
    except OSError as error:
        raise WriteError(
            f"cannot write '{goal}': {error.strerror or error}; nothing was left behind; choose another folder or free"
            " some space"
        ) from error


def _flush(path: Path) -> None:
    """To the disk, so that a power cut after the rename does not leave an empty file."""
    with path.open("rb+") as stream:
        os.fsync(stream.fileno())


def _move(files: list[Path], folder: Path, aside: Path) -> None:
    """Rename all files into ``folder``; on a failure the ones that were replaced come back."""
    backups = aside / "before"
    backups.mkdir()
    moved: list[Path] = []
    try:
        for path in files:
            goal = folder / path.name
            if goal.exists() and len(files) > 1:
                goal.replace(backups / path.name)
            moved.append(goal)
            path.replace(goal)
    except BaseException:  # Cancel and Ctrl-C too must leave what was there; raised again
        for goal in moved:
            goal.unlink(missing_ok=True) if len(files) > 1 else None
            if (backups / goal.name).exists():
                (backups / goal.name).replace(goal)
        raise


def next_path(folder: Path | str, prefix: str, suffix: str) -> Path:
    """The next ``<prefix>_00001_<suffix>`` in ``folder``, by ComfyUI's counter: one more than the highest there.

    prefix: a plain name; suffix: with its dot. The folder need not exist. Raises BadInputError for a prefix with a
    path.
    """
    folder = Path(folder)
    if not prefix or Path(prefix).name != prefix or prefix in {".", ".."}:
        raise BadInputError(f"the file prefix '{prefix}' must be a plain name without folders")
    highest = 0
    if folder.is_dir():
        for path in folder.iterdir():
            head, _, tail = path.name.rpartition("_")
            base, _, number = head.rpartition("_")
            if base.lower() == prefix.lower() and number.isdigit() and (tail == "" or tail.startswith(".")):
                highest = max(highest, int(number))
    return folder / f"{prefix}_{highest + 1:05d}_{suffix}"
