"""Builder: families add primitives in any unit; ``scene`` centres and scales the whole into the unit ball."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass, field
from random import Random

import numpy as np

from . import layout as at

Vec = tuple[float, float, float]


@dataclass(frozen=True)
class Scene:
    """head: [HEAD] float32; prims: [N, PRIM] float32; family: its name."""

    head: np.ndarray
    prims: np.ndarray
    family: str


def euler(x: float, y: float, z: float) -> np.ndarray:
    """[3, 3] rotation: about z, then x, then y (degrees)."""
    a, b, c = (math.radians(v) for v in (x, y, z))
    sa, ca, sb, cb, sc, cc = math.sin(a), math.cos(a), math.sin(b), math.cos(b), math.sin(c), math.cos(c)
    rx = np.array([[1, 0, 0], [0, ca, -sa], [0, sa, ca]])
    ry = np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
    rz = np.array([[cc, -sc, 0], [sc, cc, 0], [0, 0, 1]])
    return ry @ rx @ rz


def along(direction: Vec) -> np.ndarray:
    """[3, 3] rotation that turns the y axis to ``direction``."""
    y = np.asarray(direction, float)
    y = y / max(float(np.linalg.norm(y)), 1e-9)
    helper = np.array([1.0, 0, 0]) if abs(y[0]) < 0.9 else np.array([0, 0, 1.0])
    z = np.cross(helper, y)
    z /= np.linalg.norm(z)
    return np.stack([np.cross(y, z), y, z], axis=1)


@dataclass
class Style:
    """Paint of a primitive."""

    color: Vec = (0.7, 0.7, 0.7)
    color2: Vec = (0.4, 0.4, 0.4)
    pattern: int = 0
    scale: float = 8.0
    gloss: float = 0.2


def _half_box(kind: int, d: Vec | tuple[float, ...]) -> tuple[Vec, Vec]:
    """Half extents and centre of a primitive in its own frame."""
    if kind in (at.ELLIPSOID, at.BOX, at.FRAME):
        return (d[0], d[1], d[2]), (0, 0, 0)
    if kind == at.CONE:
        side = 1.0 if d[3] < 2.5 else 1.0 / math.cos(math.pi / max(d[3], 3.0))
        r = max(d[0], d[1]) * side
        return (r, d[2], r), (0, 0, 0)
    if kind == at.CAPSULE:
        r = max(d[0], d[1])
        return (r, d[2] / 2 + r, r), (0, d[2] / 2, 0)
    if kind == at.TORUS:
        return (d[0] + d[1], d[1], d[0] + d[1]), (0, 0, 0)
    return (d[0] + d[1], d[0] + d[1], d[1]), (0, 0, 0)


@dataclass
class Builder:
    """Collects primitives of one object: y up, front towards +z, mirror plane x = 0."""

    rng: Random
    rows: list[list[float]] = field(default_factory=list)
    boxes: list[tuple[Vec, Vec]] = field(default_factory=list)
    style: Style = field(default_factory=Style)

    def add(
        self,
        kind: int,
        place: Vec,
        dims: tuple[float, ...],
        turn: Vec | np.ndarray | None = None,
        *,
        style: Style | None = None,
        blend: float = 0.0,
        cut: bool = False,
        mirror: int = 0,
        radial: int = 0,
        phase: float = 0.0,
        line: tuple[int, float] = (1, 1.0),
        rows: tuple[int, float] = (1, 1.0),
        rounding: float = 0.0,
        shell: float = 0.0,
        bend: float = 0.0,
    ) -> None:
        """One primitive. mirror: 1 = copy across x, 2 = across z, 3 = both; radial: copies around y; line, rows: count
        and spacing along its own x and z axes; shell: half thickness of a hollow surface; bend: y += bend * x^2."""
        if len(self.rows) >= at.MAX_PRIMS:
            return
        dims = tuple(float(d) for d in dims) + (0.0,) * (4 - len(dims))
        turned = np.eye(3) if turn is None else turn if isinstance(turn, np.ndarray) else euler(*turn)
        s = style or self.style
        half, mid = _half_box(kind, dims)
        extra = rounding + shell
        hx = half[0] + extra + (line[0] - 1) * line[1] / 2
        hz = half[2] + extra + (rows[0] - 1) * rows[1] / 2
        lift = bend * (half[0] + extra) ** 2
        hy, my = half[1] + extra + abs(lift) / 2, mid[1] + lift / 2
        self.boxes.append(((hx, hy, hz), (mid[0], my, mid[2])))
        reach = math.sqrt(hx * hx + (hy + abs(my)) ** 2 + hz * hz)
        slope = 1.0 / math.sqrt(1.0 + (2.0 * bend * half[0]) ** 2)
        if kind == at.ELLIPSOID and shell > 0:  # deep inside, its distance is too long by up to this
            slope *= min(dims[:3]) / max(dims[:3])
        repeat = at.RADIAL if radial > 1 else at.LINE if max(line[0], rows[0]) > 1 else 0
        count, spacing = (radial, 1.0) if radial > 1 else line
        self.rows.append(
            [
                *(kind, float(cut), blend, mirror, repeat, count, spacing),
                *(*place, *turned.T.ravel().tolist(), *dims, rounding),
                *(*s.color, s.pattern, s.scale, *s.color2, shell, s.gloss, bend, reach, slope, phase, *rows),
            ]
        )

    def fill(self, keep_cuts: bool) -> None:
        """Make it solid: shells are filled, and what was cut away is there unless ``keep_cuts``."""
        for row in self.rows:
            row[at.SHELL] = 0.0
        kept = [i for i, row in enumerate(self.rows) if keep_cuts or not row[at.OP]]
        self.rows, self.boxes = [self.rows[i] for i in kept], [self.boxes[i] for i in kept]

    def limb(self, start: Vec, stop: Vec, r0: float, r1: float | None = None, **how: object) -> None:
        """A round bar from ``start`` (radius r0) to ``stop`` (radius r1)."""
        d = (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2])
        n = max(math.sqrt(d[0] ** 2 + d[1] ** 2 + d[2] ** 2), 1e-3)
        r1 = r0 if r1 is None else r1
        small = min(r0, r1) + 0.95 * n  # a round cone needs |r0 - r1| < length
        self.add(at.CAPSULE, start, (min(r0, small), min(r1, small), n), along(d), **how)  # type: ignore[arg-type]

    def scene(self, family: str) -> Scene:
        """The finished scene, centred along y and scaled into the unit ball."""
        prims = np.array(self.rows, np.float64)
        half = np.array([b[0] for b in self.boxes])
        mid = np.array([b[1] for b in self.boxes])
        signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
        turn = prims[:, at.ROTATION].reshape(-1, 3, 3)
        corners = np.einsum("nkj,nji->nki", mid[:, None] + half[:, None] * signs, turn) + prims[:, None, at.CENTER]
        solid = corners[prims[:, at.OP] == 0].reshape(-1, 3)
        shift = -(solid[:, 1].min() + solid[:, 1].max()) / 2
        movable = not (prims[:, at.MIRROR] >= 2).any() and not (prims[:, at.REPEAT] == at.RADIAL).any()
        back = -(solid[:, 2].min() + solid[:, 2].max()) / 2 if movable else 0.0
        scale = 1.0 / float(np.linalg.norm(solid + np.array([0, shift, back]), axis=1).max())
        prims[:, 8] += shift
        prims[:, 9] += back
        lengths = [at.BLEND, 7, 8, 9, 19, 20, 21, at.ROUND, at.SHELL, at.RADIUS, at.SPACING2]
        prims[:, lengths] *= scale
        prims[prims[:, at.KIND] == at.ARC, 21] /= scale  # an angle
        prims[prims[:, at.KIND] == at.FRAME, 22] *= scale
        prims[prims[:, at.REPEAT] == at.LINE, at.SPACING] *= scale
        prims[:, at.BEND] /= scale
        prims[:, at.PATTERN_SCALE] /= scale
        head = np.zeros(at.HEAD, np.float32)
        head[at.N_PRIMS], head[at.STEP] = len(prims), 0.92
        head[at.GRAIN_FREQUENCY], head[at.GRAIN] = self.rng.uniform(8, 60), self.rng.choice([0, 0.15, 0.4, 0.8])
        head[at.ROUGH] = self.rng.choice([0, 0, 0.3, 0.8])
        return Scene(head, prims.astype(np.float32), family)


def random_style(rng: Random, pattern: float = 0.5, vivid: float = 0.6) -> Style:
    """Paint: a colour of a plausible kind, sometimes a pattern with a second colour."""
    kind = rng.random()
    if kind < 0.2:  # wood, earth
        a = colorsys.hsv_to_rgb(rng.uniform(0.03, 0.12), rng.uniform(0.3, 0.8), rng.uniform(0.15, 0.7))
    elif kind < 0.4:  # metal, stone, cloth
        a = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0, 0.12), rng.uniform(0.08, 0.9))
    else:
        a = colorsys.hsv_to_rgb(rng.random(), rng.uniform(0.1, 1) * vivid + 0.1, rng.uniform(0.12, 0.95))
    shift = rng.uniform(0.4, 1.6)
    b = tuple(min(1.0, c * shift) for c in a) if rng.random() < 0.6 else tuple(rng.random() for _ in range(3))
    use = rng.choice([1, 2, 3, 3, 3, 4, 5, 6, 7, 8]) if rng.random() < pattern else 0
    return Style(a, b, use, 10 ** rng.uniform(0.5, 1.5), rng.choice([0.05, 0.1, 0.3, 0.6, 0.9]))  # type: ignore[arg-type]
