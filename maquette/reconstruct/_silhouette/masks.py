"""Masks made ready for a solid: specks and pinholes that no grid of the asked resolution can carry are taken out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ...data import FloatArray, View
from ...geometry.signed_distance import LEVEL

SPECK = 0.002
"""Parts of the mask below this share of the largest part's area are specks, not pieces of the subject."""


def tidy_mask(view: View, cell: float) -> tuple[FloatArray, list[str]]:
    """The mask of ``view`` without specks, and without holes of less area than one cell; notes say what was done.

    cell: pixels per cell of the grid that the solid will be meshed on. The largest part always stays.
    """
    from scipy.ndimage import label

    mask = np.clip(np.asarray(view.mask, np.float32), 0.0, 1.0)
    inside, notes = mask >= LEVEL, []
    parts, count = label(inside, structure=np.ones((3, 3)))
    specks = _small(parts, count, SPECK * float(np.bincount(parts[inside]).max()) if count else 0.0)
    if specks.any():
        mask = np.where(_grown(specks), 0.0, mask).astype(np.float32) if count else mask
        mask[inside & ~specks] = np.maximum(mask, LEVEL)[inside & ~specks]
        notes.append(f"view '{view.name}': {_count(parts, specks)} specks of the mask were left out")
    holes, count = label(np.pad(mask < LEVEL, 1, constant_values=True))
    outside, holes = holes[0, 0], holes[1:-1, 1:-1]
    pinholes = _small(holes, count, max(cell, 1.0) ** 2) & (holes != outside)
    if pinholes.any():
        mask = np.where(_grown(pinholes), np.maximum(mask, 1.0), mask).astype(np.float32)
        notes.append(f"view '{view.name}': {_count(holes, pinholes)} holes finer than a cell of the grid were closed")
    return mask, notes


def box_side(mask: FloatArray) -> int:
    """Longer side in pixels of the box around the mask; at least 4."""
    rows, columns = np.nonzero(mask >= LEVEL)
    return max(4, 1 + max(int(np.ptp(rows)), int(np.ptp(columns))))


def _small(parts: npt.NDArray[np.integer], count: int, area: float) -> npt.NDArray[np.bool_]:
    """Where ``parts`` (labels from 1) covers less than ``area`` pixels; the largest label never does."""
    sizes = np.bincount(parts.ravel(), minlength=count + 1)
    sizes[0] = 0
    small = sizes < min(area, sizes.max())
    small[0] = False
    return np.asarray(small[parts])


def _grown(region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """One pixel more on every side: the soft edge belongs to it."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(region, np.ones((3, 3))))


def _count(parts: npt.NDArray[np.integer], region: npt.NDArray[np.bool_]) -> int:
    return len(np.unique(parts[region]))
