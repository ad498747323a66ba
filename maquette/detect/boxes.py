"""Boxes after the model: cut to the picture, merged where they name one thing twice, padded, cropped, drawn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..data import FloatArray
from ..errors import BadInputError
from ._box import Box

LEAST = 4.0
"""Smallest side in pixels of a box that is kept."""


def clip_boxes(boxes: Sequence[Box], width: int, height: int) -> tuple[Box, ...]:
    """Sides in order, inside the picture; boxes wholly outside it or thinner than ``LEAST`` pixels are left out."""
    out = []
    for box in boxes:
        sides = (box.left, box.top, box.right, box.bottom)
        if not np.isfinite(sides).all():
            continue
        left, right = sorted((box.left, box.right))
        top, bottom = sorted((box.top, box.bottom))
        left, right = max(left, 0.0), min(right, float(width))
        top, bottom = max(top, 0.0), min(bottom, float(height))
        if right - left >= min(LEAST, width) and bottom - top >= min(LEAST, height):
            out.append(replace(box, left=left, top=top, right=right, bottom=bottom))
    return tuple(out)


def overlap(one: Box, two: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    across = min(one.right, two.right) - max(one.left, two.left)
    down = min(one.bottom, two.bottom) - max(one.top, two.top)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / (_area(one) + _area(two) - both)


def merge_boxes(boxes: Sequence[Box], threshold: float = 0.7) -> tuple[Box, ...]:
    """Best first; of boxes that overlap more than ``threshold`` (IoU) the best stays: one thing named twice."""
    if not 0 < threshold <= 1:
        raise BadInputError(f"the merge threshold must lie in (0, 1], got {threshold:g}")
    kept: list[Box] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if all(overlap(box, other) <= threshold for other in kept):
            kept.append(box)
    return tuple(kept)


def pad_box(box: Box, share: float, width: int, height: int) -> Box:
    """Wider by ``share`` of its longer side on every side, within the picture."""
    if not 0 <= share <= 2:
        raise BadInputError(f"the padding must lie in [0, 2] of the box's longer side, got {share:g}")
    more = share * max(box.right - box.left, box.bottom - box.top)
    return replace(
        box,
        left=max(box.left - more, 0.0),
        top=max(box.top - more, 0.0),
        right=min(box.right + more, float(width)),
        bottom=min(box.bottom + more, float(height)),
    )


def crop(rgb: FloatArray, box: Box, padding: float = 0.1) -> FloatArray:
    """A copy [h, w, C] of ``rgb`` [H, W, C] (or [h, w] of a mask) inside the padded box, whole pixels."""
    height, width = rgb.shape[:2]
    wide = pad_box(box, padding, width, height)
    left, top = int(np.floor(wide.left)), int(np.floor(wide.top))
    right, bottom = max(int(np.ceil(wide.right)), left + 1), max(int(np.ceil(wide.bottom)), top + 1)
    return np.array(rgb[top:bottom, left:right], np.float32)


def file_stem(box: Box, index: int) -> str:
    """A safe file name without ending, ``01_tea_spoon`` for the first box."""
    words = re.sub(r"[^\w-]+", "_", box.label).strip("_")[:40]
    return f"{index + 1:02d}_{words or 'object'}"


def draw(rgb: FloatArray, boxes: Sequence[Box]) -> FloatArray:
    """A copy of ``rgb`` [H, W, 3] with the boxes, their labels and scores drawn on it."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    pen, line = ImageDraw.Draw(image), max(2, round(max(rgb.shape[:2]) / 400))
    for index, box in enumerate(boxes):
        color = _COLORS[index % len(_COLORS)]
        right, bottom = max(box.right - 1, box.left), max(box.bottom - 1, box.top)
        pen.rectangle((box.left, box.top, right, bottom), outline=color, width=line)
        text = f"{index + 1} {box.label} {box.score:.2f}".encode("latin-1", "replace").decode("latin-1")
        place = (box.left + line + 1, box.top + line)
        pen.rectangle(pen.textbbox(place, text), fill=color)
        pen.text(place, text, fill=(0, 0, 0))
    return np.asarray(np.asarray(image, np.float32) / np.float32(255), np.float32)


def _area(box: Box) -> float:
    return (box.right - box.left) * (box.bottom - box.top)


_COLORS = ((255, 208, 64), (96, 224, 128), (96, 176, 255), (255, 128, 160), (200, 144, 255), (128, 232, 232))
