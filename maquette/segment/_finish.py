"""The end of every classic method: clean the mask, check that it means something, follow the edge at full size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..data import FloatArray
from ..errors import BadMaskError
from ..progress import Progress
from ._clean import closed_holes, main_parts
from ._edge import refine
from ._mixture import Doubles
from ._reduced import resized

if TYPE_CHECKING:
    from . import PictureLike

LEAST, MOST = 0.002, 0.97
"""Share of the picture that a subject may take."""
SURE = 0.25
"""Share of the subject that must look unlike the background."""
EDGE_SIDE = 1600
"""Longer side in pixels at which the soft edge is found; larger pictures get it enlarged."""


def finish(
    picture: PictureLike, mask: npt.NDArray[np.bool_], unlike: Doubles, odds: Doubles, progress: Progress
) -> FloatArray:
    """A soft mask [H, W] from the mask [h, w] of a reduced copy.

    unlike: [h, w] in [0, 1], how little each pixel looks like the background; odds: [h, w] the first guess: a
    small hole is one only where both say background. BadMaskError when nothing stands out.
    """
    kept = closed_holes(main_parts(mask, 1 - unlike), 1 - unlike, 1 - odds)
    share = float(kept.mean())
    if not LEAST <= share <= MOST or float((unlike[kept] > 0.7).mean()) < SURE:
        raise BadMaskError(
            f"'{picture.name}': no subject stands out from the background (what was found covers {share:.1%} of the"
            " picture); use a picture on a plainer background, give a rough mask as prior, or a finished mask"
        )
    height, width = picture.rgb.shape[:2]
    scale = min(1.0, EDGE_SIDE / max(height, width))
    shape = (round(height * scale), round(width * scale))
    progress.check()
    rgb = picture.rgb if scale == 1.0 else resized(picture.rgb, shape)
    reach = max(2, round(0.9 * shape[0] / mask.shape[0] + 1))
    alpha = refine(rgb, resized(kept.astype(np.float32), shape), reach)
    return alpha if scale == 1.0 else resized(alpha, (height, width))
