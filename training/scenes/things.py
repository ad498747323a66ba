"""Families of made things: vessels, tools, thin frames, crowns, food, machine parts, props."""

from __future__ import annotations

import math
from random import Random

from . import layout as at
from .builder import Builder, random_style


def vessel(b: Builder, rng: Random) -> None:
    """A turned body with handles, spout, lid; hollow when open."""
    b.style = random_style(rng)
    y, r = -0.6, rng.uniform(0.12, 0.4)
    profile = [r]
    for _ in range(rng.randint(2, 5)):
        h, nxt = rng.uniform(0.06, 0.3), min(max(r * rng.uniform(0.5, 1.7), 0.05), 0.5)
        b.add(at.CONE, (0, y + h, 0), (r, nxt, h, 0), blend=rng.choice([0, 0.03, 0.08]), rounding=0.01)
        y, r = y + 2 * h, nxt
        profile.append(r)
    if rng.random() < 0.4:
        b.add(
            at.ELLIPSOID,
            (0, y - rng.uniform(0.3, 0.7) * (y + 0.6), 0),
            (max(profile) * 1.1, (y + 0.6) * 0.3, max(profile) * 1.1),
            blend=0.05,
        )
    middle = (y - 0.6) / 2
    if rng.random() < 0.5:
        hr, both = rng.uniform(0.1, 0.28), rng.random() < 0.4
        side = -1 if rng.random() < 0.5 and not both else 1
        b.add(
            at.ARC,
            (side * max(profile) * 0.9, middle, 0),
            (hr, rng.uniform(0.02, 0.05), rng.uniform(1.4, 2.2)),
            (0, 0, -90 * side),
            mirror=int(both),
        )
    if rng.random() < 0.25:
        b.limb(
            (0, middle - 0.1, max(profile) * 0.8), (0, y * 0.9, max(profile) * 0.9 + rng.uniform(0.15, 0.4)), 0.09, 0.04
        )
    if rng.random() < 0.6 and r > 0.07:
        inner = r * rng.uniform(0.7, 0.92)
        b.add(at.CONE, (0, y, 0), (inner * 0.8, inner, rng.uniform(0.1, 0.5), 0), cut=True, style=random_style(rng))
    elif rng.random() < 0.6:
        lid = random_style(rng)
        b.add(at.ELLIPSOID, (0, y, 0), (r * 1.05, rng.uniform(0.03, 0.15), r * 1.05), style=lid)
        b.add(at.ELLIPSOID, (0, y + 0.12, 0), (0.05, rng.uniform(0.03, 0.1), 0.05), style=lid)
    if rng.random() < 0.3:
        b.add(at.TORUS, (0, middle, 0), (max(profile), 0.03), style=random_style(rng))


def tool(b: Builder, rng: Random) -> None:
    """Long thin tools and weapons: hammer, axe, sword, spoon, brush, key, wrench."""
    b.style, head = random_style(rng), random_style(rng)
    n, t = rng.uniform(0.4, 0.9), rng.uniform(0.02, 0.06)
    b.limb((0, -n, 0), (0, n * 0.5, 0), t * rng.uniform(0.8, 1.4), t)
    kind = rng.randrange(7)
    if kind == 0:
        b.add(at.BOX, (0, n * 0.5, 0), (rng.uniform(0.15, 0.3), 0.07, 0.07), style=head, rounding=0.01)
        b.add(at.CONE, (0.28, n * 0.5, 0), (0.09, 0.09, 0.04, 0), (0, 0, 90), style=head)
    elif kind == 1:
        m = int(rng.random() < 0.5)
        b.add(at.CONE, (0.16, n * 0.45, 0), (0.1, 0.26, 0.14, 4), (0, 0, -90), style=head, mirror=m)
        b.add(at.BOX, (0, n * 0.45, 0.2), (0.5, 0.4, 0.17), style=head, cut=True, mirror=2)
    elif kind == 2:
        b.add(at.BOX, (0, n * 0.5 + n * 0.7, 0), (rng.uniform(0.03, 0.09), n * 0.7, 0.012), style=head, rounding=0.005)
        b.add(at.CONE, (0, n * 0.5 + n * 1.5, 0), (0.07, 0.0, n * 0.14, 4), style=head)
        b.add(at.BOX, (0, n * 0.5, 0), (rng.uniform(0.1, 0.3), 0.03, 0.035), style=head, rounding=0.01)
        b.add(at.ELLIPSOID, (0, -n, 0), (0.07,) * 3, style=head)
    elif kind == 3:
        b.add(at.ELLIPSOID, (0, n * 0.75, 0.02), (rng.uniform(0.1, 0.2), 0.26, 0.05), style=head, blend=0.03)
        b.add(at.ELLIPSOID, (0, n * 0.75, 0.08), (0.12, 0.2, 0.06), style=head, cut=True)
    elif kind == 4:
        b.add(at.TORUS, (0, n * 0.7, 0), (rng.uniform(0.12, 0.25), t), (90, 0, 0), style=head)
        b.add(at.BOX, (0.08, -n * 0.8, 0), (0.1, 0.04, 0.02), (0, 0, 0), style=head)
    elif kind == 5:
        b.add(at.BOX, (0, n * 0.6, 0), (0.25, 0.06, 0.05), style=head)
        b.add(
            at.BOX,
            (0, n * 0.75, 0),
            (0.012, 0.14, 0.012),
            style=random_style(rng),
            line=(rng.randint(5, 9), 0.055),
            rows=(2, 0.05),
        )
    else:
        b.add(at.ELLIPSOID, (0, n * 0.6, 0), (0.2, 0.2, 0.06), style=head)
        b.add(at.BOX, (0, n * 0.78, 0), (0.08, 0.12, 0.2), style=head, cut=True)
    if rng.random() < 0.4:
        b.add(at.CONE, (0, -n * 0.6, 0), (t * 1.5, t * 1.5, n * 0.3, rng.choice([0, 6])), style=random_style(rng))
    tilt, row = rng.uniform(-50, 50), b.rows
    _turn_all(row, tilt if rng.random() < 0.6 else 0.0)


def _turn_all(rows: list[list[float]], degrees: float) -> None:
    """Lean a finished object without mirrored parts about z."""
    if degrees == 0.0 or any(r[at.MIRROR] or r[at.REPEAT] == at.RADIAL for r in rows):
        return
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for r in rows:
        x, y = r[7], r[8]
        r[7], r[8] = c * x - s * y, s * x + c * y
        for i in (10, 13, 16):  # world -> own: times the inverse turn
            u, v = r[i], r[i + 1]
            r[i], r[i + 1] = u * c - v * s, u * s + v * c


def frame(b: Builder, rng: Random) -> None:
    """Thin structures: ladders, fences, cages, racks, swings, scaffolds."""
    b.style = random_style(rng)
    t, w, h, d = rng.uniform(0.012, 0.035), rng.uniform(0.15, 0.6), rng.uniform(0.3, 0.7), rng.uniform(0.15, 0.5)
    kind = rng.randrange(6)
    if kind == 0:  # ladder
        lean = rng.uniform(-20, 20)
        b.add(at.BOX, (w * 0.4, 0, 0), (t, h, t * 1.3), mirror=1)
        b.add(at.CONE, (0, 0, 0), (t * 0.7, t * 0.7, w * 0.4, 0), (0, 0, 90), line=(rng.randint(4, 9), h / 5))
        if abs(lean) > 10:
            b.add(at.BOX, (w * 0.4, 0, -0.2), (t, h, t), (-lean, 0, 0), mirror=1)
    elif kind == 1:  # fence
        n = rng.randint(4, 10)
        b.add(at.BOX, (0, 0, 0), (t * 1.5, h * 0.6, t * 0.6), line=(n, 1.6 / n))
        b.add(at.BOX, (0, rng.uniform(0.1, 0.3), t), (0.8, t * 1.2, t * 0.6))
        b.add(at.BOX, (0, -rng.uniform(0.1, 0.3), t), (0.8, t * 1.2, t * 0.6))
    elif kind == 2:  # cage
        b.add(at.FRAME, (0, 0, 0), (w, h, d, t))
        n = rng.randint(3, 7)
        b.add(at.CONE, (0, 0, d - t), (t * 0.6, t * 0.6, h, 0), line=(n, 2 * w / n), mirror=2)
        if rng.random() < 0.6:
            b.add(at.BOX, (0, -h, 0), (w, t, d))
        if rng.random() < 0.5:
            b.add(at.ELLIPSOID, (0, -h * 0.3, 0), (w * 0.4, h * 0.4, d * 0.4), style=random_style(rng))
    elif kind == 3:  # rack of frames
        b.add(at.FRAME, (0, 0, 0), (w, h, d, t))
        for i in range(rng.randint(1, 4)):
            b.add(at.BOX, (0, -h + (i + 0.5) * 0.4 * h, 0), (w, t * 0.8, d), style=random_style(rng))
    elif kind == 4:  # swing, gate
        b.limb((w, -h, d * 0.5), (w, h, 0), t * 1.2, mirror=3)
        b.limb((-w * 1.1, h, 0), (w * 1.1, h, 0), t * 1.4)
        b.limb((w * 0.4, h, 0), (w * 0.4, -h * 0.4, 0.05), t * 0.6, mirror=1)
        b.add(at.BOX, (0, -h * 0.4, 0.05), (w * 0.5, t, 0.1), style=random_style(rng))
    else:  # wheel with spokes
        r, n = rng.uniform(0.4, 0.7), rng.randint(4, 14)
        flat = rng.random() < 0.3
        b.add(at.TORUS, (0, 0, 0), (r, t * rng.uniform(1, 2.5)), style=random_style(rng))
        b.add(at.CAPSULE, (0.05, 0, 0), (t * 0.6, t * 0.6, r - 0.05), (0, 0, -90), radial=n)
        b.add(at.CONE, (0, 0, 0), (0.08, 0.08, t * 3, 0))
        if not flat and not any(row[at.REPEAT] == at.LINE for row in b.rows):
            b.add(at.BOX, (0, -0.1, 0), (0.1, 0.1, 0.1))


def crown(b: Builder, rng: Random) -> None:
    """Rings with points, stones and arches."""
    b.style, gem = random_style(rng, 0.2), random_style(rng, 0)
    r, t, n = rng.uniform(0.35, 0.6), rng.uniform(0.015, 0.04), rng.randint(5, 14)
    h = rng.uniform(0.05, 0.2)
    flare = rng.uniform(0.9, 1.3)
    b.add(at.CONE, (0, 0, 0), (r, r * flare, h, 0))
    b.add(at.CONE, (0, 0, 0), (r - 2 * t, r * flare - 2 * t, h * 1.2, 0), cut=True)
    b.add(at.TORUS, (0, -h, 0), (r, t * 1.3))
    top = r * flare
    kind = rng.random()
    if kind < 0.5:
        tall = rng.uniform(0.1, 0.4)
        b.add(at.CONE, (top, h + tall * 0.5, 0), (top * 2 / n, 0.01, tall * 0.6, 4), (0, 0, -10), radial=n)
        b.add(at.ELLIPSOID, (top + 0.03, h + tall, 0), (0.03,) * 3, radial=n, style=gem)
    else:
        b.add(at.ARC, (top, h, 0), (top * 2.4 / n, t, 1.6), (0, 90, 0), radial=n)
        b.add(at.ELLIPSOID, (top, h + top * 2.4 / n, 0), (0.04, 0.06, 0.04), radial=n, style=gem)
    b.add(at.ELLIPSOID, (r * (1 + flare) / 2, 0, 0), (t * 1.5, h * 0.5, 0.05), radial=n, style=gem, phase=math.pi / n)
    if rng.random() < 0.3:
        b.add(at.ELLIPSOID, (0, h, 0), (r * 0.9, h + 0.2, r * 0.9), style=random_style(rng))


def food(b: Builder, rng: Random) -> None:
    """Round soft things: fruit, cakes, burgers, ice cream."""
    b.style, kind = random_style(rng, 0.4), rng.randrange(4)
    if kind == 0:
        r = rng.uniform(0.3, 0.5)
        b.add(at.ELLIPSOID, (0, 0, 0), (r, r * rng.uniform(0.7, 1.5), r), blend=0.05)
        b.add(at.ELLIPSOID, (0, r, 0), (0.12, 0.1, 0.12), cut=True, blend=0.08)
        b.limb((0, r * 0.6, 0), (rng.uniform(-0.1, 0.1), r + rng.uniform(0.1, 0.3), 0), 0.025, style=random_style(rng))
        b.add(at.ELLIPSOID, (0.12, r + 0.1, 0), (0.15, 0.012, 0.06), (0, 0, 30), style=random_style(rng), bend=-1)
    elif kind == 1:
        y, r = 0.0, rng.uniform(0.35, 0.6)
        for _ in range(rng.randint(2, 6)):
            h = rng.uniform(0.03, 0.14)
            b.add(
                at.CONE, (0, y + h, 0), (r, r * rng.uniform(0.85, 1.05), h, 0), style=random_style(rng), rounding=0.03
            )
            y, r = y + 2 * h, r * rng.uniform(0.7, 1.1)
        n = rng.randint(4, 10)
        b.add(at.ELLIPSOID, (r * 0.7, y + 0.04, 0), (0.06,) * 3, radial=n, style=random_style(rng))
    elif kind == 2:
        b.add(at.CONE, (0, -0.3, 0), (0.02, 0.26, 0.4, 0), style=random_style(rng))
        for i in range(rng.randint(1, 4)):
            b.add(
                at.ELLIPSOID,
                (rng.uniform(-0.12, 0.12), 0.2 + 0.2 * i, rng.uniform(-0.1, 0.1)),
                (0.26 - 0.03 * i,) * 3,
                style=random_style(rng),
                blend=0.04,
            )
    else:
        b.add(at.ELLIPSOID, (0, 0.16, 0), (0.5, 0.24, 0.5))
        b.add(at.ELLIPSOID, (0, -0.16, 0), (0.5, 0.14, 0.5), blend=0.02)
        for i in range(rng.randint(1, 4)):
            b.add(
                at.CONE,
                (0, 0.1 - 0.08 * i, 0),
                (0.53, 0.5, 0.03, rng.choice([0, 4, 0])),
                (0, 30 * i, 0),
                style=random_style(rng),
                rounding=0.01,
            )


def csg(b: Builder, rng: Random) -> None:
    """Anything: stacked and drilled machine parts, rings, prisms, bars."""
    b.style = random_style(rng)
    sym = rng.choice([0, 1, 1, 3])
    for i in range(rng.randint(2, 12)):
        kind = rng.choice([at.BOX, at.BOX, at.CONE, at.CONE, at.TORUS, at.CAPSULE, at.ELLIPSOID, at.FRAME, at.ARC])
        place = (
            (0.0, 0.0, 0.0)
            if i == 0
            else (
                rng.uniform(-0.6, 0.6) * (rng.random() < 0.7),
                rng.uniform(-0.6, 0.6),
                rng.uniform(-0.5, 0.5) * (rng.random() < 0.7),
            )
        )
        s = rng.uniform(0.08, 0.5)
        dims: tuple[float, ...] = (s, s * rng.uniform(0.1, 1.4), s * rng.uniform(0.1, 1.4))
        if kind == at.CONE:
            dims = (s * 0.8, s * rng.uniform(0.1, 1), s * rng.uniform(0.1, 1.6), rng.choice([0, 0, 0, 3, 4, 5, 6, 8]))
        elif kind == at.TORUS:
            dims = (s, rng.uniform(0.02, 0.1))
        elif kind == at.CAPSULE:
            dims = (rng.uniform(0.015, 0.12), rng.uniform(0.015, 0.12), rng.uniform(0.3, 0.9))
        elif kind == at.FRAME:
            dims = (*dims, rng.uniform(0.012, 0.04))
        elif kind == at.ARC:
            dims = (s * 0.7, rng.uniform(0.015, 0.06), rng.uniform(0.6, 2.5))
        turn = rng.choice(
            [None, (90, 0, 0), (0, 0, 90), (rng.uniform(-180, 180), rng.uniform(-180, 180), rng.uniform(-90, 90))]
        )
        cut = i > 1 and rng.random() < 0.15
        n = rng.choice([0, 0, 0, 0, 3, 5, 8])
        line = (rng.randint(2, 5), rng.uniform(0.15, 0.3)) if rng.random() < 0.1 else (1, 1.0)
        b.add(
            kind,
            place,
            dims,
            turn,
            style=random_style(rng) if rng.random() < 0.6 else None,
            cut=cut,
            mirror=sym if i else 0,
            radial=n if i and abs(place[0]) > 0.15 else 0,
            line=line,
            rounding=rng.choice([0, 0, 0.01, 0.04]),
            blend=rng.choice([0, 0, 0, 0.04]),
        )


def prop(b: Builder, rng: Random) -> None:
    """Chests, barrels, crates, signs, anvils, books, lanterns."""
    b.style, trim = random_style(rng), random_style(rng)
    w, h, d, kind = rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.45), rng.uniform(0.2, 0.4), rng.randrange(5)
    if kind == 0:
        b.add(at.BOX, (0, 0, 0), (w, h, d))
        b.add(at.CONE, (0, h, 0), (d, d, w, 0), (0, 0, 90))
        b.add(at.BOX, (0, h * 0.4, 0), (0.03, h * 1.2, d + 0.02), style=trim, line=(rng.randint(2, 4), w * 0.7))
        b.add(at.BOX, (0, h, d), (0.06, 0.08, 0.04), style=trim)
    elif kind == 1:
        r = rng.uniform(0.3, 0.45)
        b.add(at.ELLIPSOID, (0, 0, 0), (r, h * 2.4, r))
        b.add(at.BOX, (0, h * 1.6 + 0.3, 0), (0.6, 0.3, 0.6), cut=True)
        b.add(at.BOX, (0, -h * 1.6 - 0.3, 0), (0.6, 0.3, 0.6), cut=True)
        b.add(at.TORUS, (0, h * 0.8, 0), (r * 0.95, 0.025), style=trim)
        b.add(at.TORUS, (0, -h * 0.8, 0), (r * 0.95, 0.025), style=trim)
    elif kind == 2:
        b.add(at.BOX, (0, 0, 0), (w, w, w))
        b.add(at.FRAME, (0, 0, 0), (w * 1.08, w * 1.08, w * 1.08, w * rng.uniform(0.06, 0.15)), style=trim)
        b.add(at.BOX, (0, 0, 0), (w * 0.1, w * 1.35, w * 1.04), (0, 0, 45), style=trim)
    elif kind == 3:
        b.limb((0, -0.8, 0), (0, 0.4, 0), 0.035)
        b.add(
            at.BOX,
            (rng.uniform(-0.1, 0.2), 0.3, 0.05),
            (0.4, 0.12, 0.02),
            (0, rng.uniform(-20, 20), rng.uniform(-10, 10)),
            style=trim,
        )
        b.add(at.BOX, (rng.uniform(-0.2, 0.1), 0.02, 0.05), (0.34, 0.1, 0.02), (0, rng.uniform(-30, 30), 0), style=trim)
        b.add(at.ELLIPSOID, (0, -0.8, 0), (0.3, 0.08, 0.25))
    else:
        b.add(at.CONE, (0, -h, 0), (w, w * 0.9, 0.05, rng.choice([0, 4, 6])), style=trim)
        b.add(at.CONE, (0, h, 0), (w * 0.9, w * 0.2, 0.12, rng.choice([0, 4, 6])), style=trim)
        b.add(at.CONE, (0, 0, 0), (w * 0.6, w * 0.6, h * 0.9, 0))
        b.add(at.CAPSULE, (w * 0.8, -h, 0), (0.02, 0.02, 2 * h), radial=rng.randint(3, 8), style=trim)
        b.add(at.TORUS, (0, h + 0.2, 0), (0.1, 0.02), (90, 0, 0), style=trim)
