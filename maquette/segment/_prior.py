"""A first guess of where the subject is, from nothing but the picture: the border is background, the middle is not.

Three cues are joined: colours that the border does not have, a wall of colour steps between a pixel and the border
(Wei et al. 2012, geodesic saliency), and closeness to the middle of what stands out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._background import OUTLIER, Background, learn
from ._mixture import Doubles

RIM = 0.025
"""Width of the border, as a share of the shorter side."""
STANDS_OUT = 3.5
"""Standard deviations from the background at which a colour counts as another."""


@dataclass(frozen=True)
class Guess:
    """odds: [H, W] probability of being subject; background: the model the guess used; rim: [H, W] certain border;
    weight: how far the odds count beside colour (a hint from outside counts more)."""

    odds: Doubles
    background: Background
    rim: npt.NDArray[np.bool_]
    weight: float = 0.5


def guess(lab: Doubles, hint: Doubles | None = None) -> Guess:
    """lab: [H, W, 3] CIELAB; hint: [H, W] in [0, 1], where the subject probably is (it replaces the middle)."""
    border = border_weight(*lab.shape[:2])
    if hint is not None:
        border = border * (1 - hint) + 0.3 * (hint < 0.2)
    background = learn(lab, border)
    density = background.density(lab)
    usual = float(np.median(density[border >= border.max()]))
    span = min(STANDS_OUT**2 / 2, 0.7 * float(np.log(usual / OUTLIER)))
    unlike = np.clip(np.log(usual / density) / max(span, 0.5), 0, 1.5)
    rim = (border > 0) & (unlike < 0.75)
    if not rim.any():
        rim = border > 0
    walled = _geodesic(lab, rim)
    joined = np.minimum(unlike, 1) * (0.35 + 0.65 * walled)
    place = _middle(joined) if hint is None else 0.05 + 1.4 * hint
    odds = np.clip(joined * place, 0.02, 0.98)
    odds[rim] = 0.0
    return Guess(odds, background, rim, 0.5 if hint is None else 1.2)


def border_weight(height: int, width: int) -> Doubles:
    """[H, W] 1 on the top, left and right border, less in the middle of the bottom, where subjects often stand."""
    rim = max(2, round(RIM * min(height, width)))
    weight = np.zeros((height, width))
    weight[-rim:] = 0.15
    weight[-rim:, : width // 5] = weight[-rim:, -(width // 5) :] = 0.6
    weight[:rim], weight[:, :rim], weight[:, -rim:] = 1, 1, 1
    return weight


def _geodesic(lab: Doubles, seeds: npt.NDArray[np.bool_]) -> Doubles:
    """[H, W] in [0, 1]: the sum of colour steps on the easiest way from the border, steps below the noise for free."""
    from scipy.ndimage import gaussian_filter
    from skimage.graph import MCP

    smooth = np.stack([gaussian_filter(lab[..., c], 1.0) for c in range(3)], axis=2)
    steps = np.sqrt(sum(np.gradient(smooth[..., c], axis=a) ** 2 for c in range(3) for a in (0, 1)))
    noise = float(np.median(steps[seeds])) if seeds.any() else 0.0
    cost = np.maximum(steps - 2.0 * noise, 0) + 0.01
    costs, _ = MCP(cost, fully_connected=True).find_costs(list(zip(*np.nonzero(seeds), strict=True)))
    high = float(np.percentile(costs, 97))
    return np.clip(costs / max(0.5 * high, 1e-6), 0, 1)


def _middle(standing: Doubles) -> Doubles:
    """[H, W] a wide bell about the centre of what stands out, drawn towards the picture's own centre."""
    height, width = standing.shape
    y, x = np.mgrid[:height, :width]
    total = standing.sum() + 1e-9
    cy = 0.6 * float((standing * y).sum() / total) + 0.4 * height / 2
    cx = 0.6 * float((standing * x).sum() / total) + 0.4 * width / 2
    return 0.45 + 0.65 * np.exp(-(((y - cy) / (0.55 * height)) ** 2) - ((x - cx) / (0.55 * width)) ** 2)
