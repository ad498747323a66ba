"""A small studio: rays marched through signed distances, soft boxes, soft shadows, ambient occlusion, anti-aliasing.

Everything is numpy and repeatable. The camera is the pack's own (OpenGL axes, ``maquette.geometry.camera``).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maquette.data import Camera

from .lights import shade
from .scene import Scene
from .solids import Points, Values, column

Floats = npt.NDArray[np.float32]
CHUNK = 32768
GRID = 4
"""Sub-samples a side where a pixel holds an edge."""


def render(scene: Scene, camera: Camera) -> Floats:
    """[H, W, 4] straight sRGB colour and alpha (share of the pixel that the object covers)."""
    height, width = camera.height, camera.width
    rows, columns = (a.ravel() for a in np.mgrid[:height, :width])
    color, cover, depth = samples(scene, camera, columns + 0.5, rows + 0.5)
    shape = (height, width)
    edge = np.flatnonzero(_edges(color.reshape(3, *shape), cover.reshape(shape), depth.reshape(shape)))
    offsets = (np.arange(GRID) + 0.5) / GRID
    total, share = np.zeros((3, len(edge)), np.float32), np.zeros(len(edge), np.float32)
    for dx in offsets:
        for dy in offsets:
            c, a, _ = samples(scene, camera, columns[edge] + dx, rows[edge] + dy)
            total += c * a
            share += a
    cover[edge] = share / GRID**2
    color[:, edge] = total / np.maximum(share, 1e-6)
    rgba = np.concatenate([to_srgb(tone(color)), cover[None]])
    return rgba.reshape(4, *shape).transpose(1, 2, 0)


def coverage(scene: Scene, camera: Camera, grid: int = 1) -> Floats:
    """[H, W] share of each pixel that the object covers: the exact mask, without shading."""
    rows, columns = (a.ravel() for a in np.mgrid[: camera.height, : camera.width])
    total = np.zeros(len(rows), np.float32)
    for dx in (np.arange(grid) + 0.5) / grid:
        for dy in (np.arange(grid) + 0.5) / grid:
            origin, directions = rays(camera, columns + dx, rows + dy)
            for part in _chunks(len(rows)):
                total[part] += np.isfinite(march(scene, origin, directions[:, part]))
    return (total / grid**2).reshape(camera.height, camera.width)


def samples(
    scene: Scene, camera: Camera, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]
) -> tuple[Points, Values, Values]:
    """Linear colour [3, N], hit [N] (0 or 1) and distance [N] (inf) of rays through picture positions x, y."""
    origin, directions = rays(camera, x, y)
    color = np.zeros((3, len(x)), np.float32)
    distance = np.full(len(x), np.inf, np.float32)
    pose = camera.cam_to_world[:3, :3].astype(np.float32)
    for part in _chunks(len(x)):
        distance[part] = march(scene, origin, directions[:, part])
        hit = part.start + np.flatnonzero(np.isfinite(distance[part]))
        if len(hit):
            points = column(origin) + directions[:, hit] * distance[hit]
            color[:, hit] = shade(scene, points, directions[:, hit], pose)
    return color, np.isfinite(distance).astype(np.float32), distance


def rays(camera: Camera, x: npt.NDArray[np.floating], y: npt.NDArray[np.floating]) -> tuple[Floats, Points]:
    """Eye [3] and unit directions [3, N] through picture positions (pixel (0, 0)'s centre is at 0.5, 0.5)."""
    k = camera.intrinsics
    local = np.stack([(x - k[0, 2]) / k[0, 0], -(y - k[1, 2]) / k[1, 1], -np.ones(len(x))])
    directions = camera.cam_to_world[:3, :3] @ local
    return camera.position.astype(np.float32), (directions / np.sqrt((directions**2).sum(axis=0))).astype(np.float32)


def march(scene: Scene, origin: Floats, directions: Points, steps: int = 160) -> Values:
    """Distance along each ray to the surface, inf where it passes by."""
    start, end = _ball(origin, directions)
    out = np.full(directions.shape[1], np.inf, np.float32)
    alive = np.flatnonzero(end > start)
    t = start[alive]
    for _ in range(steps):
        if len(alive) == 0:
            break
        near, _which = scene.distance(column(origin) + directions[:, alive] * t)
        hit = near < 1.5e-4 * t
        out[alive[hit]] = t[hit]
        t = t + near * np.float32(scene.step)
        keep = ~hit & (t < end[alive])
        alive, t = alive[keep], t[keep]
    return out


def _ball(origin: Floats, directions: Points, radius: float = 0.88) -> tuple[Values, Values]:
    """Where rays enter and leave the ball that holds every normalised object."""
    along = -(directions * column(origin)).sum(axis=0)
    gap = float(origin @ origin) - along**2
    half = np.sqrt(np.maximum(radius**2 - gap, 0))
    return np.maximum(along - half, 0.01).astype(np.float32), np.where(gap < radius**2, along + half, -1).astype(
        np.float32
    )


def _edges(color: Floats, cover: Floats, depth: Floats) -> npt.NDArray[np.bool_]:
    """Pixels that differ from a neighbour in cover, in depth or visibly in colour."""
    seen = to_srgb(tone(color.reshape(3, -1))).reshape(color.shape) * cover
    deep = np.where(np.isfinite(depth), depth, 9)
    rough = np.zeros(cover.shape, bool)
    for axis in (0, 1):
        jump = np.abs(np.diff(cover, axis=axis)) > 0
        jump |= np.abs(np.diff(deep, axis=axis)) > 0.02
        jump |= np.abs(np.diff(seen, axis=axis + 1)).max(axis=0) > 0.04
        before, after = (slice(None, -1), slice(1, None))
        index = (before, slice(None)) if axis == 0 else (slice(None), before)
        other = (after, slice(None)) if axis == 0 else (slice(None), after)
        rough[index] |= jump
        rough[other] |= jump
    return rough.ravel()


def tone(light: Points) -> Points:
    """Linear light of any strength -> [0, 1]: straight in the middle, a soft shoulder for highlights."""
    knee = np.float32(0.7)
    over = np.maximum(light - knee, 0)
    return np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-over / (1 - knee)))


def to_srgb(light: Points) -> Points:
    """Linear [0, 1] -> sRGB."""
    light = np.clip(light, 0, 1)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _chunks(count: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
