"""Triangle raster in pure PyTorch (CPU and CUDA): the twin of the compiled kernels and the default where none is built.

Vertices come snapped to 1/4096 pixel and the edge functions are evaluated in integers, so with the top-left rule two
triangles that share an edge cover every pixel centre along it exactly once (the rule of Direct3D and OpenGL hardware).
Work is proportional to the covered pixels: a triangle becomes rows, a row becomes the span that the three edges leave
(Pineda, "A parallel algorithm for polygon rasterization", SIGGRAPH 1988, solved for x per row). Touched pixels, of the
conservative option, are those whose square overlaps the triangle with some area: the same edges, moved out by half a
pixel (Hasselgren, Akenine-Moeller and Ohlsson, "Conservative rasterization", GPU Gems 2, 2005).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

STEPS = 4096
"""Sub-pixel steps a pixel."""
BLOCK = 1 << 18
"""Rows and pixels that are expanded at once: about 40 MB of temporaries, small enough for a cache to help."""
_NOTHING = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class Scene:
    """points: [V, 2] int64 sub-pixel coordinates; depth: [V] float32; faces: [F, 3] int64; the picture's size; flat:
    all depths are equal, so the lowest index wins; perspective: interpolate 1/z; block: rows or pixels at once."""

    points: Tensor
    depth: Tensor
    faces: Tensor
    columns: int
    rows: int
    flat: bool = False
    perspective: bool = False
    block: int = BLOCK

    @cached_property
    def edges(self) -> Tensor:
        """[7, F] int64: the edge functions opposite to corners 0 and 1 as a * x + b * y + c, and twice the area, which
        the three add up to."""
        corners = self.points[self.faces]
        columns = []
        for k in range(2):
            start = corners[:, k + 1]
            along = corners[:, (k + 2) % 3] - start
            columns += [-along[:, 1], along[:, 0], -_cross(along, start)]
        return torch.stack([*columns, _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])])


def rasterize(scene: Scene, conservative: bool) -> tuple[Tensor, Tensor, Tensor]:
    """The nearest face of every pixel: face [H, W] int64 (-1 = nothing), weights [H, W, 3] and depth [H, W] float32.

    conservative: pixels whose centre no face covers take the nearest face that touches their square, with the weights
    of the point of the triangle that is nearest to the centre.
    """
    pixels = scene.rows * scene.columns
    keys = torch.full((pixels,), _NOTHING, dtype=torch.int64, device=scene.points.device)
    _nearest(scene, keys, touching=False)
    face, bary, depth = _resolve(scene, keys, touching=False)
    if conservative:
        rim = torch.where(keys == _NOTHING, keys, torch.full_like(keys, -_NOTHING))  # what is covered stays
        _nearest(scene, rim, touching=True)
        rim = torch.where(rim == -_NOTHING, torch.full_like(rim, _NOTHING), rim)
        more = _resolve(scene, rim, touching=True)
        new = more[0] >= 0
        face, depth = torch.where(new, more[0], face), torch.where(new, more[2], depth)
        bary = torch.where(new[:, None], more[1], bary)
    shape = (scene.rows, scene.columns)
    return face.view(shape), bary.view(*shape, 3), depth.view(shape)


def count(scene: Scene) -> Tensor:
    """[H, W] int32: how many faces cover each pixel centre."""
    out = torch.zeros(scene.rows * scene.columns, dtype=torch.int32, device=scene.points.device)
    for pixel, _ in _candidates(scene, touching=False):
        out.index_add_(0, pixel, torch.ones_like(pixel, dtype=torch.int32))
    return out.view(scene.rows, scene.columns)


def _nearest(scene: Scene, keys: Tensor, *, touching: bool) -> None:
    """Lower ``keys`` [H * W] to that of the nearest face."""
    for pixel, face in _candidates(scene, touching=touching):
        if scene.flat:  # an atlas: nothing lies before anything else
            keys.scatter_reduce_(0, pixel, face, "amin")
            continue
        weights = _weights(scene, face, pixel, touching)
        z = _depth(weights, scene.depth[scene.faces[face]], scene.perspective)[0]
        keys.scatter_reduce_(0, pixel, _key(z, face), "amin")


def _drawable(scene: Scene) -> Tensor:
    """Indices of faces that have area, lie before the camera and touch the window."""
    a, b, c = (scene.points[scene.faces[:, k]] for k in range(3))
    keep = _cross(b - a, c - a) != 0
    if scene.perspective:
        keep &= (scene.depth > 0)[scene.faces].all(dim=1)
    limit = torch.tensor([scene.columns, scene.rows], device=a.device) * STEPS
    low, high = torch.minimum(torch.minimum(a, b), c), torch.maximum(torch.maximum(a, b), c)
    keep &= ((high > 0) & (low < limit)).all(dim=1)
    return keep.nonzero()[:, 0]


def _candidates(scene: Scene, *, touching: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Covered or touched (pixel index, face index) pairs, at most about ``block`` of them at a time."""
    drawn = _drawable(scene)
    y = scene.points[:, 1][scene.faces[drawn]]
    half = 0 if touching else STEPS // 2
    first = torch.clamp(y.amin(dim=1) // STEPS if touching else -((half - y.amin(dim=1)) // STEPS), min=0)
    last = -(-y.amax(dim=1) // STEPS) - 1 if touching else (y.amax(dim=1) - half) // STEPS
    count = (last.clamp(max=scene.rows - 1) - first + 1).clamp(min=0)
    for part in _blocks(count, scene.block):
        face, row = _expand(drawn[part], first[part], count[part])
        start, stop = _spans(scene, face, row, touching)
        width = (stop - start + 1).clamp(min=0)
        for inner in _blocks(width, scene.block):
            owner, pixel = _expand(face[inner], row[inner] * scene.columns + start[inner], width[inner])
            yield pixel, owner


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
    begins = start - (torch.cumsum(count, 0) - count)
    steps = torch.arange(len(which), device=values.device)
    return values.index_select(0, which), begins.index_select(0, which) + steps


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _oriented(scene: Scene, face: Tensor) -> Tensor:
    """[N, 3, 2] corners, turned so that the signed area is positive."""
    corners = scene.points[scene.faces[face]]
    flip = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) < 0
    return torch.where(flip[:, None, None], corners[:, [0, 2, 1]], corners)


def _spans(scene: Scene, face: Tensor, row: Tensor, touching: bool) -> tuple[Tensor, Tensor]:
    """First and last column of each (face, row); empty where first > last."""
    corners = _oriented(scene, face)
    y = row * STEPS + STEPS // 2
    start = torch.zeros_like(row)
    stop = torch.full_like(row, scene.columns - 1)
    if touching:
        start = torch.maximum(start, corners[..., 0].amin(dim=1) // STEPS)
        stop = torch.minimum(stop, -(-corners[..., 0].amax(dim=1) // STEPS) - 1)
    for k in range(3):
        a, edge = corners[:, k], corners[:, (k + 1) % 3] - corners[:, k]
        level = edge[:, 0] * (y - a[:, 1]) - edge[:, 1] * (STEPS // 2 - a[:, 0])
        if touching:  # some corner of the square lies inside: more than 0 by the reach of the square
            level += (edge[:, 0].abs() + edge[:, 1].abs()) * (STEPS // 2) - 1
        else:
            owned = (edge[:, 1] < 0) | ((edge[:, 1] == 0) & (edge[:, 0] > 0))  # the left and the top edges
            level -= (~owned).to(torch.int64)
        # inside: dx * (y - ay) - dy * (x - ax) >= (0 if owned else 1), with x = step * column + step / 2
        slope = edge[:, 1] * STEPS
        divisor = torch.where(slope == 0, torch.ones_like(slope), slope.abs())
        bound = torch.div(level, divisor, rounding_mode="floor")
        stop = torch.where(slope > 0, torch.minimum(stop, bound), stop)
        start = torch.where(slope < 0, torch.maximum(start, -bound), start)
        stop = torch.where((slope == 0) & (level < 0), torch.full_like(stop, -1), stop)
    return start, stop


def _weights(scene: Scene, face: Tensor, pixel: Tensor, touching: bool) -> Tensor:
    """[N, 3] float32 linear weights of the corners at pixel centres, from the exact edge functions."""
    x = pixel % scene.columns * STEPS + STEPS // 2
    y = torch.div(pixel, scene.columns, rounding_mode="floor") * STEPS + STEPS // 2
    if touching:
        return _nearest_weights(scene, face, x, y)
    edge = scene.edges.index_select(1, face)
    first, second = edge[0] * x + edge[1] * y + edge[2], edge[3] * x + edge[4] * y + edge[5]
    area = edge[6].to(torch.float32)
    return torch.stack([part.to(torch.float32) / area for part in (first, second, edge[6] - first - second)], dim=1)


def _nearest_weights(scene: Scene, face: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """[N, 3] float32 weights of the point of a face that is nearest to a centre outside it; it lies on an edge.

    Weights of the centre itself would be huge where the face is a sliver, and cut to the face they would name its tip.
    """
    corners, point = scene.points[scene.faces[face]], torch.stack([x, y], dim=1)
    out = torch.zeros((len(face), 3), dtype=torch.float32, device=face.device)
    least = torch.full((len(face),), torch.inf, device=face.device)
    for k in range(3):
        edge, seen = corners[:, (k + 1) % 3] - corners[:, k], point - corners[:, k]
        along, length = (seen * edge).sum(dim=1), (edge * edge).sum(dim=1)
        across, beyond = _cross(edge, seen).to(torch.float32), seen - edge
        share = (along.to(torch.float32) / length.to(torch.float32)).masked_fill(along <= 0, 0.0)
        share = share.masked_fill(along >= length, 1.0)
        away = across * across / length.to(torch.float32)
        away = torch.where(along <= 0, (seen * seen).sum(dim=1).to(torch.float32), away)
        away = torch.where(along >= length, (beyond * beyond).sum(dim=1).to(torch.float32), away)
        nearer = away < least
        weights = torch.zeros_like(out)
        weights[:, k], weights[:, (k + 1) % 3] = 1.0 - share, share
        out, least = torch.where(nearer[:, None], weights, out), torch.where(nearer, away, least)
    return out


def _depth(weights: Tensor, z: Tensor, perspective: bool) -> tuple[Tensor, Tensor]:
    """Depth [N] and perspective-correct weights [N, 3]; summed in this order, as the kernels do."""
    if not perspective:
        return weights[:, 0] * z[:, 0] + weights[:, 1] * z[:, 1] + weights[:, 2] * z[:, 2], weights
    over = weights / z
    total = over[:, 0] + over[:, 1] + over[:, 2]
    return 1.0 / total, over / total[:, None]


def _key(depth: Tensor, face: Tensor) -> Tensor:
    """Integers that sort like (depth, face): one scatter-min then finds both, in any order of execution."""
    bits = depth.contiguous().view(torch.int32).to(torch.int64)
    ordered = torch.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    return ordered * (1 << 32) + face


def _resolve(scene: Scene, keys: Tensor, *, touching: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Face, weights and depth of the winning faces."""
    face = torch.where(keys == _NOTHING, torch.full_like(keys, -1), keys & 0xFFFFFFFF)
    bary = torch.zeros((len(keys), 3), dtype=torch.float32, device=keys.device)
    out = torch.full((len(keys),), float("inf"), dtype=torch.float32, device=keys.device)
    for pixel in (face >= 0).nonzero()[:, 0].split(scene.block):
        which = face[pixel]
        weights = _weights(scene, which, pixel, touching)
        out[pixel], bary[pixel] = _depth(weights, scene.depth[scene.faces[which]], scene.perspective)
    return face, bary, out
