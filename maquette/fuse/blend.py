"""Blending aligned meshes: the confidence-weighted mean of their truncated signed distances, meshed as one solid.

Curless and Levoy, "A volumetric method for building complex models from range images", 1996, on complete meshes instead
of range images: where views disagree the majority (by confidence) decides, and noise is averaged out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..data import FloatArray, Material, Mesh
from ..errors import BadInputError, BadViewsError
from ..geometry.extract import extract
from ..progress import Progress, silent

if TYPE_CHECKING:
    import torch

    from ..geometry.mesh_distance import MeshDistance, Nearest

BAND_CELLS = 4.0
"""Distances are cut off at this many cells."""
MARGIN_CELLS = 3
LEAST_CONFIDENCE = 0.02

Array = npt.NDArray[np.float64]


def transformed(mesh: Mesh, transform: Array) -> Mesh:
    """The mesh after a similarity [4, 4]; normals turn along, everything else stays."""
    linear = transform[:3, :3]
    vertices = mesh.vertices.astype(np.float64) @ linear.T + transform[:3, 3]
    normals = mesh.vertex_normals
    if normals is not None:
        normals = (normals.astype(np.float64) @ linear.T / np.cbrt(np.linalg.det(linear))).astype(np.float32)
    return mesh.replace(vertices=vertices, vertex_normals=normals)


def blend(
    meshes: Sequence[Mesh],
    *,
    resolution: int = 128,
    union: bool = False,
    progress: Progress | None = None,
) -> Mesh:
    """One closed solid from meshes that lie in one frame.

    resolution: cells along the longest side; union: take whatever any mesh encloses, instead of the weighted mean.
    Vertex colours are blended where all meshes have them, and materials where they differ. Raises BadViewsError when
    the meshes share no inside.
    """
    from ..geometry.mesh_distance import MeshDistance

    if not 8 <= resolution <= 1024:
        raise BadInputError(f"the resolution of a fusion must be 8 to 1024 cells, got {resolution}")
    progress = progress or silent()
    low = np.min([m.bounds[0] for m in meshes], axis=0).astype(np.float64)
    high = np.max([m.bounds[1] for m in meshes], axis=0).astype(np.float64)
    step = float((high - low).max()) / resolution
    counts = [int(np.ceil(side / step)) + 1 + 2 * MARGIN_CELLS for side in high - low]
    shape = (counts[0], counts[1], counts[2])
    lower = low - (MARGIN_CELLS - 0.5) * step
    upper = lower + step * (np.array(shape) - 1)
    parts = [MeshDistance(mesh, lower.tolist(), step, shape) for mesh in meshes]
    field = _Blend(meshes, parts, BAND_CELLS * step, union)
    vertices, faces, _ = extract(
        field, lower=lower.tolist(), upper=upper.tolist(), resolution=shape, slope=1.0, progress=progress
    )
    if len(faces) == 0:
        raise BadViewsError("the views share no inside: nothing is enclosed by the majority of them; check their poses")
    points = vertices.numpy()
    colors, material = _colors(meshes, parts, points), _joint_material([mesh.material for mesh in meshes])
    return Mesh(points, faces.numpy(), vertex_colors=colors, material=material)


class _Blend:
    """The field: weighted mean (or greatest) of the truncated signed distances, at lattice points only."""

    def __init__(self, meshes: Sequence[Mesh], parts: Sequence[MeshDistance], band: float, union: bool) -> None:
        self.meshes, self.parts, self.band, self.union = meshes, parts, band, union

    def __call__(self, points: torch.Tensor) -> torch.Tensor:
        import torch

        where = points.double().numpy()
        total, weights = np.zeros(len(where)), np.zeros(len(where))
        highest = np.full(len(where), -np.inf)
        for mesh, part in zip(self.meshes, self.parts, strict=True):
            # how sure a view is of empty space is how sure it is of its nearest surface, however far
            found = part.nearest(where, self.band if mesh.confidence is None else np.inf)
            distance, weight = part.signed(where, self.band, found), confidence_at(mesh, found)
            total += weight * distance
            weights += weight
            highest = np.maximum(highest, distance)
        return torch.from_numpy(highest if self.union else total / weights).float()


def confidence_at(mesh: Mesh, found: Nearest) -> Array:
    """[N] confidence of the mesh at nearest points; 1 where the mesh has none."""
    if mesh.confidence is None:
        return np.ones(len(found.face))
    corner = mesh.confidence[mesh.faces[found.face]].astype(np.float64)
    return np.clip((corner * found.bary).sum(axis=1), LEAST_CONFIDENCE, 1.0)


def _joint_material(materials: Sequence[Material]) -> Material:
    """The one that all have; else the mean of their metal and roughness, white where their colours differ, for then
    these are in the vertex colours.
    """
    first = materials[0]
    if all(material == first for material in materials):
        return first
    return Material(
        first.base_color if _one_color(materials) else (1.0, 1.0, 1.0),
        float(np.mean([material.metallic for material in materials])),
        float(np.mean([material.roughness for material in materials])),
        any(material.double_sided for material in materials),
    )


def _one_color(materials: Sequence[Material]) -> bool:
    return len({material.base_color for material in materials}) == 1


def _colors(meshes: Sequence[Mesh], parts: Sequence[MeshDistance], points: FloatArray) -> FloatArray | None:
    """[V, 3] linear colours, nearer and surer surfaces count more; None unless every mesh has vertex colours or the
    meshes differ in their materials' colour, which is then in these.
    """
    alike = _one_color([mesh.material for mesh in meshes])
    if alike and any(mesh.vertex_colors is None for mesh in meshes):
        return None
    total, weights = np.zeros((len(points), 3)), np.zeros(len(points))
    for mesh, part in zip(meshes, parts, strict=True):
        found = part.nearest(points)
        weight = confidence_at(mesh, found) / (found.distance / part.step + 0.25) ** 2
        color = np.ones(3) if alike else np.array(mesh.material.base_color)
        if mesh.vertex_colors is not None:
            color = color * (mesh.vertex_colors[mesh.faces[found.face]] * found.bary[..., None]).sum(axis=1)
        total += weight[:, None] * color
        weights += weight
    return (total / weights[:, None]).astype(np.float32)
