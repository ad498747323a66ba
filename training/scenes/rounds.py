"""Families of round things around y that are photographed from everywhere: wheels, gears, spools, rotors, rings."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style


def hub(b: Builder, rng: Random) -> None:
    """Solid wheels, gears, flanges, spools, rotors, impellers: a rim or disc, spokes or blades, mostly with a bore."""
    b.style, trim = random_style(rng), random_style(rng)
    r, h = rng.uniform(0.4, 0.6), rng.uniform(0.05, 0.3)
    rng.choice([_wheel, _gear, _flange, _spool, _rotor, _impeller])(b, rng, r, h, trim)


def _bore(b: Builder, rng: Random, r: float, chance: float = 0.75) -> None:
    """Sometimes a hole along the axis, sometimes smaller ones around it."""
    if rng.random() < chance:
        b.add(at.CONE, (0, 0, 0), (r, r, 1.5, rng.choice([0, 0, 0, 0, 4, 6])), cut=True)


def _holes(b: Builder, rng: Random, place: float, r: float) -> None:
    """A ring of round or square through holes at distance ``place``."""
    n = rng.choice([3, 4, 5, 6, 8, 12])
    r = min(r, 0.75 * place * math.sin(math.pi / n))
    b.add(at.CONE, (place, 0, 0), (r, r, 1.5, rng.choice([0, 0, 0, 4])), cut=True, radial=n)


def _wheel(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """Rim, a few thick spokes or a disc, hub."""
    rim = rng.uniform(0.06, 0.3) * r
    inner = r - rim
    b.add(at.CONE, (0, 0, 0), (r, r, h, 0), rounding=rng.choice([0, 0, 0.02]))
    b.add(at.CONE, (0, 0, 0), (inner, inner, h * 2, 0), cut=True)
    if rng.random() < 0.3:
        b.add(at.TORUS, (0, 0, 0), (r, rng.uniform(0.5, 1.0) * min(h, 0.15)), style=trim)
    core, web = rng.uniform(0.15, 0.4) * inner, rng.uniform(0.15, 0.8) * h
    n, kind = rng.choice([3, 4, 5, 5, 6, 8]), rng.random()
    middle, half = (core + inner) / 2, (inner - core) / 2 + 0.02
    if kind < 0.3:
        b.add(at.CONE, (0, 0, 0), (inner + 0.01, inner + 0.01, web, 0))
        if rng.random() < 0.7:
            _holes(b, rng, middle, half * rng.uniform(0.4, 0.85))
    elif kind < 0.75:
        b.add(at.BOX, (middle, 0, 0), (half, web, rng.uniform(0.02, 0.09)), radial=n, rounding=0.005, blend=0.02)
    else:
        thick = rng.uniform(0.025, 0.06)
        b.limb((core * 0.5, 0, 0), (inner + 0.01, 0, 0), thick * 1.4, thick, radial=n, blend=0.02)
    b.add(at.CONE, (0, 0, 0), (core, core * rng.uniform(0.7, 1), h * rng.uniform(0.6, 1.6), 0), style=trim)
    _bore(b, rng, core * rng.uniform(0.3, 0.75))


def _gear(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """Toothed disc with a boss, pockets or holes."""
    n, deep = rng.randint(8, 28), rng.uniform(0.03, 0.1)
    b.add(at.CONE, (0, 0, 0), (r, r, h, 0))
    tooth = math.pi * r / n * rng.uniform(0.4, 0.65)
    b.add(at.BOX, (r, 0, 0), (deep, h, tooth), radial=n, rounding=rng.choice([0, 0.008]))
    if rng.random() < 0.4:
        pocket = r * rng.uniform(0.6, 0.85)
        for side in (1, -1):
            b.add(at.CONE, (0, side * h, 0), (pocket, pocket, h * rng.uniform(0.3, 0.8), 0), cut=True)
    if rng.random() < 0.6:
        _holes(b, rng, r * rng.uniform(0.5, 0.62), r * 0.2)
    core = r * rng.uniform(0.2, 0.4)
    if rng.random() < 0.7:
        b.add(at.CONE, (0, rng.uniform(0, h), 0), (core, core, h * rng.uniform(1, 1.8), 0), style=trim)
    _bore(b, rng, core * rng.uniform(0.4, 0.8), 0.85)


def _flange(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """Stacked discs on a neck, drilled through, a ring of bolt holes."""
    y, neck, thin = 0.0, r * rng.uniform(0.35, 0.65), h * rng.uniform(0.4, 0.8)
    for i in range(rng.randint(2, 4)):
        q, half = (r, thin) if i % 2 == 0 else (neck, rng.uniform(0.05, 0.3))
        q *= rng.uniform(0.75, 1)
        b.add(at.CONE, (0, y + half, 0), (q, q, half, rng.choice([0, 0, 0, 6])), blend=rng.choice([0, 0, 0.04]))
        y += 2 * half
    _holes(b, rng, (neck + r) / 2, (r - neck) * 0.3)
    if rng.random() < 0.3:
        b.add(at.TORUS, (0, y, 0), (neck, 0.03), style=trim)
    _bore(b, rng, neck * rng.uniform(0.4, 0.85), 0.85)


def _spool(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """Two discs on a core, sometimes with thread on it."""
    tall, core, thin = 0.15 + 1.8 * h, r * rng.uniform(0.3, 0.7), rng.uniform(0.02, 0.08)
    b.add(at.CONE, (0, 0, 0), (core, core, tall, 0))
    if rng.random() < 0.5:
        wound = core + (r - core) * rng.uniform(0.2, 0.9)
        b.add(at.CONE, (0, 0, 0), (wound, wound, tall * 0.92, 0), style=trim, rounding=0.01)
    for y in (tall, -tall):
        b.add(at.CONE, (0, y, 0), (r, r * rng.uniform(0.8, 1), thin, 0), rounding=rng.choice([0, 0.015]))
    if rng.random() < 0.4:
        _holes(b, rng, (core + r) / 2, (r - core) * 0.3)
    _bore(b, rng, core * rng.uniform(0.35, 0.85), 0.85)


def _rotor(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """A hub with a few broad slanting blades, sometimes in a ring."""
    core, n = r * rng.uniform(0.15, 0.4), rng.choice([2, 3, 4, 5, 6, 8])
    b.add(at.CONE, (0, 0, 0), (core, core * rng.uniform(0.6, 1), max(h, 0.1), 0), rounding=0.02, style=trim)
    if rng.random() < 0.4:
        b.add(at.ELLIPSOID, (0, h, 0), (core, core * rng.uniform(0.5, 1.5), core), style=trim)
    wide = min(rng.uniform(0.08, 0.25), 1.6 * r / n)
    kind, tilt = rng.choice([at.BOX, at.ELLIPSOID]), rng.uniform(10, 50) * rng.choice([1, -1])
    dims = ((r - core) / 2 + 0.04, rng.uniform(0.012, 0.035), wide)
    b.add(kind, ((core + r) / 2, 0, 0), dims, (tilt, rng.uniform(-15, 15), 0), radial=n, rounding=0.006)
    b.rows[-1][at.LIPSCHITZ] *= 0.7  # a slanting copy may be nearer in the next sector
    if rng.random() < 0.4:
        _hoop(b, r, rng.uniform(0.02, 0.06), wide * rng.uniform(0.4, 1.0))
        b.add(at.CONE, (0, 0, 0), (core, core, h, 0), style=trim)
        b.add(at.BOX, (r / 2, 0, 0), (r / 2, 0.02, 0.03), radial=n)
    _bore(b, rng, core * rng.uniform(0.3, 0.6), 0.5)


def _hoop(b: Builder, r: float, wall: float, half: float) -> None:
    """A short tube; hollows whatever was there before."""
    b.add(at.CONE, (0, 0, 0), (r, r, half, 0))
    b.add(at.CONE, (0, 0, 0), (r - wall, r - wall, half * 3, 0), cut=True)


def _impeller(b: Builder, rng: Random, r: float, h: float, trim: Style) -> None:
    """Many upright fins on a disc around a hub, sometimes under a ring."""
    n, core, fin = rng.randint(6, 18), r * rng.uniform(0.2, 0.45), 0.04 + 0.9 * h
    if rng.random() < 0.35:
        _hoop(b, r + 0.03, 0.04, fin)
    if rng.random() < 0.75:
        b.add(at.CONE, (0, -fin, 0), (r, r, rng.uniform(0.015, 0.05), 0))
    b.add(at.CONE, (0, 0, 0), (core, core * rng.uniform(0.3, 1), fin * rng.uniform(1, 1.3), 0), style=trim)
    turn = (0, rng.uniform(-35, 35), 0)
    b.add(at.BOX, ((core + r) / 2, 0, 0), ((r - core) / 2, fin, rng.uniform(0.008, 0.02)), turn, radial=n)
    b.rows[-1][at.LIPSCHITZ] *= 0.8
    _bore(b, rng, core * rng.uniform(0.3, 0.7))


def ring(b: Builder, rng: Random) -> None:
    """Rings: bands, washers, chains of links, bracelets, life belts, wreaths, coils."""
    b.style, kind, trim = random_style(rng), rng.randrange(4), random_style(rng)
    r = rng.uniform(0.3, 0.5)
    if kind == 0:
        _hoop(b, r, r * rng.uniform(0.08, 0.6), rng.uniform(0.03, 0.5))
        if rng.random() < 0.4:
            s = rng.uniform(0.04, 0.12)
            b.add(at.ELLIPSOID, (r, 0, 0), (s, s, s), radial=rng.choice([2, 3, 6, 10, 16]), style=trim)
    elif kind == 1:
        thick = r * rng.uniform(0.1, 0.6)
        b.add(at.TORUS, (0, 0, 0), (r, thick))
        if rng.random() < 0.5:
            b.add(at.TORUS, (r, 0, 0), (thick * 1.02, thick * 0.15), (0, 0, 0), style=trim, radial=rng.randint(3, 8))
        if rng.random() < 0.3:
            b.add(at.ELLIPSOID, (0, 0, r), (rng.uniform(0.1, 0.25),) * 3, style=trim)
    elif kind == 2:
        t = rng.uniform(0.03, 0.08)
        for i in range(rng.randint(2, 6)):
            b.add(at.TORUS, (0, i * 0.42, 0), (0.25, t), (90, 90 * (i % 2) + rng.uniform(-15, 15), 0))
    else:
        thick = rng.uniform(0.05, 0.14)
        for i in range(rng.randint(2, 6)):
            q = r * rng.uniform(0.85, 1.1)
            turn = (rng.uniform(-9, 9), 0, rng.uniform(-9, 9))
            b.add(at.TORUS, (0, i * thick * 1.5, 0), (q, thick), turn, style=rng.choice([b.style, trim]))
