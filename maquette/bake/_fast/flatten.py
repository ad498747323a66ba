"""Laying charts flat, all of them in one sparse system: as-rigid-as-possible parameterisation from a projection.

Liu, Zhang, Xu, Gotsman, Gortler, "A local/global approach to mesh parameterization", SGP 2008. Plane vectors are
complex numbers, so that the best rotation of a triangle is one number divided by its length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...progress import Progress
from .charts import Ints, Reals, Surface, sums, unit

Complexes = npt.NDArray[np.complex128]

_LEAST_WEIGHT, _MOST_WEIGHT = 0.02, 20.0
"""Cotangents are clamped: thin and obtuse triangles would make the system indefinite or stiff."""


@dataclass(frozen=True)
class Seamed:
    """Corners numbered per chart. faces: [F, 3]; source: [W] the input vertex of each; chart: [W]."""

    faces: Ints
    source: Ints
    chart: Ints


def seamed(faces: Ints, label: Ints) -> Seamed:
    """Vertices of ``faces`` [F, 3] split along the borders between charts ``label`` [F]."""
    span = int(faces.max()) + 1
    key, inverse = np.unique((label[:, None] * span + faces).reshape(-1), return_inverse=True)
    return Seamed(inverse.reshape(-1, 3), key % span, key // span)


def flatten(surface: Surface, label: Ints, cut: Seamed, iterations: int, progress: Progress) -> Complexes:
    """[W] plane coordinates of the corners, in world units, counter-clockwise as seen from outside."""
    flat = projected(surface, label, cut)
    if iterations == 0:
        return flat
    shape = isometric(surface)  # [F, 3] complex
    sides = np.roll(shape, -1, axis=1) - shape  # edge k from corner k to k + 1
    weights = _cotangents(sides)
    solve = _factorised(cut, weights, len(flat))
    progress.check()
    start, end = cut.faces, np.roll(cut.faces, -1, axis=1)
    for _ in range(iterations):
        turned = (weights * (flat[end] - flat[start]) * sides.conj()).sum(axis=1)
        size = np.abs(turned)
        turn = np.where(size > 0, turned / np.where(size > 0, size, 1), 1.0)
        pull = (weights * turn[:, None] * sides).reshape(-1)
        right = _summed(end.reshape(-1), pull, len(flat)) - _summed(start.reshape(-1), pull, len(flat))
        flat = solve(right)
        progress.check()
    return flat


def projected(surface: Surface, label: Ints, cut: Seamed) -> Complexes:
    """[W] the corners seen along the mean normal of their chart."""
    count = int(label.max()) + 1
    axis = unit(sums(label, surface.normals * surface.area[:, None], count))
    axis[(axis == 0).all(axis=1)] = (0.0, 0.0, 1.0)
    least = np.eye(3)[np.abs(axis).argmin(axis=1)]
    right = unit(np.cross(least, axis))
    up = np.cross(axis, right)
    points = np.empty((len(cut.source), 3))
    points[cut.faces.reshape(-1)] = surface.corners.reshape(-1, 3)
    x, y = (points * right[cut.chart]).sum(axis=1), (points * up[cut.chart]).sum(axis=1)
    return x + 1j * y


def signed_areas(flat: Complexes, faces: Ints) -> Reals:
    """[F] areas in the plane, negative where a face is turned over."""
    a, b, c = (flat[faces[:, k]] for k in range(3))
    return ((b - a).conj() * (c - a)).imag / 2


def isometric(surface: Surface) -> Complexes:
    """[F, 3] each triangle laid into the plane without change: corner 0 at 0, corner 1 on the real axis."""
    one, two = surface.corners[:, 1] - surface.corners[:, 0], surface.corners[:, 2] - surface.corners[:, 0]
    length = np.linalg.norm(one, axis=1)
    along = (one * two).sum(axis=1) / np.maximum(length, 1e-20)
    height = 2 * surface.area / np.maximum(length, 1e-20)
    return np.stack([np.zeros(len(one)), length, along + 1j * height], axis=1)


def _cotangents(sides: Complexes) -> Reals:
    """[F, 3] clamped cotangent of the angle opposite edge k."""
    out = np.empty(sides.shape)
    for k in range(3):
        one, two = -sides[:, (k + 1) % 3], sides[:, (k + 2) % 3]
        product = one.conj() * two
        out[:, k] = product.real / np.maximum(np.abs(product.imag), 1e-20)
    return out.clip(_LEAST_WEIGHT, _MOST_WEIGHT)


def _factorised(cut: Seamed, weights: Reals, count: int):  # type: ignore[no-untyped-def]
    """The solver of the cotangent Laplacian with one corner per chart held at its place (weakly)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.linalg import splu

    start, end = cut.faces.reshape(-1), np.roll(cut.faces, -1, axis=1).reshape(-1)
    values = weights.reshape(-1)
    hold = np.unique(cut.chart, return_index=True)[1]
    rows = np.concatenate([start, end, start, end, hold])
    columns = np.concatenate([end, start, start, end, hold])
    data = np.concatenate([-values, -values, values, values, np.ones(len(hold))])
    matrix = coo_matrix((data, (rows, columns)), shape=(count, count)).tocsc()
    factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})

    def solve(right: Complexes) -> Complexes:
        both = factor.solve(np.stack([right.real, right.imag], axis=1))
        return both[:, 0] + 1j * both[:, 1]

    return solve


def _summed(index: Ints, values: Complexes, count: int) -> Complexes:
    return np.bincount(index, values.real, count) + 1j * np.bincount(index, values.imag, count)
