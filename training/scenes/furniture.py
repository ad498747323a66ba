"""Families of furniture: chairs, tables, cabinets, lamps."""

from __future__ import annotations

from random import Random

from . import layout as at
from .builder import Builder, random_style


def chair(b: Builder, rng: Random) -> None:
    """Seat, legs, back of slats or a board, arms, stretchers; also stools."""
    b.style, soft = random_style(rng), random_style(rng)
    w, d, leg, t = rng.uniform(0.22, 0.4), rng.uniform(0.22, 0.36), rng.uniform(0.25, 0.6), rng.uniform(0.015, 0.045)
    thick = rng.uniform(0.015, 0.08)
    b.add(
        at.BOX if rng.random() < 0.8 else at.CONE,
        (0, 0, 0),
        (w, thick, d),
        style=soft,
        rounding=rng.uniform(0, 0.03),
    )
    splay = rng.uniform(0, 0.1)
    if rng.random() < 0.8:
        if rng.random() < 0.5:
            b.limb((w - t, 0, d - t), (w - t + splay, -leg, d - t + splay), t, t * rng.uniform(0.5, 1), mirror=3)
        else:
            b.add(at.BOX, (w - t, -leg / 2, d - t), (t, leg / 2, t), mirror=3)
    else:
        b.limb((0, 0, 0), (0, -leg * 0.85, 0), t * 1.5)
        b.add(at.CAPSULE, (0, -leg * 0.85, 0), (t, t * 0.7, w * 1.1), (0, 0, -95), radial=rng.choice([3, 4, 5, 6]))
    if rng.random() < 0.4:
        b.add(at.BOX, (w - t, -leg * 0.6, 0), (t * 0.6, t * 0.6, d), mirror=1)
    if rng.random() < 0.3:
        b.add(at.BOX, (0, -leg * 0.5, d - t), (w, t * 0.6, t * 0.6), mirror=2)
    if rng.random() < 0.85:
        high, lean = rng.uniform(0.3, 0.7), rng.uniform(-15, 0)
        z = -d + t
        style = rng.random()
        if style < 0.35:
            b.add(
                at.BOX,
                (0, high / 2, z - high * 0.06),
                (w, high / 2, rng.uniform(0.015, 0.06)),
                (lean, 0, 0),
                style=soft,
                rounding=0.01,
            )
        else:
            b.add(at.BOX, (w - t, high / 2, z), (t, high / 2, t), (lean * 0.5, 0, 0), mirror=1)
            b.add(at.BOX, (0, high, z), (w, rng.uniform(0.02, 0.08), t * 0.8), rounding=0.005)
            n = rng.randint(2, 7)
            if style < 0.7:
                b.add(at.BOX, (0, high / 2, z), (t * 0.5, high / 2, t * 0.4), line=(n, 2 * w / (n + 1)))
            else:
                b.add(at.BOX, (0, high / 2, z), (t * 0.5, w, t * 0.4), (0, 0, 90), line=(n, high / (n + 1)))
    if rng.random() < 0.4:
        y = rng.uniform(0.12, 0.3)
        b.add(at.BOX, (w, y, 0), (t, t * 0.7, d), mirror=1)
        b.add(at.BOX, (w, y / 2, d - t * 2), (t * 0.7, y / 2, t * 0.7), mirror=1)


def table(b: Builder, rng: Random) -> None:
    """Top on legs or a foot, drawers, things standing on it."""
    b.style = random_style(rng)
    w, d, leg, t = rng.uniform(0.35, 0.8), rng.uniform(0.25, 0.5), rng.uniform(0.2, 0.6), rng.uniform(0.015, 0.06)
    round_top = rng.random() < 0.3
    top = rng.uniform(0.012, 0.05)
    b.add(
        at.CONE if round_top else at.BOX,
        (0, 0, 0),
        (w * 0.8, w * 0.8, top, 0) if round_top else (w, top, d),
        rounding=0.005,
    )
    if round_top or rng.random() < 0.15:
        b.limb((0, 0, 0), (0, -leg, 0), t * 1.6)
        b.add(at.CONE, (0, -leg, 0), (w * 0.5, w * 0.1, 0.03, 0)) if rng.random() < 0.5 else b.add(
            at.CAPSULE, (0, -leg + 0.05, 0), (t, t, w * 0.5), (0, 0, -100), radial=rng.choice([3, 4])
        )
    elif rng.random() < 0.5:
        b.add(at.BOX, (w - t, -leg / 2, d - t), (t, leg / 2, t), mirror=3)
    else:
        b.limb((w - t * 2, 0, d - t * 2), (w - t, -leg, d - t), t, t * 0.5, mirror=3)
    if rng.random() < 0.5 and not round_top:
        b.add(at.BOX, (0, -0.06, 0), (w * 0.92, 0.05, d * 0.9))
    if rng.random() < 0.3 and not round_top:
        b.add(at.BOX, (w * 0.6, -leg * 0.45, 0), (w * 0.3, leg * 0.4, d * 0.9), style=random_style(rng))
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        x, z, s = rng.uniform(-w, w) * 0.6, rng.uniform(-d, d) * 0.6, rng.uniform(0.04, 0.12)
        kind = rng.choice([at.BOX, at.CONE, at.ELLIPSOID])
        b.add(kind, (x, top + s, z), (s, s, s), (0, rng.uniform(0, 90), 0), style=random_style(rng))


def cabinet(b: Builder, rng: Random) -> None:
    """Shelves, cupboards, sofas and beds."""
    b.style, kind = random_style(rng), rng.random()
    maker = _shelf if kind < 0.35 else _cupboard if kind < 0.65 else _sofa
    maker(b, rng)


def _shelf(b: Builder, rng: Random) -> None:
    """Boards between two sides, things on them."""
    w, h, d, t = rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.7), rng.uniform(0.1, 0.25), rng.uniform(0.012, 0.03)
    n = rng.randint(2, 6)
    b.add(at.BOX, (w, 0, 0), (t, h, d), mirror=1)
    b.add(at.BOX, (0, 0, 0), (t, w, d), (0, 0, 90), line=(n, 2 * h / max(n - 1, 1)))
    if rng.random() < 0.6:
        b.add(at.BOX, (0, 0, -d), (w, h, t * 0.5))
    for _ in range(rng.randint(0, 8)):
        row = rng.randrange(n)
        y = -h + row * 2 * h / max(n - 1, 1)
        s = rng.uniform(0.03, 0.1)
        b.add(
            rng.choice([at.BOX, at.CONE]),
            (rng.uniform(-w, w) * 0.8, y + s + t, 0),
            (s * rng.uniform(0.3, 1), s, s * 0.8),
            style=random_style(rng),
        )


def _cupboard(b: Builder, rng: Random) -> None:
    """A box with doors or drawers, knobs, legs."""
    w, h, d = rng.uniform(0.2, 0.6), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.35)
    b.add(at.BOX, (0, 0, 0), (w, h, d), rounding=0.01)
    n, m = rng.randint(1, 3), rng.randint(1, 4)
    panel = random_style(rng)
    b.add(at.BOX, (0, 0, d), (w / n * 0.85, h / m * 0.85, 0.02), style=panel, line=(n, 2 * w / n)) if m == 1 else [
        b.add(
            at.BOX,
            (0, h * (2 * i + 1 - m) / m, d),
            (w / n * 0.85, h / m * 0.8, 0.02),
            style=panel,
            line=(n, 2 * w / n),
        )
        for i in range(m)
    ]
    b.add(at.ELLIPSOID, (w / n * 0.6, 0, d + 0.03), (0.02, 0.02, 0.02), style=random_style(rng), mirror=1)
    if rng.random() < 0.6:
        leg = rng.uniform(0.03, 0.3)
        b.limb((w * 0.9, -h, d * 0.85), (w * 0.95, -h - leg, d * 0.9), 0.025, 0.015, mirror=3)


def _sofa(b: Builder, rng: Random) -> None:
    """Sofa or bed."""
    w, d, h = rng.uniform(0.3, 0.8), rng.uniform(0.25, 0.7), rng.uniform(0.08, 0.2)
    r = rng.uniform(0.01, 0.07)
    b.add(at.BOX, (0, 0, 0), (w, h, d), rounding=r)
    b.add(
        at.BOX,
        (0, h + rng.uniform(0.1, 0.3), -d),
        (w, rng.uniform(0.2, 0.4), rng.uniform(0.03, 0.12)),
        (-8, 0, 0),
        rounding=r,
    )
    if rng.random() < 0.6:
        b.add(at.BOX, (w + 0.05, h, 0), (0.05, rng.uniform(0.1, 0.25), d), mirror=1, rounding=r)
    n = rng.randint(1, 3)
    b.add(
        at.BOX,
        (0, h + 0.05, 0.02),
        (w / n * 0.92, 0.05, d * 0.85),
        line=(n, 2 * w / n),
        style=random_style(rng),
        rounding=0.03,
    )
    if rng.random() < 0.7:
        b.add(at.CONE, (w * 0.9, -h - 0.08, d * 0.9), (0.02, 0.03, 0.1, 0), mirror=3)


def lamp(b: Builder, rng: Random) -> None:
    """Foot, pole, arms, shade; street lamps and candlesticks."""
    b.style, shade = random_style(rng), random_style(rng)
    h, t = rng.uniform(0.4, 1.1), rng.uniform(0.015, 0.05)
    b.add(
        at.CONE,
        (0, 0, 0),
        (rng.uniform(0.12, 0.35), rng.uniform(0.03, 0.12), rng.uniform(0.015, 0.12), rng.choice([0, 0, 4, 8])),
        rounding=0.01,
    )
    b.limb((0, 0, 0), (0, h, 0), t, t * 0.8)
    for _ in range(rng.randint(0, 3)):
        b.add(at.ELLIPSOID, (0, rng.uniform(0.1, 0.95) * h, 0), (t * 2, t * rng.uniform(1, 3), t * 2), blend=0.01)
    arms = rng.choice([0, 0, 1, 2, 3, 5])
    size = rng.uniform(0.1, 0.32)
    if arms == 0:
        if rng.random() < 0.6:
            b.add(
                at.CONE,
                (0, h + size * 0.3, 0),
                (size, size * rng.uniform(0.3, 0.9), size * rng.uniform(0.4, 0.9), rng.choice([0, 0, 4, 6])),
                style=shade,
            )
            if rng.random() < 0.5:
                b.add(
                    at.CONE,
                    (0, h + size * 0.1 - 0.03, 0),
                    (size * 0.92, size * 0.5, size * 0.6, 0),
                    style=shade,
                    cut=True,
                )
                b.limb((0, h - 0.1, 0), (0, h + size * 0.3, 0), t * 0.8)
        else:
            b.add(at.ELLIPSOID, (0, h + size * 0.5, 0), (size * 0.7, size * 0.8, size * 0.7), style=shade)
    elif arms == 1:
        x, up = rng.uniform(0.2, 0.6), rng.uniform(-0.1, 0.3)
        b.limb((0, h, 0), (x, h + up, 0), t * 0.8)
        b.add(
            at.CONE,
            (x, h + up - size * 0.4, 0),
            (size * 0.8, size * 0.2, size * 0.4, 0),
            (0, 0, rng.uniform(-10, 40)),
            style=shade,
        )
    else:
        x = rng.uniform(0.2, 0.45)
        b.add(at.CAPSULE, (0, h * 0.8, 0), (t * 0.7, t * 0.7, x * 1.1), (0, 0, -65), radial=arms)
        b.add(at.CONE, (x, h * 0.8 + x * 0.5 + 0.08, 0), (size * 0.2, size * 0.3, 0.08, 0), radial=arms, style=shade)
        b.add(at.CONE, (0, h + 0.06, 0), (size * 0.2, size * 0.3, 0.08, 0), style=shade)
