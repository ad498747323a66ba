"""Maps of the shape itself: the normals of a finer mesh in tangent space, and ambient occlusion."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import FloatArray, Mesh, Texture
from ..errors import BadMeshError
from ..geometry.closest import ClosestSurface
from ..geometry.normals import points_and_normals, vertex_normals
from ..progress import Progress, silent
from ._gutter import fill_gutter
from ._strips import strips
from ._tangents import tangent_frames
from ._unwrap import check_size

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 17
_SOFT = 1024
_FAR = 0.3
"""Median distance of the finer mesh, as a share of the size, from which it is another object or elsewhere."""
_DIRECTIONS, _SHADOW_MAP, _SHADOW_BIAS = 64, 256, 0.016
"""Rays per texel, side of the depth map that answers all rays of one direction, slack as a share of the size."""


def bake_detail(
    mesh: Mesh,
    detail: Mesh | None = None,
    *,
    size: int = 1024,
    occlusion: bool = False,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> Mesh:
    """``mesh`` with a normal map that gives it the shape of ``detail``, and an occlusion map.

    mesh: unwrapped; its vertex normals are kept in the result, because the map is relative to them. detail: the finer
    mesh in the same place (BadMeshError when it is elsewhere), None = no normal map. The maps are [size, size, 3] and
    [size, size, 1], linear; normals after glTF: +x = growing u, +y = up in the picture, MikkTSpace frames. BadMeshError
    without uvs.
    """
    progress = progress or silent()
    check_size(size)
    if mesh.checked().uvs is None:
        raise BadMeshError("this mesh has no uvs to bake into; unwrap it first (bake.unwrap, node Unwrap Mesh)")
    normal = _normal_map(mesh, detail, size, progress.part(0.0, 0.6)) if detail is not None else None
    occluded = _occlusion_map(mesh, size, device, progress.part(0.6, 1.0)) if occlusion else None
    base = np.broadcast_to(np.float32(1.0), (1, 1, 3)) if mesh.texture is None else mesh.texture.base_color
    texture = mesh.texture or Texture(base)
    done = replace(texture, normal=normal if normal is not None else texture.normal)
    done = replace(done, occlusion=occluded if occluded is not None else done.occlusion)
    return mesh.replace(texture=done, vertex_normals=vertex_normals(mesh))


def _normal_map(mesh: Mesh, detail: Mesh, size: int, progress: Progress) -> FloatArray:
    """[size, size, 3] in [0, 1]: the detail's normal in the frame that the reader of the map will build there."""
    import torch

    surface = ClosestSurface(detail)
    _check_place(mesh, surface)
    finer, out, used = vertex_normals(detail), torch.zeros(size, size, 3), torch.zeros(size, size, dtype=torch.bool)
    for rows, inside, found in strips(mesh, np.concatenate([mesh.vertices, *tangent_frames(mesh)], axis=1), size):
        used[rows].view(-1)[inside] = True
        values = found.numpy()
        local = np.empty((len(values), 3), np.float32)
        for start in range(0, len(values), _BLOCK):
            progress.update(rows.start, size, "baking normals")
            local[start : start + _BLOCK] = _in_frame(values[start : start + _BLOCK], surface, detail, finer)
        out[rows].view(-1, 3)[inside] = torch.from_numpy(local * 0.5 + 0.5)
    fill_gutter(out, used)
    return np.asarray(out.clamp_(0, 1))


def _in_frame(values: FloatArray, surface: ClosestSurface, detail: Mesh, finer: FloatArray) -> FloatArray:
    """[N, 3] unit normals of the detail in the frames ``values`` [N, 12]: point, tangent, bitangent, normal."""
    hits = surface.query(values[:, :3], values[:, 9:12])
    towards = (finer[detail.faces[hits.face]] * hits.bary[..., None]).sum(axis=1)
    # rows tangent, bitangent, normal, as interpolated, not normalised: what the reader of the map has
    frames = values[:, 3:12].reshape(-1, 3, 3) + np.float32(1e-6) * np.eye(3, dtype=np.float32)
    local = np.linalg.solve(np.swapaxes(frames, 1, 2), towards[..., None])[..., 0]
    local[:, 2] = np.maximum(local[:, 2], 1e-3)
    return np.asarray(local / np.linalg.norm(local, axis=1, keepdims=True), np.float32)


def _check_place(mesh: Mesh, surface: ClosestSurface) -> None:
    """BadMeshError when the finer mesh is not the same object in the same place."""
    some = mesh.vertices[:: max(1, len(mesh.vertices) // 2000)]
    far = float(np.median(surface.query(some).distance)) / max(float(np.ptp(mesh.vertices, axis=0).max()), 1e-12)
    if far > _FAR:
        raise BadMeshError(
            f"the detailed mesh does not lie where the mesh is: the median distance is {far:.0%} of the size; both must"
            " be the same object at the same place and scale (simplify the detailed mesh itself)"
        )


def _occlusion_map(mesh: Mesh, size: int, device: str | torch.device, progress: Progress) -> FloatArray:
    """[size, size, 1] share of the sky that each texel sees, weighted by the cosine: 1 = open.

    The shadow maps tell nothing finer than ``_SOFT`` texels a side, so a larger map is that one, enlarged.
    """
    import torch

    small = _soft_occlusion(mesh, min(size, _SOFT), device, progress)
    if size <= _SOFT:
        return small
    wide = torch.nn.functional.interpolate(torch.tensor(small[None, None, ..., 0]), size=(size, size), mode="bilinear")
    return np.asarray(wide[0, 0, ..., None])


def _soft_occlusion(mesh: Mesh, size: int, device: str | torch.device, progress: Progress) -> FloatArray:
    import torch

    sky = _Sky.over(mesh, device, progress.part(0.0, 0.3))
    out = torch.zeros(size, size, 1, device=device)
    used = torch.zeros(size, size, dtype=torch.bool, device=device)
    for rows, inside, found in strips(mesh, points_and_normals(mesh, device), size, device):
        used[rows].view(-1)[inside] = True
        for where, part in zip(inside.split(_BLOCK), found.split(_BLOCK), strict=True):
            progress.update(0.3 + 0.7 * rows.start / size, 1, "baking occlusion")
            out[rows].view(-1)[where] = sky.share(part)
    fill_gutter(out, used)
    return np.asarray(out.clamp_(0, 1).cpu())


@dataclass(frozen=True)
class _Sky:
    """Depth maps of the mesh from all around: turns [D, 3, 3] with rows right, down, away from the light; depths
    [D, M, M]; center [3] and scale: world to pixels of the maps; slack: depth by which a texel may lie deeper."""

    turns: torch.Tensor
    depths: torch.Tensor
    center: torch.Tensor
    scale: float
    slack: float

    @classmethod
    def over(cls, mesh: Mesh, device: str | torch.device, progress: Progress) -> _Sky:
        """Drawn from ``_DIRECTIONS`` directions."""
        import torch

        from ..geometry.raster import rasterize

        vertices, faces = torch.tensor(mesh.vertices, device=device), torch.tensor(mesh.faces, device=device)
        center = (vertices.amin(dim=0) + vertices.amax(dim=0)) / 2
        radius = float((vertices - center).norm(dim=1).max()) or 1.0
        scale, turns, depths = _SHADOW_MAP / 2 / (radius * 1.02), [], []
        for step, axes in enumerate(_sky(_DIRECTIONS)):
            progress.update(step, _DIRECTIONS, "baking occlusion")
            turns.append(torch.tensor(axes, device=device))
            local = _placed((vertices - center) @ turns[-1].T, scale)
            depths.append(rasterize(local, faces, _SHADOW_MAP, _SHADOW_MAP).depth)
        return cls(torch.stack(turns), torch.stack(depths), center, scale, _SHADOW_BIAS * radius * 2)

    def share(self, found: torch.Tensor) -> torch.Tensor:
        """[N] open share at points and normals [N, 6]."""
        import torch

        normals = torch.nn.functional.normalize(found[:, 3:], dim=1)
        open_, total = torch.zeros_like(found[:, 0]), torch.zeros_like(found[:, 0])
        for turn, depth in zip(self.turns, self.depths, strict=True):
            local = _placed((found[:, :3] - self.center) @ turn.T, self.scale)
            column, row = (local[:, k].long().clamp(0, _SHADOW_MAP - 1) for k in (0, 1))
            cosine = (-(normals @ turn[2])).clamp(min=0)
            slack = self.slack * (1 + 1 / cosine.clamp(min=0.2))
            open_ += cosine * (local[:, 2] <= depth[row, column] + slack)
            total += cosine
        return open_ / total.clamp(min=1e-6)


def _placed(local: torch.Tensor, scale: float) -> torch.Tensor:
    """Right and down in pixels of a depth map, depth as it is."""
    import torch

    return torch.cat([local[:, :2] * scale + _SHADOW_MAP / 2, local[:, 2:]], dim=1)


def _sky(count: int) -> list[FloatArray]:
    """Evenly spread directions (Fibonacci sphere) as [3, 3] frames: right, down, away from the light."""
    index = np.arange(count) + 0.5
    height, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - height**2)
    away = np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], axis=1)
    frames = []
    for direction in away:
        right = np.cross(np.eye(3)[np.abs(direction).argmin()], direction)
        right /= np.linalg.norm(right)
        frames.append(np.stack([right, np.cross(direction, right), direction]).astype(np.float32))
    return frames
