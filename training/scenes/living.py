"""Families with flesh and leaves: animals, people, birds, insects, plants, trees, busts, blobs."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style


def _base(b: Builder, rng: Random, y: float, radius: float, chance: float = 0.25) -> None:
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


def blobs(b: Builder, rng: Random) -> None:
    """Smoothly joined balls and bars, often symmetric."""
    b.style = random_style(rng)
    sym = rng.random() < 0.6
    blend = rng.choice([0.0, 0.05, 0.12])
    for i in range(rng.randint(2, 9)):
        x = 0.0 if i == 0 or (sym and rng.random() < 0.4) else rng.uniform(-0.6, 0.6)
        place = (abs(x) if sym else x, rng.uniform(-0.6, 0.6), rng.uniform(-0.4, 0.4))
        kind = rng.choice([at.ELLIPSOID, at.ELLIPSOID, at.ELLIPSOID, at.CAPSULE, at.BOX])
        dims = tuple(rng.uniform(0.1, 0.45) for _ in range(3))
        if kind == at.CAPSULE:
            dims = (rng.uniform(0.03, 0.2), rng.uniform(0.03, 0.2), rng.uniform(0.3, 0.8))
        style = random_style(rng) if rng.random() < 0.5 else b.style
        turn = (rng.uniform(-180, 180), rng.uniform(-180, 180), 0) if rng.random() < 0.5 else None
        b.add(kind, place, dims, turn, style=style, blend=blend, mirror=int(sym and x != 0), rounding=0.03)


def quadruped(b: Builder, rng: Random) -> None:
    """Four legs, body along z, head in front."""
    b.style = s = random_style(rng, 0.6)
    k, leg = rng.choice([0.0, 0.03, 0.06]), rng.uniform(0.2, 0.75)
    long, fat = rng.uniform(0.3, 0.65), rng.uniform(0.14, 0.34)
    b.add(at.ELLIPSOID, (0, 0, 0), (fat * rng.uniform(0.75, 1.1), fat, long), blend=k)
    if rng.random() < 0.6:
        b.add(
            at.ELLIPSOID,
            (0, rng.uniform(0, 0.08), long * 0.5),
            (fat * 0.95, fat * rng.uniform(0.9, 1.3), fat * 1.2),
            blend=k,
        )
    if rng.random() < 0.6:
        b.add(at.ELLIPSOID, (0, 0.02, -long * 0.6), (fat * 0.9, fat, fat * 1.1), blend=k)
    thick = rng.uniform(0.025, 0.1)
    for z in (long * 0.65, -long * 0.7):
        for mirrored in [1] if rng.random() < 0.55 else [0, 2]:
            x = fat * 0.6 * (-1 if mirrored == 2 else 1)
            step, m = rng.uniform(-0.15, 0.15) if mirrored != 1 else rng.uniform(-0.05, 0.05), int(mirrored == 1)
            knee = (x, -0.1 - leg * 0.45, z + step + rng.uniform(-0.08, 0.08))
            foot = (x, -0.1 - leg, z + step * 1.6)
            b.limb((x, -0.05, z), knee, thick * rng.uniform(1.2, 2), thick, blend=k, mirror=m)
            b.limb(knee, foot, thick, thick * 0.8, mirror=m, blend=k * 0.5)
            if rng.random() < 0.6:
                b.add(
                    at.ELLIPSOID, (x, foot[1], foot[2] + thick * 0.6), (thick * 1.2, thick * 0.7, thick * 1.7), mirror=m
                )
    ny, nz = rng.uniform(-0.05, 0.5), long + rng.uniform(0.05, 0.3)
    head = rng.uniform(0.1, 0.24)
    b.limb((0, fat * 0.3, long * 0.7), (0, ny, nz), fat * rng.uniform(0.35, 0.8), head * 0.7, blend=k)
    b.add(at.ELLIPSOID, (0, ny, nz), (head * 0.8, head * 0.85, head * rng.uniform(0.9, 1.4)), blend=k)
    snout = rng.uniform(0.3, 1.0)
    b.limb(
        (0, ny - head * 0.2, nz + head * 0.5),
        (0, ny - head * 0.4, nz + head * (0.8 + snout)),
        head * 0.5,
        head * rng.uniform(0.2, 0.45),
        blend=k,
    )
    dark = Style((0.03, 0.03, 0.03), gloss=0.9)
    b.add(at.ELLIPSOID, (head * 0.5, ny + head * 0.3, nz + head * 0.6), (head * 0.14,) * 3, style=dark, mirror=1)
    if rng.random() < 0.85:
        e, wide = rng.uniform(0.2, 1.1) * head, rng.uniform(0.15, 0.5) * head
        tilt = (rng.uniform(-40, 40), 0, rng.uniform(-70, 10))
        b.add(
            at.ELLIPSOID,
            (head * 0.55, ny + head * 0.75 + e * 0.3, nz - head * 0.1),
            (wide, e, head * 0.13),
            tilt,
            mirror=1,
        )
    if rng.random() < 0.4:
        pale = random_style(rng, 0.2)
        if rng.random() < 0.5:
            b.limb(
                (head * 0.4, ny + head * 0.6, nz),
                (head * rng.uniform(0.4, 1.8), ny + head * rng.uniform(1, 2.6), nz - rng.uniform(-0.5, 1) * head),
                head * 0.16,
                head * 0.03,
                style=pale,
                mirror=1,
            )
        else:
            b.add(
                at.ARC,
                (head * 0.8, ny + head * 0.8, nz),
                (head * rng.uniform(0.4, 0.8), head * 0.11, rng.uniform(1, 2.2)),
                (rng.uniform(-50, 50), rng.uniform(-60, 60), rng.uniform(-90, 0)),
                style=pale,
                mirror=1,
            )
    if rng.random() < 0.85:
        tail = (0, rng.uniform(-0.5, 0.5), -long - rng.uniform(0.1, 0.6))
        b.limb((0, fat * 0.4, -long * 0.85), tail, rng.uniform(0.02, 0.09), rng.uniform(0.01, 0.08), blend=k)
    if rng.random() < 0.2:
        b.add(
            at.CONE,
            (0, fat * 0.9, 0),
            (0.03, 0.01, 0.06, 4),
            line=(1, 1),
            rows=(rng.randint(3, 7), long * 0.25),
            style=random_style(rng),
        )
    if rng.random() < 0.15:
        b.add(at.BOX, (0, fat, 0), (fat * 0.7, 0.05, fat), style=random_style(rng), rounding=0.03)
    _base(b, rng, -0.1 - leg, long * 1.1)
    b.style = s


def person(b: Builder, rng: Random) -> None:
    """Two legs, two arms, clothes, things in the hands."""
    skin, shirt, legs = (random_style(rng, 0.4) for _ in range(3))
    k, wide = rng.choice([0.0, 0.02, 0.05]), rng.uniform(0.1, 0.28)
    head, fat = rng.uniform(0.09, 0.22), rng.uniform(0.7, 1.6)
    tall, arm = rng.uniform(0.25, 0.8), rng.uniform(0.035, 0.1) * fat
    b.add(
        at.ELLIPSOID if rng.random() < 0.5 else at.BOX,
        (0, 0.3, 0),
        (wide, 0.26, wide * 0.62),
        style=shirt,
        blend=k,
        rounding=0.03,
    )
    b.add(at.ELLIPSOID, (0, 0.06, 0), (wide * 0.9, 0.14, wide * 0.68), style=legs, blend=k)
    b.limb((0, 0.5, 0), (0, 0.66, 0.01), head * 0.4, head * 0.35, style=skin, blend=k)
    b.add(at.ELLIPSOID, (0, 0.64 + head * 0.8, 0.02), (head * 0.85, head, head * 0.92), style=skin)
    both = rng.random() < 0.45
    for side in [1] if both else [1, -1]:
        m = int(both)
        a, e = rng.uniform(-1.2, 1.3), rng.uniform(-0.4, 0.9)
        elbow = (side * (wide * 1.1 + 0.22 * math.cos(a)), 0.46 + 0.22 * math.sin(a) * 0.9 - 0.05, 0.1 * e)
        hand = (
            elbow[0] + side * rng.uniform(-0.15, 0.22),
            elbow[1] + rng.uniform(-0.22, 0.2),
            elbow[2] + rng.uniform(-0.02, 0.22),
        )
        b.limb((side * wide * 0.95, 0.47, 0), elbow, arm * 1.15, arm, style=shirt, blend=k, mirror=m)
        b.limb(elbow, hand, arm, arm * 0.75, style=skin if rng.random() < 0.5 else shirt, blend=k, mirror=m)
        b.add(at.ELLIPSOID, hand, (arm * 1.1,) * 3, style=skin, mirror=m)
        if rng.random() < 0.35:
            _held(b, rng, hand, side, m)
    stand, stride = rng.random() < 0.6, rng.uniform(-0.3, 0.3)
    for side in [1] if stand else [1, -1]:
        m, z = int(stand), 0.0 if stand else side * stride
        x = side * wide * rng.uniform(0.4, 1.0)
        knee, foot = (x * 1.05, 0.02 - tall * 0.5, z * 0.5 + 0.03), (x * 1.1, 0.02 - tall, z)
        b.limb((side * wide * 0.5, 0.02, 0), knee, arm * 1.6, arm * 1.2, style=legs, mirror=m, blend=k)
        b.limb(knee, foot, arm * 1.2, arm * 0.8, style=legs, mirror=m, blend=k)
        b.add(
            at.ELLIPSOID,
            (foot[0], foot[1] - 0.01, foot[2] + 0.05),
            (arm, arm * 0.8, arm * 2.1),
            style=random_style(rng),
            mirror=m,
        )
    _clothes(b, rng, head, wide, tall)
    _base(b, rng, -tall, 0.4, 0.35)


def _held(b: Builder, rng: Random, hand: tuple[float, float, float], side: int, mirror: int) -> None:
    """A staff, sword, shield or ball."""
    s, x, y, z = random_style(rng), *hand
    what = rng.random()
    if what < 0.4:
        tilt, n = rng.uniform(-0.4, 0.4), rng.uniform(0.3, 0.9)
        b.limb(
            (x - tilt * n, y - n * rng.uniform(0.1, 1), z),
            (x + tilt * n, y + n, z + rng.uniform(-0.2, 0.3)),
            0.018,
            style=s,
            mirror=mirror,
        )
        if rng.random() < 0.5:
            b.add(at.BOX, (x + tilt * n, y + n, z), (0.12, 0.08, 0.015), style=s, mirror=mirror)
    elif what < 0.7:
        b.add(
            at.BOX,
            (x, y + 0.28, z + 0.02),
            (0.03, 0.32, 0.008),
            (rng.uniform(-60, 60), 0, rng.uniform(-40, 40)),
            style=s,
            mirror=mirror,
        )
    elif what < 0.9:
        b.add(
            at.CONE,
            (x + side * 0.05, y, z + 0.05),
            (0.2, 0.18, 0.02, rng.choice([0, 6, 4])),
            (90, side * 40, 0),
            style=s,
            mirror=mirror,
        )
    else:
        b.add(at.ELLIPSOID, (x, y, z + 0.1), (0.12,) * 3, style=s, mirror=mirror)


def _clothes(b: Builder, rng: Random, head: float, wide: float, tall: float) -> None:
    """Hair, hat, skirt, cloak, face."""
    s, top = random_style(rng), 0.64 + head * 0.8
    dark = Style((0.04, 0.03, 0.03), gloss=0.8)
    b.add(at.ELLIPSOID, (head * 0.33, top + head * 0.1, 0.02 + head * 0.82), (head * 0.1,) * 3, style=dark, mirror=1)
    if rng.random() < 0.5:
        b.add(at.ELLIPSOID, (0, top - head * 0.15, head * 0.95), (head * 0.15, head * 0.2, head * 0.25), blend=0.02)
    if rng.random() < 0.5:
        b.add(at.ELLIPSOID, (0, top + head * 0.2, -head * 0.15), (head, head * 1.02, head * 0.95), style=s)
    if rng.random() < 0.3:
        b.add(
            at.CONE,
            (0, top + head, 0),
            (head * 1.0, head * rng.uniform(0.05, 0.9), head * rng.uniform(0.4, 1.2), 0),
            style=s,
        )
        b.add(at.CONE, (0, top + head * 0.6, 0), (head * 1.7, head * 1.7, 0.012, 0), style=s)
    if rng.random() < 0.3:
        b.add(
            at.CONE,
            (0, -tall * 0.3, 0),
            (wide * rng.uniform(1.1, 2.2), wide * 0.8, tall * rng.uniform(0.3, 0.65) * 0.8 + 0.1, 0),
            style=s,
        )
    if rng.random() < 0.2:
        b.add(at.BOX, (0, 0.1, -wide * 0.9), (wide * 1.2, 0.42, 0.012), (-8, 0, 0), style=s, bend=0.0, rounding=0.01)
    if rng.random() < 0.2:
        b.add(at.ELLIPSOID, (wide * 1.1, 0.5, 0), (wide * 0.55, wide * 0.4, wide * 0.5), style=s, mirror=1)
    if rng.random() < 0.15:
        b.add(
            at.ELLIPSOID, (wide * 1.6, 0.5, -wide), (wide * 1.6, 0.14, 0.02), (0, 20, 30), style=s, mirror=1, bend=-0.8
        )


def bird(b: Builder, rng: Random) -> None:
    """Body, beak, folded or spread wings, thin legs."""
    b.style = random_style(rng, 0.5)
    k, fat, long = 0.04, rng.uniform(0.16, 0.3), rng.uniform(0.25, 0.5)
    pitch = rng.uniform(-50, 10)
    b.add(at.ELLIPSOID, (0, 0, 0), (fat * 0.9, fat, long), (pitch, 0, 0), blend=k)
    lift = -math.sin(math.radians(pitch)) * long
    hy, hz, head = lift + rng.uniform(0.05, 0.5), long * 0.7 + rng.uniform(0, 0.15), rng.uniform(0.09, 0.18)
    b.limb((0, lift * 0.6, long * 0.5), (0, hy, hz), fat * 0.6, head * 0.6, blend=k)
    b.add(at.ELLIPSOID, (0, hy, hz), (head * 0.9, head, head * 1.1), blend=k)
    beak = random_style(rng, 0)
    b.limb(
        (0, hy, hz + head * 0.8),
        (0, hy - rng.uniform(0, 0.1), hz + head + rng.uniform(0.06, 0.3)),
        head * 0.35,
        0.008,
        style=beak,
    )
    b.add(
        at.ELLIPSOID,
        (head * 0.65, hy + head * 0.3, hz + head * 0.5),
        (head * 0.16,) * 3,
        style=Style((0.02, 0.02, 0.02), gloss=0.9),
        mirror=1,
    )
    wing = random_style(rng)
    if rng.random() < 0.5:
        n = rng.uniform(0.4, 1.0)
        b.add(
            at.ELLIPSOID,
            (fat * 0.6 + n * 0.8, 0.05 + n * 0.1, 0),
            (n, 0.022, rng.uniform(0.1, 0.25)),
            (0, rng.uniform(-25, 25), rng.uniform(-15, 40)),
            style=wing,
            mirror=1,
            bend=rng.uniform(-0.5, 0.2),
        )
    else:
        b.add(
            at.ELLIPSOID, (fat * 0.85, 0, -0.05), (0.045, fat * 0.75, long * 0.95), (pitch, 8, 0), style=wing, mirror=1
        )
    b.add(
        at.BOX,
        (0, -lift * 0.9, -long - 0.1),
        (rng.uniform(0.03, 0.15), 0.012, rng.uniform(0.1, 0.3)),
        (pitch * rng.uniform(0.3, 1.3), 0, 0),
        style=wing,
        rounding=0.008,
    )
    leg, t = rng.uniform(0.1, 0.7), rng.uniform(0.012, 0.03)
    foot = -fat * 0.7 - leg
    b.limb((fat * 0.4, -fat * 0.6, 0), (fat * 0.45, foot, 0.03), t, style=beak, mirror=1)
    for a in (-0.5, 0.0, 0.5):
        b.limb((fat * 0.45, foot, 0.03), (fat * 0.45 + 0.12 * a, foot - 0.01, 0.16), t, t * 0.5, style=beak, mirror=1)
    _base(b, rng, foot, 0.35)


def insect(b: Builder, rng: Random) -> None:
    """Segments with six or eight bent thin legs, feelers, wings."""
    b.style = random_style(rng, 0.6)
    z, size = 0.5, 0.0
    for size in [rng.uniform(0.1, 0.18), rng.uniform(0.1, 0.2), rng.uniform(0.15, 0.34)]:
        z -= size * rng.uniform(0.6, 1.0)
        b.add(
            at.ELLIPSOID,
            (0, rng.uniform(-0.02, 0.06), z),
            (size, size * rng.uniform(0.6, 1), size * rng.uniform(1, 1.5)),
            blend=0.03,
        )
        z -= size * rng.uniform(0.6, 1.0)
    t, up, n = rng.uniform(0.012, 0.035), rng.uniform(0.05, 0.5), rng.choice([3, 4])
    leg, reach = random_style(rng), rng.uniform(0.35, 0.8)
    for i in range(n):
        lz = 0.3 - 0.45 * i / (n - 1)
        spread = (0.5 - i / (n - 1)) * rng.uniform(0.5, 1.2)
        knee = (reach * 0.6, up, lz + spread * 0.5)
        b.limb((0.08, 0, lz), knee, t * 1.3, t, style=leg, mirror=1)
        b.limb(knee, (reach, -rng.uniform(0.15, 0.3), lz + spread), t, t * 0.5, style=leg, mirror=1)
    if rng.random() < 0.7:
        b.limb((0.04, 0.05, 0.4), (rng.uniform(0.05, 0.3), rng.uniform(0, 0.4), 0.75), t * 0.7, style=leg, mirror=1)
    if rng.random() < 0.4:
        b.add(
            at.ELLIPSOID,
            (0.4, 0.2, -0.05),
            (0.38, 0.012, rng.uniform(0.1, 0.22)),
            (0, rng.uniform(-20, 40), rng.uniform(5, 50)),
            style=random_style(rng),
            mirror=1,
        )


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
    _base(b, rng, -0.6, 0.4)


def bust(b: Builder, rng: Random) -> None:
    """Head with features on shoulders, a helmet or a mask."""
    skin, cloth = random_style(rng, 0.4), random_style(rng)
    b.style, k = skin, rng.uniform(0.02, 0.06)
    w, h, d = rng.uniform(0.26, 0.36), rng.uniform(0.32, 0.45), rng.uniform(0.3, 0.4)
    b.add(at.ELLIPSOID, (0, 0.2, 0), (w, h, d), blend=k)
    b.add(at.ELLIPSOID, (0, 0.0, 0.06), (w * 0.8, h * 0.6, d * 0.85), blend=k)
    b.add(at.ELLIPSOID, (0, 0.16, d), (0.05, 0.09 * rng.uniform(0.7, 2), rng.uniform(0.04, 0.14)), blend=k)
    b.add(at.ELLIPSOID, (w * 0.42, 0.25, d * 0.93), (0.07, 0.045, 0.05), cut=True, mirror=1, blend=0.03)
    b.add(at.ELLIPSOID, (w * 0.42, 0.25, d * 0.84), (0.05,) * 3, style=Style((0.8, 0.8, 0.75), gloss=0.9), mirror=1)
    b.add(at.CAPSULE, (w * 0.2, 0.33, d * 0.95), (0.03, 0.02, w * 0.5), (0, 0, -80), mirror=1, blend=0.02)
    b.add(at.ELLIPSOID, (0, -0.05, d * 0.92), (0.1, 0.02, 0.05), style=cloth)
    ear = rng.uniform(0.06, 0.26)
    b.add(
        at.ELLIPSOID,
        (w + ear * 0.4, 0.18, -0.02),
        (ear, 0.09, 0.03),
        (0, rng.uniform(0, 40), rng.uniform(-20, 40)),
        mirror=1,
    )
    b.limb((0, 0, -0.04), (0, -0.35, -0.05), w * 0.6, w * 0.65, blend=k)
    if rng.random() < 0.75:
        b.add(at.ELLIPSOID, (0, -0.5, -0.05), (rng.uniform(0.4, 0.6), 0.22, 0.26), style=cloth, blend=k)
        b.add(at.BOX, (0, -0.62, -0.03), (rng.uniform(0.25, 0.45), 0.12, 0.22), style=cloth, rounding=0.03, blend=0.03)
    if rng.random() < 0.6:
        b.add(at.ELLIPSOID, (0, 0.28, -0.06), (w * 1.08, h * 0.98, d * 1.02), style=cloth, shell=0.0, blend=0.0)
    if rng.random() < 0.4:
        b.add(at.BOX, (0, 0.62, -0.05), (0.03, 0.12, d * rng.uniform(0.6, 1.1)), style=random_style(rng), rounding=0.02)
    if rng.random() < 0.3:
        b.limb(
            (w * 0.6, 0.5, 0.1),
            (w * rng.uniform(0.6, 1.6), rng.uniform(0.6, 1.0), rng.uniform(-0.1, 0.4)),
            0.07,
            0.01,
            style=random_style(rng),
            mirror=1,
        )
    if rng.random() < 0.5:
        b.add(at.CONE, (0, -0.8, -0.03), (0.42, 0.36, 0.07, rng.choice([0, 4, 8])), (0, 45, 0), style=random_style(rng))
