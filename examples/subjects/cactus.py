"""A potted cactus: ribs, arms, a flower, a clay pot on a saucer."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, noise, speckles, step
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, around, blend, capsule, column, ellipsoid, sphere, union

POT = Lathe(
    np.array(
        [
            (0, -0.86),
            (0.33, -0.86),
            (0.44, -0.36),
            (0.5, -0.36),
            (0.51, -0.18),
            (0.44, -0.18),
            (0.42, -0.26),
            (0, -0.26),
        ]
    ),
    0.014,
)
SAUCER = Lathe(np.array([(0, -0.95), (0.42, -0.95), (0.52, -0.84), (0.49, -0.84), (0.4, -0.9), (0, -0.9)]), 0.012)
TRUNK = ((0.0, -0.3, 0.0), (0.0, 0.62, 0.0), 0.24)
ARMS = (
    ((0.16, 0.12, 0.04), (0.44, 0.16, 0.06), (0.47, 0.5, 0.06), 0.115),
    ((-0.16, -0.02, -0.02), (-0.4, 0.0, 0.0), (-0.43, 0.26, 0.0), 0.1),
)


def _ribbed(p: Points, x: float, z: float, count: int, depth: float) -> Values:
    """How far ribs about a vertical axis at (x, z) stand out."""
    turn = np.arctan2(p[0] - np.float32(x), p[2] - np.float32(z))
    return np.float32(depth) * (np.abs(np.sin(turn * count / 2)) - np.float32(0.6))


def _cactus(p: Points) -> Values:
    body = capsule(p, *TRUNK) - _ribbed(p, 0.0, 0.0, 14, 0.035)
    arms = []
    for root, elbow, tip, width in ARMS:
        up = capsule(p, elbow, tip, width) - _ribbed(p, elbow[0], elbow[2], 10, 0.02) * step(
            elbow[1], elbow[1] + 0.08, p[1]
        )
        arms.append(blend(0.05, capsule(p, root, elbow, width * 0.95), up))
    return blend(0.07, body, *arms)


def _flower(p: Points) -> Values:
    q = p - column((0.0, 0.86, 0.0))
    outer, inner = around(q, 9), around(q, 6, 20.0)
    petals = ellipsoid(_leaning(outer, 0.75), (0, 0.11, 0), (0.05, 0.12, 0.016))
    young = ellipsoid(_leaning(inner, 0.35), (0, 0.09, 0), (0.04, 0.1, 0.016))
    return union(petals, young)


def _leaning(q: Points, angle: float) -> Points:
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.stack([q[0], c * q[1] + s * q[2], c * q[2] - s * q[1]])


def _heart(p: Points) -> Values:
    return sphere(p, (0, 0.9, 0), 0.045)


def _soil_shape(p: Points) -> Values:
    stones = [
        sphere(p, (0.34 * np.sin(a), -0.245, 0.34 * np.cos(a)), 0.035 + 0.012 * np.sin(5 * a))
        for a in np.arange(13) * 0.483
    ]
    return union(ellipsoid(p, (0, -0.27, 0), (0.41, 0.05, 0.41)), *stones)


def _skin(p: Points, _n: Points) -> Surface:
    rib = np.abs(np.sin(np.arctan2(p[0], p[2]) * 7))
    trunk = np.sqrt(p[0] ** 2 + p[2] ** 2) < 0.3
    crest = np.where(trunk, rib, 0.5)
    green = mix(linear("#1f5130"), linear("#5f9a4a"), crest * 0.7 + 0.3 * fbm(p, 6, 3))
    return Surface(mix(green, linear("#efe6c4"), 0.9 * speckles(p, 26, 0.3)), 0.5)


def _clay(p: Points, _n: Points) -> Surface:
    bands = 0.25 * noise(p * np.array([[0.6], [9.0], [0.6]], np.float32), 4)
    lime = step(0.6, 0.8, fbm(p, 3.5, 4, 6)) * 0.35
    zig = np.abs(((np.arctan2(p[0], p[2]) / (2 * np.pi) * 14) % 1.0) - 0.5) * 0.09
    painted = step(0.012, 0.008, np.abs(p[1] + 0.6 - zig + 0.02)) + step(0.012, 0.008, np.abs(p[1] + 0.52 - zig + 0.02))
    color = mix(mix(linear("#b5603a"), linear("#94482a"), bands + 0.4 * fbm(p, 9, 3)), linear("#e8d9c5"), lime)
    return Surface(mix(color, linear("#f0e4cf"), np.clip(painted, 0, 1)), 0.8)


def _petal(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#f7c1d9"), linear("#d93a86"), step(0.9, 1.03, p[1])), 0.55)


def _pollen(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#f5c431"), linear("#c98a12"), noise(p, 60)), 0.8)


def _soil(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#d3c7b4"), linear("#8f8271"), fbm(p, 18, 3)), 0.9)


SCENE = Scene(
    name="cactus",
    title="Cactus in a clay pot",
    parts=(
        Part(POT, _clay, ((0.0, -0.55, 0.0), 0.68)),
        Part(SAUCER, _clay, ((0.0, -0.9, 0.0), 0.58)),
        Part(_cactus, _skin, ((0.0, 0.2, 0.0), 0.85)),
        Part(_soil_shape, _soil, ((0.0, -0.27, 0.0), 0.48)),
        Part(_flower, _petal, ((0.0, 0.93, 0.0), 0.22)),
        Part(_heart, _pollen, ((0.0, 0.9, 0.0), 0.06)),
    ),
    center=(0.03, 0.035, 0.0),
    size=1.99,
    shots={"": (20.0, 12.0)},
    step=0.7,
)
