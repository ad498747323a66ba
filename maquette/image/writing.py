"""Pictures to disk: a whole file or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadImageError, BadInputError

_SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 6}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95, "method": 4}),
}


def write_picture(path: str | os.PathLike[str], rgb: npt.ArrayLike) -> Path:
    """Write ``rgb`` ([H, W, 3] or [H, W, 4] with straight alpha, sRGB in [0, 1]) as PNG, JPEG or WebP by its ending.

    The file gets its name only when it is complete. Raises BadImageError for another shape or NaN, BadInputError for an
    unknown ending, alpha in a JPEG, or a place that cannot be written to.
    """
    target = Path(path)
    if target.suffix.lower() not in _SAVE:
        raise BadInputError(f"cannot write '{target.name}': use one of the endings {', '.join(_SAVE)}")
    kind, options = _SAVE[target.suffix.lower()]
    pixels = _bytes(np.asarray(rgb), target.name)
    if kind == "JPEG" and pixels.shape[2] == 4:
        raise BadInputError(f"cannot write '{target.name}': a JPEG has no transparency; use .png or .webp")
    try:
        return _save(target, pixels, kind, options)
    except OSError as error:
        raise BadInputError(
            f"cannot write '{target}': {error.strerror or error}; choose another folder or free some space"
        ) from error


def _save(target: Path, pixels: npt.NDArray[np.uint8], kind: str, options: dict[str, Any]) -> Path:
    from PIL import Image

    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            Image.fromarray(pixels).save(stream, kind, **options)
        Path(name).chmod(_usual_mode())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return target


def _usual_mode() -> int:
    """mkstemp makes files that only their owner may read; a picture gets what any new file would get."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _bytes(rgb: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    if rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or 0 in rgb.shape:
        raise BadImageError(f"cannot write '{name}': a picture must be [height, width, 3 or 4], got {list(rgb.shape)}")
    if not np.isfinite(rgb).all():
        raise BadImageError(f"cannot write '{name}': the picture holds NaN or infinite values")
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
