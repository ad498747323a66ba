"""Families that are never trained on, kept for evaluation."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style


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
