"""An oak barrel: staves with their own grain, iron hoops with rivets, a recessed lid."""

from __future__ import annotations

import numpy as np

from ..patterns import angle, fbm, linear, mix, noise, step, wood
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, around, capsule, cylinder, smooth_path, sphere, union

STAVES = 20
_SIDE = smooth_path([(0.56, -0.92), (0.66, -0.55), (0.705, 0.0), (0.66, 0.55), (0.56, 0.92)], 16)
WALL = Lathe(
    np.concatenate([[(0, -0.86)], [(0.5, -0.86), (0.5, -0.92)], _SIDE, [(0.5, 0.92), (0.5, 0.83), (0, 0.83)]]), 0.01
)
HOOPS = (-0.8, -0.5, 0.5, 0.8)


def _wall(p: Points) -> Values:
    """Staves are a little flat: grooves between them."""
    turn = angle(p) / (2 * np.pi) * STAVES
    groove = np.exp(-(((turn - np.round(turn)) / 0.035) ** 2))
    side = np.sqrt(p[0] ** 2 + p[2] ** 2) > 0.5
    return WALL(p) + np.float32(0.009) * groove * side


def _radius(y: float) -> float:
    return float(np.interp(y, _SIDE[:, 1], _SIDE[:, 0]))


def _band(y: float) -> Lathe:
    low, high = _radius(y - 0.06), _radius(y + 0.06)
    ring = [(low - 0.05, y - 0.06), (low + 0.018, y - 0.06), (high + 0.018, y + 0.06), (high - 0.05, y + 0.06)]
    return Lathe(np.array(ring), 0.006)


BANDS = tuple(_band(y) for y in HOOPS)


def _iron(p: Points) -> Values:
    q = around(p, 5, 18.0)
    rivets = [sphere(q, (0.05 * s, y, _radius(y) + 0.02), 0.022) for y in HOOPS for s in (-1, 1)]
    return union(*(band(p) for band in BANDS), *rivets)


def _bung(p: Points) -> Values:
    tap = cylinder(p, (0, -0.3, 0.6), (0, -0.3, 0.88), 0.055, 0.012)
    spout = capsule(p, (0, -0.3, 0.84), (0, -0.42, 0.86), 0.036)
    key = union(
        cylinder(p, (0, -0.27, 0.79), (0, -0.17, 0.79), 0.024, 0.006),
        capsule(p, (-0.09, -0.15, 0.79), (0.09, -0.15, 0.79), 0.026),
    )
    return union(tap, spout, key)


def _oak(p: Points, _n: Points) -> Surface:
    stave = np.floor(angle(p) / (2 * np.pi) * STAVES)
    top = (np.abs(p[1]) > 0.8) & (np.sqrt(p[0] ** 2 + p[2] ** 2) < 0.52)
    board = np.where(top, np.floor(p[0] * 5.5 + 0.5), stave)
    own = p + (board * np.array([[3.7], [1.3], [7.1]], np.float32)).astype(np.float32)
    along = wood(own, linear("#6b3f1e"), linear("#b98550"), 1, 1.6, 5)
    across = wood(own, linear("#6b3f1e"), linear("#b98550"), 2, 1.6, 5)
    tint = 0.78 + 0.4 * ((np.sin(board * 12.9898) * 43758.5453) % 1.0)
    gap = step(0.04, 0.0, np.abs(p[0] * 5.5 + 0.5 - np.round(p[0] * 5.5 + 0.5))) * top
    color = np.where(top, across, along) * tint.astype(np.float32)
    stain = step(0.55, 0.85, fbm(p, 2.5, 4, 2)) * 0.35 + gap * 0.8
    return Surface(mix(color, linear("#2c170a"), np.clip(stain, 0, 1)), 0.48)


def _dark(p: Points, _n: Points) -> Surface:
    rust = step(0.55, 0.75, fbm(p, 6, 4, 3))
    return Surface(mix(linear("#55565a"), linear("#7a4526"), 0.8 * rust), 0.38 + 0.35 * rust, 0.85 - 0.6 * rust)


def _hammered(p: Points) -> Values:
    return np.float32(0.01) * noise(p, 26)


def _brass(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#d2a552"), linear("#a97c30"), noise(p, 18)), 0.24, 0.95)


SCENE = Scene(
    name="barrel",
    title="Oak barrel with a tap",
    parts=(
        Part(_wall, _oak, ((0.0, 0.0, 0.0), 1.12)),
        Part(_iron, _dark, ((0.0, 0.0, 0.0), 1.1), _hammered),
        Part(_bung, _brass, ((0.0, -0.28, 0.78), 0.3)),
    ),
    center=(0.0, 0.0, 0.09),
    size=1.86,
    shots={"": (-22.0, 20.0)},
    step=0.75,
)
