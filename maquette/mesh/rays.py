"""Does a ray leave the object? Asked of ``extensions/visibility``: compiled where it was built, PyTorch otherwise."""

from __future__ import annotations

import numpy as np
import torch

from ..native import extension
from ..progress import Progress
from .topology import Bools, Floats, Ints, magnitude

_BLOCK = 1 << 16
"""Rays between two looks at the progress."""


class Tracer:
    """points: [V, 3]; faces: [F, 3]. The tree is built once; the verdict does not depend on what is compiled."""

    def __init__(self, points: Floats, faces: Ints) -> None:
        self._rays = extension("visibility")
        self._tree = self._rays.build(torch.as_tensor(points), torch.as_tensor(faces))
        self._slack = 1e-6 * magnitude(points)

    def escapes(self, origins: Floats, ways: Floats, progress: Progress) -> Bools:
        """[N] whether the ray from ``origins`` [N, 3] along ``ways`` [N, 3] meets no face of the mesh."""
        free = np.ones(len(origins), bool)
        for begin in range(0, len(origins), _BLOCK):
            progress.update(begin, len(origins), "rays")
            part = slice(begin, begin + _BLOCK)
            start, way = torch.as_tensor(origins[part]), torch.as_tensor(ways[part])
            free[part] = ~self._rays.blocked(self._tree, start, way, near=self._slack).numpy()
        return free


def sphere_ways(count: int) -> Floats:
    """[count, 3] directions spread evenly over the sphere (Fibonacci spiral)."""
    step = np.arange(count) + 0.5
    height, turn = 1 - 2 * step / count, step * np.pi * (3 - 5**0.5)
    ring = np.sqrt(1 - height**2)
    return np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
