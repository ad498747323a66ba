"""Families of plants and trees."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, random_style
from .plinth import plinth


def plant(b: Builder, rng: Random) -> None:
    """Pot with leaves and flowers, or a palm."""
    pot, leaf, stem = random_style(rng), random_style(rng), random_style(rng)
    leaf.color = (
        (leaf.color[0] * 0.5, min(1, leaf.color[1] + 0.2), leaf.color[2] * 0.4) if rng.random() < 0.6 else leaf.color
    )
    top = 0.0
    if rng.random() < 0.7:
        r, h = rng.uniform(0.15, 0.4), rng.uniform(0.12, 0.35)
        b.add(
            at.CONE, (0, -h, 0), (r * rng.uniform(0.55, 1), r, h, rng.choice([0, 0, 0, 4, 6])), style=pot, rounding=0.02
        )
        b.add(at.CONE, (0, -0.02, 0), (r * 1.12, r * 1.12, 0.05, 0), style=pot)
        b.add(at.CONE, (0, 0.06, 0), (r * 0.9, r * 0.9, 0.07, 0), style=stem, cut=True)
    else:
        top = rng.uniform(0.3, 1.0)
        b.limb(
            (0, -0.3, 0), (rng.uniform(-0.1, 0.1), top, 0), rng.uniform(0.04, 0.12), rng.uniform(0.03, 0.07), style=stem
        )
        b.add(
            at.CAPSULE,
            (0.02, -0.3, 0),
            (0.05, 0.015, 0.25),
            (0, 0, -60),
            radial=rng.randint(3, 8),
            style=stem,
            blend=0.03,
        )
    for _ in range(rng.randint(1, 4)):
        n, long = rng.randint(3, 11), rng.uniform(0.2, 0.6)
        tilt, droop = rng.uniform(-10, 75), rng.uniform(-1.6, 0.3) / max(long, 0.3)
        dims = (long, rng.uniform(0.008, 0.02), rng.uniform(0.04, 0.16))
        c = math.cos(math.radians(tilt)) * long, math.sin(math.radians(tilt)) * long
        b.add(
            at.ELLIPSOID,
            (c[0], top + c[1], 0),
            dims,
            (0, 0, tilt),
            radial=n,
            phase=rng.uniform(0, 6),
            style=leaf,
            bend=droop * 0.5,
        )
    for _ in range(rng.randint(0, 5)):
        a, q, h = rng.uniform(0, 6.3), rng.uniform(0.05, 0.5), top + rng.uniform(0.3, 0.9)
        end = (q * math.cos(a), h, q * math.sin(a))
        b.limb((0, top, 0), end, 0.014, style=stem)
        bloom, size = random_style(rng), rng.uniform(0.05, 0.16)
        if rng.random() < 0.5:
            b.add(
                at.ELLIPSOID,
                end,
                (size, size * rng.uniform(0.3, 1.0), size),
                (rng.uniform(-60, 60), 0, rng.uniform(-60, 60)),
                style=bloom,
            )
        else:
            b.add(at.CONE, end, (0.02, size, size * 0.6, 0), style=bloom)
            b.add(at.ELLIPSOID, end, (size * 0.4,) * 3, style=random_style(rng))


def tree(b: Builder, rng: Random) -> None:
    """Trunk, branches, crown as balls or cones, or bare."""
    bark, leaf = random_style(rng), random_style(rng)
    b.style = bark
    h, t = rng.uniform(0.3, 0.9), rng.uniform(0.04, 0.14)
    b.limb((0, -0.6, 0), (0, h - 0.5, 0), t * 1.3, t * 0.7)
    b.add(
        at.CAPSULE,
        (t * 0.5, -0.55, 0),
        (t * 0.5, 0.01, t * rng.uniform(2, 4)),
        (0, 0, -75),
        radial=rng.randint(3, 7),
        blend=0.04,
    )
    if rng.random() < 0.3:
        for i in range(rng.randint(2, 5)):
            r = 0.5 - 0.09 * i
            b.add(
                at.CONE,
                (0, h - 0.5 + 0.27 * i, 0),
                (r, r * rng.uniform(0.05, 0.4), 0.2, rng.choice([0, 0, 6])),
                style=leaf,
            )
        return
    for _ in range(rng.randint(3, 9)):
        a, q, y = rng.uniform(0, 6.3), rng.uniform(0.15, 0.5), h - 0.5 + rng.uniform(-0.25, 0.45)
        end = (q * math.cos(a), y, q * math.sin(a))
        b.limb((0, h - 0.5 - rng.uniform(0, 0.35) * h, 0), end, t * 0.5, t * 0.2)
        if rng.random() < 0.8:
            size = rng.uniform(0.1, 0.34)
            b.add(at.ELLIPSOID, end, (size, size * rng.uniform(0.5, 1), size), style=leaf, blend=0.03)
    plinth(b, rng, -0.6, 0.4)
