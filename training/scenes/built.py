"""Families of buildings, vehicles, ships, robots and landscapes; and those held out for evaluation."""

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


def vehicle(b: Builder, rng: Random) -> None:
    """Cars, vans, tractors, tanks along z."""
    paint, dark, glass = random_style(rng, 0.3), random_style(rng, 0.2, 0.1), Style((0.1, 0.12, 0.16), gloss=0.9)
    b.style = paint
    w, h, n = rng.uniform(0.2, 0.34), rng.uniform(0.08, 0.2), rng.uniform(0.45, 0.8)
    rounding, k = rng.uniform(0.01, 0.06), rng.choice([0, 0.03, 0.06])
    b.add(at.BOX, (0, 0, 0), (w, h, n), rounding=rounding, blend=k)
    cabin, z = rng.uniform(0.2, 0.6) * n, rng.uniform(-0.4, 0.3) * n
    ch = rng.uniform(0.1, 0.28)
    b.add(
        at.BOX,
        (0, h + ch * 0.8, z),
        (w * 0.85, ch, cabin),
        style=rng.choice([paint, glass]),
        rounding=rounding,
        blend=k,
    )
    b.add(at.BOX, (0, h + ch * 0.9, z), (w * 0.92, ch * 0.5, cabin * 0.8), style=glass, rounding=0.01)
    r, thick = rng.uniform(0.09, 0.24), rng.uniform(0.03, 0.09)
    y = -h * 0.8
    axles = [0.65 * n, -0.65 * n] + ([0.0] if rng.random() < 0.15 else [])
    tank = rng.random() < 0.15
    for a in axles:
        big = r * rng.choice([1, 1, 1, 1.4])
        b.add(at.CONE, (w, y, a), (big, big, thick, 0), (0, 0, 90), style=dark, mirror=1, rounding=0.01)
        b.add(
            at.CONE,
            (w + thick * 0.6, y, a),
            (big * 0.55, big * 0.55, thick * 0.7, rng.choice([0, 5, 6])),
            (0, 0, 90),
            style=glass,
            mirror=1,
        )
    if tank:
        b.add(at.BOX, (w, y, 0), (0.1, r, n * 1.05), style=dark, mirror=1, rounding=0.05)
        b.add(at.CONE, (0, h + 0.12, -0.05), (w * 0.8, w * 0.6, 0.12, rng.choice([0, 6, 8])))
        b.limb((0, h + 0.14, 0.1), (0, h + rng.uniform(0.14, 0.3), n + 0.2), 0.035, style=dark)
    b.add(at.BOX, (0, -h * 0.4, n), (w * 0.95, 0.04, 0.05), style=dark, rounding=0.02)
    b.add(at.ELLIPSOID, (w * 0.7, h * 0.2, n), (0.06, 0.05, 0.04), style=Style((0.9, 0.85, 0.6), gloss=0.9), mirror=1)
    if rng.random() < 0.3:
        b.limb(
            (w * 0.6, h, -n * 0.7),
            (w * 0.6, h + rng.uniform(0.1, 0.4), -n * 0.7),
            0.025,
            style=dark,
            mirror=rng.randint(0, 1),
        )
        b.add(at.BOX, (0, h + 0.25, -n * 0.85), (w * 1.05, 0.015, 0.08), style=paint)
        b.limb((w * 0.7, h, -n * 0.85), (w * 0.7, h + 0.25, -n * 0.85), 0.02, mirror=1)
    if rng.random() < 0.3:
        b.add(at.BOX, (0, h + 0.1, -n * 0.5), (w * 0.95, rng.uniform(0.05, 0.3), n * 0.45), style=random_style(rng))
    if rng.random() < 0.3:
        b.add(at.BOX, (w + 0.05, h + 0.08, z + cabin), (0.05, 0.03, 0.015), mirror=1)
    if rng.random() < 0.2:
        b.add(at.FRAME, (0, h + ch * 1.6, z), (w * 0.8, 0.05, cabin, 0.012), style=dark)


def ship(b: Builder, rng: Random) -> None:
    """Hull along z, deck, masts with sails and yards, cabin, guns, flags."""
    wood, sail, rope = random_style(rng, 0.8), random_style(rng, 0.5), random_style(rng, 0, 0.2)
    b.style = wood
    w, h, n = rng.uniform(0.13, 0.26), rng.uniform(0.14, 0.28), rng.uniform(0.5, 0.8)
    b.add(at.ELLIPSOID, (0, 0, 0), (w, h, n))
    if rng.random() < 0.5:
        b.add(at.BOX, (0, 0, -n * 0.5), (w * 0.85, h * 0.9, n * 0.35), blend=0.1, rounding=0.02)
    b.add(at.BOX, (0, 0.5, 0), (1, 0.5, 1.2), cut=True, style=random_style(rng))
    b.add(at.BOX, (0, rng.uniform(0.02, 0.08), -n * 0.65), (w * 0.75, rng.uniform(0.05, 0.15), n * 0.22))
    if rng.random() < 0.6:
        b.add(
            at.BOX,
            (w * 0.85, 0.03, 0),
            (0.008, 0.05, 0.008),
            (0, 90, 0),
            line=(rng.randint(5, 10), 0.1),
            mirror=1,
            style=rope,
        )
        b.add(at.BOX, (w * 0.85, 0.08, 0), (0.01, 0.01, n * 0.6), mirror=1, style=rope)
    masts = rng.randint(0, 3)
    for i in range(masts):
        z, tall = n * (0.5 - i * rng.uniform(0.4, 0.6)), rng.uniform(0.5, 1.1)
        b.limb((0, 0, z), (0, tall, z), 0.022, 0.012, style=wood)
        for y in [0.55 * tall, 0.9 * tall][: rng.randint(1, 2)]:
            half = rng.uniform(0.18, 0.4)
            b.limb((-half, y, z), (half, y, z), 0.012, style=wood)
            if rng.random() < 0.8:
                b.add(
                    at.BOX,
                    (0, y - 0.14 * tall, z + 0.03),
                    (half * 0.92, 0.14 * tall, 0.008),
                    style=sail,
                    bend=0.0,
                    rounding=0.004,
                )
                b.rows[-1][10:19] = [1, 0, 0, 0, 0, 1, 0, -1, 0]
                b.rows[-1][19:22] = [half * 0.92, 0.008, 0.14 * tall]
                b.rows[-1][at.BEND] = rng.uniform(-1.2, 0)
        if rng.random() < 0.5:
            b.add(at.BOX, (0, tall, z - 0.08), (0.005, 0.04, 0.08), style=sail)
        if rng.random() < 0.5:
            b.limb((0, tall, z), (0, 0.05, n * 0.95), 0.006, style=rope)
        if rng.random() < 0.4:
            b.add(at.CONE, (0, tall * 0.8, z), (0.05, 0.07, 0.03, 0))
    if rng.random() < 0.6:
        b.limb((0, 0, n * 0.8), (0, rng.uniform(0.1, 0.3), n * 1.3), 0.02, 0.01)
    if masts == 0 or rng.random() < 0.2:
        b.add(at.BOX, (0, 0.12, 0), (w * 0.6, 0.12, n * 0.3), style=random_style(rng), rounding=0.02)
        b.add(at.CONE, (0, 0.35, -0.05), (0.06, 0.05, 0.15, 0), style=random_style(rng))
        b.limb((0, 0.3, 0.2), (0, 0.3, 0.6), 0.03, style=random_style(rng))
    if rng.random() < 0.3:
        b.add(
            at.CAPSULE,
            (0, -0.02, w),
            (0.02, 0.02, 0.12),
            (90, 0, 0),
            style=random_style(rng, 0, 0.1),
            line=(rng.randint(2, 5), 0.2),
        )
        b.rows[-1][7:10] = [w * 0.8, -0.02, 0]
        b.rows[-1][10:19] = [0, 0, 1, 1, 0, 0, 0, 1, 0]
        b.rows[-1][at.MIRROR] = 1


def robot(b: Builder, rng: Random) -> None:
    """Boxes and joints: walkers with two, four or six legs, arms, guns, antennas."""
    metal, dark, paint = random_style(rng, 0.5, 0.1), random_style(rng, 0, 0.1), random_style(rng)
    b.style = paint
    w, h, d = rng.uniform(0.15, 0.34), rng.uniform(0.12, 0.3), rng.uniform(0.15, 0.5)
    b.add(rng.choice([at.BOX, at.BOX, at.ELLIPSOID]), (0, 0, 0), (w, h, d), rounding=rng.uniform(0.005, 0.05))
    for _ in range(rng.randint(1, 6)):
        b.add(
            rng.choice([at.BOX, at.BOX, at.CONE]),
            (rng.uniform(0, 1) * w, rng.uniform(-1, 1) * h, rng.uniform(-1, 1) * d),
            (rng.uniform(0.03, 0.15), rng.uniform(0.03, 0.15), rng.uniform(0.03, 0.2)),
            rng.choice([None, None, (90, 0, 0), (0, 0, 90)]),
            mirror=1,
            style=rng.choice([metal, dark, paint]),
            rounding=0.01,
        )
    legs, leg, t = rng.choice([1, 1, 2, 2, 3]), rng.uniform(0.3, 0.8), rng.uniform(0.03, 0.09)
    for i in range(legs):
        z = 0.0 if legs == 1 else d * (0.9 - 1.8 * i / (legs - 1))
        out, fwd = (
            rng.uniform(0, 0.35),
            rng.uniform(-0.2, 0.3) if legs == 1 else (0.25 - 0.5 * i / (legs - 1)) * rng.uniform(0, 1.5),
        )
        knee, foot = (
            (w + out, -h * 0.6 - leg * rng.uniform(0.1, 0.5), z + fwd * 0.5 + 0.05),
            (w + out * rng.uniform(0.6, 1.4), -h - leg, z + fwd),
        )
        b.add(at.CONE, (w, -h * 0.5, z), (t * 1.5, t * 1.5, t, 0), (0, 0, 90), mirror=1, style=dark)
        b.limb((w, -h * 0.5, z), knee, t * 1.2, t, mirror=1, style=metal)
        b.add(at.ELLIPSOID, knee, (t * 1.4,) * 3, mirror=1, style=dark)
        b.limb(knee, foot, t * 0.9, t * 0.7, mirror=1, style=metal)
        b.add(
            rng.choice([at.BOX, at.CONE]),
            (foot[0], foot[1], foot[2] + 0.03),
            (t * 1.6, t * 0.6, t * 2) if rng.random() < 0.5 else (t * 2, t, t * 0.8),
            mirror=1,
            style=dark,
            rounding=0.005,
        )
    if rng.random() < 0.7:
        y = h + rng.uniform(0.05, 0.2)
        b.add(
            rng.choice([at.BOX, at.ELLIPSOID, at.CONE]),
            (0, y, d * rng.uniform(-0.2, 0.8)),
            (rng.uniform(0.08, 0.2), 0.1, rng.uniform(0.08, 0.2)),
            style=metal,
            rounding=0.02,
        )
        b.add(at.ELLIPSOID, (0.07, y, d * 0.5 + 0.12), (0.03,) * 3, mirror=1, style=Style((0.9, 0.5, 0.1), gloss=0.9))
    if rng.random() < 0.6:
        x, y = w * rng.uniform(0.6, 1.5), h * rng.uniform(-0.3, 1.5)
        b.add(at.BOX, (x, y, 0), (0.07, 0.07, 0.16), mirror=1, style=metal)
        b.limb((x, y, 0.1), (x, y + rng.uniform(-0.05, 0.1), rng.uniform(0.4, 0.9)), 0.035, 0.025, mirror=1, style=dark)
    elif rng.random() < 0.6:
        elbow = (w + rng.uniform(0.1, 0.3), h * 0.3 - 0.15, rng.uniform(-0.05, 0.15))
        b.limb((w, h * 0.6, 0), elbow, t, mirror=1, style=metal)
        b.limb(
            elbow,
            (elbow[0] + rng.uniform(-0.1, 0.1), elbow[1] + rng.uniform(-0.25, 0.2), elbow[2] + 0.25),
            t * 1.1,
            mirror=1,
            style=paint,
        )
    if rng.random() < 0.5:
        b.limb(
            (w * 0.5, h, -d * 0.5),
            (w * 0.6, h + rng.uniform(0.2, 0.5), -d * 0.7),
            0.012,
            mirror=rng.randint(0, 1),
            style=dark,
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


# ---- held out: never trained on ------------------------------------------------------------------------------------
def aircraft(b: Builder, rng: Random) -> None:
    """Held out: fuselage, wings, tail, propellers, wheels."""
    b.style, wing = random_style(rng), random_style(rng)
    n, r = rng.uniform(0.5, 0.8), rng.uniform(0.07, 0.16)
    b.add(at.ELLIPSOID, (0, 0, 0), (r, r * rng.uniform(0.9, 1.3), n), blend=0.03)
    span, chord = rng.uniform(0.5, 0.9), rng.uniform(0.08, 0.2)
    for y in [rng.uniform(-0.05, 0.08), 0.3][: 1 + (rng.random() < 0.25)]:
        b.add(
            at.BOX,
            (span * 0.5, y, 0.1),
            (span * 0.5, 0.014, chord),
            (0, rng.uniform(-5, 25), rng.uniform(-3, 8)),
            mirror=1,
            style=wing,
            rounding=0.008,
        )
        if y == 0.3:
            b.limb((span * 0.6, 0, 0.1), (span * 0.6, 0.3, 0.1), 0.012, mirror=1)
    b.add(at.BOX, (0.14, 0.03, -n * 0.9), (0.15, 0.01, 0.06), mirror=1, style=wing)
    b.add(at.BOX, (0, 0.14, -n * 0.9), (0.01, 0.14, 0.07), (-15, 0, 0), style=wing)
    b.add(at.ELLIPSOID, (0, r, n * 0.3), (r * 0.6, r * 0.6, 0.16), style=Style((0.1, 0.15, 0.2), gloss=0.9))
    if rng.random() < 0.5:
        b.add(at.BOX, (0, 0, n + 0.02), (0.22, 0.02, 0.008), (0, 0, rng.uniform(0, 90)))
    else:
        b.add(at.CAPSULE, (span * 0.4, -0.06, 0.02), (0.05, 0.04, 0.25), (90, 0, 0), mirror=1)
    b.limb((0.1, -r, 0.2), (0.14, -r - 0.15, 0.22), 0.012, mirror=1)
    b.add(at.CONE, (0.14, -r - 0.17, 0.22), (0.05, 0.05, 0.02, 0), (0, 0, 90), mirror=1)


def bicycle(b: Builder, rng: Random) -> None:
    """Held out: two spoked wheels, a frame of tubes, handlebar, saddle."""
    b.style = random_style(rng)
    t, r, z = rng.uniform(0.014, 0.026), rng.uniform(0.25, 0.34), rng.uniform(0.42, 0.55)
    dark = random_style(rng, 0, 0.1)
    for wheel in (z, -z):
        b.add(at.TORUS, (0, 0, wheel), (r, t * rng.uniform(1, 2)), (0, 0, 90), style=dark)
        for i in range(4):
            a = math.pi * i / 4
            y, q = r * math.sin(a), r * math.cos(a)
            b.limb((0, -y, wheel - q), (0, y, wheel + q), 0.006, style=dark)
    crank, seat, front = (0, -0.02, -0.05), (0, 0.45, -0.18), (0, 0.45, z - 0.15)
    for p, q in (
        (crank, seat),
        (crank, front),
        (seat, front),
        (crank, (0, 0, -z)),
        (seat, (0, 0, -z)),
        (front, (0, 0, z)),
    ):
        b.limb(p, q, t)
    b.limb(front, (0, 0.6, z - 0.2), t)
    b.limb((0, 0.6, z - 0.2), (0.22, 0.62, z - 0.25), t * 0.9, mirror=1)
    b.add(at.ELLIPSOID, (0, 0.52, -0.2), (0.06, 0.03, 0.13), style=dark)
    b.add(at.CONE, crank, (0.08, 0.08, 0.015, 0), (0, 0, 90), style=dark)


def mushroom(b: Builder, rng: Random) -> None:
    """Held out: mushrooms and umbrellas, hollow caps on thin stems, alone or in groups."""
    b.style = random_style(rng)
    for i in range(rng.randint(1, 3)):
        x, z, s = (0.0, 0.0, 1.0) if i == 0 else (rng.uniform(-0.5, 0.5), rng.uniform(-0.4, 0.4), rng.uniform(0.4, 0.7))
        r, h, t = rng.uniform(0.3, 0.6) * s, rng.uniform(0.4, 0.9) * s, rng.uniform(0.02, 0.12) * s
        cap = random_style(rng)
        up = r * rng.uniform(0.4, 0.9)
        b.add(at.ELLIPSOID, (x, h - 0.4, z), (r, up, r), style=cap)
        b.add(at.ELLIPSOID, (x, h - 0.4 - up * rng.uniform(0.3, 0.6), z), (r * 1.05, up, r * 1.05), style=cap, cut=True)
        b.limb((x, -0.4, z), (x, h - 0.4 + up * 0.5, z), t, t * 0.8, style=b.style)
