"""A stoneware mug, seen from above: an open, concave inside and a handle with a hole."""

from __future__ import annotations

import numpy as np

from ..patterns import angle, fbm, linear, mix, noise, speckles, step
from ..profiles import Lathe, Wire
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, carve, smooth_path

_OUTER = smooth_path([(0.5, -0.78), (0.66, -0.72), (0.72, -0.45), (0.7, 0.0), (0.68, 0.45), (0.7, 0.74)], 16)
_INNER = smooth_path([(0.62, 0.74), (0.6, 0.45), (0.61, 0.0), (0.62, -0.4), (0.52, -0.6), (0.2, -0.65)], 16)
CUP = Lathe(np.concatenate([[(0, -0.78)], _OUTER, _INNER, [(0, -0.65)]]), 0.025)
HOLLOW = Lathe(np.concatenate([[(0, 1.0), (0.6, 1.0)], _INNER, [(0, -0.65)]]), -0.02)
HANDLE = Wire(
    np.array([(0.62, 0.46), (0.92, 0.52), (1.16, 0.3), (1.13, -0.08), (0.9, -0.36), (0.64, -0.42)]),
    np.array([0.1, 0.09, 0.08, 0.08, 0.085, 0.1]),
)


def _mug(p: Points) -> Values:
    flat = p * np.array([[1.0], [1.0], [0.72]], np.float32)
    return np.maximum(blend(0.08, CUP(p), carve(0.0, HANDLE(flat), HOLLOW(p))), -HOLLOW(p))


def _glaze(p: Points, _n: Points) -> Surface:
    radius = np.sqrt(p[0] ** 2 + p[2] ** 2)
    line = (
        0.12
        + 0.1 * np.sin(5 * angle(p)) * noise(p * np.array([[1], [0], [1]], np.float32), 2.2)
        + 0.12 * fbm(p, 2.5, 3)
    )
    inside = (radius < 0.63) & (p[1] > -0.7)
    upper = np.maximum(step(-0.02, 0.02, p[1] - line), inside)
    upper = np.where((radius > 0.78) & (p[1] < 0.3), step(-0.02, 0.02, p[1] - line), upper)
    blue = mix(linear("#22344f"), linear("#4a7596"), fbm(p, 2.6, 4) + 0.35 * step(0.15, 0.0, p[1] - line) * ~inside)
    sand = mix(linear("#d8c7a6"), linear("#c3ad86"), fbm(p, 3.5, 4, 3))
    sand = mix(sand, linear("#5d4430"), 0.8 * speckles(p, 22, 0.35))
    clay = mix(linear("#8d5a3c"), linear("#74462c"), noise(p, 40))
    color = mix(mix(sand, blue, upper), clay, step(-0.7, -0.72, p[1]))
    return Surface(color, np.where(p[1] < -0.71, 0.8, 0.16 + 0.2 * (1 - upper)))


SCENE = Scene(
    name="mug",
    title="Stoneware mug",
    parts=(Part(_mug, _glaze, ((0.25, 0.0, 0.0), 1.5)),),
    center=(0.2549, -0.0198, 0.0),
    size=1.9899,
    shots={"": (-30.0, 32.0)},
)
