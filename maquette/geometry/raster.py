"""Rasterise meshes and atlases: what a camera, or a texel, sees of the triangles.

The work is done by ``extensions/uv_raster``: compiled where it was built, in plain PyTorch otherwise, with the same
bits either way; no OpenGL, CPU or GPU. Coverage is exact: two triangles that share an edge cover every pixel centre
along it exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..errors import BadInputError
from ..native import extension
from .camera import project

if TYPE_CHECKING:
    from ..data import Camera, Mesh

_BLOCK = 1 << 18
"""Rows and pixels that the PyTorch twin expands at once: about 40 MB of temporaries, so that a cache helps."""


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
    conservative: bool = False,
    window: tuple[int, int, int, int] | None = None,
    block: int = _BLOCK,
) -> Fragments:
    """The nearest face at every pixel centre; both orientations are drawn, equal depths go to the lower face index.

    perspective: z is the depth of a pinhole camera, so interpolate 1/z (faces that reach z <= 0 are left out: move the
    camera back); else weights and depth are linear on the screen. conservative: pixels whose centre is free take the
    nearest face that overlaps their square, at its point nearest to the centre. window: (left, top, width, height) of
    the part of the picture to draw. Everything is computed where ``vertices`` lies. BadInputError for NaN and for
    coordinates beyond 65,536.
    """
    left, top, columns, rows = window or (0, 0, width, height)
    try:
        found = extension("uv_raster").rasterize(
            vertices, faces, columns, rows,
            corner=(left, top), perspective=perspective, conservative=conservative, block=block,
        )  # fmt: skip
    except ValueError as error:
        raise BadInputError(str(error)) from error
    return Fragments(*found)


def rasterize_uv(
    uvs: Tensor,  # [V, 2] in [0, 1], origin top left
    faces: Tensor,  # [F, 3]
    size: int,
    *,
    conservative: bool = False,
    window: tuple[int, int, int, int] | None = None,
) -> Fragments:
    """The face and weights at every texel centre of a ``size`` x ``size`` atlas; overlaps go to the lower index."""
    flat = torch.cat([uvs.to(torch.float64) * size, torch.zeros_like(uvs[:, :1], dtype=torch.float64)], dim=1)
    return rasterize(flat, faces, size, size, conservative=conservative, window=window)


def count_uv(
    uvs: Tensor,  # [V, 2] in [0, 1]
    faces: Tensor,  # [F, 3]
    size: int,
) -> Tensor:
    """[size, size] int32: how many faces cover each texel centre. Above 1 means that the layout overlaps itself."""
    try:
        counted: Tensor = extension("uv_raster").count(uvs.to(torch.float64) * size, faces, size, size)
    except ValueError as error:
        raise BadInputError(str(error)) from error
    return counted


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
