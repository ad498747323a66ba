"""Patches for holes: triangles of least area over a rim; refinement and flips; membranes and thin plates. CPU; numpy in
and out.

Compiled where it was built, the twin of numpy and SciPy otherwise. Both choose the same triangles and flips on the same
points; points that come out of a linear system differ by rounding. ``check`` (it may raise, to cancel) is called all
the time by the twin, and before each batch of patches by the kernels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ..build import load
from . import reference
from .reference import Bools, Check, Floats, Ints

NATIVE = load("patches")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""
_LONGEST = 4096
"""From so many points on a loop is the twin's: the kernel refuses it (``csrc/cpu.cpp``)."""
_TOGETHER = 30_000
"""Faces of whole patches that a kernel gets at once."""

__all__ = ["NATIVE", "flipped", "large", "least_area", "membrane", "method", "plate", "reference"]


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "numpy"."""
    return "native" if NATIVE and torch.device(device).type == "cpu" else "numpy"


def least_area(points: Floats, barred: Bools, sizes: Ints, check: Check) -> tuple[Ints, Bools]:
    """The triangulations with the least area of closed loops ``points`` [H, L, 3], of which the first sizes [H] count.

    barred: [H, L, L] edges i < j that may not be made. Returns (triangles [H, L - 2, 3], of which sizes - 2 count, each
    i < j < k; found [H] whether there is one). Of choices with the same area the first middle j is taken. ValueError
    for other shapes.
    """
    holes, count = points.shape[:2]
    if points.shape != (holes, count, 3) or barred.shape != (holes, count, count) or sizes.shape != (holes,):
        raise ValueError(f"loops are [H, L, 3], barred [H, L, L], got {list(points.shape)} and {list(barred.shape)}")
    if holes and not 3 <= sizes.min() <= sizes.max() <= count:
        raise ValueError(f"loops have 3 to {count} points, got {sizes.min()} to {sizes.max()}")
    if method() == "native" and holes and count < _LONGEST:
        check()
        found = torch.ops.maquette.patches(_tensor(points), _tensor(barred), _tensor(sizes))
        return found[0].numpy(), found[1].numpy()
    return reference.least_area(points, barred, sizes, check)


def large(points: Floats, faces: Ints, group: Ints, size: Floats) -> Bools:
    """[F] faces to be split at their middle: all corners lie further from it than ``size`` [N] allows there, and their
    patch has few faces yet. group: [N] the patch of each point."""
    _checked(points, faces, group, size, np.float64)
    if method() == "native":
        found: Bools = torch.ops.maquette.patches_split(*map(_tensor, (points, faces, group, size))).numpy()
        return found
    return reference.large(points, faces, group, size)


def flipped(points: Floats, faces: Ints, rim: Bools, group: Ints, check: Check) -> Ints:
    """The faces after flips of inner edges whose opposite angles exceed a half turn, until none does (Delaunay).

    No edge is made that is there, nor one between two points of the ``rim`` [N]: the surface outside may have it.
    """
    _checked(points, faces, group, rim)
    if method() != "native":
        return reference.flipped(points, faces, rim, group, check)
    flip, made = torch.ops.maquette.patches_flip, faces
    for batch in _batches(faces, group, check):
        if batch is None:
            return _numpy(flip(*map(_tensor, (points, faces, rim, group))))
        made = made.copy() if made is faces else made
        given = points[batch.points], batch.local, rim[batch.points], batch.group
        made[batch.faces] = batch.points.take(_numpy(flip(*map(_tensor, given))))
    return made


def membrane(points: Floats, faces: Ints, rim: Bools, group: Ints, check: Check) -> Floats:
    """The points [N, 3], those not on the ``rim`` [N] each at the mean of its neighbours, near ones counting more."""
    _checked(points, faces, group, rim)
    if rim.all():
        return points
    if method() != "native":
        return reference.membrane(points, faces, rim)
    stretch, moved = torch.ops.maquette.patches_membrane, points
    for batch in _batches(faces, group, check):
        if batch is None:
            return _numpy(stretch(*map(_tensor, (points, faces, rim, group))))
        moved = moved.copy() if moved is points else moved
        given = points[batch.points], batch.local, rim[batch.points], batch.group
        moved[batch.points] = _numpy(stretch(*map(_tensor, given)))
    return moved


def plate(points: Floats, faces: Ints, rim: Bools, group: Ints, ring: tuple[Floats, Ints], check: Check) -> Floats:
    """The points [N, 3], those not on the ``rim`` [N] as a thin plate that continues the faces around it: the least
    integral of the squared Laplacian (cotangent weights, Pinkall and Polthier 1993) over each patch and its rim.

    ring: points [M, 3] outside the patches, and the faces [R, 3] at the rims, into ``points`` and, from N on, into
    these; each lies at one patch. A patch whose system the kernel finds not to be positive definite stays as it is.
    """
    ring_points, ring_faces = ring
    _checked(points, faces, group, rim)
    first = _checked_ring(len(points), ring_points, ring_faces)
    if rim.all():
        return points
    if method() != "native":
        return reference.plate(points, faces, rim, ring_points, ring_faces)
    bend, moved = torch.ops.maquette.patches_plate, points
    for batch in _batches(faces, group, check):
        if batch is None:
            return _numpy(bend(*map(_tensor, (points, faces, rim, group, ring_points, ring_faces))))
        moved = moved.copy() if moved is points else moved
        outside = batch.moved(ring_faces[batch.owns[group[first]]], len(points), len(ring_points))
        given = points[batch.points], batch.local, rim[batch.points], batch.group, ring_points, outside
        moved[batch.points] = _numpy(bend(*map(_tensor, given)))
    return moved


@dataclass(frozen=True)
class _Batch:
    """Whole patches that a kernel gets at once. points, faces: their rows; local: these faces, into these points;
    group: of these points, anew from 0; owns: [G] the patches."""

    points: Ints
    faces: Ints
    local: Ints
    group: Ints
    owns: Bools

    def moved(self, ring_faces: Ints, count: int, more: int) -> Ints:
        """Faces into all ``count`` points and then ``more``, as faces into those of the batch and then the same."""
        place = np.append(np.zeros(count, np.int64), len(self.points) + np.arange(more))
        place[self.points] = np.arange(len(self.points))
        return place.take(ring_faces)


def _batches(faces: Ints, group: Ints, check: Check) -> Iterator[_Batch | None]:
    """About ``_TOGETHER`` faces each, in the order of the patches; None where one takes all."""
    if len(faces) <= _TOGETHER:
        check()
        yield None
        return
    owner = group[faces[:, 0]]
    number = np.cumsum(np.bincount(owner, minlength=int(group.max()) + 1)) // _TOGETHER
    for wanted in np.unique(number).tolist():
        check()
        owns = number == wanted
        points, rows = np.flatnonzero(owns[group]), np.flatnonzero(owns[owner])
        place = np.zeros(len(group), np.int64)
        place[points] = np.arange(len(points))
        fresh = (np.cumsum(owns) - 1).take(group[points])
        yield _Batch(points, rows, place.take(faces[rows]), fresh, owns)


def _checked(points: Floats, faces: Ints, group: Ints, each: npt.NDArray[Any], kind: type = np.bool_) -> None:
    """ValueError for shapes, types and numbers that do not fit. each: [N] of type ``kind``."""
    count = len(points)
    if points.shape != (count, 3) or faces.shape != (len(faces), 3) or {group.shape, each.shape} != {(count,)}:
        raise ValueError(
            f"points are [N, 3], faces [F, 3], values [N], got {list(points.shape)}, {list(faces.shape)},"
            f" {list(group.shape)} and {list(each.shape)}"
        )
    if points.dtype != np.float64 or each.dtype != kind:
        raise ValueError(f"points are float64, values {kind.__name__}, got {points.dtype} and {each.dtype}")
    for values, name in ((faces, "faces"), (group, "groups")):
        _checked_range(values, count, name)


def _checked_ring(count: int, ring_points: Floats, ring_faces: Ints) -> Ints:
    """[R] of each face of the ring a point that is one of the ``count`` of the patches."""
    if ring_points.shape != (len(ring_points), 3) or ring_faces.shape != (len(ring_faces), 3):
        raise ValueError(f"a ring is [M, 3] and [R, 3], got {list(ring_points.shape)} and {list(ring_faces.shape)}")
    _checked_range(ring_faces, count + len(ring_points), "faces of the ring")
    first = np.minimum(np.minimum(ring_faces[:, 0], ring_faces[:, 1]), ring_faces[:, 2])
    if first.max(initial=-1) >= count:
        raise ValueError("a face of the ring touches no patch")
    return first


def _checked_range(values: Ints, count: int, name: str) -> None:
    if values.dtype != np.int64 or (values.size and not 0 <= values.min() <= values.max() < count):
        raise ValueError(f"{name} are int64 from 0 to {count - 1}, got {values.dtype} that do not fit")


def _numpy(made: torch.Tensor) -> npt.NDArray[Any]:
    found: npt.NDArray[Any] = made.numpy()
    return found


def _tensor(values: npt.NDArray[Any]) -> torch.Tensor:
    """Contiguous, without torch's warning about arrays that cannot be written to: no operator here writes to them."""
    values = np.ascontiguousarray(values)
    return torch.from_numpy(values if values.flags.writeable else values.copy())
