"""Masks made whole: loose bits go, pinholes close, real holes stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]

KEEP = 0.04
"""A second part of this share of the largest one's area is kept: pairs of shoes, a lid beside its pot."""
PINHOLE = 0.0006
"""Holes below this share of the subject's area are closed, whatever they show."""


def whole(mask: Bools, like_background: npt.NDArray[np.floating]) -> Bools:
    """The subject's main parts, holes closed unless they show background.

    mask: [H, W]; like_background: [H, W] in [0, 1], how much each pixel's colour looks like the background.
    """
    return closed_holes(main_parts(mask), like_background)


def main_parts(mask: Bools) -> Bools:
    """The largest part and those of comparable size; parts that touch at a corner are one."""
    from scipy.ndimage import label

    parts, count = label(mask, structure=np.ones((3, 3)))
    if count <= 1:
        return mask
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    return np.asarray((areas >= KEEP * areas.max())[parts]) & mask


def closed_holes(mask: Bools, like_background: npt.NDArray[np.floating]) -> Bools:
    """Holes that are tiny, or whose inside does not look like background, are filled."""
    from scipy.ndimage import label

    parts, count = label(~mask)
    if count <= 1:
        return mask
    at_border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    areas = np.bincount(parts.ravel())
    looks = np.bincount(parts.ravel(), weights=like_background.ravel()) / np.maximum(areas, 1)
    fill = (areas < PINHOLE * mask.sum()) | (looks < 0.5)
    fill[at_border] = False
    fill[0] = False
    return mask | fill[parts]
