"""Global registration without a first guess: FPFH descriptors and RANSAC, in numpy.

Rusu, Blodow, Beetz, "Fast Point Feature Histograms (FPFH) for 3D Registration", 2009. The three-point samples solve
for a similarity (Umeyama, 1991), because every view's mesh was normalised by itself.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .samples import Array, Cloud

BINS = 11
SCALES = (0.6, 1.7)
"""Scale between two views of one object that are both normalised to longest side 1: at most about 1 / sqrt(3)."""


def descriptors(cloud: Cloud, radius: float, neighbours: int = 48) -> Array:
    """[N, 33] FPFH of every point of the cloud from its neighbours within ``radius``."""
    count = min(neighbours + 1, len(cloud.points))
    distance, index = cloud.tree.query(cloud.points, k=count, distance_upper_bound=radius)
    distance, index = distance[:, 1:], index[:, 1:]  # the first neighbour is the point itself
    row, column = np.nonzero(np.isfinite(distance) & (distance > 1e-9))
    other, apart = index[row, column], distance[row, column]
    own = _pair_histograms(cloud, row, other, apart)
    total = np.zeros_like(own)
    weights = 1.0 / np.maximum(apart, 0.1 * radius)
    np.add.at(total, row, own[other] * weights[:, None])
    norm = np.bincount(row, weights, minlength=len(own))
    mixed = own + total / np.maximum(norm, 1e-12)[:, None]
    return mixed / np.maximum(mixed.sum(axis=1, keepdims=True), 1e-12)


def _pair_histograms(cloud: Cloud, row: npt.NDArray[np.int64], other: npt.NDArray[np.int64], apart: Array) -> Array:
    """[N, 33] histograms of the three angles of the Darboux frame between each point and its neighbours."""
    u = cloud.normals[row]
    along = (cloud.points[other] - cloud.points[row]) / apart[:, None]
    v = np.cross(u, along)
    v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-12)
    w = np.cross(u, v)
    normal = cloud.normals[other]
    angles = (
        ((v * normal).sum(axis=1) + 1) / 2,
        ((u * along).sum(axis=1) + 1) / 2,
        np.arctan2((w * normal).sum(axis=1), (u * normal).sum(axis=1)) / (2 * np.pi) + 0.5,
    )
    out = np.zeros((len(cloud.points), 3 * BINS))
    for k, angle in enumerate(angles):
        place = k * BINS + np.clip((angle * BINS).astype(np.int64), 0, BINS - 1)
        np.add.at(out, (row, place), 1.0)
    counts = np.bincount(row, minlength=len(out)).astype(np.float64)
    return out / np.maximum(counts, 1.0)[:, None]


def candidates(source: Cloud, target: Cloud, seed: int = 0, keep: int = 12, tries: int = 30_000) -> list[Array]:
    """Up to ``keep`` similarities [4, 4] source -> target, best supported first, from matched descriptors."""
    from scipy.spatial import cKDTree

    features = [descriptors(cloud, 0.18 * cloud.size) for cloud in (source, target)]
    _, found = cKDTree(features[1]).query(features[0], k=min(4, len(features[1])))
    found = found.reshape(len(features[0]), -1)
    left = np.repeat(np.arange(len(found)), found.shape[1])
    p, q = source.points[left], target.points[found.reshape(-1)]
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(p), (tries, 3))
    picks = picks[_similar_triangles(p[picks], q[picks], 0.1 * target.size)]
    if len(picks) == 0:
        return []
    transforms = umeyama(p[picks], q[picks])
    support = _support(transforms, p, q, 0.05 * target.size)
    order = np.argsort(-support, kind="stable")
    chosen: list[Array] = []
    for k in order[:400]:
        if all(rotation_angle(transforms[k], other) > 12 for other in chosen):
            chosen.append(transforms[k])
        if len(chosen) == keep:
            break
    return chosen


def _similar_triangles(p: Array, q: Array, shortest: float) -> npt.NDArray[np.bool_]:
    """Do three matches span triangles that one allowed scale maps onto each other within a tenth?"""
    sides = [np.linalg.norm(t - np.roll(t, 1, axis=1), axis=2) for t in (p, q)]
    ratio = sides[1] / np.maximum(sides[0], 1e-12)
    even = ratio.max(axis=1) < 1.1 * ratio.min(axis=1)
    allowed = (ratio.min(axis=1) > SCALES[0]) & (ratio.max(axis=1) < SCALES[1])
    return even & allowed & (sides[1].min(axis=1) > shortest)


def _support(transforms: Array, p: Array, q: Array, reach: float) -> npt.NDArray[np.int64]:
    rows = np.linspace(0, len(p) - 1, min(len(p), 1500)).astype(np.int64)
    p, q = p[rows], q[rows]
    out = np.zeros(len(transforms), np.int64)
    for start in range(0, len(transforms), 256):
        part = transforms[start : start + 256]
        moved = np.einsum("kij,nj->kni", part[:, :3, :3], p) + part[:, None, :3, 3]
        out[start : start + len(part)] = (((moved - q) ** 2).sum(axis=2) < reach**2).sum(axis=1)
    return out


def umeyama(p: Array, q: Array) -> Array:
    """Least-squares similarities [K, 4, 4] that take p [K, N, 3] to q [K, N, 3], never mirrored."""
    middle_p, middle_q = p.mean(axis=1, keepdims=True), q.mean(axis=1, keepdims=True)
    a, b = p - middle_p, q - middle_q
    u, d, vt = np.linalg.svd(np.einsum("kni,knj->kij", b, a))
    sign = np.ones_like(d)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None, :]) @ vt
    scale = (d * sign).sum(axis=1) / np.maximum((a**2).sum(axis=(1, 2)), 1e-30)
    out = np.zeros((len(p), 4, 4))
    out[:, :3, :3] = rotation * scale[:, None, None]
    out[:, :3, 3] = middle_q[:, 0] - np.einsum("kij,kj->ki", out[:, :3, :3], middle_p[:, 0])
    out[:, 3, 3] = 1.0
    return out


def rotation_angle(one: Array, other: Array) -> float:
    """Degrees between the rotations of two similarities."""
    a, b = (t[:3, :3] / np.cbrt(np.linalg.det(t[:3, :3])) for t in (one, other))
    return float(np.degrees(np.arccos(np.clip((np.trace(a.T @ b) - 1) / 2, -1, 1))))
