"""Poisson's equation on the inside of an outline that is known to a part of a pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..data import FloatArray
from ..progress import Progress

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

COARSEST = 64
"""Longest side in pixels below which the system is solved directly."""
SHORTEST = 0.05
"""Least distance in pixels to the outline along a grid line: keeps the matrix well conditioned."""
STEPS = 60
"""Conjugate-gradient steps per level; the coarser level has already found the smooth part."""


def poisson(distance: FloatArray, progress: Progress) -> FloatArray:
    """u with -Laplace(u) = 4 inside, 0 on the outline (for a disc: R^2 - r^2, the square of a sphere's height).

    distance: [H, W] signed distance in pixels, positive inside. Returns [H, W] float32 in pixels^2, 0 outside.
    The outline enters through the distance along each grid line (Gibou et al. 2002, "A second-order-accurate symmetric
    discretization of the Poisson equation on irregular domains"), so that u shows no steps of pixels at the rim.
    Cascadic multigrid: solved at half the size first, then improved by conjugate gradients.
    """
    inside = distance > 0
    result = np.zeros(distance.shape, np.float32)
    if not inside.any():
        return result
    progress.check()
    guess = np.zeros(distance.shape, np.float32)
    direct = max(distance.shape) <= COARSEST
    if not direct:
        guess = 4.0 * _enlarged(poisson(_halved(distance), progress), distance.shape)
    matrix = _laplacian(distance, inside)
    right = np.full(matrix.shape[0], 4.0)
    result[inside] = _direct(matrix, right) if direct else _improved(matrix, right, guess[inside], progress)
    return result


def _halved(distance: FloatArray) -> FloatArray:
    """Mean of 2 x 2 pixels, in units of the larger pixel."""
    height, width = distance.shape
    even = np.pad(distance, ((0, height % 2), (0, width % 2)), mode="edge")
    blocks = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2)
    return np.asarray(blocks.mean(axis=(1, 3)) / 2.0, np.float32)


def _enlarged(values: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Bilinear, twice the size, cropped to ``shape``; the inverse of ``_halved``'s layout of pixel centres."""
    for axis in (0, 1):
        near = np.repeat(values, 2, axis=axis)
        before, after = np.roll(values, 1, axis=axis), np.roll(values, -1, axis=axis)
        far = np.stack([before, after], axis=axis + 1).reshape(near.shape)
        values = 0.75 * near + 0.25 * far
    return np.asarray(values[: shape[0], : shape[1]], np.float32)


def _laplacian(distance: FloatArray, inside: npt.NDArray[np.bool_]) -> csr_matrix:
    """The matrix of -Laplace on inside pixels, [N, N], symmetric and positive definite."""
    from scipy.sparse import coo_matrix

    count = int(inside.sum())
    index = np.full(np.add(distance.shape, 2), -1, np.int64)
    index[1:-1, 1:-1][inside] = np.arange(count)
    padded = np.pad(distance, 1, mode="constant", constant_values=-0.5)
    here, own = index[1:-1, 1:-1][inside], distance[inside]
    diagonal = np.zeros(count)
    rows, columns = [], []
    for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        window = (slice(1 + dy, padded.shape[0] - 1 + dy), slice(1 + dx, padded.shape[1] - 1 + dx))
        other, neighbour = index[window][inside], padded[window][inside]
        share = np.clip(own / np.maximum(own - neighbour, 1e-6), SHORTEST, 1.0)
        diagonal += np.where(other >= 0, 1.0, 1.0 / share)
        rows.append(here[other >= 0])
        columns.append(other[other >= 0])
    row, column = np.concatenate([*rows, here]), np.concatenate([*columns, here])
    value = np.concatenate([np.full(len(row) - count, -1.0), diagonal])
    return coo_matrix((value, (row, column)), shape=(count, count)).tocsr()


def _direct(matrix: csr_matrix, right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    from scipy.sparse.linalg import spsolve

    return np.atleast_1d(spsolve(matrix.tocsc(), right))


def _improved(
    matrix: csr_matrix, right: npt.NDArray[np.float64], guess: FloatArray, progress: Progress
) -> npt.NDArray[np.float64]:
    """A few steps of conjugate gradients, preconditioned by the diagonal, from ``guess``."""
    solution = guess.astype(np.float64)
    inverse = 1.0 / matrix.diagonal()
    residual = right - matrix @ solution
    direction = scaled = inverse * residual
    product = float(residual @ scaled)
    limit = 1e-10 * float(right @ (inverse * right))
    for _ in range(STEPS):
        progress.check()
        if product <= limit:
            break
        image = matrix @ direction
        step = product / float(direction @ image)
        solution = solution + step * direction
        residual = residual - step * image
        scaled = inverse * residual
        product, before = float(residual @ scaled), product
        direction = scaled + (product / before) * direction
    return solution
