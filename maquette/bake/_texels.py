"""Fill the texels of an unwrapped mesh: photos, then the appearance, then the nearest surface; then the gutters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..data import Appearance, Carried, FloatArray, Mesh, View
from ..errors import BadInputError, BadMeshError
from ..geometry.normals import points_and_normals, vertex_normals
from ..progress import Progress, silent
from ._canvas import Canvas
from ._delight import Shading, find_shading
from ._strips import strips
from ._unwrap import check_size

if TYPE_CHECKING:
    import torch

    from ..appearance import ProjectedPhotos

_BLOCK = 1 << 18
"""Surface points that are looked up at once."""


@dataclass(frozen=True)
class BakeResult:
    """mesh: with uvs and texture; coverage: shares of the used texels, ``photos`` + ``appearance`` + ``fill`` = 1, and
    ``utilisation`` (share of the square in use) and ``texels_per_unit`` (along a line on the surface): the median over
    the area, with ``texels_per_unit_low`` and ``_high``, between which 90 % of the area lie."""

    mesh: Mesh
    coverage: dict[str, float]
    notes: tuple[str, ...] = ()


@dataclass
class _Layers:
    """What fills a texel, best first, and how many it filled."""

    photos: ProjectedPhotos | None
    appearance: Appearance
    shading: Shading | None = None
    strength: float = 0.0
    _sums: list[torch.Tensor] = field(default_factory=list)

    @property
    def counted(self) -> dict[str, float]:
        """How many texels photos, appearance and neither filled so far; waits for the device once."""
        import torch

        sums = torch.stack(self._sums).tolist() if self._sums else []
        return {name: sum(row[k] for row in sums) for k, name in enumerate(("photos", "appearance", "fill"))}

    def look(self, points: torch.Tensor, normals: torch.Tensor, carried: torch.Tensor | None = None) -> torch.Tensor:
        """[N, 5] base colour (sRGB), metallic, roughness; NaN where nothing knows the point. carried: [N, C] what the
        appearance needs there, when it is one that lives on the baked mesh (``data.Carried``)."""
        import torch

        found = points.new_full((len(points), 5), float("nan"))
        color, known = torch.zeros_like(points), torch.zeros_like(points[:, 0])
        if self.photos is not None:
            color, known = self.photos.seen(points, normals)
        if carried is None:
            sample = self.appearance.sample(points, normals)
        else:
            assert isinstance(self.appearance, Carried)
            sample = self.appearance.from_carried(carried)
        share = known[:, None]
        below = sample.base_color.to(points)
        found[:, :3] = torch.where(share >= 1, color, color * share + below * (1 - share))
        found[:, 3], found[:, 4] = sample.metallic.to(points), sample.roughness.to(points)
        sure = (1 - known) * sample.known.to(points).nan_to_num().clamp(0, 1)
        sure = torch.where(torch.isfinite(found[:, :3]).all(dim=1), sure, torch.zeros_like(sure))
        self._sums.append(torch.stack([known.sum(), sure.sum(), (1 - known - sure).sum()]))
        if self.shading is not None:
            found[:, :3] = self.shading.removed(found[:, :3], normals, self.strength)
        return found

    def delight(self, mesh: Mesh, strength: float, device: str | torch.device) -> bool:
        """Look for shading on ``mesh``, to be taken out by ``strength`` from now on; False when none can be told.

        Photos speak where there are any: what is made up beside them is their mirror image, lit from the wrong side.
        """
        import torch

        def seen(points: FloatArray, normals: FloatArray) -> FloatArray:
            where, towards = torch.tensor(points, device=device), torch.tensor(normals, device=device)
            if self.photos is None:
                return np.asarray(self.appearance.sample(where, towards).base_color.cpu())
            color, known = self.photos.seen(where, towards)
            return np.asarray(torch.where((known > 0.5)[:, None], color, torch.nan).cpu())

        self.shading, self.strength = find_shading(mesh, seen), strength
        return self.shading is not None


def bake(
    mesh: Mesh,
    appearance: Appearance,
    *,
    views: Sequence[View] = (),
    size: int = 1024,
    delight: float = 0.0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
) -> BakeResult:
    """Textures of ``size`` x ``size`` for an unwrapped mesh.

    appearance: the look where no photo saw the surface. views: pictures with cameras in the frame of the mesh; what
    they saw goes first. delight: share of the soft shading to take out of the colours (``_delight``), 0 = none. Memory
    grows with ``size`` squared for the result only. BadMeshError for a mesh without uvs.
    """
    progress = progress or silent()
    check_size(size)
    if not 0 <= delight <= 1:
        raise BadInputError(f"delight is the share of the shading to take out, from 0 to 1; got {delight}")
    if mesh.checked().uvs is None:
        raise BadMeshError("this mesh has no uvs to bake into; unwrap it first (bake.unwrap, node Unwrap)")
    layers, canvas = _Layers(_photos(mesh, views, device), appearance), Canvas.blank(size, device)
    if delight > 0 and not layers.delight(mesh, delight, device):
        canvas.notes.append("de-light: the surface shows too little to tell shading from paint; nothing was taken out")
    for rows, inside, found in strips(mesh, _surface(mesh, appearance, device), size, device):
        progress.update(rows.start, size, "baking texels")
        canvas.paint(rows, inside, _looked_up(layers, found, progress))
    progress.check()
    canvas.filled(mesh)
    coverage = _coverage(mesh, layers, canvas.share, size, device)
    return BakeResult(canvas.on(mesh), coverage, tuple(canvas.notes))


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
    white = replace(mesh.material, base_color=(1.0, 1.0, 1.0))  # the factor is in the colours now
    return mesh.replace(vertex_colors=to_linear(color.clamp(0, 1)).cpu().numpy(), material=white)


def _photos(mesh: Mesh, views: Sequence[View], device: str | torch.device) -> ProjectedPhotos | None:
    from ..appearance import ProjectedPhotos

    return ProjectedPhotos(mesh, views, device=device) if views else None


def _surface(mesh: Mesh, appearance: Appearance, device: str | torch.device) -> torch.Tensor:
    """[V, 6 + C] points, normals and what the appearance carries along, to be interpolated over the faces."""
    import torch

    surface = points_and_normals(mesh, device)
    carried = appearance.carried(mesh) if isinstance(appearance, Carried) else None
    return surface if carried is None else torch.cat([surface, torch.tensor(carried).to(surface)], dim=1)


def _looked_up(layers: _Layers, found: torch.Tensor, progress: Progress) -> torch.Tensor:
    """[N, 5] what the layers say at points and normals, and perhaps carried values [N, 6 + C]."""
    import torch

    out = found.new_empty((len(found), 5))
    for start in range(0, len(found), _BLOCK):
        progress.check()
        part = found[start : start + _BLOCK]
        normals = torch.nn.functional.normalize(part[:, 3:6], dim=1)
        carried = part[:, 6:] if part.shape[1] > 6 else None
        out[start : start + _BLOCK] = layers.look(part[:, :3].contiguous(), normals, carried)
    return out


def _coverage(mesh: Mesh, layers: _Layers, used: float, size: int, device: str | torch.device) -> dict[str, float]:
    counted = layers.counted
    total = sum(counted.values()) or 1.0
    shares = {name: round(value / total, 4) for name, value in counted.items()}
    low, middle, high = (float(f"{value * size:.4g}") for value in _density(mesh, device))
    density = {"texels_per_unit": middle, "texels_per_unit_low": low, "texels_per_unit_high": high}
    return shares | {"utilisation": round(used, 4), **density}


def _density(mesh: Mesh, device: str | torch.device) -> list[float]:
    """Length in uv / length in the world: 5 %, 50 % and 95 % quantile over the surface's area."""
    import torch

    faces = torch.tensor(mesh.faces, device=device).long()
    uv, world = (torch.tensor(values, device=device).double()[faces] for values in (mesh.uvs, mesh.vertices))
    one, two = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    flat = (one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).abs()
    area = torch.linalg.cross(world[:, 1] - world[:, 0], world[:, 2] - world[:, 0]).norm(dim=1)
    good = area > 1e-9 * area.max()
    weight = torch.where(good, area, 0.0)  # what has no area weighs nothing and goes last
    ratio, order = torch.where(good, (flat / area.clamp(min=1e-300)).sqrt(), torch.inf).sort()
    total = weight[order].cumsum(0)
    wanted = total.new_tensor((0.05, 0.5, 0.95)) * total[-1]
    found: list[float] = ratio[torch.searchsorted(total, wanted).clamp(max=len(ratio) - 1)].tolist()
    return [value if value < float("inf") else 0.0 for value in found]
