"""Parts that pass through each other become one body, by manifold3d's exact boolean; attributes are carried along."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from ..geometry.welding import weld_equal
from .surface import Rows, Surface
from .topology import Bools, Floats, Ints, compacted

_MANY = 200


def united(surface: Surface) -> tuple[Surface, int]:
    """The surface with overlapping closed parts united, and by how many parts it has fewer.

    Parts that only lie inside or beside each other stay as they are. Cavities (parts turned inwards) stay cavities of
    the largest body.
    """
    parts, labels = surface.parts
    if not 2 <= parts <= _MANY or (surface.partners.partner < 0).any():
        return surface, 0
    volumes = surface.measures.volume
    if not _boxes_overlap(surface, labels, np.flatnonzero(volumes > 0)):
        return surface, 0
    made = _boolean(surface, labels, volumes)
    if made is None:
        return surface, 0
    fewer = parts - made.parts[0]
    return (made, fewer) if fewer > 0 else (surface, 0)


def _boxes_overlap(surface: Surface, labels: Ints, which: Ints) -> bool:
    """Whether the boxes of any two of the parts ``which`` overlap."""
    corner = surface.points[surface.faces]
    low = np.array([corner[labels == k].min(axis=(0, 1)) for k in which])
    high = np.array([corner[labels == k].max(axis=(0, 1)) for k in which])
    if len(which) < 2:
        return False
    cross = ((low[:, None] < high[None]) & (high[:, None] > low[None])).all(axis=2)
    return bool(np.triu(cross, 1).any())


def _boolean(surface: Surface, labels: Ints, volumes: Floats) -> Surface | None:
    """(largest body - cavities) + the other bodies; None when manifold3d will not have it."""
    try:
        import manifold3d
    except ImportError:
        return None
    solids = [
        _solid(manifold3d, surface.kept(labels == k).flipped(_all(labels == k, volumes[k])))
        for k in range(len(volumes))
    ]
    if any(solid.status() != manifold3d.Error.NoError for solid in solids):
        return None
    order = np.argsort(-volumes, kind="stable").tolist()
    body = solids[order[0]]
    for k in order:
        if volumes[k] < 0:
            body = body - solids[k]
    body = reduce(lambda one, two: one + two, (solids[k] for k in order[1:] if volumes[k] > 0), body)
    if body.is_empty() or body.status() != manifold3d.Error.NoError:
        return None
    return _back(body.to_mesh(), surface)


def _all(part: Bools, volume: float) -> Bools:
    """Turn every face of a cavity, so that it is a body to take away."""
    return np.full(int(part.sum()), volume < 0)


def _solid(manifold3d: Any, surface: Surface) -> Any:
    """A Manifold whose vertex properties are the attributes; vertices are split where rows differ."""
    flat, rows = surface.faces.reshape(-1), surface.rows.reshape(-1)
    first, index = weld_equal(np.column_stack([flat, rows, np.zeros(len(flat))]).astype(np.float64))
    vertex, row = flat[first], rows[first]
    table = np.column_stack([surface.points[vertex], *_columns(surface.table, row)])
    _, leader, group = np.unique(vertex, return_index=True, return_inverse=True)
    twin = np.flatnonzero(leader[group.reshape(-1)] != np.arange(len(vertex)))
    return manifold3d.Manifold(
        manifold3d.Mesh(
            np.ascontiguousarray(table, np.float32),
            np.ascontiguousarray(index.reshape(-1, 3), np.uint32),
            merge_from_vert=twin.astype(np.uint32),
            merge_to_vert=leader[group.reshape(-1)][twin].astype(np.uint32),
        )
    )


def _columns(table: Rows, rows: Ints) -> list[Any]:
    return [value[rows].reshape(len(rows), -1) for value in table.present().values()]


def _back(mesh: Any, like: Surface) -> Surface:
    """manifold3d's mesh as a Surface with a table of its own."""
    table = np.asarray(mesh.vert_properties, np.float64)
    rows = np.asarray(mesh.tri_verts, np.int64)
    name = np.arange(len(table))
    name[np.asarray(mesh.merge_from_vert, np.int64)] = np.asarray(mesh.merge_to_vert, np.int64)
    used, faces = compacted(name[rows], len(table))
    values, column = {}, 3
    for key, value in like.table.present().items():
        width = 1 if value.ndim == 1 else value.shape[1]
        block = table[:, column : column + width].astype(np.float32)
        values[key] = block[:, 0] if value.ndim == 1 else block
        column += width
    return Surface(table[used, :3], faces, rows, Rows(len(table), **values))
