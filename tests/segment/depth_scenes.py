"""Procedural disparity pictures with a known subject: a room (floor, walls), the subject off the middle, distractors
behind it, objects cut off by the border in front of it, specks, blurred edges and noise."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

SHAPES = ("ellipse", "box", "star", "ring", "cup", "column")


def outline(kind: str, x: Any, y: Any) -> Any:
    """[H, W] bool: a shape in the square [-1, 1]^2, y down."""
    if kind == "ellipse":
        return x**2 + y**2 < 1
    if kind == "box":
        return (np.abs(x) < 0.9) & (np.abs(y) < 1)
    if kind == "star":
        return np.hypot(x, y) < 0.72 + 0.26 * np.cos(5 * np.arctan2(y, x))
    if kind == "ring":
        return (np.hypot(x, y) < 1) & (np.hypot(x, y) > 0.45)
    if kind == "cup":
        body = (np.abs(x + 0.2) < 0.65) & (np.abs(y) < 1)
        handle = (np.hypot(x - 0.5, y) < 0.48) & (np.hypot(x - 0.5, y) > 0.24)
        return body | handle
    return (np.abs(x) < 0.35 + 0.2 * np.cos(2 * y)) & (np.abs(y) < 1)


class Scene:
    """disparity [H, W], subject [H, W] bool, and a painter that keeps the nearer surface."""

    def __init__(self, height: int, width: int, disparity: Any) -> None:
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float64)
        self.disparity, self.owner = disparity.copy(), np.zeros((height, width), int)

    def put(self, kind: str, center: tuple[float, float], half: tuple[float, float], near: float, owner: int) -> None:
        """A shape whose front bulges by a few per cent of its disparity."""
        x, y = (self.x - center[0]) / half[0], (self.y - center[1]) / half[1]
        bulge = near * (1 + 0.06 * np.clip(1 - x**2 - y**2, 0, 1))
        mine = outline(kind, x, y) & (bulge > self.disparity * (0.999 if owner else 1))
        self.disparity[mine], self.owner[mine] = bulge[mine], owner


def make(seed: int) -> tuple[Any, Any]:
    """(disparity [H, W], subject mask [H, W]) of one scene."""
    g = np.random.default_rng(seed)
    height, width = int(g.integers(180, 420)), int(g.integers(180, 420))
    y = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    x = np.linspace(-1, 1, width)[None] * np.ones((height, 1))
    horizon, wall = g.uniform(0.15, 0.45), g.uniform(0.12, 0.25)
    slope = g.uniform(0.7, 1.1)
    floor = np.maximum(slope * (y - horizon) + 0.05 * g.uniform(-1, 1) * x, 0.01)
    room = np.maximum(floor, wall + 0.03 * g.uniform(-1, 1) * x) if g.random() < 0.8 else np.full_like(floor, 0.05)
    scene = Scene(height, width, room)
    side = min(height, width)
    half = (side * g.uniform(0.13, 0.3), side * g.uniform(0.15, 0.3))
    center = (g.uniform(half[0] + 8, width - half[0] - 8), g.uniform(0.45, 0.62) * height)
    center = (center[0], min(max(center[1], half[1] + 6), height - half[1] - 8))
    foot = min(int(center[1] + half[1]), height - 1)
    near = max(float(room[foot, int(center[0])]), wall + 0.25) + g.uniform(0.0, 0.15)
    for _ in range(int(g.integers(1, 5))):
        size = side * g.uniform(0.05, 0.15)
        place = (g.uniform(0, width), g.uniform(0.2, 0.55) * height)
        scene.put(str(g.choice(SHAPES)), place, (size, size), near * g.uniform(0.45, 0.8), 2)
    scene.put(str(g.choice(SHAPES)), center, half, near, 1)
    if g.random() < 0.5:  # something close that the border cuts off, away from the subject
        left = center[0] > width / 2
        reach = side * g.uniform(0.06, 0.12)
        edge = 0 if left else width
        if abs(center[0] - edge) > half[0] + 1.3 * reach:
            scene.put("ellipse", (edge, g.uniform(0.2, 0.9) * height), (reach, 2.2 * reach), near * 1.4, 3)
    for _ in range(int(g.integers(0, 4))):  # specks
        scene.put("ellipse", (g.uniform(0, width), g.uniform(0, height)), (2, 2), near * 1.5, 4)
    scale = g.uniform(0.5, 400)
    soft = gaussian_filter(scene.disparity, g.uniform(0, 1.0)) + g.normal(0, g.uniform(0, 0.006), room.shape)
    return np.maximum(soft, 1e-3) * scale, scene.owner == 1


def overlap(box: Any, truth: Any) -> float:
    """IoU of a box (x0, y0, x1, y1) and the tight box of a mask."""
    rows, columns = np.nonzero(truth.any(axis=1))[0], np.nonzero(truth.any(axis=0))[0]
    other = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    across = max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
    down = max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, other)]
    return across * down / (areas[0] + areas[1] - across * down)
