"""Families of hollow things with thin walls, open above, below or at both ends."""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random

from . import layout as at
from .builder import Builder, random_style

Profile = list[tuple[float, float]]
"""Height and outer radius, from the closed end to the open one."""


def turned(b: Builder, rng: Random, profile: Profile, wall: float, floor: float | None, down: bool = False) -> None:
    """A hollow turned body. floor: thickness of the closed end, None = open there too; down: opens downwards."""
    flip = -1 if down else 1
    inside, lip, sides = random_style(rng) if rng.random() < 0.4 else b.style, 0.012, rng.choice([0] * 9 + [6, 8])

    def piece(y0: float, r0: float, y1: float, r1: float, **how: object) -> None:
        dims = (r0, r1) if not down else (r1, r0)
        b.add(at.CONE, (0, flip * (y0 + y1) / 2, 0), (*dims, (y1 - y0) / 2, sides), **how)  # type: ignore[arg-type]

    for (y0, r0), (y1, r1) in pairwise(profile):
        piece(y0, r0, y1, r1)
    lowest = profile[0][0] + (-1.0 if floor is None else floor)
    for (y0, r0), (y1, r1) in pairwise(profile):
        slope = (r1 - r0) / (y1 - y0)
        thick = wall * math.sqrt(1 + slope * slope)
        a, z = max(y0 - lip, lowest), y1 + lip  # pieces overlap: no skin stays between them
        if z - a > 2 * lip:
            low, high = (max(r - thick + slope * d, 0.01) for r, d in ((r0, a - y0), (r1, lip)))
            piece(a, low, z, high, cut=True, style=inside)


def _curve(rng: Random, kind: str) -> Profile:
    """A profile of 3 to 7 pieces, height about 1, closed end first."""
    n, r, tall = rng.randint(3, 7), rng.uniform(0.3, 0.6), rng.uniform(0.3, 1.1)
    power, foot = rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.5)
    radius = {
        "bowl": lambda t: r * max(t, 0.03) ** power,
        "bell": lambda t: r * (foot + (1 - foot) * (0.5 * math.sqrt(max(t, 0.01)) + 0.5 * t**3)),
        "cup": lambda t: r * 0.7 * (1 - 0.4 * foot * (1 - t)),
        "vase": lambda t: r * 0.7 * (0.75 + foot * math.sin(6.3 * t * power + 5 * foot)),
        "funnel": lambda t: r * (0.12 + foot * 0.2 + t * t),
    }[kind]
    return [(tall * i / n, radius(i / n)) for i in range(n + 1)]


def bowl(b: Builder, rng: Random) -> None:
    """Bowls, cups, mugs, bells, vases, funnels, lampshades, pots: one end open, or both."""
    b.style = random_style(rng)
    kind = rng.choice(["bowl", "bowl", "bell", "bell", "cup", "cup", "vase", "funnel"])
    profile, wall = _curve(rng, kind), rng.uniform(0.025, 0.08)
    floor = None if rng.random() < 0.2 or kind == "funnel" else rng.uniform(0.03, 0.1)
    down = kind == "bell" or rng.random() < 0.15
    turned(b, rng, profile, wall, floor, down)
    end, (top, wide) = -1 if down else 1, profile[-1]
    if rng.random() < 0.35:
        b.add(at.TORUS, (0, end * top, 0), (wide - wall / 2, wall * rng.uniform(0.6, 1)), style=random_style(rng))
    if rng.random() < 0.4:
        size, bar = rng.uniform(0.12, 0.22), rng.uniform(0.025, 0.05)
        side = [(y, r) for y, r in profile if r > 0.1]
        y, r = side[len(side) // 2]
        arc = (size, bar, rng.uniform(1.4, 2.1))
        b.add(at.ARC, (r * 0.95, end * y, 0), arc, (0, 0, -90), mirror=int(rng.random() < 0.4))
    if down and floor is not None and rng.random() < 0.7:
        b.add(at.TORUS, (0, rng.uniform(0.02, 0.1), 0), (0.1, 0.035), (90, 0, 0), style=random_style(rng))
        if rng.random() < 0.5:
            b.limb((0, -0.05, 0), (0, -top - 0.02, 0), 0.03, 0.08, style=random_style(rng))
    elif rng.random() < 0.25 and not down:
        q = profile[0][1] * rng.uniform(0.6, 1.3)
        b.add(at.CONE, (0, -0.06, 0), (q + 0.05, q * 0.7, 0.08, 0), style=b.style)


def tube(b: Builder, rng: Random) -> None:
    """Pipes: straight, with flanges, branches and windows; bent ones; bundles."""
    b.style, kind, trim = random_style(rng), rng.random(), random_style(rng)
    r, tall = rng.uniform(0.15, 0.4), rng.uniform(0.25, 0.8)
    wall = r * rng.uniform(0.1, 0.45)
    if kind < 0.25:
        _bend(b, rng, r * 0.6, wall * 0.6)
        return
    sides = rng.choice([0, 0, 0, 4, 6])
    top = r * rng.uniform(0.7, 1)
    b.add(at.CONE, (0, 0, 0), (r, top, tall, sides))
    across = rng.random() < 0.4
    q, n = min(r, tall) * rng.uniform(0.5, 0.8), r + rng.uniform(0.1, 0.4)
    both = rng.randint(0, 1)
    if across:
        b.add(at.CONE, (n / 2, 0, 0), (q, q, n / 2, 0), (0, 0, 90), mirror=both)
    for y in (tall, -tall):
        if rng.random() < 0.4:
            b.add(at.CONE, (0, y * 0.93, 0), (r * 1.35, r * 1.35, tall * 0.07, 0), style=trim)
    b.add(at.CONE, (0, 0, 0), (r - wall, top - wall, tall * 1.2, sides), cut=True)
    if across:
        b.add(at.CONE, (n / 2 + 0.05, 0, 0), (q * 0.75, q * 0.75, n / 2, 0), (0, 0, 90), cut=True, mirror=both)
    elif rng.random() < 0.4:
        turn, count = (0, 0, 90), rng.choice([3, 4, 6, 8])
        hole = rng.uniform(0.3, 0.7) * r * math.sin(math.pi / count)
        b.add(at.CONE, (r, 0, 0), (hole, hole, r * 0.8, rng.choice([0, 4])), turn, cut=True, radial=count)


def _bend(b: Builder, rng: Random, r: float, wall: float) -> None:
    """A bent pipe with collars."""
    big, angle = r + rng.uniform(0.15, 0.4), rng.uniform(0.5, 1.4)
    b.add(at.ARC, (0, 0, 0), (big, r, angle), blend=0.0)
    for side in (1, -1):
        s, c = side * math.sin(angle), math.cos(angle)
        out = (side * c * 0.2, -abs(s) * 0.2, 0.0)
        at_end = (big * s + out[0] / 2, big * c + out[1] / 2, 0.0)
        b.add(at.CONE, at_end, (r, r, 0.1, 0), (0, 0, -math.degrees(side * angle) + 90))
        if rng.random() < 0.6:
            b.add(at.CONE, at_end, (r * 1.4, r * 1.4, 0.04, 0), (0, 0, -math.degrees(side * angle) + 90))
    b.add(at.ARC, (0, 0, 0), (big, r - wall, angle), cut=True)
    for side in (1, -1):
        s, c = side * math.sin(angle), math.cos(angle)
        far = (big * s + side * c * 0.2, big * c - abs(s) * 0.2, 0.0)
        b.add(at.CONE, far, (r - wall, r - wall, 0.35, 0), (0, 0, -math.degrees(side * angle) + 90), cut=True)


def dome(b: Builder, rng: Random) -> None:
    """Half shells: helmets with and without a face opening, caps, domes, masks, eggshells, walnut halves."""
    b.style, trim = random_style(rng), random_style(rng)
    r, wall = rng.uniform(0.38, 0.5), rng.uniform(0.02, 0.05)
    up, deep = r * rng.uniform(0.85, 1.25), r * rng.uniform(0.9, 1.25)
    low = rng.uniform(-0.7, 0.3) * up
    b.add(at.ELLIPSOID, (0, 0, 0), (r, up, deep), shell=wall)
    b.add(at.BOX, (0, low - 1, 0), (1.2, 1, 1.2), cut=True, style=trim)
    if rng.random() < 0.5:
        wide, top = r * rng.uniform(0.3, 0.75), low + up * rng.uniform(0.3, 0.75)
        kind = rng.choice([at.BOX, at.ELLIPSOID])
        b.add(kind, (0, (low + top) / 2 - 0.1, deep), (wide, (top - low) / 2 + 0.1, deep * 0.75), cut=True)
    if rng.random() < 0.25:
        b.add(at.ELLIPSOID, (r * 0.4, up * 0.1, deep), (0.09, 0.06, 0.3), cut=True, mirror=1)
    q = math.sqrt(max(1 - (low / up) ** 2, 0.05))
    brim = rng.random()
    if brim < 0.3:
        b.add(at.CONE, (0, low, 0), (r * q + 0.15, r * q + 0.05, 0.02, 0), style=trim)
        b.add(at.CONE, (0, low, 0), (r * q - 0.02, r * q - 0.02, 0.1, 0), cut=True)
    elif brim < 0.5:
        b.add(
            at.ELLIPSOID, (0, low + 0.03, deep * q), (r * 0.75, 0.02, rng.uniform(0.15, 0.35)), (12, 0, 0), style=trim
        )
    if rng.random() < 0.35:
        b.add(at.ARC, (0, 0, 0), (up + 0.02, rng.uniform(0.03, 0.07), rng.uniform(0.6, 1.3)), (0, 90, 0), style=trim)
    if rng.random() < 0.25:
        n = rng.uniform(0.2, 0.5)
        b.limb((r * 0.85, up * 0.3, 0), (r + n * 0.8, up * 0.3 + n, n * 0.3), 0.08, 0.015, mirror=1, style=trim)
    if rng.random() < 0.2:
        b.add(at.ELLIPSOID, (r * 0.98, low, deep * 0.2), (0.03, 0.2, 0.14), mirror=1, style=trim)


def box(b: Builder, rng: Random) -> None:
    """Open boxes: crates, drawers, troughs, frames of square pipe, housings with windows, baskets of slats."""
    b.style, trim = random_style(rng), random_style(rng)
    w, h, d = rng.uniform(0.25, 0.55), rng.uniform(0.12, 0.45), rng.uniform(0.2, 0.5)
    wall, rounding = rng.uniform(0.02, 0.07), rng.choice([0, 0, 0.02, 0.05])
    b.add(at.BOX, (0, 0, 0), (w, h, d), rounding=rounding)
    inner = (w - wall, h, d - wall)
    through = rng.random() < 0.25
    b.add(at.BOX, (0, 0 if through else wall, 0), (inner[0], h * (1.5 if through else 1), inner[2]), cut=True)
    if not through:
        b.add(at.BOX, (0, h, 0), (inner[0], h, inner[2]), cut=True)  # clear of the rounding
    if rng.random() < 0.4:
        n = rng.randint(1, 4)
        hole = (w * 0.6 / n, h * rng.uniform(0.15, 0.5), 1.0)
        b.add(at.BOX, (0, 0.1 * h, 0), hole, cut=True, line=(n, 2 * w / n * 0.9))
    if rng.random() < 0.35:
        b.add(at.BOX, (0, rng.uniform(0.3, 0.9) * h, 0), (w * 0.98, 0.015, d * 0.98), style=trim, rounding=0.01)
        b.add(at.BOX, (0, 0, 0), (w * 0.4, h * 1.2, d * 0.6), cut=True)
    if rng.random() < 0.4:
        a = rng.uniform(20, 100)  # an open lid, hinged behind
        up, back = math.sin(math.radians(a)), math.cos(math.radians(a))
        b.add(at.BOX, (0, h + d * up, -d - d * back), (w, 0.025, d), (a, 0, 0), style=trim)
    if rng.random() < 0.5:
        b.add(at.ARC, (w, 0, 0), (0.1, 0.02, 1.7), (90, 0, -90), mirror=1, style=trim)
    if rng.random() < 0.4:
        b.add(at.BOX, (w * 0.85, -h - 0.05, d * 0.85), (0.04, 0.07, 0.04), mirror=3, style=trim)
