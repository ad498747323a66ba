"""A toy car, seen from four sides."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, noise, step
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, box, carve, cylinder, ellipsoid, mirrored, plate, smooth_path, torus, union

FOUR = {"front": (0.0, 0.0), "right": (90.0, 0.0), "back": (180.0, 0.0), "left": (270.0, 0.0)}
_LOW = smooth_path(
    [(-0.98, -0.16), (-0.97, 0.08), (-0.8, 0.17), (-0.3, 0.2), (0.45, 0.17), (0.9, 0.06), (0.99, -0.08), (0.96, -0.2)],
    5,
)
LOW = np.concatenate([_LOW, [(0.6, -0.23), (-0.9, -0.23)]])
CABIN = smooth_path(
    [(-0.72, 0.1), (-0.6, 0.4), (-0.4, 0.52), (0.02, 0.53), (0.22, 0.46), (0.48, 0.16), (0.3, 0.05), (-0.5, 0.05)],
    5,
    closed=True,
)
AXLES = (0.56, -0.56)
WHEEL = Lathe(np.array([(0, -0.09), (0.2, -0.09), (0.225, -0.06), (0.225, 0.06), (0.2, 0.09), (0, 0.09)]), 0.012)
RIM = Lathe(
    np.array(
        [(0, -0.02), (0.15, -0.02), (0.15, 0.1), (0.125, 0.1), (0.1, 0.07), (0.05, 0.075), (0.04, 0.1), (0, 0.105)]
    ),
    0.005,
)


def _side(p: Points) -> Points:
    """(z, y, x): outlines are drawn with the car's nose to the right."""
    return np.stack([p[2], p[1], p[0]])


def _body(p: Points) -> Values:
    low = plate(_side(p), LOW, 0.42, 0.1)
    bulge = 0.06 * np.clip((p[1] - 0.15) / 0.35, 0, 1)
    narrow = p.copy()
    narrow[0] = p[0] * (1 + 2.2 * bulge)
    shell = blend(0.05, low, plate(_side(narrow), CABIN, 0.37, 0.09))
    m = mirrored(p)
    arches = union(*(cylinder(m, (0.3, -0.2, z), (0.6, -0.2, z), 0.275) for z in AXLES))
    return carve(0.02, shell, arches)


def _trim(p: Points) -> Values:
    m = mirrored(p)
    front = box(p, (0, -0.16, 0.97), (0.43, 0.05, 0.06), 0.045)
    rear = box(p, (0, -0.15, -0.96), (0.43, 0.05, 0.06), 0.045)
    mirrors = ellipsoid(m, (0.47, 0.24, 0.28), (0.06, 0.045, 0.04))
    rings = torus(m, (0.28, 0.0, 0.955), 0.1, 0.02, 2)
    return union(front, rear, mirrors, rings)


def _wheels(p: Points) -> Values:
    m = mirrored(p)
    return union(*(WHEEL(_standing(m, z)) for z in AXLES))


def _rims(p: Points) -> Values:
    m = mirrored(p)
    return union(*(RIM(_standing(m, z)) for z in AXLES))


def _standing(m: Points, z: float) -> Points:
    return np.stack([m[1] + np.float32(0.2), m[0] - np.float32(0.37), m[2] - np.float32(z)])


def _lamps(p: Points) -> Values:
    m = mirrored(p)
    return union(
        ellipsoid(m, (0.28, 0.0, 0.94), (0.1, 0.1, 0.06)), box(m, (0.3, 0.02, -0.965), (0.08, 0.045, 0.03), 0.02)
    )


def _paint(p: Points, n: Points) -> Surface:
    blue = mix(linear("#1f6fb5"), linear("#175a99"), fbm(p, 3, 3))
    cream = linear("#f4ecd8")
    roof = step(0.445, 0.455, p[1])
    stripe = step(0.02, 0.015, np.abs(p[1] - 0.075)) * (np.abs(n[0]) > 0.6)
    color = mix(mix(blue, cream, roof), cream, stripe)
    glass = _glass(p, n)
    dark = mix(linear("#16232c"), linear("#39586b"), step(0.2, 0.45, p[1]))
    color = mix(color, dark, glass)
    seam = step(0.008, 0.004, np.abs(p[2] + 0.12)) * (np.abs(n[0]) > 0.7) * (p[1] < 0.2) * (p[1] > -0.2)
    handle = (np.abs(p[2] + 0.05) < 0.035) & (np.abs(p[1] - 0.125) < 0.012) & (np.abs(n[0]) > 0.7)
    color = mix(mix(color, linear("#0d2c47"), seam), linear("#d8d8d4"), handle.astype(np.float32))
    return Surface(color, np.where(glass > 0.5, 0.06, 0.16))


def _glass(p: Points, n: Points) -> Values:
    """Windscreen, rear window and two side windows, with rounded corners."""
    inside = step(0.012, 0.0, _window(p[2], p[1], -0.33, 0.36, 0.16, 0.1, 0.04)) + step(
        0.012,
        0.0,
        _window(p[2], p[1], 0.1, 0.36, 0.2, 0.1, 0.04) + 0.3 * np.maximum(p[2] - 0.15 + 0.55 * (p[1] - 0.26), 0),
    )
    sides = inside * (np.abs(n[0]) > 0.55)
    screen = (
        step(0.012, 0.0, _window(p[0], p[1], 0.0, 0.335, 0.27, 0.095, 0.05))
        * (np.abs(n[2]) > 0.3)
        * (np.abs(n[0]) < 0.55)
    )
    return np.clip(sides + screen, 0, 1)


def _window(u: Values, v: Values, cu: float, cv: float, hu: float, hv: float, r: float) -> Values:
    a, b = np.abs(u - np.float32(cu)) - (hu - r), np.abs(v - np.float32(cv)) - (hv - r)
    return np.sqrt(np.maximum(a, 0) ** 2 + np.maximum(b, 0) ** 2) + np.minimum(np.maximum(a, b), 0) - np.float32(r)


def _chrome(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#d9dade"), linear("#b4b6bc"), noise(p, 14)), 0.14, 0.95)


def _rubber(p: Points, _n: Points) -> Surface:
    wall = (np.abs(p[0]) > 0.44).astype(np.float32)
    radius = np.minimum(*(np.sqrt((p[2] - z) ** 2 + (p[1] + 0.2) ** 2) for z in AXLES))
    ring = wall * step(0.012, 0.006, np.abs(radius - 0.185))
    return Surface(mix(mix(linear("#242424"), linear("#191919"), noise(p, 30)), linear("#efe9da"), ring), 0.75)


def _tread(p: Points) -> Values:
    turn = np.minimum(*(np.abs((np.arctan2(p[1] + 0.2, p[2] - z) * 16 / np.pi) % 1.0 - 0.5) for z in AXLES))
    return np.float32(0.012) * step(0.1, 0.2, turn) * (np.abs(p[0]) < 0.45)


def _lens(p: Points, _n: Points) -> Surface:
    front = (p[2] > 0).astype(np.float32)
    return Surface(
        mix(linear("#b3201b"), linear("#fff3cf"), front), 0.12, 0.0, mix(linear("#400000"), linear("#4a4433"), front)
    )


SCENE = Scene(
    name="car",
    title="Toy car (front, right, back, left)",
    parts=(
        Part(_body, _paint, ((0.0, 0.1, 0.0), 1.15)),
        Part(_wheels, _rubber, ((0.0, -0.2, 0.0), 0.98), _tread),
        Part(_rims, _chrome, ((0.0, -0.2, 0.0), 0.95)),
        Part(_trim, _chrome, ((0.0, 0.0, 0.0), 1.15)),
        Part(_lamps, _lens, ((0.0, 0.0, 0.0), 1.1)),
    ),
    center=(0.0, 0.05, 0.0051),
    size=2.0497,
    shots=FOUR,
    zoom=1.1,
    step=0.75,
)
