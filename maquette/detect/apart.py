"""Detection without a model: every thing that stands apart from a plain background, or from others by its alpha.

The background is what a smooth surface through the picture's border says (one quadratic per CIELAB channel, fitted
robustly); what differs from it, in parts that do not touch, is the things. The text is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..backends import Spec
from ..data import FloatArray
from ..progress import Progress
from ._box import Box

if TYPE_CHECKING:
    from . import PictureLike

SPEC = Spec(
    name="apart",
    title="Things that stand apart (no model)",
    summary="boxes around all separate things before a plain background; it does not read the text",
    default_rank=50,
)
READS_TEXT = False
WORK = 384
"""Longer side in pixels of the reduced copy."""
LEAST = 0.004
"""Share of the picture below which a part is dirt."""
DIFFERENCE = 9.0
"""CIELAB units from the background that make a thing, at least."""
GAP = 0.008
"""Parts nearer to each other than this share of the longer side are one thing."""

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels, all labelled with the prompt when it is one word, else "object"; empty when nothing stands out.

    The score is how clearly a thing differs from the background.
    """
    del device
    progress.update(1, 3, "background")
    unlike = difference(picture.rgb, picture.alpha)
    progress.update(2, 3, "things")
    words = prompt.replace(",", " ").split()
    label = words[0] if len(words) == 1 else "object"
    height, width = picture.rgb.shape[:2]
    scale = (width / unlike.shape[1], height / unlike.shape[0])
    return tuple(
        Box(columns.start * scale[0], rows.start * scale[1], columns.stop * scale[0], rows.stop * scale[1], label, sure)
        for rows, columns, sure in things(unlike)
    )


def difference(rgb: FloatArray, alpha: FloatArray | None) -> Doubles:
    """[h, w] of a reduced copy: CIELAB distance from the background over the least that counts; alpha decides where it
    says something."""
    if alpha is not None and float(alpha.min()) < 0.5:
        return np.asarray(2 * _reduced(alpha[..., None])[..., 0], np.float64)
    from skimage.color import rgb2lab

    lab = np.asarray(rgb2lab(np.clip(_reduced(rgb), 0, 1)), np.float64)
    lab[..., 0] *= 0.6  # a shadow is darker, not another colour
    distance = np.linalg.norm(lab - _background(lab), axis=2)
    rim = _rim(distance.shape)
    noise = 1.4826 * float(np.median(distance[rim]))
    return np.asarray(distance / max(DIFFERENCE, 4 * noise), np.float64)


def things(unlike: Doubles) -> list[tuple[slice, slice, float]]:
    """(rows, columns, score) of every separate part where ``unlike`` [h, w] exceeds 1."""
    from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening, find_objects, label

    reach = max(1, round(GAP * max(unlike.shape)))
    solid = binary_closing(np.pad(binary_opening(unlike > 1), reach), iterations=reach)[reach:-reach, reach:-reach]
    parts, _ = label(binary_fill_holes(solid), structure=np.ones((3, 3)))
    out = []
    for index, (rows, columns) in enumerate(find_objects(parts), start=1):
        inside = parts[rows, columns] == index
        touched = sum(bool(side) for side in (rows.start == 0, columns.start == 0)) + sum(
            bool(side) for side in (rows.stop == unlike.shape[0], columns.stop == unlike.shape[1])
        )
        if inside.sum() >= LEAST * unlike.size and touched < 3:
            strength = float(unlike[rows, columns][inside].mean())
            out.append((rows, columns, strength / (1 + strength)))
    return out


def _background(lab: Doubles) -> Doubles:
    """[h, w, 3]: a quadratic per channel through the border, refitted to the part of it that agrees."""
    height, width = lab.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    rim = _rim((height, width))
    rows, values = terms[rim], lab[rim]
    keep = np.ones(len(rows), bool)
    for _ in range(4):
        fit: Any = np.linalg.lstsq(rows[keep], values[keep], rcond=None)[0]
        away = np.linalg.norm(values - rows @ fit, axis=1)
        keep = away <= max(float(np.quantile(away, 0.7)), 1.0)
    return np.asarray(terms @ fit)


def _rim(shape: tuple[int, ...]) -> Bools:
    band = max(2, round(0.06 * min(shape[:2])))
    out = np.ones(shape[:2], bool)
    out[band:-band, band:-band] = False
    return out


def _reduced(values: FloatArray) -> FloatArray:
    """[h, w, C]: averaged so that the longer side is at most ``WORK``."""
    from PIL import Image

    scale = min(1.0, WORK / max(values.shape[:2]))
    size = tuple(max(8, round(side * scale)) for side in values.shape[1::-1])
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(values, 2, 0)]
    return np.stack([np.asarray(p.resize(size, Image.Resampling.BOX)) for p in planes], axis=2)  # type: ignore[arg-type]
