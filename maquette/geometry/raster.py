"""Triangle rasteriser in plain PyTorch: same result on CPU and GPU, no OpenGL, memory bounded by blocks.

Coverage is exact: vertices are snapped to 1/4096 pixel and the edge functions are evaluated in integers, so with the
top-left rule two triangles that share an edge cover every pixel centre along it exactly once (the rule of Direct3D and
OpenGL hardware). Work is proportional to the covered pixels: a triangle becomes rows, a row becomes the span that the
three edges leave (Pineda, "A parallel algorithm for polygon rasterization", SIGGRAPH 1988, solved for x per row).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInputError
from .camera import project

if TYPE_CHECKING:
    from ..data import Camera, Mesh

_STEPS = 4096
"""Sub-pixel steps a pixel."""
_GUARD = 1 << 16
"""Vertices further out than this many pixels make the integers overflow; such triangles are refused."""
_BLOCK = 1 << 20
"""Rows and pixels that are expanded at once: about 150 MB of temporaries."""
_NOTHING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Fragments:
    """What a pixel sees. face: [H, W] int64, -1 = nothing; bary: [H, W, 3] float32 weights of the face's corners;
    depth: [H, W] float32 z-depth, inf = nothing."""

    face: Tensor
    bary: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        """[H, W] bool, True where there is a face."""
        return self.face >= 0


def rasterize(
    vertices: Tensor,  # [V, 3] x and y in pixels (row 0 at the top, pixel centres at .5), z-depth
    faces: Tensor,  # [F, 3] integer
    width: int,
    height: int,
    *,
    perspective: bool = False,
    window: tuple[int, int, int, int] | None = None,
    block: int = _BLOCK,
) -> Fragments:
    """The nearest face at every pixel centre; both orientations are drawn, equal depths go to the lower face index.

    perspective: z is the depth of a pinhole camera, so interpolate 1/z (faces that reach z <= 0 are left out: move the
    camera back); else weights and depth are linear on the screen. window: (left, top, width, height) of the part of the
    picture to draw. Everything is computed where ``vertices`` lies. BadInputError for NaN and for coordinates beyond
    65,536.
    """
    left, top, columns, rows = window or (0, 0, width, height)
    faces = faces.to(vertices.device, torch.int64).reshape(-1, 3)
    snapped = _snap(vertices, left, top)
    depth = vertices[:, 2].to(torch.float32)
    drawn = _drawable(snapped, depth if perspective else None, faces, columns, rows)
    flat = not perspective and len(depth) > 0 and bool((depth == depth[0]).all())
    keys = torch.full((rows * columns,), _NOTHING, dtype=torch.int64, device=vertices.device)
    for pixel, face in _candidates(snapped, faces, drawn, columns, rows, block):
        if flat:  # an atlas: nothing lies before anything else
            keys.scatter_reduce_(0, pixel, face, "amin")
            continue
        weights = _weights(snapped, faces, face, pixel, columns)
        z = _depth(weights, depth, faces[face], perspective)[0]
        keys.scatter_reduce_(0, pixel, _key(z, face), "amin")
    return _resolve(keys, snapped, depth, faces, rows, columns, perspective, block)


def rasterize_uv(
    uvs: Tensor,  # [V, 2] in [0, 1], origin top left
    faces: Tensor,  # [F, 3]
    size: int,
    *,
    window: tuple[int, int, int, int] | None = None,
) -> Fragments:
    """The face and weights at every texel centre of a ``size`` x ``size`` atlas; overlaps go to the lower index."""
    flat = torch.cat([uvs.to(torch.float64) * size, torch.zeros_like(uvs[:, :1], dtype=torch.float64)], dim=1)
    return rasterize(flat, faces, size, size, window=window)


def count_uv(
    uvs: Tensor,  # [V, 2] in [0, 1]
    faces: Tensor,  # [F, 3]
    size: int,
) -> Tensor:
    """[size, size] int32: how many faces cover each texel centre. Above 1 means that the layout overlaps itself."""
    snapped = _snap(uvs.to(torch.float64) * size, 0, 0)
    faces = faces.to(uvs.device, torch.int64).reshape(-1, 3)
    count = torch.zeros(size * size, dtype=torch.int32, device=uvs.device)
    for pixel, _ in _candidates(snapped, faces, _drawable(snapped, None, faces, size, size), size, size, _BLOCK):
        count.index_add_(0, pixel, torch.ones_like(pixel, dtype=torch.int32))
    return count.view(size, size)


def render_fragments(mesh: Mesh, camera: Camera, device: str | torch.device = "cpu") -> Fragments:
    """What ``camera`` sees of ``mesh``, [H, W] of the camera, perspective-correct."""
    pixels, depth = project(camera, mesh.vertices)
    where = torch.device(device)
    real = torch.float32 if where.type == "mps" else torch.float64
    vertices = torch.as_tensor(np.column_stack([pixels, depth]), dtype=real, device=where)
    faces = torch.as_tensor(np.array(mesh.faces, np.int64), device=where)
    behind = ~(vertices[:, 2] > 0)
    vertices = torch.where(behind[:, None], torch.zeros_like(vertices), vertices)
    return rasterize(vertices, faces, camera.width, camera.height, perspective=True)


def render_depth(mesh: Mesh, camera: Camera, device: str | torch.device = "cpu") -> Tensor:
    """[H, W] float32 z-depth of ``mesh`` along the camera axis in world units, inf where nothing is."""
    return render_fragments(mesh, camera, device).depth


def interpolate(fragments: Fragments, faces: Tensor, values: Tensor) -> Tensor:
    """Per-vertex ``values`` [V, C] at every pixel: [H, W, C], 0 where nothing is.

    Moves both to the fragments' device.
    """
    device = fragments.face.device
    faces, values = faces.to(device, torch.int64), values.to(device)
    out = torch.zeros((*fragments.face.shape, values.shape[1]), dtype=values.dtype, device=device)
    seen = fragments.covered
    corners = values[faces[fragments.face[seen]]]  # [N, 3, C]
    out[seen] = (corners * fragments.bary[seen][..., None].to(values.dtype)).sum(dim=1)
    return out


def _snap(vertices: Tensor, left: int, top: int) -> Tensor:
    """[V, 2] int64 sub-pixel coordinates in the window."""
    flat = vertices[:, :2]
    if not bool(torch.isfinite(vertices).all()):
        raise BadInputError("cannot rasterise: vertices or uvs hold NaN or infinite values; clean the mesh first")
    reach = float(flat.abs().max()) if len(flat) else 0.0
    if reach > _GUARD:
        raise BadInputError(
            f"cannot rasterise: a vertex lies {reach:.0f} pixels out (limit {_GUARD}); the camera is too close to the"
            " mesh, or the uvs are far outside [0, 1]"
        )
    offset = torch.tensor([left, top], dtype=flat.dtype, device=flat.device)
    return torch.round((flat - offset) * _STEPS).to(torch.int64)


def _drawable(snapped: Tensor, depth: Tensor | None, faces: Tensor, columns: int, rows: int) -> Tensor:
    """Indices of faces that have area, lie before the camera and touch the window."""
    a, b, c = (snapped[faces[:, k]] for k in range(3))
    keep = _cross(b - a, c - a) != 0
    if depth is not None:
        keep &= (depth > 0)[faces].all(dim=1)
    limit = torch.tensor([columns, rows], device=snapped.device) * _STEPS
    low, high = torch.minimum(torch.minimum(a, b), c), torch.maximum(torch.maximum(a, b), c)
    keep &= ((high > 0) & (low < limit)).all(dim=1)
    return keep.nonzero()[:, 0]


def _candidates(
    snapped: Tensor, faces: Tensor, drawn: Tensor, columns: int, rows: int, block: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Covered (pixel index, face index) pairs, at most about ``block`` of them at a time."""
    y = snapped[:, 1][faces[drawn]]
    half = _STEPS // 2
    first = torch.clamp(-((half - y.amin(dim=1)) // _STEPS), min=0)
    last = torch.clamp((y.amax(dim=1) - half) // _STEPS, max=rows - 1)
    for part in _blocks((last - first + 1).clamp(min=0), block):
        face, row = _expand(drawn[part], first[part], (last - first + 1)[part].clamp(min=0))
        start, stop = _spans(snapped, faces, face, row, columns)
        count = (stop - start + 1).clamp(min=0)
        for inner in _blocks(count, block):
            which = torch.arange(inner.start, inner.stop, device=face.device)
            which, x = _expand(which, start[inner], count[inner])
            yield row[which] * columns + x, face[which]


def _blocks(counts: Tensor, block: int) -> Iterator[slice]:
    """Slices whose counts add up to about ``block``, each at least one long, empty ones left out."""
    if len(counts) == 0:
        return
    total = torch.cumsum(counts, 0)
    if int(total[-1]) <= block:
        if int(total[-1]) > 0:
            yield slice(0, len(counts))
        return
    running = total.cpu()
    begin, done = 0, 0
    while begin < len(counts):
        end = int(torch.searchsorted(running, done + block, right=True))
        end = min(max(end, begin + 1), len(counts))
        if int(running[end - 1]) > done:
            yield slice(begin, end)
        begin, done = end, int(running[end - 1])


def _expand(values: Tensor, start: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Every value ``count`` times, beside start, start + 1, ..."""
    which = torch.repeat_interleave(torch.arange(len(values), device=values.device), count)
    begins = torch.cumsum(count, 0) - count
    step = torch.arange(len(which), device=values.device) - begins[which]
    return values[which], start[which] + step


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _oriented(snapped: Tensor, faces: Tensor, face: Tensor) -> Tensor:
    """[N, 3, 2] corners, turned so that the signed area is positive, and [N] bool where that swapped corner 1 and 2."""
    corners = snapped[faces[face]]
    flip = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) < 0
    return torch.where(flip[:, None, None], corners[:, [0, 2, 1]], corners)


def _spans(snapped: Tensor, faces: Tensor, face: Tensor, row: Tensor, columns: int) -> tuple[Tensor, Tensor]:
    """First and last covered column of each (face, row); empty where first > last."""
    corners = _oriented(snapped, faces, face)
    y = row * _STEPS + _STEPS // 2
    start = torch.zeros_like(row)
    stop = torch.full_like(row, columns - 1)
    for k in range(3):
        a, edge = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
        owned = (edge[:, 1] < 0) | ((edge[:, 1] == 0) & (edge[:, 0] > 0))  # the left and the top edges
        # inside: dx * (y - ay) - dy * (x - ax) >= (0 if owned else 1), with x = step * column + step / 2
        level = edge[:, 0] * (y - a[:, 1]) - edge[:, 1] * (_STEPS // 2 - a[:, 0]) - (~owned).to(torch.int64)
        slope = edge[:, 1] * _STEPS
        divisor = torch.where(slope == 0, torch.ones_like(slope), slope.abs())
        bound = torch.div(level, divisor, rounding_mode="floor")
        stop = torch.where(slope > 0, torch.minimum(stop, bound), stop)
        start = torch.where(slope < 0, torch.maximum(start, -bound), start)
        stop = torch.where((slope == 0) & (level < 0), torch.full_like(stop, -1), stop)
    return start, stop


def _weights(snapped: Tensor, faces: Tensor, face: Tensor, pixel: Tensor, columns: int) -> Tensor:
    """[N, 3] float32 linear weights of the corners at pixel centres, from the exact edge functions."""
    corners = snapped[faces[face]]
    center = torch.stack([pixel % columns, torch.div(pixel, columns, rounding_mode="floor")], dim=1)
    center = center * _STEPS + _STEPS // 2
    parts = [
        _cross(corners[:, (k + 2) % 3] - corners[:, (k + 1) % 3], center - corners[:, (k + 1) % 3]) for k in range(3)
    ]
    area = parts[0] + parts[1] + parts[2]
    return torch.stack([part.to(torch.float32) / area.to(torch.float32) for part in parts], dim=1)


def _depth(weights: Tensor, depth: Tensor, corners: Tensor, perspective: bool) -> tuple[Tensor, Tensor]:
    """Depth [N] and perspective-correct weights [N, 3]."""
    z = depth[corners]
    if not perspective:
        return (weights * z).sum(dim=1), weights
    over = weights / z
    total = over.sum(dim=1)
    return 1.0 / total, over / total[:, None]


def _key(depth: Tensor, face: Tensor) -> Tensor:
    """Integers that sort like (depth, face): one scatter-min then finds both, in any order of execution."""
    bits = depth.contiguous().view(torch.int32).to(torch.int64)
    ordered = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return ordered * (1 << 32) + face


def _resolve(
    keys: Tensor, snapped: Tensor, depth: Tensor, faces: Tensor, rows: int, columns: int, perspective: bool, block: int
) -> Fragments:
    """Fragments of the winning faces."""
    device = keys.device
    face = torch.where(keys == _NOTHING, torch.full_like(keys, -1), keys & 0xFFFFFFFF)
    bary = torch.zeros((rows * columns, 3), dtype=torch.float32, device=device)
    out = torch.full((rows * columns,), float("inf"), dtype=torch.float32, device=device)
    for pixel in (face >= 0).nonzero()[:, 0].split(block):
        which = face[pixel]
        weights = _weights(snapped, faces, which, pixel, columns)
        out[pixel], bary[pixel] = _depth(weights, depth, faces[which], perspective)
    return Fragments(face.view(rows, columns), bary.view(rows, columns, 3), out.view(rows, columns))
