"""A toy rocket: a turned body with painted bands, four swept fins, port holes with glass."""

from __future__ import annotations

import numpy as np

from ..patterns import angle, fbm, linear, mix, noise, step
from ..profiles import Lathe
from ..scene import Part, Scene, Surface
from ..solids import Points, Values, around, blend, cylinder, ellipsoid, plate, smooth_path, torus, union

_HULL = smooth_path(
    [(0.22, -0.72), (0.33, -0.5), (0.4, -0.05), (0.36, 0.42), (0.22, 0.8), (0.1, 1.0), (0.03, 1.08)], 16
)
HULL = Lathe(np.concatenate([[(0, -0.72)], _HULL, [(0, 1.08)]]), 0.012)
NOZZLE = Lathe(np.array([(0, -0.7), (0.15, -0.7), (0.24, -0.9), (0.205, -0.9), (0.12, -0.76), (0, -0.76)]), 0.012)
FIN = smooth_path(
    [(0.24, -0.1), (0.5, -0.36), (0.68, -0.78), (0.7, -1.02), (0.6, -1.0), (0.48, -0.8), (0.22, -0.62)], 6
)


def _fins(p: Points) -> Values:
    q = around(p, 4, 45.0)
    return plate(np.stack([q[2], q[1], q[0]]), FIN, 0.045, 0.04)


def _tip(p: Points) -> Values:
    return blend(
        0.03, ellipsoid(p, (0, 1.13, 0), (0.055, 0.055, 0.055)), cylinder(p, (0, 1.0, 0), (0, 1.12, 0), 0.02, 0.005)
    )


def _port(p: Points, y: float, size: float) -> Values:
    """A ring lying on the hull at the front; the rest of the hull gets three more, a quarter turn apart."""
    q = around(p, 4)
    depth = float(np.interp(y, _HULL[:, 1], _HULL[:, 0]))
    return torus(q, (0, y, depth + 0.005), size, 0.032, 2)


def _rings(p: Points) -> Values:
    return union(_port(p, 0.36, 0.135), _port(p, -0.08, 0.095))


def _glass(p: Points) -> Values:
    q = around(p, 4)
    return union(ellipsoid(q, (0, 0.36, 0.365), (0.13, 0.13, 0.05)), ellipsoid(q, (0, -0.08, 0.4), (0.09, 0.09, 0.04)))


def _paint(p: Points, _n: Points) -> Surface:
    white = mix(linear("#f3efe6"), linear("#e6dfd0"), fbm(p, 4, 3))
    red = mix(linear("#c8281e"), linear("#b32018"), fbm(p, 5, 3))
    nose = step(0.635, 0.64, p[1])
    band = step(-0.4, -0.395, p[1]) * step(-0.285, -0.29, p[1])
    check = (np.floor(angle(p) / (2 * np.pi) * 16) + np.floor((p[1] + 0.4) / 0.0575)) % 2
    seam = step(0.006, 0.003, np.abs(p[1] - 0.14)) + step(0.006, 0.003, np.abs(p[1] + 0.56))
    navy = linear("#1d2f55")
    color = mix(mix(white, red, nose), mix(white, navy, check.astype(np.float32)), band)
    return Surface(mix(color, linear("#9a9690"), np.clip(seam, 0, 1)), 0.2)


def _fin_paint(p: Points, _n: Points) -> Surface:
    red = mix(linear("#c8281e"), linear("#b32018"), fbm(p, 5, 3))
    radius = np.sqrt(p[0] ** 2 + p[2] ** 2)
    return Surface(mix(red, linear("#f0b429"), step(-0.03, -0.02, radius - 0.62)), 0.2)


def _metal(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#c9c4ba"), linear("#8f8a82"), noise(p, 18)), 0.25, 0.95)


def _window(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#0e2f4a"), linear("#2c79a8"), step(-0.1, 0.5, p[1])), 0.06)


def _dark(p: Points, _n: Points) -> Surface:
    return Surface(mix(linear("#4c4a48"), linear("#2e2c2b"), noise(p, 20)), 0.4, 0.8)


SCENE = Scene(
    name="rocket",
    title="Toy rocket",
    parts=(
        Part(HULL, _paint, ((0.0, 0.18, 0.0), 1.0)),
        Part(_fins, _fin_paint, ((0.0, -0.55, 0.0), 0.9)),
        Part(_rings, _metal, ((0.0, 0.15, 0.0), 0.62)),
        Part(_glass, _window, ((0.0, 0.15, 0.0), 0.62)),
        Part(_tip, _metal, ((0.0, 1.1, 0.0), 0.2)),
        Part(NOZZLE, _dark, ((0.0, -0.8, 0.0), 0.32)),
    ),
    center=(0.0, 0.0745, 0.0),
    size=2.211,
    shots={"": (24.0, 8.0)},
)
