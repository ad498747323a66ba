"""Studio light that turns with the camera: a large key box at the upper left, a strip at the right, a ceiling."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .scene import Scene, Surface
from .solids import Points, Values, column

Floats = npt.NDArray[np.float32]


def _unit(v: tuple[float, float, float]) -> Floats:
    a = np.asarray(v, np.float32)
    return a / np.float32(np.sqrt((a * a).sum()))


KEY, KEY_LIGHT = _unit((-0.55, 0.75, 0.62)), column((2.35, 2.25, 2.1))
RIM, RIM_LIGHT = _unit((0.85, 0.35, -0.45)), column((0.85, 0.92, 1.05))
SKY, GROUND = column((0.62, 0.64, 0.68)), column((0.20, 0.185, 0.17))


def shade(scene: Scene, points: Points, directions: Points, pose: Floats) -> Points:
    """Linear colour [3, N] of surface points seen along unit ``directions``; pose: [3, 3] camera axes in the world."""
    which = scene.distance(points)[1]
    normals = _normals(scene, points, which)
    surface = _surface(scene, points, normals, which)
    start = points + normals * np.float32(2.5e-3)
    key, rim = pose @ KEY, pose @ RIM
    open_sky = occlusion(scene, start, normals)
    diffuse = KEY_LIGHT * (_lambert(normals, key) * shadow(scene, start, key, 7.0))
    diffuse = diffuse + RIM_LIGHT * (_lambert(normals, rim) * shadow(scene, start, rim, 5.0))
    up = 0.5 + 0.5 * normals[1]
    # light that bounced between lit surfaces is tinted: dark corners keep the object's colour
    ambient = open_sky ** (1.0 - 0.45 * surface.color)
    diffuse = diffuse * np.float32(0.42) + (GROUND + (SKY - GROUND) * up) * ambient
    mirror = directions - 2 * (directions * normals).sum(axis=0) * normals
    seen = environment(pose.T @ mirror, surface.roughness)
    seen = seen * shadow(scene, start, mirror, 3.0 + 6.0 * (1 - np.asarray(surface.roughness, np.float32)), 14)
    facing = np.clip(-(directions * normals).sum(axis=0), 0, 1)
    gloss = _reflectance(surface, facing)
    matt = surface.color * (1 - np.asarray(surface.metal, np.float32))
    return (matt * diffuse + gloss * seen * (0.3 + 0.7 * open_sky) + surface.glow).astype(np.float32)


def environment(local: Points, roughness: Values | float) -> Points:
    """Light [3, N] from unit directions in the camera's axes, blurred by roughness."""
    soft = 0.04 + 0.5 * np.asarray(roughness, np.float32)
    up = np.clip(0.5 + 0.5 * local[1] / (0.35 + soft), 0, 1)
    room = column((0.16, 0.155, 0.15)) + column((0.55, 0.57, 0.6)) * (up * up * (3 - 2 * up))
    key = _panel(local, (-0.62, 0.62, 0.48), 0.30, 0.36, soft) * np.float32(9.0)
    strip = _panel(local, (0.92, 0.25, 0.12), 0.10, 0.55, soft) * np.float32(5.0)
    back = _panel(local, (0.1, 0.75, -0.65), 0.5, 0.18, soft) * np.float32(3.0)
    return room + column((1.0, 0.98, 0.95)) * key + column((0.92, 0.96, 1.0)) * strip + back


def _panel(local: Points, toward: tuple[float, float, float], wide: float, high: float, soft: Floats) -> Values:
    """1 in a rectangle of half sizes ``wide`` and ``high`` about a direction, with blurred borders."""
    axis = _unit(toward)
    side = _unit((axis[2], 0.0, -axis[0]))
    top = np.cross(axis, side)
    ahead = np.maximum(axis @ local, 1e-3)
    u, v = np.abs(side @ local) / ahead, np.abs(top @ local) / ahead
    inside = np.clip((wide - u) / soft + 0.5, 0, 1) * np.clip((high - v) / soft + 0.5, 0, 1)
    energy = (wide / (wide + 0.35 * soft)) * (high / (high + 0.35 * soft))
    return (inside * energy * (axis @ local > 0.02)).astype(np.float32)


def shadow(scene: Scene, points: Points, toward: Points | Floats, hardness: float | Values, steps: int = 28) -> Values:
    """How much of a wide light in direction ``toward`` ([3] or [3, N]) is seen, in [0, 1]."""
    ray = column(toward) if np.ndim(toward) == 1 else toward
    seen = np.ones(points.shape[1], np.float32)
    t = np.full(points.shape[1], 0.006, np.float32)
    alive = np.arange(points.shape[1])
    sharp = np.broadcast_to(np.asarray(hardness, np.float32), seen.shape)
    for _ in range(steps):
        direction = ray if ray.shape[1] == 1 else ray[:, alive]
        near = scene.distance(points[:, alive] + direction * t[alive])[0]
        seen[alive] = np.minimum(seen[alive], 0.5 + 0.5 * sharp[alive] * near / t[alive])
        t[alive] += np.clip(near * 0.8, 0.008, 0.12)
        alive = alive[(seen[alive] > 0.0) & (t[alive] < 1.1)]
        if len(alive) == 0:
            break
    seen = np.clip(seen, 0, 1)
    return seen * seen * (3 - 2 * seen)


def occlusion(scene: Scene, points: Points, normals: Points) -> Values:
    """Share of the sky that is open above each point: seven cones, three taps each."""
    helper = np.where(np.abs(normals[1]) < 0.9, column((0, 1, 0)), column((1, 0, 0)))
    side = np.cross(helper.T, normals.T).T
    side /= np.sqrt((side * side).sum(axis=0))
    other = np.cross(normals.T, side.T).T
    total = np.zeros(points.shape[1], np.float32)
    cones = [(0.0, 0.0, 1.0)] + [(np.cos(a) * 0.8, np.sin(a) * 0.8, 0.6) for a in np.arange(6) * np.pi / 3]
    for x, y, z in cones:
        ray = side * np.float32(x) + other * np.float32(y) + normals * np.float32(z)
        seen = np.ones(points.shape[1], np.float32)
        for t in (0.02, 0.07, 0.2):
            near = scene.distance(points + ray * np.float32(t))[0]
            seen = np.minimum(seen, np.clip(near / (0.62 * t) + 0.12, 0, 1))
        total += seen * np.float32(z if z == 1.0 else 0.6)
    return total / np.float32(1.0 + 6 * 0.6)


def _normals(scene: Scene, points: Points, which: npt.NDArray[np.int8]) -> Points:
    """Unit normals [3, N]: the gradient of the distance, tilted by the relief of the part that was hit."""
    reach = np.float32(4e-4)
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    out = np.zeros_like(points)
    for corner in corners:
        moved = points + column(corner) * reach
        out += column(corner) * (scene.distance(moved)[0] - _relief(scene, moved, which))
    return out / np.maximum(np.sqrt((out * out).sum(axis=0)), 1e-9)


def _relief(scene: Scene, points: Points, which: npt.NDArray[np.int8]) -> Values:
    out = np.zeros(points.shape[1], np.float32)
    for index, part in enumerate(scene.parts):
        mine = np.flatnonzero(which == index)
        if part.height is not None and len(mine):
            out[mine] = part.height(scene.own(points[:, mine])) / np.float32(scene.size)
    return out


def _surface(scene: Scene, points: Points, normals: Points, which: npt.NDArray[np.int8]) -> Surface:
    """The surfaces of all parts gathered into one."""
    n = points.shape[1]
    color, glow = np.zeros((3, n), np.float32), np.zeros((3, n), np.float32)
    rough, metal = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for index, part in enumerate(scene.parts):
        mine = np.flatnonzero(which == index)
        if len(mine):
            found = part.surface(scene.own(points[:, mine]), normals[:, mine])
            color[:, mine], rough[mine], metal[mine] = found.color, found.roughness, found.metal
            glow[:, mine] = found.glow
    return Surface(color, rough, metal, glow)


def _reflectance(surface: Surface, facing: Values) -> Points:
    """Share of the mirrored light [3, N]: Schlick's Fresnel term with a usual fit for roughness (Karis 2013)."""
    rough = np.asarray(surface.roughness, np.float32)
    base = np.float32(0.04) + (surface.color - np.float32(0.04)) * surface.metal
    r0, r1, r2, r3 = 1 - rough, 0.0425 - 0.0275 * rough, 1.04 - 0.572 * rough, 0.022 * rough - 0.04
    scale = np.minimum(r0 * r0, np.exp2(-9.28 * facing)) * r0 + r1
    return base * (r2 - 1.04 * scale) + (1.04 * scale + r3)


def _lambert(normals: Points, toward: Floats) -> Values:
    """Cosine, wrapped a little around the edge as wide lights do."""
    wrap = np.float32(0.18)
    return np.clip(((column(toward) * normals).sum(axis=0) + wrap) / (1 + wrap), 0, 1)
