"""Families of vehicles, ships and robots."""

from __future__ import annotations

from random import Random

from . import layout as at
from .builder import Builder, Style, random_style


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
        _mast(b, rng, n, i, (wood, sail, rope))
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


def _mast(b: Builder, rng: Random, n: float, i: int, styles: tuple[Style, Style, Style]) -> None:
    """Mast ``i`` with yards, sails, flag, stay and crow's nest."""
    wood, sail, rope = styles
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
        spread = None if legs == 1 else 0.25 - 0.5 * i / (legs - 1)
        _leg(b, rng, (w, h, z), (leg, t), spread, (metal, dark))
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


def _leg(
    b: Builder,
    rng: Random,
    hip: tuple[float, float, float],
    size: tuple[float, float],
    spread: float | None,
    styles: tuple[Style, Style],
) -> None:
    """A mirrored leg of two bars with joints and a foot; spread: how far it points forward, None = a biped's."""
    (w, h, z), (leg, t), (metal, dark) = hip, size, styles
    out, fwd = (
        rng.uniform(0, 0.35),
        rng.uniform(-0.2, 0.3) if spread is None else spread * rng.uniform(0, 1.5),
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
