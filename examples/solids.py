"""Signed distances of simple solids, negative inside. Points are [3, N] float32: rows x, y, z (y up).

Unions are exact minima; smooth unions and the ellipsoid give bounds rather than distances, so whoever marches along a
ray takes steps a little shorter than the value. The sign is always right.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]
Values = npt.NDArray[np.float32]
Vector = Sequence[float]


def column(vector: Vector) -> Points:
    """A triple as [3, 1]."""
    return np.asarray(vector, np.float32).reshape(3, 1)


def norm(p: Points) -> Values:
    """Length of each column."""
    return np.sqrt(np.einsum("ij,ij->j", p, p))


def sphere(p: Points, center: Vector, radius: float) -> Values:
    """A ball."""
    return norm(p - column(center)) - np.float32(radius)


def ellipsoid(p: Points, center: Vector, radii: Vector) -> Values:
    """An ellipsoid along the axes (first-order distance)."""
    q = (p - column(center)) / column(radii)
    k0, k1 = norm(q), norm(q / column(radii))
    return k0 * (k0 - 1) / np.maximum(k1, 1e-6)


def box(p: Points, center: Vector, half: Vector, rounding: float = 0.0) -> Values:
    """A box along the axes whose edges are rounded by ``rounding`` (inside the given half sizes)."""
    q = np.abs(p - column(center)) - (column(half) - np.float32(rounding))
    return norm(np.maximum(q, 0)) + np.minimum(q.max(axis=0), 0) - np.float32(rounding)


def capsule(p: Points, a: Vector, b: Vector, radius: float, end: float | None = None) -> Values:
    """A rod with round ends from a to b whose radius goes from ``radius`` to ``end``."""
    base, axis = column(a), column(b) - column(a)
    q = p - base
    along = np.clip((axis * q).sum(axis=0) / float((axis * axis).sum()), 0, 1)
    width = np.float32(radius) if end is None else radius + along * np.float32(end - radius)
    return norm(q - axis * along) - width


def cylinder(p: Points, a: Vector, b: Vector, radius: float, rounding: float = 0.0) -> Values:
    """A flat-ended cylinder from a to b."""
    base, axis = column(a), column(b) - column(a)
    length = float(np.sqrt((axis * axis).sum()))
    q = p - base
    along = (axis / length * q).sum(axis=0)
    across = norm(q - axis / length * along)
    flat = np.stack([across - (radius - rounding), np.abs(along - length / 2) - (length / 2 - rounding)])
    return _corner(flat) - np.float32(rounding)


def torus(p: Points, center: Vector, ring: float, tube: float, axis: int = 1) -> Values:
    """A ring about coordinate axis ``axis``."""
    q = p - column(center)
    others = [i for i in range(3) if i != axis]
    radial = np.sqrt(q[others[0]] ** 2 + q[others[1]] ** 2) - np.float32(ring)
    return np.sqrt(radial**2 + q[axis] ** 2) - np.float32(tube)


def tube(p: Points, path: npt.ArrayLike, radii: npt.ArrayLike) -> Values:
    """Round rods along a polyline [K, 3] with one radius per point."""
    nodes, widths = np.asarray(path, float), np.broadcast_to(np.asarray(radii, float), len(np.asarray(path)))
    parts = zip(nodes[:-1], nodes[1:], widths[:-1], widths[1:], strict=True)
    return union(*(capsule(p, a, b, ra, rb) for a, b, ra, rb in parts))


def lathe(p: Points, profile: npt.ArrayLike, rounding: float = 0.0) -> Values:
    """A polygon (radius, height) [K, 2] turned about the y axis; ``rounding`` is added all around."""
    return polygon(np.stack([np.sqrt(p[0] ** 2 + p[2] ** 2), p[1]]), profile) - np.float32(rounding)


def plate(p: Points, outline: npt.ArrayLike, depth: float, rounding: float = 0.0, axis: int = 2) -> Values:
    """A polygon [K, 2] made ``2 * depth`` thick along coordinate axis ``axis``, edges rounded."""
    others = [i for i in range(3) if i != axis]
    flat = polygon(p[others], outline) + np.float32(rounding)
    return _corner(np.stack([flat, np.abs(p[axis]) - (depth - rounding)])) - np.float32(rounding)


def polygon(q: Points, outline: npt.ArrayLike) -> Values:
    """Distance of [2, N] to a polygon [K, 2] of either winding, negative inside."""
    nodes = np.asarray(outline, np.float32)
    nearest = np.full(q.shape[1], np.inf, np.float32)
    inside = np.zeros(q.shape[1], bool)
    for a, b in zip(nodes, np.roll(nodes, -1, axis=0), strict=True):
        edge, w0, w1 = b - a, q[0] - a[0], q[1] - a[1]
        along = np.clip((w0 * edge[0] + w1 * edge[1]) / max(float(edge @ edge), 1e-12), 0, 1)
        nearest = np.minimum(nearest, (w0 - edge[0] * along) ** 2 + (w1 - edge[1] * along) ** 2)
        if a[1] != b[1]:
            spans = (a[1] <= q[1]) != (b[1] <= q[1])
            inside ^= spans & (q[0] < a[0] + (q[1] - a[1]) * (edge[0] / edge[1]))
    return np.where(inside, -1, 1).astype(np.float32) * np.sqrt(nearest)


def _corner(flat: Points) -> Values:
    """Distance to the meeting of two half spaces given the distances [2, N] to each."""
    outer = np.maximum(flat, 0)
    return np.sqrt(outer[0] ** 2 + outer[1] ** 2) + np.minimum(flat.max(axis=0), 0)


def union(*values: Values) -> Values:
    """What is in any of them."""
    return np.minimum.reduce(values)


def blend(radius: float, *values: Values) -> Values:
    """Union with a fillet of about ``radius`` (polynomial smooth minimum)."""
    out = values[0]
    for other in values[1:]:
        h = np.clip(0.5 + 0.5 * (other - out) / np.float32(radius), 0, 1)
        out = other + (out - other) * h - np.float32(radius) * h * (1 - h)
    return out


def carve(radius: float, solid: Values, hole: Values) -> Values:
    """``solid`` without ``hole``, the new edge rounded by about ``radius``."""
    if radius <= 0:
        return np.maximum(solid, -hole)
    return -blend(radius, -solid, hole)


def turned(p: Points, degrees: float, axis: int = 1, about: Vector = (0, 0, 0)) -> Points:
    """Points as seen by a solid that was turned by ``degrees`` (right-handed) about an axis through ``about``."""
    angle = np.deg2rad(-degrees)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    q = p - column(about)
    i, j = [(1, 2), (2, 0), (0, 1)][axis]
    out = q.copy()
    out[i], out[j] = c * q[i] - s * q[j], s * q[i] + c * q[j]
    return out + column(about)


def mirrored(p: Points, axis: int = 0) -> Points:
    """Points folded onto the positive side of an axis: what is modelled there exists on both sides."""
    out = p.copy()
    out[axis] = np.abs(out[axis])
    return out


def around(p: Points, count: int, offset: float = 0.0) -> Points:
    """Points folded into one of ``count`` sectors about the y axis; the sector's middle is +z (plus offset degrees)."""
    sector = 2 * np.pi / count
    angle = np.arctan2(p[0], p[2]) - np.deg2rad(offset)
    folded = (angle + sector / 2) % sector - sector / 2
    radius = np.sqrt(p[0] ** 2 + p[2] ** 2)
    return np.stack([radius * np.sin(folded), p[1], radius * np.cos(folded)]).astype(np.float32)


def smooth_path(nodes: npt.ArrayLike, steps: int = 6, closed: bool = False) -> npt.NDArray[np.float64]:
    """A Catmull-Rom curve through nodes [K, D] as a polyline."""
    given = np.asarray(nodes, float)
    padded = (
        np.concatenate([given[-1:], given, given[:2]])
        if closed
        else np.concatenate([2 * given[:1] - given[1:2], given, 2 * given[-1:] - given[-2:-1]])
    )
    out = []
    for k in range(len(padded) - 3):
        a, b, c, d = padded[k : k + 4]
        for t in np.arange(steps) / steps:
            out.append(
                0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
            )
    return np.array(out if closed else [*out, given[-1]])
