"""A glazed teapot: a round body, a thin handle, a hollow spout."""

from __future__ import annotations

import numpy as np

from ..patterns import angle, fbm, linear, mix, noise, step
from ..profiles import Lathe, Wire
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, carve, smooth_path, sphere

_CURVE = [(0.3, -0.72), (0.52, -0.69), (0.75, -0.5), (0.93, -0.12), (0.9, 0.25), (0.68, 0.52), (0.42, 0.6)]
BODY = Lathe(np.concatenate([[(0.0, -0.72)], smooth_path(_CURVE, 16), [(0.0, 0.6)]]), 0.02)
FOOT = Lathe(np.array([(0.0, -0.8), (0.5, -0.8), (0.46, -0.7), (0.0, -0.7)]), 0.02)
_CURVE = [(0.46, 0.63), (0.44, 0.67), (0.32, 0.76), (0.14, 0.815), (0.05, 0.83)]
LID = Lathe(np.concatenate([[(0.0, 0.63)], smooth_path(_CURVE, 16), [(0.0, 0.83)]]), 0.02)
SPOUT = Wire(
    np.array([(0.6, -0.3), (0.92, -0.2), (1.12, 0.1), (1.27, 0.42), (1.5, 0.62)]),
    np.array([0.3, 0.22, 0.16, 0.12, 0.11]),
)
MOUTH = Wire(np.array([(1.12, 0.1), (1.27, 0.42), (1.5, 0.62), (1.66, 0.68)]), np.array([0.1, 0.08, 0.075, 0.08]))
HANDLE = Wire(
    np.array([(-0.8, 0.36), (-1.16, 0.44), (-1.42, 0.2), (-1.34, -0.2), (-1.04, -0.42), (-0.78, -0.42)]),
    np.array([0.1, 0.085, 0.075, 0.075, 0.08, 0.09]),
)


def _body(p: Points) -> Values:
    return carve(0.02, blend(0.05, blend(0.12, BODY(p), SPOUT(p), HANDLE(p)), FOOT(p)), MOUTH(p))


def _lid(p: Points) -> Values:
    return blend(0.06, LID(p), sphere(p, (0, 0.95, 0), 0.115))


def _glaze(p: Points, _n: Points) -> Surface:
    teal = mix(linear("#0b3f46"), linear("#176a6c"), fbm(p, 3.0, 4))
    cream = mix(linear("#f0e6d0"), linear("#e2d3b4"), fbm(p, 5.0, 3, 4))
    round_part = np.sqrt(p[0] ** 2 + p[2] ** 2) < 1.02
    band = step(-0.26, -0.25, p[1]) * step(0.27, 0.26, p[1]) * round_part
    flower = _flowers(p)
    painted = mix(cream, mix(linear("#1d4e89"), linear("#2f6fb0"), noise(p, 9)), flower)
    gold = (np.abs(p[1] - 0.275) < 0.016) | (np.abs(p[1] + 0.265) < 0.016)
    gold = gold & round_part
    color = mix(mix(teal, painted, band), linear("#d9a441"), gold.astype(np.float32))
    return Surface(color, np.where(gold, 0.25, 0.12 + 0.06 * noise(p, 14)), np.where(gold, 0.9, 0.0))


def _flowers(p: Points) -> Values:
    """Five-leaved blossoms and dots around the band."""
    u = angle(p) / (2 * np.pi) * 12
    x, y = (u - np.floor(u) - 0.5) * 0.5, p[1] - 0.005
    r, a = np.sqrt(x * x + y * y), np.arctan2(y, x)
    blossom = step(0.012, -0.012, r - (0.1 + 0.075 * np.cos(5 * a)))
    heart = step(0.01, -0.005, r - 0.035)
    w = u + 0.5
    x2 = (w - np.floor(w) - 0.5) * 0.5
    leaf = step(0.01, -0.01, np.abs(x2) - 0.055 * np.cos(np.clip(y * 7.5, -1.57, 1.57)))
    return np.clip(blossom - heart + leaf, 0, 1)


def _lid_glaze(p: Points, _n: Points) -> Surface:
    teal = mix(linear("#0b3f46"), linear("#176a6c"), fbm(p, 3.0, 4))
    gold = (p[1] > 0.87) | (np.abs(p[1] - 0.655) < 0.014)
    return Surface(
        mix(teal, linear("#d9a441"), gold.astype(np.float32)), np.where(gold, 0.22, 0.14), np.where(gold, 0.9, 0)
    )


SCENE = Scene(
    name="teapot",
    title="Glazed teapot",
    parts=(
        Part(_body, _glaze, ((0.05, -0.1, 0.0), 1.75)),
        Part(_lid, _lid_glaze, ((0.0, 0.82, 0.0), 0.55)),
    ),
    center=(0.0467, 0.125, 0.0),
    size=3.0843,
    shots={"": (-18.0, 14.0)},
)
