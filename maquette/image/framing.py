"""The frame that cameras expect: a square, the subject centred, its longer side a fixed share of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..data import FloatArray, View
from ..errors import BadInputError, BadViewsError
from ..geometry.camera import FILL, PRESETS
from ..log import log
from .edges import clean_edges, spread
from .picture import Picture
from .subject import Box, Window, checked_mask, cut, subject_box

SAME_CAMERA = 0.06
"""Pictures whose subjects differ by less than this share in height and place are taken for one unmoved camera's."""
NEUTRAL = 0.5
"""Grey of the empty part of the frame."""


def prepare(picture: Picture, mask: npt.ArrayLike, *, size: int = 512, fill: float = FILL, name: str = "front") -> View:
    """One picture in the square frame [size, size].

    mask: [H, W] of the picture's size, 1 = subject. The longer side of the subject's box takes ``fill`` of the frame,
    the box's centre is the frame's centre. Colours at the soft edge are the subject's own, carried on a little way
    outwards, and grey beyond. The camera is left open. Raises BadMaskError for a mask that is empty, of another size,
    holds NaN, or shows a subject only a pixel or two wide; BadInputError for a size or fill that makes no sense.
    """
    _check_frame(size, fill)
    checked = checked_mask(mask, picture, name)
    box = subject_box(checked, name)
    side = max(box.width, box.height) / fill
    return _view(picture, checked, Window(box.center_x, box.center_y, side), size, name)


def prepare_views(
    pictures: Sequence[Picture],
    masks: Sequence[npt.ArrayLike],
    names: Sequence[str],
    *,
    size: int = 512,
    fill: float = FILL,
) -> tuple[View, ...]:
    """Several pictures of one object in square frames of one common scale.

    names: per picture a preset ("front", "right", "top" ...) or any other word for a horizontal view. The scale of each
    picture is chosen so that the heights of all horizontal views agree; a top or bottom view is matched by the width of
    the front view. The largest extent of all takes ``fill``. Pictures of one size in which the subject has nearly the
    same height and is nearly centred (a turntable, a renderer) are taken as one unmoved camera's: their mutual scale
    and place stay untouched. Errors as ``prepare``, and BadViewsError when the numbers differ.
    """
    _check_frame(size, fill)
    if not pictures or not len(pictures) == len(masks) == len(names):
        raise BadViewsError(
            f"{len(pictures)} pictures, {len(masks)} masks and {len(names)} names; give one of each per view"
        )
    checked = [checked_mask(m, p, n) for m, p, n in zip(masks, pictures, names, strict=True)]
    boxes = [subject_box(mask, name) for mask, name in zip(checked, names, strict=True)]
    windows = _shared_windows(pictures, boxes, names, fill) or _matched_windows(boxes, names, fill)
    return tuple(
        _view(picture, mask, window, size, name)
        for picture, mask, window, name in zip(pictures, checked, windows, names, strict=True)
    )


def _shared_windows(
    pictures: Sequence[Picture], boxes: Sequence[Box], names: Sequence[str], fill: float
) -> list[Window] | None:
    """One window about the pictures' centre for all views, when one unmoved camera made them; else None."""
    height, width = pictures[0].size
    if any(picture.size != (height, width) for picture in pictures):
        return None
    level = [box.height for box, name in zip(boxes, names, strict=True) if not _vertical(name)]
    largest = max(max(box.width, box.height) for box in boxes)
    off = max(max(abs(box.center_x - width / 2), abs(box.center_y - height / 2)) for box in boxes)
    if (level and min(level) < (1 - SAME_CAMERA) * max(level)) or off > SAME_CAMERA * largest:
        return None
    log.info("the views share one camera: their common scale is kept")
    return [Window(width / 2, height / 2, largest / fill)] * len(boxes)


def _matched_windows(boxes: Sequence[Box], names: Sequence[str], fill: float) -> list[Window]:
    """Each view about its own box, scaled so that what must agree agrees (heights; widths of front and top)."""
    scales = _scales(boxes, names)
    largest = max(scale * max(box.width, box.height) for scale, box in zip(scales, boxes, strict=True))
    return [
        Window(box.center_x, box.center_y, largest / (fill * scale)) for scale, box in zip(scales, boxes, strict=True)
    ]


def _scales(boxes: Sequence[Box], names: Sequence[str]) -> list[float]:
    """Object units per pixel for every view, in units where horizontal views are 1 high."""
    scales = [1 / box.height for box in boxes]
    widths = {name: scale * box.width for name, scale, box in zip(names, scales, boxes, strict=True)}
    across = next((widths[name] for name in ("front", "back") if name in widths), None)
    for index, name in enumerate(names):
        if _vertical(name):
            known = across is not None
            scales[index] = across / boxes[index].width if across is not None else 1 / boxes[index].width
            if not known:
                log.info("view '%s': no front or back view tells its scale; its width is taken as the height", name)
    return scales


def _vertical(name: str) -> bool:
    return abs(PRESETS.get(name, (0.0, 0.0))[1]) > 45


def _view(picture: Picture, mask: FloatArray, window: Window, size: int, name: str) -> View:
    """Cut out, resample, clean the edge."""
    cover = cut(mask[..., None], window, size, outside=0.0)[..., 0]
    if _is_own_alpha(picture, mask):
        rgb = _straight(picture, mask, window, size)
    else:
        rgb = clean_edges(cut(picture.rgb, window, size, outside=None), cover)
    near = _near(cover)[..., None]
    return View(np.clip(NEUTRAL + near * (rgb - NEUTRAL), 0, 1), cover, None, name)


def _straight(picture: Picture, mask: FloatArray, window: Window, size: int) -> FloatArray:
    """Colours of a picture with alpha of its own: they are the subject's already, but only where alpha is not small."""
    weight = (mask**2)[..., None]
    if window.side < size:  # enlarging: the sharper filter rings, so it must not see the jump to transparent
        return cut(spread(picture.rgb, np.clip(4 * weight[..., 0], 0, 1)), window, size, outside=None)
    both = cut(np.concatenate([picture.rgb * weight, weight], axis=2), window, size, outside=0.0)
    trust = np.clip(both[..., 3], 0, 1)
    return np.clip(spread(both[..., :3] / np.maximum(both[..., 3:], 1e-4), np.clip(4 * trust, 0, 1)), 0, 1)


def _is_own_alpha(picture: Picture, mask: FloatArray) -> bool:
    """Whether the mask is the picture's own alpha, so that its colours are straight and hold no background."""
    if picture.alpha is None or float(picture.alpha.min()) > 0.98:
        return False
    soft = (mask > 0.02) & (mask < 0.98)
    if not soft.any():
        return bool(np.abs(mask - picture.alpha).mean() < 0.02)
    return bool(np.abs(mask - picture.alpha)[soft].mean() < 0.05)


def _near(cover: FloatArray) -> FloatArray:
    """1 on the subject and a little way around it, falling to 0."""
    from scipy.ndimage import uniform_filter

    reach = max(3, cover.shape[0] // 32)
    return np.clip(8 * uniform_filter(uniform_filter(cover, reach), reach), 0, 1).astype(np.float32)


def _check_frame(size: int, fill: float) -> None:
    if not 16 <= size <= 8192:
        raise BadInputError(f"the size must lie between 16 and 8192 pixels, got {size}")
    if not 0.1 <= fill <= 1.0:
        raise BadInputError(f"fill must lie between 0.1 and 1, got {fill:g}")
