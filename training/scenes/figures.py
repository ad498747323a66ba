"""Families of figures: draped statues and full heads."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style
from .plinth import plinth


def statue(b: Builder, rng: Random) -> None:
    """Draped or cloaked figures: a robe with folds, hood or hair, wide sleeves, mostly of one stone."""
    stone = random_style(rng, 0.3, 0.3)
    b.style, k = stone, rng.uniform(0.03, 0.08)
    one = rng.random() < 0.6
    cloth = stone if one else random_style(rng)
    wide, waist, tall = rng.uniform(0.22, 0.42), rng.uniform(0.13, 0.2), rng.uniform(0.5, 0.9)
    flat = rng.uniform(0.65, 1.0)
    b.add(at.CONE, (0, -tall / 2, 0), (wide, waist, tall / 2, 0), style=cloth, blend=k, rounding=0.02)
    b.add(at.ELLIPSOID, (0, 0.17, 0), (waist * 1.15, 0.26, waist * flat), style=cloth, blend=k)
    shoulder = waist * rng.uniform(1.2, 1.6)
    b.limb((-shoulder, 0.36, 0), (shoulder, 0.36, 0), 0.09, style=cloth, blend=k)
    for _ in range(rng.randint(2, 7)):  # folds
        a, lean, t = rng.uniform(0, 6.3), rng.uniform(-0.5, 0.5), rng.uniform(0.02, 0.05)
        top = (waist * math.cos(a), rng.uniform(-0.1, 0.3), waist * math.sin(a) * flat)
        low = (wide * math.cos(a + lean), -tall, wide * math.sin(a + lean))
        b.limb(top, low, t, t * 1.5, style=cloth, blend=0.04)
    r = rng.uniform(0.11, 0.15)
    y = 0.5 + r
    b.limb((0, 0.35, 0), (0, y, 0.02), 0.07, style=stone, blend=k)
    b.add(at.ELLIPSOID, (0, y, 0.03), (r * 0.85, r * 1.1, r), style=stone, blend=0.02)
    b.add(at.ELLIPSOID, (0, y - r * 0.1, 0.03 + r), (r * 0.15, r * 0.25, r * 0.2), style=stone, blend=0.02)
    _arms(b, rng, shoulder, stone, cloth)
    _hood(b, rng, y, r, cloth)
    if rng.random() < 0.35:
        cape = (shoulder * rng.uniform(1.0, 1.4), tall * 0.5 + 0.2, 0.03)
        turn = (rng.uniform(3, 12), 0, 0)
        b.add(at.ELLIPSOID, (0, 0.1 - tall * 0.4, -waist * flat - 0.08), cape, turn, style=cloth, blend=0.05)
    plinth(b, rng, -tall, wide * 1.15, 0.6)


def _arms(b: Builder, rng: Random, x: float, skin: Style, cloth: Style) -> None:
    """Folded, praying, hanging or raised arms in sleeves."""
    both = rng.random() < 0.5
    for side in (1,) if both else (1, -1):
        m, a = int(both), rng.uniform(-1.5, 0.6)
        elbow = (side * (x + 0.2 * max(math.cos(a), 0.2)), 0.34 + 0.22 * math.sin(a), rng.uniform(-0.05, 0.1))
        hand = (side * rng.uniform(0.03, 0.3), elbow[1] + rng.uniform(-0.1, 0.25), rng.uniform(0.14, 0.3))
        b.limb((side * x, 0.36, 0), elbow, 0.085, 0.08, style=cloth, blend=0.03, mirror=m)
        b.limb(elbow, hand, 0.07, rng.uniform(0.05, 0.11), style=cloth, blend=0.03, mirror=m)
        b.add(at.ELLIPSOID, hand, (0.055, 0.06, 0.07), style=skin, mirror=m)


def _hood(b: Builder, rng: Random, y: float, r: float, cloth: Style) -> None:
    """Hood, veil, hair, wreath or nothing."""
    kind = rng.randrange(5)
    if kind == 0:
        b.add(at.ELLIPSOID, (0, y + r * 0.15, -r * 0.25), (r * 1.15, r * 1.3, r * 1.1), style=cloth, blend=0.02)
        b.limb((0, y, -r * 0.6), (0, 0.3, -r), r * 1.1, r * 1.4, style=cloth, blend=0.04)
    elif kind == 1:
        b.add(at.ELLIPSOID, (0, y + r * 0.3, -r * 0.2), (r, r, r * 1.1), style=random_style(rng), blend=0.01)
        b.add(at.ELLIPSOID, (0, y + r * 0.5, -r * 1.1), (r * 0.5,) * 3, style=cloth, blend=0.02)
    elif kind == 2:
        b.add(at.TORUS, (0, y + r * 0.5, 0.02), (r * 0.9, r * 0.2), (10, 0, 0), style=random_style(rng))
    elif kind == 3:
        b.add(at.CONE, (0, y + r * 1.2, 0), (r, r * rng.uniform(0.1, 1), r * 0.7, 0), style=random_style(rng))


def head(b: Builder, rng: Random) -> None:
    """Full heads with a neck: face, ears, hair or a helmet; also masks' and animals' faces."""
    b.style, k = random_style(rng, 0.25, 0.4), rng.uniform(0.02, 0.06)
    w, h, d = rng.uniform(0.28, 0.36), rng.uniform(0.34, 0.44), rng.uniform(0.34, 0.42)
    b.add(at.ELLIPSOID, (0, 0.12, -0.03), (w, h * 0.9, d), blend=k)
    jaw = rng.uniform(0.6, 0.95)
    b.add(at.ELLIPSOID, (0, -0.14, d * 0.28), (w * jaw, h * 0.62, d * 0.66), blend=k)
    b.add(at.ELLIPSOID, (0, -0.14 - h * 0.5, d * 0.7), (w * 0.3, 0.06, 0.08), blend=k)
    nose = rng.uniform(0.06, 0.15)
    b.limb((0, 0.12, d * 0.85), (0, -0.04, d * 0.86 + nose), 0.035, rng.uniform(0.04, 0.07), blend=0.03)
    b.add(at.ELLIPSOID, (w * 0.42, 0.08, d * 0.92), (0.075, 0.05, 0.08), cut=True, mirror=1, blend=0.04)
    b.add(at.ELLIPSOID, (w * 0.42, 0.07, d * 0.8), (0.06, 0.05, 0.05), style=random_style(rng, 0.6), mirror=1)
    b.limb((w * 0.15, 0.16, d * 0.9), (w * 0.75, 0.15, d * 0.68), 0.035, 0.025, mirror=1, blend=0.03)
    b.add(at.ELLIPSOID, (w * 0.55, -0.08, d * 0.62), (0.09, 0.08, 0.08), mirror=1, blend=0.06)
    lips = random_style(rng, 0) if rng.random() < 0.3 else None
    for y in (-0.2, -0.235):
        b.add(at.ELLIPSOID, (0, y, d * 0.88), (rng.uniform(0.07, 0.11), 0.022, 0.04), style=lips, blend=0.01)
    ear = rng.uniform(0.07, 0.12)
    b.add(at.ELLIPSOID, (w * 0.98, 0.02, -0.04), (0.035, ear, ear * 0.6), (0, -25, 0), mirror=1, blend=0.015)
    neck = rng.uniform(0.15, 0.55)
    b.limb((0, -0.15, -0.08), (0, -0.3 - neck, -0.14), w * 0.58, w * rng.uniform(0.6, 0.75), blend=k)
    b.add(at.BOX, (0, -0.35 - neck - 0.5, 0), (1, 0.5, 1), cut=True)
    _hair(b, rng, (w, h, d), k)
    if rng.random() < 0.4:
        q = w * rng.uniform(0.7, 1.2)
        b.add(
            at.CONE,
            (0, -0.4 - neck, -0.13),
            (q, q * 0.8, 0.08, rng.choice([0, 4])),
            (0, 45, 0),
            style=random_style(rng),
        )


def _hair(b: Builder, rng: Random, size: tuple[float, float, float], k: float) -> None:
    """Short or long hair, curls, a bun, a beard, a cap or a helmet with a crest, or none."""
    (w, h, d), s, kind = size, random_style(rng, 0.6), rng.randrange(7)
    if kind in (0, 1, 2):
        b.add(at.ELLIPSOID, (0, 0.2, -0.09), (w * 1.08, h * 0.92, d * 1.02), style=s, blend=0.015)
    if kind == 1:
        for side in (1, -1):
            b.limb(
                (side * w * 0.95, 0.1, -0.1), (side * w, -0.4, -0.12), 0.12, rng.uniform(0.06, 0.14), style=s, blend=k
            )
        b.limb((0, 0.1, -d), (0, -0.45, -d * 0.8), 0.2, 0.16, style=s, blend=k)
    elif kind == 2:
        b.add(at.ELLIPSOID, (0, rng.uniform(0.1, 0.5), -d - 0.12), (rng.uniform(0.1, 0.18),) * 3, style=s, blend=0.02)
    elif kind == 3:  # curls
        for _ in range(rng.randint(8, 16)):
            a, e = rng.uniform(2.4, 7.0), rng.uniform(0.15, 1.5)
            place = (w * math.cos(a) * math.cos(e), 0.12 + h * 0.9 * math.sin(e), d * math.sin(a) * math.cos(e) - 0.05)
            b.add(at.ELLIPSOID, place, (rng.uniform(0.08, 0.13),) * 3, style=s, blend=0.02)
    elif kind == 4:
        b.add(at.ELLIPSOID, (0, 0.22, -0.04), (w * 1.12, h * 0.9, d * 1.08), style=s)
        b.add(at.CONE, (0, 0.2, 0), (w * 1.25, w * 1.2, 0.03, 0), style=s)
        if rng.random() < 0.6:
            b.add(at.ARC, (0, 0.2, -0.05), (h, 0.06, rng.uniform(0.7, 1.6)), (0, 90, 0), style=random_style(rng))
    if rng.random() < 0.2:
        b.add(at.ELLIPSOID, (0, -0.32, d * 0.6), (w * 0.6, rng.uniform(0.12, 0.3), 0.14), style=s, blend=0.04)
