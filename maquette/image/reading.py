"""Files of any kind that Pillow knows -> Picture, with bounded memory."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadImageError
from ..log import log
from .picture import Picture, check_size, from_array
from .profile import to_srgb_profile

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 178_956_970
"""Where Pillow itself calls a file a decompression bomb: 13,377 x 13,377."""
STRIP = 512
"""Rows of the source that are brought to plain colours at a time."""
_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, TypeError, OverflowError)
"""What Pillow's decoders raise on damaged files (they promise nothing narrower)."""


def read_picture(path: str | os.PathLike[str], *, max_side: int = 4096) -> Picture:
    """Read a picture: turned upright by EXIF, sRGB, alpha kept, the longer side at most ``max_side`` pixels.

    Grey, palette, CMYK, 16-bit and float pictures become RGB; of an animation the first frame is taken. Memory is that
    of the decoded file (at most 179 million pixels) plus the reduced picture. Raises BadImageError for anything that is
    missing, damaged, truncated, too large or too small.
    """
    source = Path(path)
    if max_side < 16:
        raise BadImageError(f"max_side must be at least 16 pixels, got {max_side}")
    with _clear_errors(source), _no_bomb_warning():
        small, orientation, icc = _decoded(source, max_side)  # the decoded file is gone before floats are made of it
    return _picture(small, orientation, icc, source)


def _decoded(source: Path, max_side: int) -> tuple[Image, int, bytes | None]:
    """The reduced picture in plain colours, its EXIF orientation and its colour profile."""
    from PIL import Image

    with Image.open(source) as image:
        width, height = image.size
        _check_header(image, source)
        image.draft(None, (max_side, max_side))  # a JPEG decodes at 1/2, 1/4 or 1/8; others ignore it
        image.load()
        small = _plain(image, max_side)
        orientation, icc = image.getexif().get(0x0112, 1), image.info.get("icc_profile")
    if max(width, height) > max_side:
        log.info("%s: reduced from %d x %d so that the longer side is %d", source.name, width, height, max_side)
    return small, orientation, icc


def _check_header(image: Image, source: Path) -> None:
    width, height = image.size
    check_size(width, height, source.name)
    if width * height > MAX_PIXELS:
        raise BadImageError(
            f"'{source.name}' has {width} x {height} pixels, more than {MAX_PIXELS // 1_000_000} million;"
            " make it smaller first (4096 pixels a side are plenty)"
        )


def _plain(image: Image, max_side: int) -> Image:
    """The picture reduced to ``max_side``, as mode RGB, RGBA, or F (deep grey in [0, 1])."""
    from PIL import Image as Pillow

    factor = max(1, max(image.size) // max_side)
    size = (-(-image.width // factor), -(-image.height // factor))
    out, top = None, 0
    for strip in _strips(image, factor):
        small = strip.reduce(factor) if factor > 1 else strip
        out = out or Pillow.new(small.mode, size)
        out.paste(small, (0, top))
        top += small.height
    assert out is not None  # a picture has at least one row
    if max(out.size) <= max_side:
        return out
    scale = max_side / max(out.size)
    width, height = (max(1, round(side * scale)) for side in out.size)
    return out.resize((width, height), Pillow.Resampling.HAMMING)


def _strips(image: Image, factor: int) -> Iterator[Image]:
    """Bands of rows in plain colours, each a multiple of ``factor`` high, so that no second full copy is ever made."""
    rows = max(1, STRIP // factor) * factor
    for top in range(0, image.height, rows):
        yield _plain_colours(image.crop((0, top, image.width, min(top + rows, image.height))))


def _plain_colours(band: Image) -> Image:
    from PIL import Image as Pillow

    if band.mode == "F":
        return band
    if band.mode.startswith("I"):
        values = np.asarray(band).astype(np.float32)
        if float(values.max()) > 65535 or float(values.min()) < 0:
            raise BadImageError(
                f"a 32-bit integer picture with values from {values.min():.0f} to {values.max():.0f}; save it as 8- or"
                " 16-bit"
            )
        return Pillow.fromarray(values / 65535)
    clear = "A" in band.mode or band.mode.endswith("a") or "transparency" in band.info
    return band.convert("RGBA" if clear else "RGB")


def _picture(small: Image, orientation: int, icc: bytes | None, source: Path) -> Picture:
    upright = _turned(small, orientation)
    if upright.mode == "F":
        grey = np.asarray(upright, np.float32)
        return from_array(np.repeat(grey[..., None], 3, axis=2), None, source.stem)
    if icc:
        upright = to_srgb_profile(upright, icc, source.name)
    return from_array(np.asarray(upright), None, source.stem)


def _turned(image: Image, orientation: int) -> Image:
    """EXIF orientation (1 to 8) applied."""
    from PIL.Image import Transpose

    moves = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    move = moves.get(orientation)
    return image if move is None else image.transpose(move)


@contextmanager
def _clear_errors(source: Path) -> Iterator[None]:
    """Decoder errors -> BadImageError with a remedy."""
    from PIL import Image, UnidentifiedImageError

    if source.is_dir():
        raise BadImageError(f"'{source}' is a folder, not a picture; name a file in it")
    try:
        yield
    except FileNotFoundError as error:
        raise BadImageError(f"there is no file '{source}'; check the name and the folder") from error
    except PermissionError as error:
        raise BadImageError(f"'{source}' may not be read: {error.strerror}") from error
    except UnidentifiedImageError as error:
        raise BadImageError(
            f"'{source.name}' is not a picture that can be read ({_how_large(source)}); use PNG, JPEG or WebP"
        ) from error
    except Image.DecompressionBombError as error:
        raise BadImageError(
            f"'{source.name}' has more than {MAX_PIXELS // 1_000_000} million pixels; make it smaller first"
            " (4096 pixels a side are plenty)"
        ) from error
    except BadImageError:
        raise
    except _BROKEN as error:
        raise BadImageError(
            f"'{source.name}' is damaged or truncated ({_how_large(source)}; {error}); copy or export it again"
        ) from error


def _how_large(source: Path) -> str:
    try:
        return f"{source.stat().st_size} bytes"
    except OSError:
        return "size unknown"


@contextmanager
def _no_bomb_warning() -> Iterator[None]:
    """Between Pillow's warning and its error lies what a good camera makes; that is welcome here and no news."""
    from PIL.Image import DecompressionBombWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DecompressionBombWarning)
        yield
