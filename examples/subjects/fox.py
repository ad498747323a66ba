"""A sitting toy fox, seen from four sides."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, noise, step
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, capsule, carve, ellipsoid, mirrored, sphere, tube, turned
from .car import FOUR

TAIL = ((0.0, -0.74, -0.4), (0.3, -0.76, -0.52), (0.56, -0.68, -0.34), (0.66, -0.5, -0.08), (0.62, -0.3, 0.06))
TAIL_RADII = (0.1, 0.17, 0.2, 0.17, 0.04)


def _coat(p: Points) -> Values:
    m = mirrored(p)
    chest = blend(
        0.15, ellipsoid(p, (0, -0.5, -0.1), (0.36, 0.4, 0.36)), ellipsoid(p, (0, -0.18, 0.04), (0.25, 0.36, 0.24))
    )
    thigh = ellipsoid(turned(m, 20, 0, (0.27, -0.65, 0)), (0.27, -0.65, 0.0), (0.16, 0.25, 0.27))
    hind = capsule(m, (0.3, -0.87, 0.02), (0.3, -0.88, 0.3), 0.085, 0.08)
    fore = capsule(m, (0.13, -0.25, 0.2), (0.13, -0.86, 0.3), 0.1, 0.075)
    paw = ellipsoid(m, (0.13, -0.89, 0.35), (0.095, 0.07, 0.125))
    body = blend(0.06, blend(0.08, chest, thigh), hind, fore, paw)
    return blend(0.06, body, tube(p, TAIL, TAIL_RADII))


def _head(p: Points) -> Values:
    m = mirrored(p)
    skull = ellipsoid(p, (0, 0.3, 0.1), (0.36, 0.31, 0.3))
    cheek = capsule(m, (0.16, 0.2, 0.18), (0.37, 0.13, 0.17), 0.16, 0.035)
    snout = capsule(p, (0, 0.22, 0.28), (0, 0.17, 0.53), 0.155, 0.062)
    ear = _ear(m)
    return blend(0.07, skull, cheek, snout, ear)


def _ear(m: Points) -> Values:
    q = turned(m, -20, 2, (0.22, 0.5, 0.05))
    cone = capsule(
        q * np.array([[1], [1], [1.7]], np.float32) - np.array([[0], [0], [0.035]], np.float32),
        (0.22, 0.48, 0.0),
        (0.22, 0.84, 0.0),
        0.15,
        0.022,
    )
    dent = capsule(q, (0.22, 0.53, 0.15), (0.22, 0.76, 0.075), 0.085, 0.02)
    return carve(0.02, cone * np.float32(0.6), dent)


def _nose(p: Points) -> Values:
    return ellipsoid(p, (0, 0.2, 0.585), (0.058, 0.044, 0.04))


def _eyes(p: Points) -> Values:
    m = mirrored(p)
    return ellipsoid(turned(m, -12, 2, (0.145, 0.33, 0.36)), (0.145, 0.33, 0.365), (0.05, 0.064, 0.04))


def _collar(p: Points) -> Values:
    q = turned(p, 14, 0, (0, 0.02, 0.06))
    radial = np.sqrt(q[0] ** 2 + (q[2] - 0.06) ** 2) - np.float32(0.25)
    return np.sqrt(radial**2 + (0.6 * (q[1] - 0.02)) ** 2) - np.float32(0.034)


def _tag(p: Points) -> Values:
    return sphere(p, (0, -0.13, 0.32), 0.06)


def _fur(p: Points, _n: Points) -> Surface:
    orange = mix(linear("#d9661f"), linear("#b84a12"), fbm(p, 5, 4))
    white = mix(linear("#fbf4e6"), linear("#e9dcc4"), fbm(p, 8, 3))
    ragged = 0.05 * (noise(p, 16) - 0.5)
    bib = step(0.17, 0.14, np.sqrt(p[0] ** 2 + (0.45 * (p[1] + 0.2)) ** 2) + ragged) * (p[2] > 0.05) * (p[1] > -0.62)
    tip = step(-0.5, -0.46, p[1] + ragged) * (p[0] > 0.42) * (p[1] < 0.1)
    socks = step(-0.66, -0.7, p[1] + ragged) * step(0.08, 0.2, p[2] + 2 * ragged) * (p[0] < 0.45)
    color = mix(mix(orange, white, np.clip(bib + tip, 0, 1)), linear("#2e1c14"), socks)
    return Surface(color, 0.7)


def _face(p: Points, n: Points) -> Surface:
    orange = mix(linear("#d9661f"), linear("#b84a12"), fbm(p, 5, 4))
    white = mix(linear("#fbf4e6"), linear("#e9dcc4"), fbm(p, 8, 3))
    ragged = 0.04 * (noise(p, 18) - 0.5)
    mask = step(0.02, -0.01, p[1] - 0.235 + ragged - 0.5 * np.maximum(np.abs(p[0]) - 0.11, 0)) * step(
        -0.04, 0.1, p[2] + 3 * ragged
    )
    tips = step(0.68, 0.72, p[1] + ragged)
    inner = (n[2] > 0.5) & (p[1] > 0.56) & (p[1] < 0.76)
    color = mix(mix(orange, white, mask), linear("#2e1c14"), tips)
    return Surface(mix(color, linear("#f2c9b0"), 0.75 * inner.astype(np.float32)), 0.7)


def _fluff(p: Points) -> Values:
    return np.float32(0.006) * fbm(p * np.array([[1], [0.45], [1]], np.float32), 46, 2)


def _black(p: Points, _n: Points) -> Surface:
    glint = np.sqrt((np.abs(p[0]) - 0.16) ** 2 + (p[1] - 0.355) ** 2) < 0.014
    return Surface(mix(linear("#17110e"), linear("#ffffff"), glint.astype(np.float32)), 0.1)


def _leather(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#1f6b6b"), linear("#185353"), fbm(p, 12, 3)), 0.4)


def _gold(_p: Points, _n: Points) -> Surface:
    return Surface(linear("#dba83d"), 0.2, 0.95)


SCENE = Scene(
    name="fox",
    title="Toy fox (front, right, back, left)",
    parts=(
        Part(_coat, _fur, ((0.1, -0.45, -0.05), 0.95), _fluff),
        Part(_head, _face, ((0.0, 0.38, 0.15), 0.68), _fluff),
        Part(_eyes, _black, ((0.0, 0.33, 0.36), 0.24)),
        Part(_nose, _black, ((0.0, 0.2, 0.58), 0.08)),
        Part(_collar, _leather, ((0.0, 0.02, 0.06), 0.4)),
        Part(_tag, _gold, ((0.0, -0.13, 0.32), 0.08)),
    ),
    center=(0.2026, -0.06, -0.0324),
    size=1.7945,
    shots=FOUR,
    zoom=1.18,
    step=0.65,
)
