"""The picture's own transparency as the mask: exact, when the picture has one that says something."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import Spec
from ..data import FloatArray
from ..errors import BadMaskError
from ..progress import Progress

if TYPE_CHECKING:
    from . import PictureLike

SPEC = Spec(
    name="alpha",
    title="Transparency of the picture",
    summary="takes the alpha channel as it is; for pictures that were cut out already",
    default_rank=1000,
)
LEAST = 0.0005
"""Share of the picture that must be clear, and that must be subject, before alpha says anything."""
SPECK = 0.0005
"""Loose specks below this share of the subject's area are dirt left by the tool that cut it out."""
FAINT = 0.03
"""Alpha below this is dirt as well."""


def usable(alpha: FloatArray | None) -> bool:
    """Whether alpha tells a subject from a background: neither fully opaque nor fully empty."""
    if alpha is None:
        return False
    return float((alpha < 0.5).mean()) > LEAST and float((alpha >= 0.5).mean()) > LEAST


def transparent(alpha: FloatArray | None) -> bool:
    """Whether alpha hides the whole picture: then it has no subject, whatever its colours say."""
    return alpha is not None and float((alpha >= 0.5).mean()) <= LEAST


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] alpha without specks. BadMaskError when there is none, or it says nothing."""
    del prior, device
    alpha = picture.alpha
    if alpha is None:
        raise BadMaskError(f"'{picture.name}' has no alpha channel; use segment 'auto', or give a mask")
    if not usable(alpha):
        opaque = float((alpha >= 0.5).mean())
        what = (
            "fully transparent: there is no subject in it" if opaque <= LEAST else "fully opaque: it marks no subject"
        )
        raise BadMaskError(f"'{picture.name}' is {what}; use segment 'walker' or 'grabcut', or give a mask")
    progress.update(1, 2, "alpha")
    return without_specks(np.where(alpha < FAINT, 0, alpha).astype(np.float32))


def without_specks(mask: FloatArray) -> FloatArray:
    """The mask without loose parts far smaller than its largest one; touching at a corner counts as joined."""
    from scipy.ndimage import label

    parts, count = label(mask > 0, structure=np.ones((3, 3)))
    if count <= 1:
        return mask
    areas = np.bincount(parts.ravel(), weights=mask.ravel())
    keep = areas >= SPECK * areas.max()
    keep[0] = False
    return np.where(keep[parts], mask, 0).astype(np.float32)
