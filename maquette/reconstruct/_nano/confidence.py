"""How sure a prediction is of each point of its surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...data import FloatArray

if TYPE_CHECKING:
    from .predict import Prediction

FRONT, BEHIND = 0.12, 0.5
"""Expected error of the first surface, and doubtful length of a column (half picture widths), at which confidence has
fallen to 1 / e."""


def confidence(prediction: Prediction, points: FloatArray) -> FloatArray:
    """[N] in (0, 1] at frustum points [N, 3]: high on first surfaces with a sure depth, lower behind them."""
    side = prediction.depth.shape[0]
    column = np.clip(((points[:, :2] + 1) / 2 * side).astype(int), 0, side - 1)
    at = column[:, 1], column[:, 0]
    front = np.exp(-prediction.error[at] / FRONT)
    behind = np.clip((points[:, 2] - prediction.depth[at]) / (3 * prediction.cell), 0, 1)
    hidden = 0.7 * np.exp(-prediction.doubt[at] / BEHIND)
    return np.asarray(front * (1 - behind + behind * hidden), np.float32)
