"""The atlas in strips of rows, so that memory grows with its width and not with its area."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..data import FloatArray, Mesh
from ..errors import BadMeshError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_STRIP = 1 << 20
"""Texels that are rasterised at once."""


def strips(
    mesh: Mesh, values: FloatArray | Tensor, size: int, device: str | torch.device = "cpu"
) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Per strip: its rows, which texels are in use [N] (ascending flat indices into the strip) and ``values`` [V, C]
    interpolated at those [N, C], both on ``device``.

    A texel that a chart touches without covering its centre is in use, too, with the values at the chart's rim: the tip
    of a chart would else be sampled from whatever lies next to it.
    BadMeshError, at the end, when no strip had a texel inside a triangle.
    """
    import torch

    from ..geometry.raster import rasterize_uv

    uvs, faces = torch.tensor(mesh.uvs, device=device), torch.tensor(mesh.faces, device=device).long()
    given = values.to(device) if isinstance(values, torch.Tensor) else torch.tensor(values, device=device)
    height, found = max(1, min(size, _STRIP // size)), False
    for top in range(0, size, height):
        rows = slice(top, min(top + height, size))
        fragments = rasterize_uv(uvs, faces, size, conservative=True, window=(0, top, size, rows.stop - top))
        inside = fragments.covered.view(-1).nonzero()[:, 0]
        found = found or len(inside) > 0
        corners = given[faces[fragments.face.view(-1)[inside]]]  # [N, 3, C]
        bary = fragments.bary.view(-1, 3)[inside]
        del fragments
        yield rows, inside, (corners * bary[..., None].to(given.dtype)).sum(dim=1)
    if not found:
        raise BadMeshError("no texel lies inside a triangle: the uvs have no area; unwrap the mesh again")
