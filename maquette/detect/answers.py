"""A language model's answer -> boxes. Read as data only: nothing of it is ever run.

Qwen-VL models answer ``[{"bbox_2d": [x0, y0, x1, y1], "label": "cup"}, ...]`` with coordinates 0 to 1000, inside or
outside a code fence, now and then with a trailing comma, a comment, a cut-off end or prose around it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ._box import Box
from .boxes import clip_boxes

GRID = 1000.0
"""The models' coordinates run from 0 to this over the picture's width and height."""
MOST = 400
"""Most boxes that are read from one answer; a model that repeats itself writes more."""
LONGEST = 200_000
"""Most characters that are looked at."""
_SIDES = ("bbox_2d", "bbox", "box_2d", "box", "bounding_box")
_NAMES = ("label", "name", "object", "category", "text")
_OBJECT = re.compile(r"\{[^{}]*\}")
_NUMBERS = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?")


def parse_boxes(answer: str, width: int, height: int) -> tuple[Box, ...]:
    """Boxes in pixels of a ``width`` x ``height`` picture, in the answer's order; empty when it holds none.

    Sides in the wrong order are turned round, boxes outside the picture or repeated exactly are left out. Every
    object is read on its own, so that a broken one, or a cut-off end, loses only itself.
    """
    found: list[Box] = []
    for entry in _entries(answer[:LONGEST]):
        box = _box(entry, width, height)
        if box is not None and box not in found:
            found.append(box)
        if len(found) >= MOST:
            break
    return clip_boxes(found, width, height)


def _entries(text: str) -> Iterator[dict[str, Any]]:
    """Every {...} without another inside that reads as JSON, after commas too many are taken out."""
    for match in _OBJECT.finditer(text):
        cleaned = re.sub(r",\s*(?=[\]}])", "", match.group())
        cleaned = re.sub(r"//[^\n\"]*(?=\n)", "", cleaned)
        for attempt in (cleaned, cleaned.replace("'", '"')):
            try:
                value = json.loads(attempt)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict):
                yield value
            break


def _box(entry: dict[str, Any], width: int, height: int) -> Box | None:
    raw = next((entry[key] for key in _SIDES if key in entry), None)
    sides = _four(raw)
    if sides is None:
        return None
    label = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), "object")
    x0, y0, x1, y1 = (side / GRID for side in sides)
    left, right = sorted((x0 * width, x1 * width))
    top, bottom = sorted((y0 * height, y1 * height))
    return Box(left, top, right, bottom, str(label).strip()[:80] or "object", _score(entry))


def _four(raw: Any) -> list[float] | None:
    """Four finite numbers from a list, a list of two corners, or a text with four numbers."""
    if isinstance(raw, str):
        raw = _NUMBERS.findall(raw[:400])
    if isinstance(raw, list) and len(raw) == 2 and all(isinstance(corner, list) for corner in raw):
        raw = [*raw[0], *raw[1]]
    if not isinstance(raw, list) or len(raw) != 4:
        return None
    try:
        values = [float(side) for side in raw if not isinstance(side, bool)]
    except (TypeError, ValueError, OverflowError):
        return None
    return values if len(values) == 4 and all(math.isfinite(v) and abs(v) < 1e6 for v in values) else None


def _score(entry: dict[str, Any]) -> float:
    value = entry.get("score", entry.get("confidence", 1.0))
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return 1.0
    return float(min(max(value, 0.0), 1.0))
