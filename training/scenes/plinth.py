"""The plinth that figures stand on."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, random_style


def plinth(b: Builder, rng: Random, y: float, radius: float, chance: float = 0.25) -> None:
    """Sometimes the plinth that figures stand on."""
    if rng.random() > chance:
        return
    s, h = random_style(rng), rng.uniform(0.02, 0.1)
    sides = rng.choice([0, 0, 0, 4, 6, 8])
    b.add(
        at.CONE, (0, y - h, 0), (radius * 1.05, radius, h, sides), (0, rng.choice([0, 45]), 0), style=s, rounding=0.01
    )
    if rng.random() < 0.4:
        b.add(at.CONE, (0, y - 2.4 * h, 0), (radius * 1.2, radius * 1.15, h * 0.5, sides), style=s, rounding=0.01)
    for _ in range(rng.choice([0, 0, 2, 4])):
        a, q = rng.uniform(0, 6.3), rng.uniform(0.04, 0.16)
        where = (0.6 * radius * math.cos(a), y, 0.6 * radius * math.sin(a))
        b.add(at.ELLIPSOID, where, (q, q * rng.uniform(0.4, 1), q), style=s, blend=0.02)
