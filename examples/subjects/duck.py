"""A rubber duck."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, step
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, capsule, ellipsoid, mirrored, sphere, turned


def _body(p: Points) -> Values:
    body = ellipsoid(p, (0, -0.18, -0.05), (0.52, 0.42, 0.68))
    tail = capsule(p, (0, -0.08, -0.55), (0, 0.2, -0.86), 0.17, 0.05)
    neck = capsule(p, (0, 0.1, 0.28), (0, 0.42, 0.32), 0.26, 0.24)
    m = mirrored(p)
    wing = ellipsoid(
        turned(turned(m, 14, 0, (0.46, -0.1, -0.12)), -12, 2, (0.46, -0.1, -0.12)),
        (0.46, -0.1, -0.12),
        (0.1, 0.22, 0.4),
    )
    whole = blend(0.07, blend(0.16, body, tail, neck), wing)
    whole = blend(0.06, whole, sphere(p, (0, 0.52, 0.36), 0.36))
    flat = -0.56 - p[1]
    return -blend(0.06, -whole, -flat)


def _beak(p: Points) -> Values:
    upper = ellipsoid(turned(p, -10, 0, (0, 0.47, 0.66)), (0, 0.475, 0.7), (0.17, 0.055, 0.17))
    lower = ellipsoid(turned(p, 12, 0, (0, 0.42, 0.66)), (0, 0.415, 0.67), (0.13, 0.045, 0.13))
    return blend(0.02, upper, lower)


def _eyes(p: Points) -> Values:
    return ellipsoid(mirrored(p), (0.165, 0.61, 0.635), (0.062, 0.078, 0.06))


def _yellow(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#f7c81e"), linear("#f2a90c"), 0.5 * fbm(p, 4, 3) + 0.5 * step(0.1, -0.55, p[1])), 0.3)


def _orange(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#e8651a"), linear("#d24c0c"), fbm(p, 6, 3)), 0.3)


def _eye(p: Points, _n: Points) -> Surface:
    m = mirrored(p)
    gap = np.sqrt((m[0] - 0.185) ** 2 + (m[1] - 0.615) ** 2)
    white = np.sqrt((m[0] - 0.2) ** 2 + (m[1] - 0.64) ** 2) < 0.016
    pupil = step(0.05, 0.046, gap)
    return Surface(
        mix(mix(linear("#fbfbf6"), linear("#15110d"), pupil), linear("#ffffff"), white.astype(np.float32)), 0.08
    )


SCENE = Scene(
    name="duck",
    title="Rubber duck",
    parts=(
        Part(_body, _yellow, ((0.0, 0.05, -0.05), 1.15)),
        Part(_beak, _orange, ((0.0, 0.45, 0.68), 0.28)),
        Part(_eyes, _eye, ((0.0, 0.61, 0.6), 0.3)),
    ),
    center=(0.0, 0.1631, -0.02),
    size=1.7675,
    shots={"": (35.0, 16.0)},
    step=0.75,
)
