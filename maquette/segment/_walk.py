"""The random walker with colour priors (Grady 2005): one sparse system whose answer is the chance of being subject.

x minimises  sum w_ij (x_i - x_j)^2 + sum g_i (p_i (x_i - 1)^2 + (1 - p_i) x_i^2):  neighbours of like colour agree, and
every pixel leans towards what its own colour says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._mixture import Doubles


@dataclass(frozen=True)
class Grid:
    """Weights between neighbouring pixels of an H x W picture: pairs [E, 2] of flat indices, weights [E]."""

    shape: tuple[int, int]
    pairs: npt.NDArray[np.int64]
    weights: Doubles


def grid(lab: Doubles, sharp: float = 1.0) -> Grid:
    """Eight neighbours; the weight falls with the colour step in units of the picture's own mean step."""
    height, width = lab.shape[:2]
    index = np.arange(height * width).reshape(height, width)
    flat = lab.reshape(-1, 3)
    pairs, gaps, length = [], [], []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = index[: height - dy, max(0, -dx) : width - max(0, dx)].ravel()
        b = index[dy:, max(0, dx) : width + min(0, dx)].ravel()
        pairs.append(np.stack([a, b], axis=1))
        gaps.append(((flat[a] - flat[b]) ** 2).sum(axis=1))
        length.append(np.full(len(a), np.hypot(dy, dx)))
    gap = np.concatenate(gaps)
    beta = sharp / max(2 * float(gap.mean()), 1e-6)
    weights = (0.02 + np.exp(-beta * gap)) / np.concatenate(length)
    return Grid((height, width), np.concatenate(pairs), weights)


def walk(
    net: Grid, chance: Doubles, pull: float | Doubles, fixed: Doubles | None = None, start: Doubles | None = None
) -> Doubles:
    """[H, W] probability of being subject.

    chance: [H, W] what each pixel's colour says; pull: how strongly it is listened to; fixed: [H, W] 0 or 1 where
    known, NaN elsewhere; start: a first guess that saves time.
    """
    from scipy.sparse import coo_matrix, diags
    from scipy.sparse.linalg import LinearOperator, cg

    count = net.shape[0] * net.shape[1]
    i, j = net.pairs.T
    rows, columns = np.concatenate([i, j]), np.concatenate([j, i])
    adjacency = coo_matrix((np.tile(net.weights, 2), (rows, columns)), shape=(count, count)).tocsr()
    data = np.broadcast_to(np.asarray(pull, float), net.shape).ravel().copy()
    target = chance.ravel().copy()
    if fixed is not None:
        known = ~np.isnan(fixed.ravel())
        data[known], target[known] = 1e3, fixed.ravel()[known]
    diagonal = np.asarray(adjacency.sum(axis=1)).ravel() + data
    system = diags(diagonal) - adjacency
    inverse = 1 / diagonal
    quick = LinearOperator((count, count), matvec=lambda v: inverse * v)
    first = target if start is None else start.ravel()
    solution, _ = cg(system, data * target, x0=first, rtol=1e-3, maxiter=150, M=quick)
    return np.clip(solution, 0, 1).reshape(net.shape)
