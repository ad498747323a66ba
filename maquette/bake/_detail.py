"""Maps of the shape itself: the normals of a finer mesh in tangent space, and ambient occlusion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import FloatArray, Mesh, Texture
from ..errors import BadMeshError
from ..geometry.closest import ClosestSurface
from ..geometry.normals import vertex_normals
from ..progress import Progress, silent
from ._gutter import fill_gutter
from ._tangents import tangent_frames
from ._unwrap import check_size

if TYPE_CHECKING:
    import torch

_BLOCK = 1 << 17
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
    mesh in the same place, None = no normal map. The maps are [size, size, 3] and [size, size, 1], linear; normals
    after glTF: +x = growing u, +y = up in the picture, MikkTSpace frames. BadMeshError without uvs.
    """
    progress = progress or silent()
    check_size(size)
    if mesh.checked().uvs is None:
        raise BadMeshError("this mesh has no uvs to bake into; unwrap it first (bake.unwrap, node Unwrap)")
    normal = _normal_map(mesh, detail, size, progress.part(0.0, 0.6)) if detail is not None else None
    occluded = _occlusion_map(mesh, size, device, progress.part(0.6, 1.0)) if occlusion else None
    base = np.broadcast_to(np.float32(1.0), (1, 1, 3)) if mesh.texture is None else mesh.texture.base_color
    texture = mesh.texture or Texture(base)
    done = replace(texture, normal=normal if normal is not None else texture.normal)
    done = replace(done, occlusion=occluded if occluded is not None else done.occlusion)
    return mesh.replace(texture=done, vertex_normals=vertex_normals(mesh))


def _normal_map(mesh: Mesh, detail: Mesh, size: int, progress: Progress) -> FloatArray:
    """[size, size, 3] in [0, 1]: the detail's normal in the frame that the reader of the map will build there."""
    surface = ClosestSurface(detail)
    finer = vertex_normals(detail)
    seen, values = _texels(mesh, np.concatenate([mesh.vertices, *tangent_frames(mesh)], axis=1), size)
    out = np.empty((len(values), 3), np.float32)
    for start in range(0, len(values), _BLOCK):
        progress.update(start, len(values), "baking normals")
        part = values[start : start + _BLOCK]
        hits = surface.query(part[:, :3], part[:, 9:12])
        towards = (finer[detail.faces[hits.face]] * hits.bary[..., None]).sum(axis=1)
        # rows tangent, bitangent, normal, as interpolated, not normalised: what the reader of the map has
        frames = part[:, 3:12].reshape(-1, 3, 3) + np.float32(1e-6) * np.eye(3, dtype=np.float32)
        local = np.linalg.solve(np.swapaxes(frames, 1, 2), towards[..., None])[..., 0]
        local[:, 2] = np.maximum(local[:, 2], 1e-3)
        out[start : start + _BLOCK] = local / np.linalg.norm(local, axis=1, keepdims=True)
    return _mapped(seen, out * 0.5 + 0.5)


def _occlusion_map(mesh: Mesh, size: int, device: str | torch.device, progress: Progress) -> FloatArray:
    """[size, size, 1] share of the sky that each texel sees, weighted by the cosine: 1 = open."""
    import torch

    from ..geometry.raster import rasterize

    seen, values = _texels(mesh, np.concatenate([mesh.vertices, vertex_normals(mesh)], axis=1), size)
    points, normals = torch.tensor(values[:, :3], device=device), torch.tensor(values[:, 3:], device=device)
    normals = torch.nn.functional.normalize(normals, dim=1)
    vertices, faces = torch.tensor(mesh.vertices, device=device), torch.tensor(mesh.faces, device=device)
    center = (vertices.amin(dim=0) + vertices.amax(dim=0)) / 2
    radius = float((vertices - center).norm(dim=1).max()) or 1.0
    open_, total = torch.zeros(len(points), device=device), torch.zeros(len(points), device=device)
    for step, axes in enumerate(_sky(_DIRECTIONS)):
        progress.update(step, _DIRECTIONS, "baking occlusion")
        turn = torch.tensor(axes, device=device)  # rows right, down, away from the light

        def seen_from(places: torch.Tensor, turn: torch.Tensor = turn) -> torch.Tensor:
            local = (places - center) @ turn.T
            scale = torch.tensor([1.0, 1.0, 0.0], device=local.device) * (_SHADOW_MAP / 2 / (radius * 1.02))
            return torch.where(scale > 0, local * scale + _SHADOW_MAP / 2, local)

        depth = rasterize(seen_from(vertices), faces, _SHADOW_MAP, _SHADOW_MAP).depth
        local = seen_from(points)
        column, row = (local[:, k].long().clamp(0, _SHADOW_MAP - 1) for k in (0, 1))
        cosine = (-(normals @ turn[2])).clamp(min=0)
        slack = _SHADOW_BIAS * radius * 2 * (1 + 1 / cosine.clamp(min=0.2))
        open_ += cosine * (local[:, 2] <= depth[row, column] + slack)
        total += cosine
    share = (open_ / total.clamp(min=1e-6)).cpu().numpy()
    return _mapped(seen, share[:, None].astype(np.float32))


def _texels(mesh: Mesh, values: FloatArray, size: int) -> tuple[np.ndarray, FloatArray]:
    """[size, size] bool texels in use, and ``values`` [V, C] interpolated at them [N, C]."""
    import torch

    from ..geometry.raster import interpolate, rasterize_uv

    faces = torch.tensor(mesh.faces)
    fragments = rasterize_uv(torch.tensor(mesh.uvs), faces, size)
    seen = fragments.covered
    if not bool(seen.any()):
        raise BadMeshError("no texel lies inside a triangle: the uvs have no area; unwrap the mesh again")
    return seen.numpy(), interpolate(fragments, faces, torch.tensor(values))[seen].numpy()


def _mapped(seen: np.ndarray, values: FloatArray) -> FloatArray:
    out = np.zeros((*seen.shape, values.shape[1]), np.float32)
    out[seen] = values
    fill_gutter(out, seen)
    return out.clip(0, 1)


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
