"""Families of soft bodies seen from any side: curled ones, hands, heavy animals, seated animals, toys, knots."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, Vec, random_style
from .plinth import plinth

DARK = Style((0.03, 0.03, 0.03), gloss=0.9)


def curled(b: Builder, rng: Random) -> None:
    """3 to 8 joined blobs along a bent axis, with limbs and knobs: curled-up creatures, larvae, roots, shells."""
    b.style, k = random_style(rng), rng.uniform(0.03, 0.12)
    size, heading, turn, side = rng.uniform(0.18, 0.34), rng.uniform(-3, 3), rng.uniform(-1.2, 1.2), rng.uniform(-1, 1)
    flat, grow = rng.choice([0.0, 0.0, 1.0]), rng.uniform(0.8, 1.15)
    blobs: list[tuple[Vec, float]] = []
    p: Vec = (0.0, 0.0, 0.0)
    for _ in range(rng.randint(3, 8)):
        r = size * rng.uniform(0.75, 1.2)
        dims = (r * rng.uniform(0.8, 1.25), r * rng.uniform(0.8, 1.2), r * rng.uniform(0.85, 1.4))
        b.add(at.ELLIPSOID, p, dims, (-math.degrees(heading), 0, 0), blend=k)
        blobs.append((p, r))
        size, heading = size * grow, heading + turn * rng.uniform(0.5, 1.3)
        step = r * rng.uniform(0.7, 1.15)
        p = (p[0] + flat * side * step * 0.6, p[1] + step * math.sin(heading), p[2] + step * math.cos(heading))
    for _ in range(rng.randint(0, 7)):
        (x, y, z), r = rng.choice(blobs)
        a, e, n = rng.uniform(0, 6.3), rng.uniform(-1.5, 1.5), r * rng.uniform(0.9, 1.9)
        tip = (x + n * math.cos(a) * math.cos(e), y + n * math.sin(e), z + n * math.sin(a) * math.cos(e))
        thick = r * rng.uniform(0.12, 0.5)
        m, style = int(flat == 0), rng.choice([b.style, b.style, random_style(rng)])
        b.limb((x, y, z), tip, thick * 1.3, thick * rng.uniform(0.4, 1.2), blend=k * 0.5, mirror=m, style=style)


def hand(b: Builder, rng: Random) -> None:
    """Hands: open, pointing, clenched to a fist; paws; on a wrist, with or without a cuff."""
    b.style, k = random_style(rng, 0.3), rng.uniform(0.01, 0.04)
    w, t = rng.uniform(0.2, 0.28), rng.uniform(0.07, 0.13)
    n = rng.choice([3, 4, 4, 4, 4])
    b.add(at.BOX, (0, 0, 0), (w * 0.85, rng.uniform(0.18, 0.28), t), blend=k, rounding=0.05)
    b.add(at.ELLIPSOID, (w * 0.6, -0.1, t * 0.7), (w * 0.4, 0.2, t), blend=k)
    fist, curl, spread = rng.random() < 0.45, rng.uniform(0, 0.6), rng.uniform(0, 0.25)
    for i in range(n):
        u = (i + 0.5) / n * 2 - 1
        bend = rng.uniform(1.15, 1.5) if fist or rng.random() < 0.15 else curl * rng.uniform(0.5, 1.3)
        long, q = rng.uniform(0.15, 0.22) * (1.1 - 0.25 * u * u), w / n * rng.uniform(0.85, 1.05)
        p, angle = (u * w, 0.22, 0.0), bend * 0.6 if not fist else bend
        for j in range(3):
            lean = spread * u * math.cos(angle)
            tip = (p[0] + long * lean, p[1] + long * math.cos(angle), p[2] + long * math.sin(angle))
            b.limb(p, tip, q, q * 0.93, blend=k * (j == 0))
            p, angle, long, q = tip, angle + bend, long * 0.85, q * 0.93
    q, out = w / n * 1.15, rng.uniform(-0.1, 1) if not fist else -0.6
    a = (w * 0.8, -0.12, t * 0.6)
    c = (w * 1.15 + 0.1 * out, 0.08, t + 0.08)
    b.limb(a, c, q * 1.3, q, blend=k)
    b.limb(c, (c[0] + 0.16 * out, c[1] + 0.14, c[2] + 0.05), q, q * 0.85, blend=k * 0.5)
    arm = rng.uniform(0.3, 0.9)
    b.limb((0, -0.18, 0), (0, -0.2 - arm, rng.uniform(-0.2, 0.2)), w * 0.62, w * rng.uniform(0.55, 0.85), blend=0.05)
    if rng.random() < 0.4:
        b.add(at.CONE, (0, -0.2 - arm * 0.7, 0), (w, w * 0.9, arm * 0.35, 0), style=random_style(rng), rounding=0.02)


def heavy(b: Builder, rng: Random) -> None:
    """Thick-legged animals: elephants, rhinos, hippos, pigs, bears, sheep, turtles; body along z."""
    b.style, k = random_style(rng, 0.4), rng.uniform(0.02, 0.08)
    fat, long = rng.uniform(0.28, 0.42), rng.uniform(0.38, 0.55)
    leg, thick = rng.uniform(0.1, 0.4), rng.uniform(0.09, 0.16)
    b.add(at.ELLIPSOID, (0, 0, 0), (fat, fat * rng.uniform(0.85, 1.1), long), blend=k)
    if rng.random() < 0.6:
        b.add(at.ELLIPSOID, (0, fat * 0.2, long * rng.uniform(-0.5, 0.5)), (fat * 0.9, fat * 0.95, fat), blend=k)
    for z in (long * 0.6, -long * 0.6):
        walk = rng.random() < 0.5
        for side in (1, -1) if walk else (1,):
            x, m, step = side * fat * 0.6, int(not walk), rng.uniform(-0.12, 0.12) * walk
            foot = (x, -fat * 0.7 - leg, z + step)
            b.limb((x, -fat * 0.2, z), foot, thick * rng.uniform(1, 1.4), thick, blend=k, mirror=m)
            b.add(at.CONE, foot, (thick * 1.15, thick, thick * 0.7, 0), mirror=m, rounding=0.01)
    r, y = fat * rng.uniform(0.5, 0.75), rng.uniform(-0.15, 0.3)
    z = long + r * rng.uniform(0.3, 0.9)
    b.limb((0, 0, long * 0.6), (0, y, z), fat * 0.7, r * 0.8, blend=k)
    b.add(at.ELLIPSOID, (0, y, z), (r * 0.9, r, r * rng.uniform(0.9, 1.2)), blend=k)
    _face(b, rng, r, y, z, k)
    b.limb((0, fat * 0.3, -long * 0.9), (0, rng.uniform(-0.3, 0.3), -long - rng.uniform(0.05, 0.25)), 0.05, 0.025)
    if rng.random() < 0.15:
        b.add(at.ELLIPSOID, (0, fat * 0.3, 0), (fat * 1.25, fat, long * 1.1), style=random_style(rng, 0.9))
    plinth(b, rng, -fat * 0.7 - leg - thick, long)


def _face(b: Builder, rng: Random, r: float, y: float, z: float, k: float) -> None:
    """Trunk or snout, ears, tusks or horns, eyes of a head of radius r at (0, y, z)."""
    pale = random_style(rng, 0.1)
    if rng.random() < 0.45:
        p, angle, q = (0.0, y - r * 0.2, z + r * 0.7), rng.uniform(-0.4, 0.9), r * rng.uniform(0.3, 0.45)
        curl, part = rng.uniform(-0.7, 0.4), r * rng.uniform(0.45, 0.7)
        for _ in range(4):
            tip = (0.0, p[1] - part * math.cos(angle), p[2] + part * math.sin(angle))
            b.limb(p, tip, q, q * 0.85, blend=k * 0.7)
            p, angle, q = tip, angle - curl, q * 0.85
    else:
        n = r * rng.uniform(0.5, 1.1)
        b.limb((0, y - r * 0.25, z + r * 0.4), (0, y - r * 0.4, z + r * 0.6 + n), r * 0.6, r * 0.5, blend=k)
    wide = r * rng.uniform(0.25, 1.1)
    turn = (rng.uniform(-20, 20), rng.uniform(10, 70), rng.uniform(-30, 30))
    ear = (r * 0.8 + wide * 0.55, y + r * rng.uniform(0, 0.6), z - r * 0.2)
    b.add(at.ELLIPSOID, ear, (wide, wide * rng.uniform(0.8, 1.5), r * 0.13), turn, mirror=1, blend=k * 0.3)
    if rng.random() < 0.4:
        tip = (r * rng.uniform(0.4, 1.0), y + r * rng.uniform(-0.6, 1.4), z + r * rng.uniform(1.0, 2.2))
        b.limb((r * 0.4, y - r * 0.2, z + r * 0.6), tip, r * 0.14, r * 0.04, style=pale, mirror=1)
    b.add(at.ELLIPSOID, (r * 0.6, y + r * 0.35, z + r * 0.65), (r * 0.12,) * 3, style=DARK, mirror=1)


def seated(b: Builder, rng: Random) -> None:
    """Sitting animals: cats, dogs, rabbits, bears, frogs; upright body, folded hind legs, straight forelegs."""
    b.style, k = random_style(rng, 0.5), rng.uniform(0.02, 0.07)
    w, tall = rng.uniform(0.2, 0.32), rng.uniform(0.3, 0.5)
    back = rng.uniform(-0.2, 0.05)
    b.add(at.ELLIPSOID, (0, 0, back), (w, w * rng.uniform(0.9, 1.3), w * 1.1), blend=k)
    b.limb((0, 0, back), (0, tall, 0.08), w * 0.9, w * rng.uniform(0.55, 0.85), blend=k)
    b.add(at.ELLIPSOID, (w * 0.9, -w * 0.4, back), (w * 0.4, w * 0.7, w * 0.85), (-20, 0, 0), mirror=1, blend=k)
    b.add(at.ELLIPSOID, (w * 0.9, -w, back + w * 0.9), (w * 0.28, w * 0.22, w * 0.6), mirror=1, blend=k * 0.5)
    paw = (w * 0.45, -w, rng.uniform(0.2, 0.35))
    b.limb((w * 0.5, tall * 0.6, 0.12), paw, w * 0.33, w * 0.24, mirror=1, blend=k)
    b.add(at.ELLIPSOID, (paw[0], paw[1], paw[2] + w * 0.2), (w * 0.28, w * 0.2, w * 0.4), mirror=1)
    r, z = w * rng.uniform(0.7, 1.0), 0.12 + rng.uniform(0, 0.12)
    y = tall + r * 0.7
    b.add(at.ELLIPSOID, (0, y, z), (r, r * 0.9, r), blend=k)
    n = r * rng.uniform(0.1, 0.9)
    b.limb((0, y - r * 0.25, z + r * 0.5), (0, y - r * 0.3, z + r * 0.7 + n), r * 0.5, r * 0.33, blend=k * 0.6)
    b.add(at.ELLIPSOID, (r * 0.45, y + r * 0.2, z + r * 0.83), (r * 0.13,) * 3, style=DARK, mirror=1)
    e, turn = r * rng.uniform(0.3, 1.4), (rng.uniform(-30, 20), 0, rng.uniform(-60, 5))
    b.add(at.ELLIPSOID, (r * 0.6, y + r * 0.7 + e * 0.5, z), (r * 0.3, e, r * 0.14), turn, mirror=1, blend=k * 0.3)
    if rng.random() < 0.7:
        arc = (w * rng.uniform(0.8, 1.3), w * rng.uniform(0.12, 0.3), rng.uniform(0.8, 1.6))
        b.add(at.ARC, (w * 0.5, -w * 0.85, back), arc, (90, 0, rng.uniform(-150, 150)), blend=k * 0.5)
    plinth(b, rng, -w * 1.1, 0.5)


def toy(b: Builder, rng: Random) -> None:
    """Soft toys and figurines: ball body, big head, stubby limbs, ears, muzzle, buttons, scarf, hat."""
    b.style, pale, k = random_style(rng, 0.3), random_style(rng), rng.uniform(0.0, 0.04)
    w, tall, r = rng.uniform(0.2, 0.32), rng.uniform(0.2, 0.34), rng.uniform(0.2, 0.36)
    b.add(at.ELLIPSOID, (0, 0, 0), (w, tall, w * rng.uniform(0.8, 1.1)), blend=k)
    y = tall + r * rng.uniform(0.5, 0.8)
    b.add(at.ELLIPSOID, (0, y, 0.03), (r * rng.uniform(0.95, 1.2), r * 0.92, r * 0.95), blend=k)
    b.add(at.ELLIPSOID, (0, y - r * 0.25, r * 0.85), (r * 0.45, r * 0.33, r * rng.uniform(0.15, 0.5)), style=pale)
    b.add(at.ELLIPSOID, (r * 0.4, y + r * 0.15, r * 0.9), (r * 0.11,) * 3, style=DARK, mirror=1)
    e, flat = r * rng.uniform(0.25, 0.5), rng.uniform(0.25, 1)
    ear = (e, e * rng.choice([1, 1, 1.2, 2.5]), e * flat)
    b.add(at.ELLIPSOID, (r * 0.75, y + r * 0.65 + ear[1] * 0.4, 0), ear, (0, 0, rng.uniform(-40, 0)), mirror=1)
    a, n, t = rng.uniform(-1.2, 0.9), rng.uniform(0.15, 0.35), rng.uniform(0.07, 0.12)
    arm = (w * 0.8 + n * math.cos(a), tall * 0.5 + n * math.sin(a), rng.uniform(0, 0.25))
    b.limb((w * 0.7, tall * 0.5, 0.03), arm, t, t * rng.uniform(0.9, 1.2), mirror=1, blend=k)
    sit, leg = rng.random() < 0.6, rng.uniform(0.12, 0.35)
    foot = (w * 0.9, -tall * 0.75, w + leg) if sit else (w * 0.55, -tall - leg, 0.02)
    b.limb((w * 0.5, -tall * 0.7, 0), foot, t * 1.2, t * 1.3, mirror=1, blend=k)
    b.add(at.ELLIPSOID, foot, (t * 1.3, t * 1.7, t) if sit else (t * 1.3, t, t * 1.8), mirror=1, style=pale)
    if rng.random() < 0.35:
        b.add(at.TORUS, (0, tall * 0.9, 0.01), (w * 0.65, 0.05), style=random_style(rng))
    if rng.random() < 0.3:
        q = r * rng.uniform(0.5, 0.9)
        b.add(at.CONE, (0, y + r * 0.95, 0), (q, q * rng.uniform(0, 0.9), q * 0.7, 0), style=random_style(rng))


def knot(b: Builder, rng: Random) -> None:
    """A round bar along a curve: knots, coils, pretzels, spiral shells whose turns grow."""
    b.style, kind = random_style(rng), rng.randrange(3)
    t, trim = rng.uniform(0.06, 0.13), random_style(rng)
    p, q = rng.choice([(2, 3), (3, 2), (1, 2), (2, 5)])
    loops, tall, grow = rng.uniform(1.5, 3), rng.uniform(0.3, 0.9), rng.uniform(0.1, 0.5)
    n = 36 if kind == 0 else 30

    def where(u: float) -> Vec:
        if kind == 0:
            ring = 0.4 + 0.18 * math.cos(q * u * math.tau)
            return (
                ring * math.cos(p * u * math.tau),
                0.2 * math.sin(q * u * math.tau),
                ring * math.sin(p * u * math.tau),
            )
        a, r = u * loops * math.tau, 0.45 if kind == 1 else 0.5 * math.exp(-2.2 * u)
        return r * math.cos(a), tall * (u - 0.5) * (1 if kind == 1 else grow * 2), r * math.sin(a)

    for i in range(n):
        a, c = i / n, (i + 1) / n
        size = [t if kind != 2 else 0.3 * math.exp(-2.2 * u) + 0.02 for u in (a, c)]
        b.limb(where(a), where(c), *size, style=trim if i % 6 == 0 and rng.random() < 0.2 else None)
