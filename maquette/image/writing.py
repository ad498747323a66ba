"""Pictures to disk: a whole file or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import BadImageError, BadInputError
from ..landing import landing

_SAVE: dict[str, tuple[str, dict[str, Any]]] = {
    ".png": ("PNG", {"compress_level": 6}),
    ".jpg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".jpeg": ("JPEG", {"quality": 95, "subsampling": 0}),
    ".webp": ("WEBP", {"quality": 95, "method": 4}),
}


def write_picture(path: str | os.PathLike[str], rgb: npt.ArrayLike) -> Path:
    """Write ``rgb`` ([H, W, 3] or [H, W, 4] with straight alpha, sRGB in [0, 1]) as PNG, JPEG or WebP by its ending.

    The file gets its name only when it is complete. Raises BadImageError for another shape or NaN, BadInputError for an
    unknown ending or alpha in a JPEG, WriteError for what the disk refuses.
    """
    from PIL import Image

    target = Path(path)
    if target.suffix.lower() not in _SAVE:
        raise BadInputError(f"cannot write '{target.name}': use one of the endings {', '.join(_SAVE)}")
    kind, options = _SAVE[target.suffix.lower()]
    pixels = _bytes(np.asarray(rgb), target.name)
    if kind == "JPEG" and pixels.shape[2] == 4:
        raise BadInputError(f"cannot write '{target.name}': a JPEG has no transparency; use .png or .webp")
    with landing(target) as folder:
        Image.fromarray(pixels).save(folder / target.name, kind, **options)
    return target


def _bytes(rgb: npt.NDArray[Any], name: str) -> npt.NDArray[np.uint8]:
    if rgb.ndim != 3 or rgb.shape[2] not in (3, 4) or 0 in rgb.shape:
        raise BadImageError(f"cannot write '{name}': a picture must be [height, width, 3 or 4], got {list(rgb.shape)}")
    if not np.isfinite(rgb).all():
        raise BadImageError(f"cannot write '{name}': the picture holds NaN or infinite values")
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
