"""What the commands that write one channel share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..data import FloatArray
from ..landing import landing
from ._terminal import checked_ending, checked_folder


def checked_output(path: Path, endings: tuple[str, ...]) -> None:
    """BadInputError before the work when ``path`` cannot be written or has another ending."""
    checked_ending(path, endings)
    checked_folder(path)


def write_grey(path: Path, values: FloatArray) -> None:
    """[H, W]: as they are to .npy, clipped to [0, 1] as a grey picture otherwise; a whole file or nothing."""
    if path.suffix.lower() != ".npy":
        from ..image import write_picture

        write_picture(path, np.repeat(np.clip(values, 0, 1)[..., None], 3, axis=2))
        return
    with landing(path) as folder:
        np.save(folder / path.name, np.asarray(values, np.float32))
