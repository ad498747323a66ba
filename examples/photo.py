"""An object on a wooden table in a room, as a camera would take it: shadow, blur, grain, no alpha."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from maquette.data import Camera

from .lights import KEY, KEY_LIGHT, occlusion, shadow
from .patterns import fbm, linear, mix, step, wood
from .render import rays, render, to_srgb, tone
from .scene import Scene
from .solids import Points, Values, column

Floats = npt.NDArray[np.float32]
TABLE_END = -1.25
"""World z of the table's far edge."""


def photograph(scene: Scene, camera: Camera) -> tuple[Floats, Floats]:
    """[H, W, 3] sRGB picture, and the exact mask [H, W] of the object in it."""
    cut_out = render(scene, camera)
    alpha = cut_out[..., 3:]
    back = _room(scene, camera).T.reshape(camera.height, camera.width, 3)
    behind = to_srgb(tone(back.reshape(-1, 3).T)).T.reshape(back.shape)
    picture = cut_out[..., :3] * alpha + behind * (1 - alpha)
    y, x = np.mgrid[-1 : 1 : camera.height * 1j, -1 : 1 : camera.width * 1j]
    vignette = 1 - 0.22 * (x * x + y * y) / 2
    grain = np.random.default_rng(7).normal(0, 0.012, picture.shape[:2])[..., None]
    return np.clip(picture * vignette[..., None] + grain, 0, 1).astype(np.float32), alpha[..., 0]


def _room(scene: Scene, camera: Camera) -> Points:
    """Linear colours [3, N] of table and wall for every pixel."""
    rows, columns = (a.ravel() + 0.5 for a in np.mgrid[: camera.height, : camera.width])
    origin, directions = rays(camera, columns, rows)
    floor = _lowest(scene)
    t = np.where(directions[1] < -1e-3, (floor - origin[1]) / np.minimum(directions[1], -1e-3), 50.0).astype(np.float32)
    points = column(origin) + directions * t
    ahead = (camera.cam_to_world[:3, 2].astype(np.float32) * np.array([1, 0, 1], np.float32))[None] @ points
    depth = -ahead[0]
    onto = step(-TABLE_END + 0.10, -TABLE_END - 0.10, depth) * (directions[1] < -1e-3)
    return mix(_wall(directions), _table(scene, camera, points, depth), onto)


def _table(scene: Scene, camera: Camera, points: Points, depth: Values) -> Points:
    """Planks that lose their detail with distance, the object's shadow on them."""
    turned = np.stack([points[0] * 0.8 + points[2] * 0.6, points[1], points[2] * 0.8 - points[0] * 0.6]).astype(
        np.float32
    )
    board = np.floor(turned[2] * 3.2)
    grain = wood(turned + board * column((5.3, 1.7, 0.0)), linear("#5a3a22"), linear("#9a6b41"), 0, 1.6, 4)
    tint = 0.8 + 0.35 * ((np.sin(board * 12.9898) * 43758.547) % 1.0)
    gap = step(0.018, 0.006, np.abs(turned[2] * 3.2 - np.round(turned[2] * 3.2)))
    near = step(1.3, 0.1, np.abs(depth))
    wooden = mix(linear("#7a5131"), grain * tint.astype(np.float32) * (1 - 0.7 * gap), 0.25 + 0.75 * near)
    lit = np.ones(points.shape[1], np.float32)
    open_sky = np.ones(points.shape[1], np.float32)
    close = np.flatnonzero((points**2).sum(axis=0) < 2.2)
    key = camera.cam_to_world[:3, :3].astype(np.float32) @ KEY
    up = np.broadcast_to(column((0, 1, 0)), (3, len(close)))
    raised = points[:, close] + column((0, 0.003, 0))
    lit[close] = shadow(scene, raised, key, 6.0, 40)
    open_sky[close] = occlusion(scene, raised, up)
    return wooden * (KEY_LIGHT * np.float32(0.42 * max(key[1], 0.2)) * lit + np.float32(0.5) * open_sky)


def _wall(directions: Points) -> Points:
    """A room out of focus: a plain wall, a bright window, some dark and green shapes."""
    soft = fbm(directions + column((3.0, 1.0, 2.0)), 2.2, 2, 5)
    wall = mix(linear("#8f8a80"), linear("#c9c2b4"), soft)
    green = step(0.52, 0.7, fbm(directions, 3.5, 2, 11)) * step(0.25, -0.05, np.abs(directions[1] + 0.05))
    wall = mix(wall, linear("#4f6b3c"), 0.8 * green)
    window = step(0.35, 0.05, np.abs(directions[0] + 0.62)) * step(-0.12, 0.12, directions[1])
    return wall * np.float32(0.75) + window * column((1.1, 1.1, 1.15))


def _lowest(scene: Scene) -> float:
    """World height of the object's lowest point."""
    axis = np.linspace(-0.5, 0.5, 61, dtype=np.float32)
    x, z = (a.ravel() for a in np.meshgrid(axis, axis))
    low = -0.52
    for height in np.linspace(-0.52, 0.0, 261, dtype=np.float32):
        if (scene.sdf(np.stack([x, np.full_like(x, height), z], axis=1)) < 0).any():
            low = float(height)
            break
    return low
