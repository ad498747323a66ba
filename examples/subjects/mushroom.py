"""A fly agaric on a patch of moss: round cap with raised flakes, gills, a ragged ring."""

from __future__ import annotations

import numpy as np

from ..patterns import angle, fbm, linear, mix, noise, step
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, ellipsoid, smooth_path, sphere, union

_TOP = smooth_path([(0.86, 0.06), (0.9, 0.16), (0.76, 0.42), (0.48, 0.6), (0.2, 0.68), (0.03, 0.69)], 14)
CAP = Lathe(np.concatenate([[(0, 0.12), (0.3, 0.14), (0.6, 0.12), (0.8, 0.05)], _TOP, [(0, 0.69)]]), 0.012)
_STEM = smooth_path([(0.3, -0.86), (0.36, -0.74), (0.26, -0.5), (0.19, -0.1), (0.18, 0.2)], 14)
STEM = Lathe(np.concatenate([[(0, -0.86)], _STEM, [(0, 0.2)]]), 0.01)
RING = Lathe(np.array([(0.17, -0.02), (0.36, -0.16), (0.37, -0.19), (0.34, -0.2), (0.17, -0.09)]), 0.01)


def _flakes() -> list[tuple[tuple[float, float, float], float]]:
    """Places on the cap and sizes: a golden spiral, sizes from a fixed sequence."""
    found = []
    for k in range(34):
        share = (k + 0.6) / 34
        turn = 2.39996 * k
        radius = 0.86 * np.sqrt(share)
        height = float(np.interp(radius, _TOP[::-1, 0], _TOP[::-1, 1]))
        found.append(((radius * np.sin(turn), height, radius * np.cos(turn)), 0.05 + 0.035 * ((k * 7) % 5) / 4))
    return found


FLAKES = _flakes()


def _spots(p: Points) -> Values:
    wobble = p + np.float32(0.03) * (noise(p, 9) - np.float32(0.5))
    return union(*(ellipsoid(wobble, place, (size, size * 0.55, size)) for place, size in FLAKES))


def _moss(p: Points) -> Values:
    lumps = [
        sphere(p, (0.62 * np.sin(a), -0.9, 0.62 * np.cos(a)), 0.13 + 0.05 * np.sin(3 * a + 1))
        for a in np.arange(9) * 0.698
    ]
    mound = blend(0.1, ellipsoid(p, (0, -0.93, 0), (0.8, 0.16, 0.8)), *lumps)
    return np.maximum(mound + np.float32(0.03) * noise(p, 14) - np.float32(0.015), -0.98 - p[1])


def _pebbles(p: Points) -> Values:
    return union(
        ellipsoid(p, (0.5, -0.8, 0.5), (0.13, 0.09, 0.11)), ellipsoid(p, (-0.62, -0.81, 0.33), (0.1, 0.08, 0.12))
    )


def _red(p: Points, n: Points) -> Surface:
    radius = np.sqrt(p[0] ** 2 + p[2] ** 2)
    red = mix(linear("#c31f17"), linear("#e2532a"), step(0.35, 0.95, radius) * (0.5 + 0.5 * fbm(p, 5, 3)))
    under = n[1] < -0.25
    gills = 0.5 + 0.5 * np.sin(angle(p) * 90)
    cream = mix(linear("#efe0c0"), linear("#b79a70"), gills * step(0.15, 0.3, radius))
    return Surface(np.where(under, cream, red), np.where(under, 0.8, 0.28))


def _white(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#f6efdf"), linear("#dccfb2"), fbm(p, 12, 3)), 0.8)


def _stalk(p: Points, _n: Points) -> Surface:
    streak = noise(p * np.array([[1], [0.12], [1]], np.float32), 26)
    return Surface(mix(linear("#f1e7d2"), linear("#cdb890"), 0.7 * streak + 0.4 * step(-0.4, -0.8, p[1])), 0.75)


def _green(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#2c4a17"), linear("#7f9a35"), fbm(p, 16, 4)), 0.9)


def _tufts(p: Points) -> Values:
    return np.float32(0.03) * fbm(p, 22, 3)


def _stone(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#8a8580"), linear("#5f5b58"), fbm(p, 14, 4)), 0.75)


def _ragged(p: Points) -> Values:
    q = p.copy()
    q[1] = p[1] - 0.03 * np.sin(9 * angle(p)) * np.sqrt(p[0] ** 2 + p[2] ** 2)
    return RING(q)


def _stem(p: Points) -> Values:
    return blend(0.03, STEM(p), _ragged(p))


SCENE = Scene(
    name="mushroom",
    title="Fly agaric",
    parts=(
        Part(CAP, _red, ((0.0, 0.3, 0.0), 1.0)),
        Part(_stem, _stalk, ((0.0, -0.3, 0.0), 0.75)),
        Part(_moss, _green, ((0.0, -0.9, 0.0), 0.95), _tufts),
        Part(_spots, _white, ((0.0, 0.4, 0.0), 1.0)),
        Part(_pebbles, _stone, ((0.0, -0.8, 0.4), 0.8)),
    ),
    center=(0.0, -0.1254, 0.0),
    size=1.813,
    shots={"": (15.0, 6.0)},
    step=0.7,
)
