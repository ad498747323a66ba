"""A wooden chair with a cushion: thin splayed legs, slats, open space in between."""

from __future__ import annotations

import numpy as np

from ..patterns import fbm, linear, mix, step, wood
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, blend, box, capsule, carve, mirrored, sphere, turned, union


def _frame(p: Points) -> Values:
    m = mirrored(p)
    front = capsule(m, (0.36, 0.0, 0.32), (0.45, -0.95, 0.43), 0.055, 0.035)
    back = capsule(m, (0.34, 0.0, -0.32), (0.43, -0.95, -0.5), 0.055, 0.035)
    posts = capsule(m, (0.36, -0.02, -0.34), (0.42, 1.02, -0.52), 0.05, 0.042)
    rungs = union(
        capsule(m, (0.405, -0.48, 0.37), (0.385, -0.48, -0.4), 0.025),
        capsule(p, (-0.4, -0.6, 0.37), (0.4, -0.6, 0.37), 0.025),
        capsule(p, (-0.39, -0.4, -0.39), (0.39, -0.4, -0.39), 0.025),
    )
    return blend(0.03, front, back, posts, rungs)


def _back(p: Points) -> Values:
    """Two bowed rails with five spindles."""
    bowed = p.copy()
    bowed[2] = p[2] - 0.45 * p[0] ** 2 + 0.06
    tilted = turned(bowed, -9.6, 0, (0.0, 0.0, -0.34))
    top = box(tilted, (0, 0.95, -0.34), (0.43, 0.13, 0.032), 0.03)
    low = box(tilted, (0, 0.28, -0.34), (0.37, 0.045, 0.026), 0.024)
    spindles = union(
        *(capsule(tilted, (x * 0.92, 0.28, -0.34), (x, 0.9, -0.34), 0.024) for x in (-0.26, -0.13, 0, 0.13, 0.26))
    )
    return union(top, low, spindles)


def _seat(p: Points) -> Values:
    plank = box(p, (0, 0.03, 0.0), (0.5, 0.05, 0.46), 0.045)
    return carve(0.05, plank, sphere(p, (0, 1.56, 0.0), 1.5))


def _cushion(p: Points) -> Values:
    puffed = p.copy()
    puffed[1] = p[1] - 0.05 * np.cos(np.clip(p[0] * 3.4, -1.57, 1.57)) * np.cos(
        np.clip((p[2] - 0.02) * 3.7, -1.57, 1.57)
    )
    button = np.sqrt(p[0] ** 2 + (p[2] - 0.02) ** 2)
    puffed[1] += 0.05 * np.exp(-((button / 0.07) ** 2))
    return box(puffed, (0, 0.12, 0.02), (0.42, 0.07, 0.39), 0.065)


def _oak(p: Points, _n: Points) -> Surface:
    dark, light = linear("#7a4a26"), linear("#b9824c")
    upright = wood(p, dark, light, 1, 1.3, 3)
    return Surface(mix(upright, linear("#5a3418"), 0.25 * fbm(p, 3.0, 3)), 0.42)


def _plank(p: Points, _n: Points) -> Surface:
    return Surface(wood(p, linear("#7a4a26"), linear("#bd8750"), 2, 1.3, 8), 0.4)


def _cloth(p: Points, _n: Points) -> Surface:
    stripes = step(0.42, 0.46, np.abs((p[0] * 5.2) % 1.0 - 0.5))
    fine = step(0.2, 0.24, np.abs((p[0] * 5.2 + 0.5) % 1.0 - 0.5)) * step(
        0.28, 0.24, np.abs((p[0] * 5.2 + 0.5) % 1.0 - 0.5)
    )
    red = mix(linear("#a8322a"), linear("#8c2620"), fbm(p, 8.0, 3))
    return Surface(mix(red, linear("#efe2c8"), np.clip(stripes + fine, 0, 1)), 0.85)


def _weave(p: Points) -> Values:
    return np.float32(0.0012) * (np.sin(p[0] * 190) * np.sin(p[2] * 190))


SCENE = Scene(
    name="chair",
    title="Wooden chair with a cushion",
    parts=(
        Part(_seat, _plank, ((0.0, 0.03, 0.0), 0.72)),
        Part(_frame, _oak, ((0.0, 0.0, -0.05), 1.35)),
        Part(_back, _oak, ((0.0, 0.62, -0.42), 0.72)),
        Part(_cushion, _cloth, ((0.0, 0.12, 0.02), 0.62), _weave),
    ),
    center=(0.0, 0.0405, -0.071),
    size=2.037,
    shots={"": (30.0, 14.0)},
    step=0.7,
)
