"""Families of animals: four legs, birds, insects."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style
from .plinth import plinth


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
    _legs(b, rng, long, fat, leg, k)
    _head(b, rng, long, fat, k)
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
    plinth(b, rng, -0.1 - leg, long * 1.1)
    b.style = s


def _legs(b: Builder, rng: Random, long: float, fat: float, leg: float, k: float) -> None:
    """Two pairs of bent legs, mirrored or in stride."""
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


def _head(b: Builder, rng: Random, long: float, fat: float, k: float) -> None:
    """Neck, head, snout, eyes, ears, horns."""
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
    plinth(b, rng, foot, 0.35)


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
