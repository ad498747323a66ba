"""Does a ray leave the object? Embree where embreex is installed, else the tree of ``bvh`` in plain numpy."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np

from ..progress import Progress
from .bvh import LEAF, Tree, build
from .topology import Bools, Floats, Ints, magnitude

_BLOCK = 8192


def fast_rays() -> bool:
    """Whether Embree is there."""
    return importlib.util.find_spec("embreex") is not None


class Tracer:
    """points: [V, 3]; faces: [F, 3]. The acceleration structure is built once."""

    def __init__(self, points: Floats, faces: Ints) -> None:
        self._scene: Any = None
        self._slack = 1e-6 * magnitude(points)
        if fast_rays():
            from embreex import rtcore_scene
            from embreex.mesh_construction import TriangleMesh

            self._scene = rtcore_scene.EmbreeScene()
            self._keep = TriangleMesh(self._scene, points.astype(np.float32), faces.astype(np.int32))
        else:
            self._tree = build(points, faces)

    def escapes(self, origins: Floats, ways: Floats, progress: Progress) -> Bools:
        """[N] whether the ray from ``origins`` [N, 3] along ``ways`` [N, 3] meets no face of the mesh."""
        free = np.ones(len(origins), bool)
        step = _BLOCK if self._scene is None else 1 << 18
        for begin in range(0, len(origins), step):
            progress.update(begin, len(origins), "rays")
            part = slice(begin, begin + step)
            if self._scene is None:
                free[part] = _by_tree(self._tree, origins[part], ways[part], self._slack)
            else:
                hit: Any = self._scene.run(origins[part].astype(np.float32), ways[part].astype(np.float32))
                free[part] = hit < 0
        return free


def _by_tree(tree: Tree, origins: Floats, ways: Floats, slack: float) -> Bools:
    """Descend with all rays together; leaves are tested nearest first in waves, so that rays that hit end early."""
    rays, node = np.arange(len(origins)), np.zeros(len(origins), np.int64)
    free = np.ones(len(origins), bool)
    inverse = 1.0 / np.where(np.abs(ways) > 1e-12, ways, 1e-12)
    for level, (low, high) in enumerate(tree.levels):
        if level:
            rays, node = np.repeat(rays, 2), np.repeat(node * 2, 2)
            node[1::2] += 1
        enter = _entry(low[node], high[node], origins[rays], inverse[rays])
        keep = np.isfinite(enter)
        rays, node, enter = rays[keep], node[keep], enter[keep]
    order = np.lexsort((enter, rays))
    rays, node = rays[order], node[order]
    while len(rays):
        wave = np.append(True, rays[1:] != rays[:-1])
        for _ in range(3):
            wave[1:] |= wave[:-1] & (rays[1:] == rays[:-1])
        place, there = tree.leaf_faces(node[wave])
        ray = np.repeat(rays[wave], LEAF)[there.ravel()]
        hit = _hits(origins[ray], ways[ray], tree.corners[place[there]], slack)
        free[ray[hit]] = False
        left = ~wave & free[rays]
        rays, node = rays[left], node[left]
    return free


def _entry(low: Floats, high: Floats, origin: Floats, inverse: Floats) -> Floats:
    """[N] where each ray enters its box (slab method), inf when it misses it."""
    one, two = (low - origin) * inverse, (high - origin) * inverse
    near, far = np.minimum(one, two).max(axis=1), np.maximum(one, two).min(axis=1)
    return np.where((near <= far) & (far >= 0), np.maximum(near, 0.0), np.inf)


def _hits(origin: Floats, way: Floats, corner: Floats, slack: float) -> Bools:
    """[N] ray against triangle, in front of ``slack`` (Moeller and Trumbore 1997)."""
    one, two = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    p = np.cross(way, two)
    determinant = np.einsum("ni,ni->n", one, p)
    safe = np.where(np.abs(determinant) > 1e-300, determinant, 1.0)
    t = origin - corner[:, 0]
    u = np.einsum("ni,ni->n", t, p) / safe
    q = np.cross(t, one)
    v = np.einsum("ni,ni->n", way, q) / safe
    distance = np.einsum("ni,ni->n", two, q) / safe
    return (np.abs(determinant) > 1e-300) & (u >= 0) & (v >= 0) & (u + v <= 1) & (distance > slack)


def sphere_ways(count: int) -> Floats:
    """[count, 3] directions spread evenly over the sphere (Fibonacci spiral)."""
    step = np.arange(count) + 0.5
    height, turn = 1 - 2 * step / count, step * np.pi * (3 - 5**0.5)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
