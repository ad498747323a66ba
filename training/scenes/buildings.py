"""Families of buildings and landscapes."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style


def house(b: Builder, rng: Random) -> None:
    """Storeys, gable or hip roof, chimney, windows, door, porch, fence."""
    wall, roof, trim = (random_style(rng) for _ in range(3))
    b.style = wall
    w, h, d = rng.uniform(0.25, 0.6), rng.uniform(0.15, 0.6), rng.uniform(0.25, 0.5)
    sides = rng.choice([4, 4, 4, 4, 4, 6, 8])
    b.add(at.BOX, (0, 0, 0), (w, h, d)) if sides == 4 else b.add(at.CONE, (0, 0, 0), (w, w, h, sides))
    up, over = rng.uniform(0.08, 0.4), rng.uniform(1.02, 1.25)
    kind = rng.random()
    if kind < 0.45 and sides == 4:  # gable: a three-sided prism
        b.add(at.CONE, (0, h, 0), (0.5, 0.5, d * over, 3), _gable(), style=roof)
        row = b.rows[-1]
        row[19] = row[20] = max(w * over / 1.732, up / 3)
        row[8] = h + row[19] * 0.97
        b.boxes[-1] = ((row[19] * 2, d * over, row[19] * 2), (0, 0, 0))
    elif kind < 0.8:
        top = rng.choice([0.02, 0.02, w * 0.4])
        b.add(at.CONE, (0, h + up, 0), (w * over, top, up, sides), style=roof)
    else:
        b.add(at.BOX, (0, h + 0.02, 0), (w * over, 0.03, d * over), style=roof)
    glass = Style((0.1, 0.15, 0.25), gloss=0.9)
    n, m = rng.randint(1, 4), rng.randint(1, 3)
    for i in range(m):
        y = h * (2 * i + 1 - m) / m
        b.add(
            at.BOX,
            (0, y, d),
            (w / n * 0.4, h / m * 0.45, 0.02),
            line=(n, 2 * w / n),
            style=glass,
            cut=rng.random() < 0.4,
        )
        b.add(
            at.BOX, (w, y, 0), (d / n * 0.4, h / m * 0.45, 0.02), (0, 90, 0), line=(n, 2 * d / n), mirror=1, style=glass
        )
        if rng.random() < 0.4:
            b.add(at.BOX, (0, y - h / m * 0.5, d), (w / n * 0.5, 0.015, 0.05), line=(n, 2 * w / n), style=trim)
    b.add(at.BOX, (rng.uniform(-0.5, 0.5) * w, -h * 0.6, d), (0.07, h * 0.4, 0.025), style=trim)
    if rng.random() < 0.5:
        b.add(at.BOX, (w * rng.uniform(-0.6, 0.6), h + up, -d * 0.3), (0.05, rng.uniform(0.1, 0.35), 0.05), style=trim)
    if rng.random() < 0.4:
        b.add(at.BOX, (0, -h * 0.1, d + 0.14), (w * 0.8, 0.02, 0.15), (rng.uniform(0, 15), 0, 0), style=roof)
        b.limb((w * 0.7, -h * 0.1, d + 0.26), (w * 0.7, -h, d + 0.26), 0.02, mirror=1, style=trim)
    if rng.random() < 0.4:
        b.add(at.BOX, (w * rng.choice([-1, 1]) * 1.1, -h * 0.4, 0), (w * 0.4, h * 0.6, d * 0.7))
    ground = random_style(rng)
    if rng.random() < 0.5:
        b.add(at.BOX, (0, -h - 0.03, 0), (w * 1.5, 0.03, d * 1.6), style=ground, rounding=0.01)
    if rng.random() < 0.25:
        b.add(at.BOX, (0, -h + 0.05, d * 1.5), (0.012, 0.09, 0.01), line=(rng.randint(5, 12), 0.1), style=trim)
    for _ in range(rng.choice([0, 0, 1, 3])):
        q = rng.uniform(0.06, 0.16)
        b.add(
            at.ELLIPSOID,
            (rng.choice([-1, 1]) * w * 1.25, -h + q, rng.uniform(-1, 1) * d),
            (q, q, q),
            style=random_style(rng),
        )


def _gable() -> tuple[float, float, float]:
    """Turns a three-sided prism so that it lies along z with one edge up."""
    return (90.0, 0.0, 0.0)


def castle(b: Builder, rng: Random) -> None:
    """Towers on a disc, walls, stairs, columns: temples, forts, dioramas."""
    stone, roof = random_style(rng, 0.8), random_style(rng)
    b.style = stone
    r = rng.uniform(0.5, 0.8)
    b.add(
        at.CONE,
        (0, -0.05, 0),
        (r * 1.05, r, rng.uniform(0.03, 0.12), rng.choice([0, 0, 4, 6, 8])),
        style=random_style(rng),
        rounding=0.01,
    )
    for _ in range(rng.randint(1, 6)):
        a, q = rng.uniform(0, 6.3), rng.uniform(0, 0.7) * r
        x, z = q * math.cos(a), q * math.sin(a)
        t, y, sides = rng.uniform(0.06, 0.2), 0.0, rng.choice([0, 4, 4, 6, 8])
        for _ in range(rng.randint(1, 4)):
            h = rng.uniform(0.04, 0.2)
            b.add(at.CONE, (x, y + h, z), (t, t * rng.uniform(0.8, 1), h, sides), (0, rng.choice([0, 45]), 0))
            y, t = y + 2 * h, t * rng.uniform(0.65, 1.1)
        if rng.random() < 0.8:
            up = rng.uniform(0.05, 0.3)
            b.add(at.CONE, (x, y + up, z), (t * rng.uniform(1, 1.4), 0.01, up, sides), style=roof)
            if rng.random() < 0.3:
                b.limb((x, y + up, z), (x, y + 2 * up + 0.12, z), 0.01)
    if rng.random() < 0.5:
        n = rng.randint(5, 14)
        b.add(at.CONE, (r * 0.85, 0.12, 0), (0.03, 0.03, 0.14, rng.choice([0, 4])), radial=n)
        if rng.random() < 0.5:
            b.add(at.TORUS, (0, 0.27, 0), (r * 0.85, 0.03))
    if rng.random() < 0.4:
        n = rng.randint(3, 7)
        b.add(at.CONE, (0, 0.2, r * 0.3), (0.03, 0.03, 0.2, 0), line=(n, 0.8 / n), style=stone)
        b.add(at.BOX, (0, 0.42, r * 0.3), (0.42, 0.04, 0.12), style=roof)
    if rng.random() < 0.4:
        b.add(at.ARC, (0, 0.05, rng.uniform(-0.3, 0.3)), (rng.uniform(0.15, 0.3), 0.04, 1.6), style=stone)
    for _ in range(rng.randint(0, 6)):
        a, q, s = rng.uniform(0, 6.3), rng.uniform(0.3, 0.9) * r, rng.uniform(0.04, 0.12)
        b.add(
            rng.choice([at.ELLIPSOID, at.BOX, at.ELLIPSOID]),
            (q * math.cos(a), s * 0.6, q * math.sin(a)),
            (s, s * rng.uniform(0.5, 1.5), s),
            (0, rng.uniform(0, 90), 0),
            style=random_style(rng),
        )


def rocks(b: Builder, rng: Random) -> None:
    """Boulders, crystals, cliffs on a slab."""
    b.style = random_style(rng, 0.9)
    if rng.random() < 0.5:
        b.add(at.CONE, (0, -0.3, 0), (0.7, 0.65, 0.08, rng.choice([0, 0, 4, 7])), rounding=0.02)
    crystal, k = rng.random() < 0.3, rng.choice([0.0, 0.04])
    for _ in range(rng.randint(3, 12)):
        x, z, s = rng.uniform(-0.5, 0.5), rng.uniform(-0.5, 0.5), rng.uniform(0.06, 0.3)
        if crystal:
            lean = (x * rng.uniform(0, 1.5), 1.0, z * rng.uniform(0, 1.5))
            tip = (x + lean[0] * s * 2, -0.3 + s * 3, z + lean[2] * s * 2)
            b.limb((x, -0.3, z), tip, s * 0.35, 0.01)
        else:
            turn = (rng.uniform(-30, 30), rng.uniform(0, 90), rng.uniform(-30, 30))
            b.add(
                rng.choice([at.BOX, at.ELLIPSOID, at.CONE]),
                (x, -0.25 + s * 0.5, z),
                (s, s * rng.uniform(0.5, 1.5), s * rng.uniform(0.6, 1.2)),
                turn,
                blend=k,
                rounding=0.02,
            )
