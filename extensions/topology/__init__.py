"""How triangles hang together: edges, groups, fans, points at one place, volumes of parts. CPU; numpy in and out.

Compiled where it was built, the numpy twin otherwise; both give the same rows in the same order, and the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..build import load
from . import reference
from .reference import Bools, Floats, Halves, Ints

NATIVE = load("topology")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""
_COUNTABLE = 1 << 31
_SPARSE = 16
"""Buckets per vertex pay up to so many times more vertex numbers than corners."""

__all__ = [
    "NATIVE", "edges", "equal", "fans", "flat", "groups", "joined", "measures", "method", "partners", "reference",
    "turns",
]  # fmt: skip


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "numpy"."""
    return "native" if NATIVE and torch.device(device).type == "cpu" else "numpy"


def edges(faces: npt.NDArray[Any]) -> tuple[Ints, Ints, Ints, Bools, Ints, Ints]:
    """The undirected edges of ``faces`` [F, 3], by lower, then higher vertex; half-edge 3 f + i leaves corner i of f.

    Returns (ends [E, 2], count [E] of faces, edge [3 F] of each half-edge, forward [3 F] from low to high, order [3 F]
    half-edges by edge, start [E + 1] of each edge in it). ValueError for other shapes and negative vertices.
    """
    faces = _indices(faces, 3, None, "faces")
    high = int(faces.max()) if faces.size else 0
    if method() == "native" and high < min(_SPARSE * faces.size + 65536, _COUNTABLE):
        return tuple(found.numpy() for found in torch.ops.maquette.topology(_tensor(faces)))  # type: ignore[return-value]
    return reference.edges(faces)


def groups(pairs: npt.NDArray[Any], count: int) -> tuple[int, Ints]:
    """Number of groups and the group of each of ``count`` nodes that ``pairs`` [P, 2] connect, by lowest member."""
    pairs = _indices(pairs, 2, count, "pairs")
    if method() == "native" and count < _COUNTABLE:
        return _counted(torch.ops.maquette.topology_groups(_tensor(pairs), count))
    return reference.groups(pairs, count)


def fans(faces: npt.NDArray[Any], links: npt.NDArray[Any]) -> tuple[int, Ints]:
    """Number of umbrella fans and the fan of each corner [3 F], when faces [F, 3] hang together by ``links`` only.

    links: [L, 2] half-edges on one edge, in either direction.
    """
    faces = _indices(faces, 3, None, "faces")
    links = _indices(links, 2, faces.size, "links")
    if method() == "native" and faces.size < _COUNTABLE:
        return _counted(torch.ops.maquette.topology_fans(_tensor(faces), _tensor(links)))
    return reference.fans(faces, links)


def partners(faces: npt.NDArray[Any]) -> tuple[Halves, bool, bool]:
    """(partner [3 F], crowded, same_way) of ``faces`` [F, 3]: for each half-edge the other one where its edge has two
    faces, -1 where it has one and -2 where it has more; whether any has more; whether any two partners run the same
    way. A face may not repeat a vertex."""
    faces = _indices(faces, 3, None, "faces")
    high = int(faces.max()) if faces.size else 0
    if method() == "native" and high < min(_SPARSE * faces.size + 65536, _COUNTABLE):
        found, crowded, same_way = torch.ops.maquette.topology_partners(_tensor(faces))
        return found.numpy(), crowded, same_way
    return reference.partners(faces, reference.edges(faces))


def turns(partner: Halves) -> tuple[int, Ints]:
    """Number of umbrella fans and the fan of each corner [3 F], when faces hang together by ``partner`` [3 F] only, all
    of which run opposite ways (``partners``)."""
    partner = _partner(partner)
    if method() == "native":
        return _counted(torch.ops.maquette.topology_turns(_tensor(partner)))
    return reference.turns(partner)


def joined(partner: Halves) -> tuple[int, Ints]:
    """Number of parts and the part of each face [F], by first face, when faces hang together by ``partner`` only."""
    partner = _partner(partner)
    if method() == "native":
        return _counted(torch.ops.maquette.topology_joined(_tensor(partner)))
    return reference.joined(partner)


def _partner(values: npt.NDArray[Any]) -> Halves:
    if values.ndim != 1 or len(values) % 3 or values.dtype != np.int32 or values.max(initial=-1) >= len(values):
        raise ValueError(f"partners are int32 [3 F] below 3 F, got {list(values.shape)} of {values.dtype}")
    return values


def equal(points: npt.NDArray[Any]) -> tuple[Ints, Ints]:
    """(first [U], group [V]): the first of ``points`` [V, 3] at each place, in order of appearance, and each point's
    place. 0.0 equals -0.0; a row with NaN equals none. points: float32 or float64."""
    if points.ndim != 2 or points.shape[1] != 3 or points.dtype not in (np.float32, np.float64):
        raise ValueError(f"points are [V, 3] of float32 or float64, got {list(points.shape)} of {points.dtype}")
    if method() == "native" and len(points) < _COUNTABLE:
        first, group = torch.ops.maquette.topology_equal(_tensor(points))
        return first.numpy(), group.numpy()
    return reference.equal(points)


def measures(
    points: npt.NDArray[Any], faces: npt.NDArray[Any], labels: npt.NDArray[Any], count: int
) -> tuple[Floats, Floats, Floats, Floats]:
    """Per part [count] the signed volume, measured from its own middle, [count] the area and [count, 3] the sum of
    areas times normals; per face [F] the area. labels: [F] part of each face."""
    points, faces = np.asarray(points, np.float64), _indices(faces, 3, len(points), "faces")
    labels = _indices(labels.reshape(-1, 1), 1, count, "labels").reshape(-1)
    if len(labels) != len(faces):
        raise ValueError(f"one label per face is wanted, got {len(labels)} for {len(faces)} faces")
    if method() == "native":
        found = torch.ops.maquette.topology_measures(_tensor(points), _tensor(faces), _tensor(labels), count)
        return tuple(values.numpy() for values in found)  # type: ignore[return-value]
    return reference.measures(points, faces, labels, count)


def flat(points: npt.NDArray[Any], faces: npt.NDArray[Any], limit: float) -> Bools:
    """[F] faces with a repeated corner or a height of at most ``limit`` (world units)."""
    points, faces = np.asarray(points, np.float64), _indices(faces, 3, len(points), "faces")
    if method() == "native":
        found: Bools = torch.ops.maquette.topology_flat(_tensor(points), _tensor(faces), limit).numpy()
        return found
    return reference.flat(points, faces, limit)


def _indices(values: npt.NDArray[Any], columns: int, count: int | None, name: str) -> Ints:
    """``values`` [N, columns] as int64, all of them in 0 .. count - 1."""
    if values.ndim != 2 or values.shape[1] != columns or values.dtype.kind not in "iu":
        raise ValueError(f"{name} are integers [N, {columns}], got {list(values.shape)} of {values.dtype}")
    values = values.astype(np.int64, copy=False)
    if values.size and (values.min() < 0 or (count is not None and values.max() >= count)):
        raise ValueError(f"{name} name {values.min()} to {values.max()}, which are not among the {count}")
    return values


def _counted(labels: torch.Tensor) -> tuple[int, Ints]:
    found = labels.numpy()
    return int(found.max()) + 1 if len(found) else 0, found


def _tensor(values: npt.NDArray[Any]) -> torch.Tensor:
    """Contiguous, without torch's warning about arrays that cannot be written to: no operator here writes to them."""
    values = np.ascontiguousarray(values)
    return torch.from_numpy(values if values.flags.writeable else values.copy())
