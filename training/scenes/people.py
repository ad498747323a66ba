"""Families of people and heads, and blobs."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style
from .plinth import plinth


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
    plinth(b, rng, -tall, 0.4, 0.35)


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
