"""Signed distance to the outline of a soft mask, finer than a pixel: what hulls and inflation are made of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ..data import FloatArray

LEVEL = 0.5
"""The outline is where the soft mask crosses this value."""
BAND = 4.0
"""Pixels around the outline in which distances are measured to its segments, not to points on it."""


def signed_distance(mask: npt.ArrayLike) -> FloatArray:
    """Distance in pixels from each pixel centre to the outline of ``mask``, positive inside.

    mask: [H, W] in [0, 1]; the subject is cut off at the frame, so that the outline is always closed. The outline is
    the 0.5 contour of the bilinear mask, hence exact to a small part of a pixel where the mask is anti-aliased.
    Returns [H, W] float32; an empty mask gives minus the frame's diagonal everywhere.
    """
    soft = np.asarray(mask, np.float32)
    starts, ends = outline_segments(soft)
    if len(starts) == 0:
        return np.full(soft.shape, -float(np.hypot(*soft.shape)), np.float32)
    inside = soft >= LEVEL
    distance = _coarse_distance(inside)
    near = inside | (distance < BAND)
    distance[near] = _exact_distance(np.argwhere(near).astype(np.float64), starts, ends)
    return np.where(inside, distance, -distance).astype(np.float32)


def outline_segments(mask: FloatArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Both ends, [S, 2] each as (row, column) of pixel centres, of the segments of the mask's 0.5 contour."""
    from skimage.measure import find_contours

    contours = find_contours(np.pad(mask, 1), LEVEL)
    if not contours:
        empty = np.zeros((0, 2))
        return empty, empty
    starts = np.concatenate([c[:-1] for c in contours]) - 1
    ends = np.concatenate([c[1:] for c in contours]) - 1
    return starts, ends


def _coarse_distance(inside: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Unsigned distance to within a pixel."""
    from scipy.ndimage import distance_transform_edt

    padded = np.pad(inside, 1)
    outer = distance_transform_edt(~padded) - 0.5
    inner = distance_transform_edt(padded) - 0.5
    both: npt.NDArray[np.float64] = np.where(padded, inner, outer)[1:-1, 1:-1]
    return both


def _exact_distance(
    points: npt.NDArray[np.float64], starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Distance from points [P, 2] to the nearest of the segments, exact near them."""
    from scipy.spatial import cKDTree

    middles = (starts + ends) / 2
    tree = cKDTree(middles)
    distance, _ = tree.query(points)
    near = np.flatnonzero(distance < BAND)
    count = min(4, len(middles))
    _, found = tree.query(points[near], k=count)
    found = found.reshape(len(near), count)
    to_segment = _segment_distance(points[near][:, None], starts[found], ends[found])
    distance[near] = to_segment.min(axis=1)
    return np.asarray(distance)


def _segment_distance(
    points: npt.NDArray[np.float64], starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Point-to-segment distance over broadcast arrays [..., 2]."""
    along = ends - starts
    length = np.maximum((along**2).sum(axis=-1), 1e-12)
    share = np.clip(((points - starts) * along).sum(axis=-1) / length, 0.0, 1.0)
    gap = points - starts - share[..., None] * along
    return np.asarray(np.sqrt((gap**2).sum(axis=-1)))
