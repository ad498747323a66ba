"""Masks made whole: loose bits go, pinholes close, real holes stay."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]

KEEP = 0.04
"""A second part of this share of the largest one's area is kept: pairs of shoes, a lid beside its pot."""
SMALL_HOLE = 0.015
"""Holes below this share need two witnesses to be holes."""
KEEP_NEAR, NEAR = 0.004, 0.02
"""Nearer than this share of the picture, much smaller parts count too: what joined them was too thin to be seen."""
PINHOLE = 0.0006
"""Holes below this share of the subject's area are closed, whatever they show."""


def main_parts(mask: Bools, like_background: npt.NDArray[np.floating]) -> Bools:
    """The largest part, those of comparable size, and smaller ones right beside it; a touch at a corner joins.

    mask: [H, W]; like_background: [H, W] in [0, 1], how much each pixel's colour looks like the background.
    """
    from scipy.ndimage import distance_transform_edt, label, minimum

    parts, count = label(mask, structure=np.ones((3, 3)))
    if count <= 1:
        return mask
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    gap = distance_transform_edt(parts != areas.argmax())
    near = np.asarray(minimum(gap, parts, np.arange(count + 1))) < NEAR * max(mask.shape)
    looks = np.bincount(parts.ravel(), weights=like_background.ravel()) / np.maximum(areas, 1)
    keep = (areas >= KEEP * areas.max()) | (near & (looks < 0.1) & (areas >= KEEP_NEAR * areas.max()))
    keep[0] = False
    return np.asarray(keep[parts]) & mask


def meant(mask: Bools, hint: npt.NDArray[np.floating] | None) -> Bools:
    """The parts that a hint [H, W] from outside speaks for: as much as half as clearly as for the best one."""
    from scipy.ndimage import label

    parts, count = label(mask, structure=np.ones((3, 3)))
    if hint is None or count <= 1:
        return mask
    areas = np.bincount(parts.ravel())
    said = np.bincount(parts.ravel(), weights=hint.ravel()) / areas
    said[0] = 0
    best = said[(areas >= KEEP * areas[1:].max()) & (np.arange(count + 1) > 0)].max()
    return np.asarray((said >= 0.5 * best)[parts]) & mask


def closed_holes(
    mask: Bools, like_background: npt.NDArray[np.floating], guessed_background: npt.NDArray[np.floating]
) -> Bools:
    """Holes that are tiny, or whose inside does not look like background, are filled.

    A small hole (an eye, a button) must have been taken for background by the first guess as well, else it is filled.
    """
    from scipy.ndimage import label

    parts, count = label(~mask)
    if count <= 1:
        return mask
    at_border = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    areas = np.bincount(parts.ravel())
    looks = np.bincount(parts.ravel(), weights=like_background.ravel()) / np.maximum(areas, 1)
    guesses = np.bincount(parts.ravel(), weights=guessed_background.ravel()) / np.maximum(areas, 1)
    small = areas < SMALL_HOLE * mask.sum()
    fill = (areas < PINHOLE * mask.sum()) | (looks < 0.5) | (small & (guesses < 0.5))
    fill[at_border] = False
    fill[0] = False
    return mask | fill[parts]
