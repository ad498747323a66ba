"""Procedural colour: repeatable noise, wood, speckles, and helpers to mix colours. All deterministic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .solids import Points, Values, norm


def linear(srgb: Sequence[float] | str) -> npt.NDArray[np.float32]:
    """A colour given as "#rrggbb" or an sRGB triple -> linear light [3, 1]."""
    if isinstance(srgb, str):
        srgb = [int(srgb[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    c = np.asarray(srgb, np.float64).reshape(3, 1)
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def mix(a: npt.ArrayLike, b: npt.ArrayLike, share: Values) -> Points:
    """Colours [3, 1 or N]: a where share is 0, b where it is 1."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * share


def step(low: float, high: float, values: Values) -> Values:
    """Smooth step from 0 at ``low`` to 1 at ``high`` (either may be the larger)."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(p: Points, scale: float = 1.0, seed: int = 0) -> Values:
    """Value noise in [0, 1] with features of size 1 / scale."""
    q = p * np.float32(scale)
    base = np.floor(q)
    f = (q - base).astype(np.float32)
    f = f * f * (3 - 2 * f)
    cell = base.astype(np.int64)
    out = np.zeros(p.shape[1], np.float32)
    for dx in (0, 1):
        for dy in (0, 1):
            for dz in (0, 1):
                weight = (f[0] if dx else 1 - f[0]) * (f[1] if dy else 1 - f[1]) * (f[2] if dz else 1 - f[2])
                out += weight * _hashed(cell[0] + dx, cell[1] + dy, cell[2] + dz, seed)
    return out


def fbm(p: Points, scale: float = 1.0, octaves: int = 4, seed: int = 0) -> Values:
    """Sum of noises of doubling fineness, about [0, 1]."""
    total, weight = np.zeros(p.shape[1], np.float32), 0.0
    for k in range(octaves):
        total += 0.5**k * noise(p, scale * 2**k, seed + k)
        weight += 0.5**k
    return total / np.float32(weight)


def _hashed(x: npt.NDArray[np.int64], y: npt.NDArray[np.int64], z: npt.NDArray[np.int64], seed: int) -> Values:
    """A random number in [0, 1] per lattice point; integer arithmetic, equal on every machine."""
    h = (x * 73856093) ^ (y * 19349663) ^ (z * 83492791) ^ (seed * 2654435761)
    h = (h ^ (h >> 13)) * 1274126177
    h = (h ^ (h >> 16)) & 0xFFFFFF
    return (h / np.float32(0xFFFFFF)).astype(np.float32)


def wood(
    p: Points, dark: npt.ArrayLike, light: npt.ArrayLike, axis: int = 1, scale: float = 1.0, seed: int = 0
) -> Points:
    """Grain along ``axis``: stretched rings with fibres, colours [3, N] between two linear colours."""
    stretch = np.full((3, 1), 1.0, np.float32)
    stretch[axis] = 0.1
    q = p * stretch * np.float32(scale)
    rings = np.sin(26 * (fbm(q, 1.6, 3, seed) + 0.3 * norm(q))) * 0.5 + 0.5
    fibres = noise(p * stretch, 60 * scale, seed + 9)
    return mix(dark, light, np.clip(0.2 + 0.5 * rings + 0.5 * (fibres - 0.45), 0, 1))


def speckles(p: Points, scale: float, amount: float, seed: int = 0) -> Values:
    """Small soft dots: 1 on a dot. ``scale``: cells per unit; ``amount``: share of the cells that hold one."""
    q = p * np.float32(scale)
    cell = np.floor(q)
    nearest = np.full(p.shape[1], 9.0, np.float32)
    ids = cell.astype(np.int64)
    place = [0.25 + 0.5 * _hashed(ids[0], ids[1], ids[2], seed + k) for k in range(3)]
    has = _hashed(ids[0], ids[1], ids[2], seed + 7) < amount
    gap = np.sqrt(sum((q[k] - cell[k] - place[k]) ** 2 for k in range(3)))
    nearest = np.where(has, gap / (0.15 + 0.2 * _hashed(ids[0], ids[1], ids[2], seed + 8)), nearest)
    return step(1.0, 0.7, nearest)


def angle(p: Points) -> Values:
    """Radians about the y axis, 0 at +z, growing towards +x."""
    return np.arctan2(p[0], p[2])
