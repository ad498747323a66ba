"""A desk lamp: arms as thin as wires, joints, a hollow shade with a bulb inside."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, noise
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, capsule, cylinder, mirrored, smooth_path, sphere, turned, union

ELBOW, HEAD = (-0.62, 0.35, 0.0), (0.25, 0.92, 0.0)
BASE = Lathe(
    np.array([(0, -0.95), (0.46, -0.95), (0.46, -0.9), (0.4, -0.86), (0.12, -0.82), (0.1, -0.78), (0, -0.78)]), 0.015
)
_OUT = smooth_path([(0.44, -0.42), (0.4, -0.2), (0.26, 0.02), (0.13, 0.12), (0.12, 0.3)], 14)
SHADE = Lathe(np.concatenate([_OUT, [(0.0, 0.32), (0.0, 0.28)], [(0.09, 0.28)], (_OUT - (0.028, 0.02))[-2::-1]]), 0.006)


def _tilted(p: Points) -> Points:
    """Points in the shade's own frame: it looks down and forward."""
    moved = p - np.array([[0.42], [0.8], [0.0]], np.float32)
    return turned(moved, -38.0, 2)


def _arms(p: Points) -> Values:
    m = mirrored(p, 2)
    lower = capsule(m, (0.0, -0.78, 0.05), (ELBOW[0], ELBOW[1], 0.05), 0.021)
    upper = capsule(m, (ELBOW[0], ELBOW[1], 0.05), (HEAD[0], HEAD[1], 0.05), 0.021)
    return union(lower, upper)


def _joints(p: Points) -> Values:
    pins = [cylinder(p, (x, y, -0.095), (x, y, 0.095), 0.055, 0.012) for x, y in ((0.0, -0.74), ELBOW[:2], HEAD[:2])]
    knobs = [sphere(mirrored(p, 2), (x, y, 0.1), 0.036) for x, y in ((0.0, -0.74), ELBOW[:2], HEAD[:2])]
    neck = capsule(p, HEAD, (0.4, 0.93, 0.0), 0.035)
    weight = blend(
        0.04, cylinder(p, (-0.83, 0.22, 0), (-0.96, 0.135, 0), 0.08, 0.02), capsule(p, ELBOW, (-0.9, 0.17, 0), 0.02)
    )
    return union(*pins, *knobs, neck, weight)


def _shade(p: Points) -> Values:
    return SHADE(_tilted(p))


def _bulb(p: Points) -> Values:
    q = _tilted(p)
    return blend(0.06, sphere(q, (0, -0.12, 0), 0.13), capsule(q, (0, 0.0, 0), (0, 0.26, 0), 0.06))


def _enamel(p: Points, _n: Points) -> Surface:
    q = _tilted(p)
    away = q - np.array([[0], [-0.12], [0]], np.float32)
    inside = (np.sqrt(q[0] ** 2 + q[2] ** 2) < np.interp(q[1], _OUT[:, 1], _OUT[:, 0]) - 0.012) & (q[1] < 0.28)
    yellow = mix(linear("#e0a21b"), linear("#d18f12"), fbm(p, 3.0, 3))
    color = np.where(inside, linear("#f7f0e0"), yellow)
    near = np.float32(0.05) / np.maximum((away * away).sum(axis=0), 0.02)
    return Surface(
        color, np.where(inside, 0.6, 0.18), 0.0, np.where(inside, linear("#ffe3a8") * np.minimum(near, 0.7), 0)
    )


def _steel(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#c9cbd0"), linear("#a9adb5"), noise(p, 30)), 0.28, 0.9)


def _brass(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#c79a4b"), linear("#b5873a"), noise(p, 12)), 0.3, 0.9)


def _foot(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#e0a21b"), linear("#d18f12"), fbm(p, 3.0, 3)), 0.2)


def _light(_p: Points, _n: Points) -> Surface:
    return Surface(linear("#fff3d6"), 0.3, 0.0, linear("#ffdf9e") * np.float32(0.9))


SCENE = Scene(
    name="lamp",
    title="Desk lamp",
    parts=(
        Part(BASE, _foot, ((0.0, -0.87, 0.0), 0.55)),
        Part(_arms, _steel, ((-0.2, 0.1, 0.0), 1.1)),
        Part(_joints, _brass, ((-0.25, 0.1, 0.0), 1.15)),
        Part(_shade, _enamel, ((0.42, 0.78, 0.0), 0.72)),
        Part(_bulb, _light, ((0.42, 0.78, 0.0), 0.5)),
    ),
    center=(-0.1472, 0.0788, 0.0),
    size=2.0685,
    shots={"": (-20.0, 8.0)},
)
