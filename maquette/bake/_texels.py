"""Fill the texels of an unwrapped mesh: photos, then the appearance, then the nearest surface; then the gutters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Appearance, Mesh, Texture, View
from ..errors import BadMeshError
from ..geometry.normals import vertex_normals
from ..progress import Progress, silent
from ._gutter import fill_gutter
from ._unwrap import check_size

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from ..appearance import ProjectedPhotos

_BLOCK = 1 << 18
"""Surface points that are looked up at once."""
_STRIP = 1 << 21
"""Texels that are rasterised at once."""
_CONSTANT = 1.5 / 255
"""A metallic-roughness map that varies less is two numbers, not a texture."""


@dataclass(frozen=True)
class BakeResult:
    """mesh: with uvs and texture; coverage: shares of the used texels, ``photos`` + ``appearance`` + ``fill`` = 1, and
    ``utilisation`` (share of the square in use) and ``texels_per_unit`` (along a line on the surface, median)."""

    mesh: Mesh
    coverage: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass
class _Layers:
    """What fills a texel, best first, and how many it filled."""

    photos: ProjectedPhotos | None
    appearance: Appearance
    counted: dict[str, float] = field(default_factory=lambda: {"photos": 0.0, "appearance": 0.0, "fill": 0.0})

    def look(self, points: torch.Tensor, normals: torch.Tensor) -> torch.Tensor:
        """[N, 5] base colour (sRGB), metallic, roughness; NaN where nothing knows the point."""
        import torch

        found = points.new_full((len(points), 5), float("nan"))
        color, known = torch.zeros_like(points), torch.zeros_like(points[:, 0])
        if self.photos is not None:
            color, known = self.photos.seen(points, normals)
        sample = self.appearance.sample(points, normals)
        share = known[:, None]
        below = sample.base_color.to(points)
        found[:, :3] = torch.where(share >= 1, color, color * share + below * (1 - share))
        found[:, 3], found[:, 4] = sample.metallic.to(points), sample.roughness.to(points)
        sure = (1 - known) * sample.known.to(points).nan_to_num().clamp(0, 1)
        sure = torch.where(torch.isfinite(found[:, :3]).all(dim=1), sure, torch.zeros_like(sure))
        self.counted["photos"] += float(known.sum())
        self.counted["appearance"] += float(sure.sum())
        self.counted["fill"] += float((1 - known - sure).sum())
        return found


def bake(
    mesh: Mesh,
    appearance: Appearance,
    *,
    views: Sequence[View] = (),
    size: int = 1024,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> BakeResult:
    """Textures of ``size`` x ``size`` for an unwrapped mesh.

    appearance: the look where no photo saw the surface. views: pictures with cameras in the frame of the mesh; what
    they saw goes first. Memory grows with ``size`` squared for the result only. BadMeshError for a mesh without uvs.
    """
    progress = progress or silent()
    check_size(size)
    if mesh.checked().uvs is None:
        raise BadMeshError("this mesh has no uvs to bake into; unwrap it first (bake.unwrap, node Unwrap)")
    layers = _Layers(_photos(mesh, views, device), appearance)
    maps = np.full((size, size, 5), np.nan, np.float32)
    used = np.zeros((size, size), bool)
    for done, (rows, texels, points, normals) in enumerate(_strips(mesh, size, device)):
        progress.update(done * (rows.stop - rows.start), size, "baking texels")
        maps[rows][texels] = _looked_up(layers, points, normals, progress)
        used[rows] = texels
    if not used.any():
        raise BadMeshError("no texel lies inside a triangle: the uvs have no area; unwrap the mesh again")
    notes = _fill_unknown(mesh, maps, used)
    progress.check()
    fill_gutter(maps, used)
    made = _finished(mesh, maps)
    return BakeResult(made, _coverage(mesh, layers, used, size), notes)


def color_vertices(mesh: Mesh, appearance: Appearance, *, device: str | torch.device = "cpu") -> Mesh:
    """``mesh`` with (linear) vertex colours looked up in ``appearance``."""
    import torch

    from ..appearance.color import to_linear

    points = torch.tensor(mesh.checked().vertices, device=device)
    normals = torch.tensor(vertex_normals(mesh), device=device)
    parts = [
        appearance.sample(p, n).base_color for p, n in zip(points.split(_BLOCK), normals.split(_BLOCK), strict=True)
    ]
    color = torch.cat([part.to(points) for part in parts]).nan_to_num(0.5)
    return mesh.replace(vertex_colors=to_linear(color.clamp(0, 1)).cpu().numpy())


def _photos(mesh: Mesh, views: Sequence[View], device: str | torch.device) -> ProjectedPhotos | None:
    from ..appearance import ProjectedPhotos

    return ProjectedPhotos(mesh, views, device=device) if views else None


def _strips(
    mesh: Mesh, size: int, device: str | torch.device
) -> Iterator[tuple[slice, npt.NDArray[np.bool_], torch.Tensor, torch.Tensor]]:
    """Rows of the atlas: which texels are used [h, size], their surface points [N, 3] and unit normals [N, 3]."""
    import torch

    from ..geometry.raster import interpolate, rasterize_uv

    uvs, faces = torch.tensor(mesh.uvs, device=device), torch.tensor(mesh.faces, device=device)
    surface = np.concatenate([mesh.vertices, vertex_normals(mesh)], axis=1)
    both = torch.tensor(surface, device=device)
    height = max(1, min(size, _STRIP // size))
    for top in range(0, size, height):
        rows = slice(top, min(top + height, size))
        fragments = rasterize_uv(uvs, faces, size, window=(0, top, size, rows.stop - top))
        found = interpolate(fragments, faces, both)[fragments.covered]
        normals = torch.nn.functional.normalize(found[:, 3:], dim=1)
        yield rows, fragments.covered.cpu().numpy(), found[:, :3].contiguous(), normals


def _looked_up(
    layers: _Layers, points: torch.Tensor, normals: torch.Tensor, progress: Progress
) -> npt.NDArray[np.float32]:
    out = np.empty((len(points), 5), np.float32)
    for start in range(0, len(points), _BLOCK):
        progress.check()
        part = slice(start, start + _BLOCK)
        out[part] = layers.look(points[part], normals[part]).cpu().numpy()
    return out


def _fill_unknown(mesh: Mesh, maps: npt.NDArray[Any], used: npt.NDArray[np.bool_]) -> tuple[str, ...]:
    """Texels that nothing knew take the value of the nearest texel (in the atlas) that something did."""
    lost = used & ~np.isfinite(maps).all(axis=2)
    if not lost.any():
        return ()
    if not (used & ~lost).any():
        color = np.array(
            [*np.power(mesh.material.base_color, 1 / 2.2), mesh.material.metallic, mesh.material.roughness]
        )
        maps[lost] = color
        return ("no appearance knew any part of the surface; the texture is the plain material",)
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(~(used & ~lost), return_distances=False, return_indices=True)
    maps[lost] = maps[nearest[0][lost], nearest[1][lost]]
    return (f"{lost.sum() / used.sum():.1%} of the texels had no colour and took that of the nearest one",)


def _finished(mesh: Mesh, maps: npt.NDArray[Any]) -> Mesh:
    """The mesh with its texture; a constant metallic and roughness goes into the material instead of a map."""
    np.clip(maps, 0, 1, out=maps)
    metal, rough = maps[..., 3], maps[..., 4]
    base = np.ascontiguousarray(maps[..., :3])
    if np.ptp(metal) < _CONSTANT and np.ptp(rough) < _CONSTANT:
        material = replace(mesh.material, metallic=float(metal.mean()), roughness=float(rough.mean()))
        return mesh.replace(texture=Texture(base), material=replace(material, base_color=(1.0, 1.0, 1.0)))
    packed = np.stack([np.ones_like(metal), rough, metal], axis=2)
    material = replace(mesh.material, base_color=(1.0, 1.0, 1.0), metallic=1.0, roughness=1.0)
    return mesh.replace(texture=Texture(base, packed), material=material)


def _coverage(mesh: Mesh, layers: _Layers, used: npt.NDArray[np.bool_], size: int) -> dict[str, float]:
    total = sum(layers.counted.values()) or 1.0
    shares = {name: round(value / total, 4) for name, value in layers.counted.items()}
    return shares | {"utilisation": round(float(used.mean()), 4), "texels_per_unit": round(_density(mesh) * size, 1)}


def _density(mesh: Mesh) -> float:
    """Median over the faces of (length in uv) / (length in the world)."""
    assert mesh.uvs is not None
    uv, world = mesh.uvs[mesh.faces].astype(np.float64), mesh.vertices[mesh.faces].astype(np.float64)
    one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    flat = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
    area = np.linalg.norm(np.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0]), axis=1)
    good = area > 1e-14
    return float(np.median(np.sqrt(flat[good] / area[good]))) if good.any() else 0.0
