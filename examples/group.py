"""Several example objects in one picture without alpha: ``python -m examples.group`` writes ``three_things.jpg``.

The cut-outs of this folder stand on a plain backdrop, as a studio photographer would set them up: a soft gradient, a
blurred shadow under each, a little grain.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

Floats = npt.NDArray[np.float32]
HERE = Path(__file__).resolve().parent
SIDE = 640
PLACES = {"teapot": (20, 300, 300), "rocket": (200, 10, 290), "mushroom": (350, 320, 270)}
"""Left, top and side in pixels of each object's square picture."""


def group() -> Floats:
    """[640, 640, 3] sRGB in [0, 1]."""
    y = np.linspace(0, 1, SIDE, dtype=np.float32)[:, None, None]
    top, bottom = np.float32([0.80, 0.84, 0.86]), np.float32([0.66, 0.69, 0.72])
    picture = np.broadcast_to(top * (1 - y) + bottom * y, (SIDE, SIDE, 3)).copy()
    for name, (left, upper, side) in PLACES.items():
        rgb, alpha = _cut_out(HERE / f"{name}.png", left, upper, side)
        picture *= 1 - 0.45 * _shadow(alpha)[..., None]
        picture = rgb * alpha[..., None] + picture * (1 - alpha[..., None])
    grain = np.random.default_rng(3).normal(0, 0.006, (SIDE, SIDE, 1))
    return np.clip(picture + grain, 0, 1).astype(np.float32)


def masks() -> dict[str, Floats]:
    """The exact mask [640, 640] of each object."""
    return {name: _cut_out(HERE / f"{name}.png", *place)[1] for name, place in PLACES.items()}


def _cut_out(path: Path, left: int, upper: int, side: int) -> tuple[Floats, Floats]:
    """Colours [640, 640, 3] and mask [640, 640] of one picture at its place."""
    small = Image.open(path).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
    sheet = Image.new("RGBA", (SIDE, SIDE))
    sheet.paste(small, (left, upper))
    values = np.asarray(sheet, np.float32) / 255
    return values[..., :3], values[..., 3]


def _shadow(alpha: Floats) -> Floats:
    """[640, 640] in [0, 1]: the object's foot, flattened and blurred."""
    rows, columns = np.nonzero(alpha > 0.5)
    foot, middle, half = int(rows.max()), float(columns.mean()), 0.42 * float(np.ptp(columns))
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    disc = (((x - middle) / half) ** 2 + ((y - foot + 4) / (0.16 * half)) ** 2 < 1).astype(np.uint8) * 255
    blurred = Image.fromarray(disc).filter(ImageFilter.GaussianBlur(7))
    return np.asarray(blurred, np.float32) / 255


if __name__ == "__main__":
    Image.fromarray((group() * 255 + 0.5).astype(np.uint8)).save(HERE / "three_things.jpg", quality=92, subsampling=0)
