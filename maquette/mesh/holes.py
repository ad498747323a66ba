"""Find the loops of open edges and close each with a patch that fits the surface around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..progress import Progress
from .patching import Patch, make_patch
from .splitting import paired_halves
from .surface import Rows, Surface
from .topology import Bools, Floats, Ints, part_areas, signed_volumes

_SHEET = 1e-4
"""A part whose closed volume is below this share of (area / 4.84)^1.5 (the sphere has 1) is a sheet, not a body."""


@dataclass(frozen=True)
class Filled:
    """surface: closed where it could be; holes, faces: what was added; sheets: parts left open, for they are flat."""

    surface: Surface
    holes: int
    faces: int
    sheets: int


def fill_holes(surface: Surface, progress: Progress) -> Filled:
    """Close every hole of a surface that ``split`` has made a manifold."""
    edges = surface.edges
    open_half = np.ones(surface.faces.size, bool)
    open_half[paired_halves(surface, edges).reshape(-1)] = False
    halves = np.flatnonzero(open_half)
    if len(halves) == 0:
        return Filled(surface, 0, 0, 0)
    parts, labels = surface.parts
    sheet = _sheets(surface, labels, parts, halves)
    loops = [loop for loop in _loops(surface.faces, halves) if not sheet[labels[loop[0] // 3]]]
    chords = _chords(edges.ends, surface.faces.reshape(-1)[halves], len(surface.points))
    patches = []
    for index, loop in enumerate(loops):
        progress.update(index, len(loops), "holes")
        patches.append(make_patch(surface, loop, chords))
    closed = _attached(surface, loops, patches)
    return Filled(closed, len(loops), len(closed.faces) - len(surface.faces), int(sheet.sum()))


def _loops(faces: Ints, halves: Ints) -> list[Ints]:
    """The open half-edges as closed loops, each in the order in which it runs along the surface's edge."""
    tail = faces.reshape(-1)[halves]
    head = faces[:, [1, 2, 0]].reshape(-1)[halves]
    order = np.argsort(tail, kind="stable")
    following = order[np.searchsorted(tail[order], head)].tolist()
    loops, seen = [], [False] * len(halves)
    for begin in range(len(halves)):
        if seen[begin]:
            continue
        loop, at = [], begin
        while not seen[at]:
            seen[at] = True
            loop.append(at)
            at = following[at]
        loops.append(halves[np.array(loop)])
    return loops


def _chords(ends: Ints, rim: Ints, count: int) -> set[int]:
    """Keys (low * count + high) of the edges between rim vertices: a patch may not use these a second time."""
    on_rim = np.zeros(count, bool)
    on_rim[rim] = True
    both = on_rim[ends].all(axis=1)
    return set((ends[both, 0] * count + ends[both, 1]).tolist())


def _sheets(surface: Surface, labels: Ints, parts: int, halves: Ints) -> Bools:
    """[parts] open parts that enclose next to nothing even when closed."""
    is_open = np.zeros(parts, bool)
    is_open[labels[halves // 3]] = True
    volume = np.abs(signed_volumes(surface.points, surface.faces, labels, parts))
    area = part_areas(surface.points, surface.faces, labels, parts)
    return is_open & (volume <= _SHEET * (area / 4.84) ** 1.5)


def _attached(surface: Surface, loops: list[Ints], patches: list[Patch]) -> Surface:
    """The surface with all patches: new points, new attribute rows blended from the rims, new faces."""
    flat_faces, flat_rows, textured = surface.faces.reshape(-1), surface.rows.reshape(-1), surface.table.uvs is not None
    points, faces, rows = [surface.points], [surface.faces], [surface.rows]
    fresh = _FreshRows(surface.table)
    next_point = len(surface.points)
    for loop, patch in zip(loops, patches, strict=True):
        rim, rim_rows = flat_faces[loop], flat_rows[loop]
        local = np.concatenate([rim, next_point + np.arange(len(patch.points))])
        inner = fresh.blend(rim_rows, patch.blend)
        outer = fresh.blend(rim_rows, np.eye(len(loop))) if textured else rim_rows
        points.append(patch.points)
        faces.append(local[patch.faces])
        rows.append(np.concatenate([outer, inner])[patch.faces])
        next_point += len(patch.points)
    return Surface(np.concatenate(points), np.concatenate(faces), np.concatenate(rows), fresh.table())


class _FreshRows:
    """Collects the attribute rows of all patches, so that the table is copied once.

    Colours are blended from the rim, confidence is 0 (nothing was seen there), normals are left to be computed. A patch
    has one uv for all its corners: the rim may lie on several charts, and what is between them is not its texture.
    """

    def __init__(self, table: Rows) -> None:
        self._table, self._next = table, table.count
        self._like: list[Ints] = []
        self._values: dict[str, list[Any]] = {name: [] for name in table.present()}

    def blend(self, rim_rows: Ints, weights: Floats) -> Ints:
        """Rows for ``weights`` [N, L] of the rim's rows [L]; returns their numbers [N]."""
        numbers = self._next + np.arange(len(weights))
        self._next += len(weights)
        self._like.append(np.full(len(weights), rim_rows[0]))
        for name, value in self._table.present().items():
            if name == "uvs":
                block = np.tile(value[rim_rows[0]], (len(weights), 1))
            elif name == "vertex_colors":
                block = weights @ value[rim_rows]
            else:
                block = np.zeros((len(weights), *value.shape[1:]))
            self._values[name].append(block)
        return numbers

    def table(self) -> Rows:
        """The table with all rows that were asked for."""
        if not self._like:
            return self._table
        given = {name: np.concatenate([self._table.present()[name], *blocks]) for name, blocks in self._values.items()}
        return Rows(self._next, **{name: value.astype(np.float32) for name, value in given.items()})
