"""Dress: UVs, base colour, normal map and occlusion in one go, as the command and the node do it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..data import Appearance, Mesh, View
from ..errors import BadInputError, BadMeshError
from ..progress import Progress, silent
from ._detail import bake_detail
from ._texels import BakeResult, bake
from ._unwrap import METHODS, unwrap_with_map

if TYPE_CHECKING:
    import torch

UVS = (*METHODS, "keep")
_OVER = 1e-4
"""How far uvs may leave the square, for rounding."""


def dress(
    mesh: Mesh,
    appearance: Appearance,
    *,
    views: Sequence[View] = (),
    detail: Mesh | None = None,
    occlusion: bool = False,
    delight: float = 0.0,
    size: int = 1024,
    uvs: str = "fast",
    timeout: float | None = None,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> BakeResult:
    """``mesh`` unwrapped (or with its own UVs: ``uvs="keep"``) and with all its maps baked.

    appearance, views, delight: as in ``bake``; detail: finer mesh whose shape the normal map shows; occlusion: bake how
    open the surface lies as well. Vertex colours go, for glTF multiplies them with the texture. The coverage also says
    how many ``charts`` there are and which share of the texels ``overlap`` where the mesh was unwrapped here.
    """
    progress = progress or silent()
    bare, figures = mesh.replace(vertex_colors=None, texture=None), {}
    notes: tuple[str, ...] = ()
    if uvs == "keep":
        _keepable(mesh)
    elif uvs in METHODS:
        cut = unwrap_with_map(
            bare.replace(uvs=None), size=size, method=uvs, timeout=timeout, progress=progress.part(0.0, 0.4)
        )
        bare, notes = cut.mesh, cut.notes
        figures = {"charts": cut.charts, "overlap": round(cut.overlap, 5)}
    else:
        raise BadInputError(f"uvs: there is no '{uvs}'; choose one of {', '.join(UVS)}")
    more = detail is not None or occlusion
    result = bake(
        bare, appearance, views=views, size=size, delight=delight, device=device,
        progress=progress.part(0.4, 0.7 if more else 1.0),
    )  # fmt: skip
    made = result.mesh
    if more:
        made = bake_detail(
            made, detail, size=size, occlusion=occlusion, device=device, progress=progress.part(0.7, 1.0)
        )
    progress.update(1, 1, "bake")
    return replace(result, mesh=made, coverage={**result.coverage, **figures}, notes=(*notes, *result.notes))


def _keepable(mesh: Mesh) -> None:
    """BadMeshError for a mesh without uvs, or with some of a face's outside [0, 1], where there are no texels."""
    if mesh.uvs is None:
        raise BadMeshError("uvs: the mesh has none to keep; choose fast or xatlas")
    used = mesh.uvs[mesh.faces]
    if not ((used >= -_OVER) & (used <= 1 + _OVER)).all():
        raise BadMeshError("uvs: those of the mesh leave the square (tiles repeat); choose fast or xatlas")
