"""GrabCut (Rother et al. 2004) of OpenCV, started from our own object prior.

OpenCV is used when it is there and never asked for: a second distribution of it beside an existing one breaks both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import Spec
from ..data import FloatArray
from ..progress import Progress

if TYPE_CHECKING:
    from . import PictureLike
    from ._prior import Guess

SPEC = Spec(
    name="grabcut",
    title="GrabCut (OpenCV)",
    summary="graph cut on colour mixtures, for those who have OpenCV (cv2) already",
    licence="Apache-2.0",
    requires=("cv2",),
    default_rank=40,
)
WORK = 400
"""Longer side in pixels of the reduced copy."""
ROUNDS = 5


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask. BadMaskError when nothing stands out from the background."""
    del device
    from ._background import learn
    from ._clean import meant
    from ._finish import finish
    from ._prior import guess
    from ._reduced import reduced_lab, resized
    from .walker import by_colour

    lab = reduced_lab(picture.rgb, WORK, picture.name)
    shape = (lab.shape[0], lab.shape[1])
    hint = None if prior is None else resized(prior, shape).astype(np.float64)
    progress.update(1, 4, "object prior")
    first = guess(lab, hint)
    progress.update(2, 4, "graph cut")
    found = _cut(resized(picture.rgb, shape), first).astype(np.float64)
    progress.update(3, 4, "soft edge")
    background = learn(lab, np.where(first.rim, 1.0, 1.0 - found))
    unlike = by_colour(lab, found, first, background) if found.any() else first.odds
    return finish(picture, meant(found > 0, hint), unlike, first.odds, progress)


def _cut(rgb: FloatArray, first: Guess) -> FloatArray:
    """1 where OpenCV puts the subject. Its own random numbers are seeded, so that a run can be repeated."""
    import cv2

    labels = np.where(first.odds > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[first.rim] = cv2.GC_BGD
    if not (labels == cv2.GC_PR_FGD).any():
        return np.zeros(labels.shape, np.float32)
    cv2.setRNGSeed(0)
    pixels = np.ascontiguousarray((np.clip(rgb[..., ::-1], 0, 1) * 255 + 0.5).astype(np.uint8))
    empty = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(pixels, labels, None, *empty, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.isin(labels, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
