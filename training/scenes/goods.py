"""Families of made things: machine parts with holes and pockets, plates and outlines, shoes, bottles and hand tools."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, Style, random_style

ACROSS = (None, (90, 0, 0), (0, 0, 90))


def part(b: Builder, rng: Random) -> None:
    """Brackets, blocks, bearings, clamps: boxes and cylinders drilled through, pocketed and ribbed."""
    b.style, trim = random_style(rng, 0.2), random_style(rng, 0.2)
    w, h, d = rng.uniform(0.3, 0.55), rng.uniform(0.06, 0.3), rng.uniform(0.2, 0.45)
    soft = rng.choice([0, 0, 0.01, 0.03])
    b.add(at.BOX, (0, 0, 0), (w, h, d), rounding=soft)
    kind, t, up = rng.randrange(4), rng.uniform(0.04, 0.1), rng.uniform(0.2, 0.6)
    if kind == 0:  # a wall or two
        b.add(at.BOX, (w - t, up, 0), (t, up, d), rounding=soft, mirror=rng.randint(0, 1))
        hole = rng.uniform(0.25, 0.7) * min(up, d)
        b.add(at.CONE, (w, up + h * 0.5, 0), (hole, hole, 1.5, 0), (0, 0, 90), cut=True, mirror=1)
        if rng.random() < 0.5:
            b.add(at.BOX, (w * 0.5, up * 0.5, 0), (w * 0.5, up * 0.4, t * 0.6), mirror=1)
    elif kind == 1:  # a bearing block
        r = rng.uniform(0.6, 1.1) * d
        b.add(at.CONE, (0, up, 0), (r, r, d, 0), (90, 0, 0), blend=0.02)
        b.add(at.BOX, (0, up / 2, 0), (r, up / 2, d * 0.8))
        hole = r * rng.uniform(0.4, 0.8)
        b.add(at.CONE, (0, up, 0), (hole, hole, 2, 0), (90, 0, 0), cut=True)
    elif kind == 2:  # bosses
        for _ in range(rng.randint(1, 3)):
            r, x = rng.uniform(0.08, 0.2), rng.uniform(0, w - 0.1)
            b.add(at.CONE, (x, up * 0.5, 0), (r, r * rng.uniform(0.7, 1), up * 0.6, 0), mirror=1, style=trim)
            b.add(at.CONE, (x, up, 0), (r * 0.6, r * 0.6, up * rng.uniform(0.3, 3), 0), mirror=1, cut=True)
    else:  # a channel
        b.add(at.BOX, (0, h, 0), (w * rng.uniform(0.3, 0.7), h * rng.uniform(0.5, 1.2), d * 2), cut=True)
    for _ in range(rng.randint(0, 3)):
        lying = rng.random() < 0.33
        size = rng.uniform(0.3, 0.75) * (h if lying else min(0.5 * d, 0.2))
        turn = (90, 0, 0) if lying else None
        room = w - size - 0.04, max(d - size - 0.04, 0)  # no sliver between a hole and the edge
        place = (rng.uniform(0, room[0]), 0, 0 if lying else rng.uniform(0, room[1]))
        b.add(at.CONE, place, (size, size, 1.5, rng.choice([0, 0, 0, 4, 6])), turn, cut=True, mirror=rng.choice([1, 3]))
    if rng.random() < 0.35:
        size = (w * rng.uniform(0.2, 0.6), h * 0.7, d * rng.uniform(0.3, 0.7))
        b.add(at.BOX, (rng.choice([0, w * 0.5]), h, 0), size, cut=True, mirror=1, style=trim)


def plate(b: Builder, rng: Random) -> None:
    """Extruded outlines: signs, letters, stars, shields, panels with windows, puzzle pieces; flat in x-z."""
    b.style, trim, thin = random_style(rng), random_style(rng), rng.uniform(0.02, 0.14)
    rng.choice([_glyph, _star, _panel, _disc])(b, rng, thin, trim)
    if rng.random() < 0.2:
        b.add(at.BOX, (0, -thin - 0.03, 0), (0.65, 0.03, 0.5), style=trim, rounding=0.01)


def _glyph(b: Builder, rng: Random, thin: float, trim: Style) -> None:
    """Strokes of one width that hang together, as letters and numbers do."""
    width, soft = rng.uniform(0.05, 0.11), rng.choice([0, 0, 0.02])
    spots = [(x, z) for x in (-0.35, 0.0, 0.35) for z in (-0.5, 0.0, 0.5)]
    here = rng.choice(spots)
    for _ in range(rng.randint(3, 6)):
        there = rng.choice([s for s in spots if s != here and abs(s[0] - here[0]) + abs(s[1] - here[1]) < 1.2])
        dx, dz = there[0] - here[0], there[1] - here[1]
        length = (dx * dx + dz * dz) ** 0.5
        middle = ((here[0] + there[0]) / 2, 0.0, (here[1] + there[1]) / 2)
        b.add(at.BOX, middle, (length / 2 + width, thin, width), _toward(dx, dz), rounding=soft)
        here = there
    if rng.random() < 0.4:
        r = rng.uniform(0.15, 0.28)
        b.add(at.CONE, (here[0], 0, here[1]), (r + width, r + width, thin, 0), style=trim)
        b.add(at.CONE, (here[0], 0, here[1]), (r - width * 0.5,) * 2 + (thin * 3, 0), cut=True)


def _toward(dx: float, dz: float) -> tuple[float, float, float]:
    """Turn about y that lays the x axis along (dx, dz)."""
    return 0.0, -math.degrees(math.atan2(dz, dx)), 0.0


def _star(b: Builder, rng: Random, thin: float, trim: Style) -> None:
    """Rays, petals or crosses around a middle."""
    n, r = rng.randint(3, 12), rng.uniform(0.15, 0.35)
    b.add(at.CONE, (0, 0, 0), (r, r, thin, rng.choice([0, n])))
    kind, long = rng.randrange(3), rng.uniform(0.1, 0.3)
    if kind == 0:
        b.add(at.CONE, (r + long * 0.6, 0, 0), (long,) * 2 + (thin, 3), (0, rng.choice([0, 180]), 0), radial=n)
    elif kind == 1:
        b.add(at.ELLIPSOID, (r + long * 0.6, 0, 0), (long, thin, max(0.05, 1.8 * r / n)), radial=n, style=trim)
    else:
        b.add(at.BOX, (r + long * 0.5, 0, 0), (long, thin, max(0.04, 1.3 * r / n)), radial=n)
    if rng.random() < 0.5:
        q = r * rng.uniform(0.3, 0.7)
        b.add(at.CONE, (0, 0, 0), (q, q, 1, rng.choice([0, n])), cut=True)


def _panel(b: Builder, rng: Random, thin: float, trim: Style) -> None:
    """A board with windows, slots or raised signs."""
    w, d = rng.uniform(0.3, 0.6), rng.uniform(0.3, 0.6)
    b.add(at.BOX, (0, 0, 0), (w, thin, d), rounding=rng.choice([0, 0, 0.03]))
    if rng.random() < 0.4:
        q = rng.uniform(0.1, 0.25)
        b.add(at.CONE, (w, 0, rng.uniform(-d, d) * 0.5), (q, q, thin * 3, 0), cut=rng.random() < 0.5)
    for _ in range(rng.randint(1, 4)):
        x, z, s = rng.uniform(0, w * 0.7), rng.uniform(-d, d) * 0.7, rng.uniform(0.06, 0.2)
        cut = rng.random() < 0.6
        y, half = (0.0, 1.0) if cut else (thin, 0.04)
        if rng.random() < 0.5:
            b.add(at.BOX, (x, y, z), (s, half, s * 0.6), cut=cut, style=trim, mirror=1)
        else:
            b.add(at.CONE, (x, y, z), (s, s, half, rng.choice([0, 0, 3, 6])), cut=cut, style=trim, mirror=1)


def _disc(b: Builder, rng: Random, thin: float, trim: Style) -> None:
    """Coins, medals, buttons, shields, round signs."""
    r, sides = rng.uniform(0.4, 0.55), rng.choice([0, 0, 0, 3, 4, 5, 6, 8])
    b.add(at.CONE, (0, 0, 0), (r, r, thin, sides), rounding=rng.choice([0, 0.02]))
    q = r * rng.uniform(0.6, 0.85)
    if rng.random() < 0.6:
        b.add(at.CONE, (0, thin, 0), (q, q, thin * rng.uniform(0.3, 0.8), sides), cut=True)
    if rng.random() < 0.6:
        b.add(at.ELLIPSOID, (0, thin * 0.6, 0), (q * 0.6, thin * rng.uniform(0.6, 2), q * 0.6), style=trim)
    elif rng.random() < 0.6:
        b.add(at.CONE, (q * 0.4, 0, 0), (q * 0.2, q * 0.2, 1, 0), cut=True, radial=rng.choice([2, 3, 4]))
    if rng.random() < 0.4:
        b.add(at.TORUS, (0, 0, r + 0.03), (0.07, 0.022), style=trim)


def shoe(b: Builder, rng: Random) -> None:
    """Shoes, boots, slippers along z: sole, heel, toe cap, shaft (open above), tongue, laces."""
    b.style, sole, lace = random_style(rng), random_style(rng), random_style(rng, 0)
    w, k = rng.uniform(0.13, 0.18), rng.uniform(0.03, 0.07)
    heel, thick = rng.choice([0, 0.02, 0.06, 0.16]), rng.uniform(0.02, 0.05)
    b.add(at.ELLIPSOID, (0, 0.05, 0.3), (w, rng.uniform(0.09, 0.14), 0.27), blend=k)
    b.limb((0, 0.08 + heel, -0.3), (0, 0.06, 0.2), w * 0.8, w * 0.8, blend=k)
    shaft = rng.choice([0.1, 0.15, 0.25, 0.5, 0.7])
    r = w * rng.uniform(0.85, 1.05)
    foot, top = 0.05 + heel, 0.15 + heel + shaft
    back = -0.26
    b.add(at.CONE, (0, (foot + top) / 2, back), (w * 0.9, r, (top - foot) / 2, 0), blend=k, rounding=0.01)
    if rng.random() < 0.7:
        b.add(at.ELLIPSOID, (0, 0.17 + heel, -0.02), (w * 0.5, 0.12, 0.22), (25, 0, 0), blend=k)
    b.add(at.BOX, (0, -0.55, 0), (1, 0.5, 1), cut=True)
    inner = r - rng.uniform(0.02, 0.04)
    deep = min(shaft, 0.45) + 0.03
    b.add(at.CONE, (0, top - deep / 2 + 0.03, back), (inner * 0.9, inner, deep / 2 + 0.03, 0), cut=True, style=sole)
    b.add(at.ELLIPSOID, (0, -thick, 0.27), (w * 1.06, thick * 1.2, 0.3), style=sole)
    b.add(at.BOX, (0, -thick, -0.02), (w * 0.75, thick * 0.8, 0.36), style=sole, rounding=0.015)
    b.add(at.BOX, (0, heel / 2 - thick, -0.32), (w * 0.7, heel / 2 + thick, 0.1), style=sole, rounding=0.01)
    if rng.random() < 0.6:
        n = rng.randint(3, 6)
        turn = (rng.uniform(20, 40), 0, 0)
        b.add(at.BOX, (0, 0.18 + heel, 0.06), (w * 0.6, 0.012, 0.012), turn, rows=(n, 0.06), style=lace, rounding=0.008)


def bottle(b: Builder, rng: Random) -> None:
    """Bottles, flasks, tubs, sprays, and hand tools with a grip; solid, lying or standing."""
    b.style, trim = random_style(rng), random_style(rng)
    (_flask if rng.random() < 0.6 else _grip)(b, rng, trim)


def _flask(b: Builder, rng: Random, trim: Style) -> None:
    """Body, shoulder, neck, cap; label, handle or spray head."""
    r, tall, sides = rng.uniform(0.14, 0.34), rng.uniform(0.2, 0.5), rng.choice([0, 0, 0, 4, 6, 8])
    neck, up = r * rng.uniform(0.2, 0.6), rng.uniform(0.04, 0.3)
    b.add(at.CONE, (0, 0, 0), (r * rng.uniform(0.85, 1), r, tall, sides), rounding=0.02, blend=0.03)
    slope = rng.uniform(0.04, 0.25)
    b.add(at.CONE, (0, tall + slope, 0), (r, neck, slope, sides), rounding=0.02, blend=rng.choice([0, 0.05]))
    y = tall + 2 * slope
    b.add(at.CONE, (0, y + up / 2, 0), (neck, neck, up, 0))
    if rng.random() < 0.5:
        b.add(
            at.CONE,
            (0, tall * rng.uniform(-0.3, 0.2), 0),
            (r * 1.03,) * 2 + (tall * 0.5, sides),
            style=trim,
            rounding=0.02,
        )
    kind = rng.random()
    if kind < 0.6:
        q = neck * rng.uniform(1.1, 1.6)
        b.add(at.CONE, (0, y + up * 1.5, 0), (q, q * rng.uniform(0.8, 1), rng.uniform(0.03, 0.12), 0), style=trim)
    elif kind < 0.75:
        b.add(at.BOX, (0, y + up * 1.5 + 0.05, 0.06), (0.06, 0.06, 0.16), style=trim, rounding=0.02)
        b.limb((0, y + up * 1.5, 0.14), (0, y + up * 0.6, 0.17), 0.03, 0.02, style=trim)
    if rng.random() < 0.25:
        b.add(at.ARC, (r * 0.9, tall * 0.4, 0), (tall * 0.5, 0.04, 1.6), (0, 0, -90), mirror=rng.randint(0, 1))


def _grip(b: Builder, rng: Random, trim: Style) -> None:
    """Screwdriver, mallet, torch, drill, brush, trowel."""
    r, n = rng.uniform(0.07, 0.13), rng.uniform(0.25, 0.45)
    kind = rng.randrange(4)
    b.add(at.CONE, (0, -n, 0), (r, r * rng.uniform(0.7, 1.1), n, rng.choice([0, 0, 6, 8])), rounding=0.02, blend=0.02)
    if kind == 0:
        b.limb((0, 0, 0), (0, rng.uniform(0.3, 0.7), 0), 0.035, style=trim)
        b.add(at.BOX, (0, 0.02, 0), (r * 0.8, 0.03, r * 0.8), style=trim, rounding=0.02)
    elif kind == 1:
        q, wide = rng.uniform(0.12, 0.22), rng.uniform(0.2, 0.4)
        b.add(
            at.CONE,
            (0, 0.1, 0),
            (q, q, wide, rng.choice([0, 0, 4, 8])),
            rng.choice(ACROSS[1:]),
            style=trim,
            rounding=0.01,
        )
    elif kind == 2:
        q = r * rng.uniform(1.3, 2)
        b.add(at.CONE, (0, 0.08, 0), (r, q, 0.1, 0), style=trim)
        b.add(at.CONE, (0, 0.24, 0), (q, q, 0.08, 0), style=trim)
        b.add(at.CONE, (0, 0.34, 0), (q * 0.8, q * 0.85, 0.08, 0), cut=True, style=random_style(rng))
    else:
        b.add(at.CONE, (0, 0.12, 0.1), (r * 1.2, r * 1.5, 0.3, 0), (90, 0, 0), style=trim, rounding=0.02)
        b.limb((0, 0.12, 0.35), (0, 0.12, rng.uniform(0.5, 0.8)), 0.05, 0.03, style=random_style(rng))
        b.add(at.BOX, (0, -2 * n, 0.05), (r * 1.1, 0.08, r * 1.7), style=trim, rounding=0.02)
