"""What the commands for one stage share: the device and one-channel outputs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from ..data import FloatArray
from ..errors import BadInputError
from ._terminal import checked_folder


def checked_output(path: Path, endings: tuple[str, ...]) -> None:
    """BadInputError before the work when ``path`` cannot be written or has another ending."""
    if path.suffix.lower() not in endings:
        raise BadInputError(f"cannot write '{path.name}': use one of the endings {', '.join(endings)}")
    checked_folder(path)


def write_grey(path: Path, values: FloatArray) -> None:
    """[H, W]: as they are to .npy, clipped to [0, 1] as a grey picture otherwise; a whole file or nothing."""
    if path.suffix.lower() != ".npy":
        from ..image import write_picture

        write_picture(path, np.repeat(np.clip(values, 0, 1)[..., None], 3, axis=2))
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.save(stream, np.asarray(values, np.float32))
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
