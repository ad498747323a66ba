"""Cut-out without any network: colour mixtures and a random walker, started from an object prior.

Runs on scipy and scikit-image. It works on a reduced copy and follows the edge at full size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..backends import Spec
from ..data import FloatArray
from ..progress import Progress

if TYPE_CHECKING:
    from . import PictureLike
    from ._background import Background
    from ._mixture import Doubles
    from ._prior import Guess

SPEC = Spec(
    name="walker",
    title="Colour and contrast (random walker)",
    summary="parts a subject from the background around it, without a download; best on plain or blurred backgrounds",
    default_rank=20,
)
WORK = 448
"""Longer side in pixels of the reduced copy."""
ROUNDS = 4
PARTS = 6
PULL = 0.2
"""How strongly a pixel's own colour is listened to, against its neighbours."""


def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray:
    """[H, W] soft mask. BadMaskError when nothing stands out from the background."""
    del device
    from ._clean import meant
    from ._finish import finish
    from ._prior import guess
    from ._reduced import reduced_lab, resized

    lab = reduced_lab(picture.rgb, WORK, picture.name)
    hint = None if prior is None else resized(prior, (lab.shape[0], lab.shape[1])).astype(np.float64)
    progress.update(1, ROUNDS + 3, "object prior")
    first = guess(lab, hint)
    found, lean = _alternate(lab, first, progress)
    progress.update(ROUNDS + 1, ROUNDS + 3, "soft edge")
    return finish(picture, meant(found > 0.5, hint), lean, first.odds, progress)


def by_colour(lab: Doubles, chance: Doubles, first: Guess, background: Background, seed: int = 0) -> Doubles:
    """[h, w] in [0, 1]: what each colour says, given the colours of a soft mask ``chance`` and of the background."""
    from ._background import OUTLIER
    from ._mixture import fit

    sure = np.clip(2 * chance - 1, 0, 1)
    front = fit(lab.reshape(-1, 3), sure.ravel(), PARTS, seed).density(lab.reshape(-1, 3)).reshape(chance.shape)
    ratio = np.log(front + OUTLIER) - np.log(background.density(lab))
    odds = np.clip(first.odds, 0.05, 0.95)
    return 1 / (1 + np.exp(-(np.clip(ratio, -6, 6) + first.weight * np.log(odds / (1 - odds)))))


def _alternate(lab: Doubles, first: Guess, progress: Progress) -> tuple[Doubles, Doubles]:
    """Colours of both sides and the walker's answer in turn, as GrabCut does (Rother et al. 2004), but softly.

    Returns the chance of being subject [h, w], and what colour alone says of it.
    """
    from ._background import learn
    from ._walk import grid, walk

    net, background, chance = grid(lab), first.background, first.odds
    fixed = np.where(first.rim, 0.0, np.nan)
    lean = chance
    for k in range(ROUNDS):
        progress.update(k + 2, ROUNDS + 3, "colours and walk")
        if not (chance > 0.5).any():
            break
        if k:
            background = learn(lab, np.where(first.rim, 1.0, np.clip(1 - 2 * chance, 0, 1)))
        lean = by_colour(lab, chance, first, background, k)
        chance = walk(net, lean, PULL * (2 * lean - 1) ** 2 + 0.005, fixed, chance)
    return chance, lean
