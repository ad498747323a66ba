"""Which triangle covers a pixel, and where in it: compiled where it was built, the PyTorch twin otherwise.

Both give the same bits: coverage is decided in integers, and the float32 arithmetic is done in one order.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..build import load
from . import reference

NATIVE = load("uv_raster")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""
GUARD = 1 << 16
"""Vertices further out than this many pixels make the integers overflow; such triangles are refused."""

__all__ = ["GUARD", "NATIVE", "count", "method", "rasterize", "reference"]


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "torch"."""
    key = "CUDA" if torch.device(device).type == "cuda" else "CPU"
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    fits = torch.device(device).type in ("cpu", "cuda")
    return "native" if NATIVE and fits and has_kernel("maquette::uv_raster", key) else "torch"


def rasterize(
    vertices: Tensor,  # [V, 3] floating point: x and y in pixels (row 0 at the top, pixel centres at .5), z-depth
    faces: Tensor,  # [F, 3] integer
    columns: int,
    rows: int,
    *,
    corner: tuple[int, int] = (0, 0),
    perspective: bool = False,
    conservative: bool = False,
    block: int = reference.BLOCK,
) -> tuple[Tensor, Tensor, Tensor]:
    """The nearest face at every pixel centre of a window; both orientations are drawn, ties go to the lower index.

    corner: the window's left and top in pixels. perspective: z is the depth of a pinhole camera, so 1/z is interpolated
    and faces that reach z <= 0 are left out. conservative: a pixel whose centre no face covers takes the nearest face
    that overlaps its square, with the weights of the triangle's point nearest to the centre. block: how much the twin
    expands at once. Returns face [rows, columns] int64 (-1 = nothing), the weights of its corners [rows, columns, 3]
    and the depth [rows, columns] (inf = nothing), float32, where ``vertices`` lies. ValueError for NaN, for coordinates
    beyond 65,536 pixels and for faces that name no vertex.
    """
    depth = vertices[:, 2].to(torch.float32).contiguous()
    faces, flat = _checked(vertices, faces, None if perspective else depth)
    points = _snap(vertices[:, :2], corner)
    if method(vertices.device) == "native":
        found = torch.ops.maquette.uv_raster(points, depth, faces, columns, rows, flat, perspective, conservative)
        return (*found,)
    scene = reference.Scene(points, depth, faces, columns, rows, flat, perspective, block)
    return reference.rasterize(scene, conservative)


def count(
    points: Tensor,  # [V, 2] floating point, pixels
    faces: Tensor,  # [F, 3] integer
    columns: int,
    rows: int,
) -> Tensor:
    """[rows, columns] int32: how many faces cover each pixel centre; the same errors as ``rasterize``."""
    faces, _ = _checked(points, faces)
    snapped = _snap(points, (0, 0))
    if method(points.device) == "native":
        counted: Tensor = torch.ops.maquette.uv_count(snapped, faces, columns, rows)
        return counted
    depth = torch.zeros(len(points), device=points.device)
    return reference.count(reference.Scene(snapped, depth, faces, columns, rows))


def _checked(vertices: Tensor, faces: Tensor, depth: Tensor | None = None) -> tuple[Tensor, bool]:
    """[F, 3] int64 faces on the device of ``vertices``, all of whose corners exist, and: is ``depth`` [V] the same all
    over? ValueError for what no raster can draw. Everything is asked of a device at once, for each answer is a wait."""
    faces = faces.to(vertices.device, torch.int64).reshape(-1, 3).contiguous()
    asked = [vertices.abs().amax(dim=0)] if len(vertices) else []  # NaN where there is one
    if len(faces):
        asked.append(torch.stack(faces.aminmax()))
    if depth is not None and len(depth):
        asked.append(torch.stack(depth.aminmax()))
    if vertices.device.type == "mps":  # knows no float64
        asked = [part.cpu() for part in asked]
    told = torch.cat([part.double() for part in asked]).tolist() if asked else []
    peaks, told = (told[: vertices.shape[1]], told[vertices.shape[1] :]) if len(vertices) else ([0.0, 0.0], told)
    if not all(math.isfinite(peak) for peak in peaks):
        raise ValueError("cannot rasterise: vertices or uvs hold NaN or infinite values; clean the mesh first")
    if len(faces) and (told[0] < 0 or told[1] >= len(vertices)):
        raise ValueError(f"cannot rasterise: a face names a vertex that is not among the {len(vertices)} there are")
    if max(peaks[:2]) > GUARD:
        raise ValueError(
            f"cannot rasterise: a vertex lies {max(peaks[:2]):.0f} pixels out (limit {GUARD}); the camera is too close"
            " to the mesh, or the uvs are far outside [0, 1]"
        )
    return faces, depth is not None and len(depth) > 0 and told[-2] == told[-1]


def _snap(flat: Tensor, corner: tuple[int, int]) -> Tensor:
    """[V, 2] int64 sub-pixel coordinates in the window."""
    shifted = torch.stack([flat[:, axis] - corner[axis] for axis in (0, 1)], dim=1)
    return torch.round(shifted * reference.STEPS).to(torch.int64).contiguous()
