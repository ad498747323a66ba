"""Inside and outside of any triangle mesh, and its re-extraction as one closed solid.

Closed meshes are decided exactly by counting signed crossings along lattice lines. Where a mesh has holes the counts
of the six directions disagree; there the generalised winding number decides (Jacobson, Kavan, Sorkine-Hornung, 2013;
a point is inside above 0.5), which closes holes smoothly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..data import FloatArray, Mesh
from ..errors import BadInputError
from ..native import extension
from ..progress import Progress, silent

if TYPE_CHECKING:
    from torch import Tensor

MARGIN_CELLS = 2
"""Empty cells between the mesh and the border of its lattice."""

_MAJORITY = 4
"""Of the counts in six directions so many must agree to be believed."""

SNAP = 2.0**14
"""Corners are rounded to this part of a cell."""


def winding_numbers(mesh: Mesh, points: npt.ArrayLike) -> FloatArray:
    """[N] float32 generalised winding number of ``mesh`` at points [N, 3] (world): 1 inside, 0 outside, 0.5 in a hole.

    Counts up where shells overlap, down where a shell is inside out. Exact integers for closed meshes; for open ones
    where the six axis directions disagree it is within about 0.02 of the exact sum of solid angles.
    """
    import torch

    from ._lines import Lines
    from ._winding_tree import WindingTree

    where = np.asarray(points, np.float64).reshape(-1, 3)
    corners = mesh.checked().vertices[mesh.faces].astype(np.float64)
    low, high = mesh.bounds.astype(np.float64)
    grain = max(float((high - low).max()), 1e-30) / 2**25
    snapped = torch.from_numpy(np.rint((corners - low) / grain))
    asked = torch.from_numpy(np.rint(np.clip((where - low) / grain, -(2**26), 2**26)))
    if len(where) == 0:
        return np.zeros(0, np.float32)
    with torch.no_grad():
        axes = (2,) if is_closed(mesh.faces) else (2, 0, 1)
        counts = torch.stack([side for axis in axes for side in Lines(snapped, axis).winding(asked)], dim=1)
        out = counts[:, 0].float()
        unsure = torch.nonzero((counts != counts[:, :1]).any(dim=1)).squeeze(1)
        if len(unsure):
            tree = WindingTree(torch.from_numpy(corners), beta=2.5)
            out[unsure] = tree.winding(torch.from_numpy(where)[unsure])
    return out.numpy()


def is_closed(faces: npt.ArrayLike) -> bool:
    """Does every directed edge of faces [F, 3] have as many partners in the other direction (no boundary, no flips)?"""
    f = np.asarray(faces, np.int64).reshape(-1, 3)
    if len(f) == 0:
        return False
    n = int(f.max()) + 1
    start, end = f.reshape(-1), f[:, [1, 2, 0]].reshape(-1)
    return bool(np.array_equal(np.sort(start * n + end), np.sort(end * n + start)))


class LatticeSolid:
    """Inside tests at lattice points and exact crossings on lattice edges of the triangles [F, 3, 3] (world units).

    lower: world position of lattice point 0; step: world units between points; shape: points an axis.
    closed: every line then crosses consistently, and one direction is enough.
    """

    def __init__(
        self, corners: Tensor, lower: Sequence[float], step: float, shape: tuple[int, int, int], closed: bool
    ) -> None:
        import torch

        from ._columns import Columns

        self.closed = closed
        origin = corners.new_tensor(list(lower)).double()
        # so coarse that the products in the side tests are exact in float64: no line slips between two faces
        self.triangles = torch.round((corners.double() - origin) * (SNAP / step)) / SNAP
        self.columns = tuple(Columns(self.triangles, axis, shape) for axis in range(3))
        self.asked_tree = 0
        self._tree: object | None = None

    def winding(self, points: Tensor) -> Tensor:
        """[N] float32 winding number at lattice points [N, 3] (lattice units)."""
        import torch

        if self.closed:
            return self.columns[2].winding(points)[0].float()
        # The winding number is the mean of the counts over all directions. Four of six that agree tell it well enough
        # to say inside or outside; in the mouth of a hole, where fewer do, it is worked out.
        counts = torch.cat([side.unsqueeze(1) for column in self.columns for side in column.winding(points)], dim=1)
        middle = counts.median(dim=1).values
        out = middle.float()
        unsure = torch.nonzero((counts == middle.unsqueeze(1)).sum(dim=1) < _MAJORITY).squeeze(1)
        if len(unsure):
            out[unsure] = self._generalised(points[unsure])
        return out

    def _generalised(self, points: Tensor) -> Tensor:
        from ._winding_tree import WindingTree

        if not isinstance(self._tree, WindingTree):
            self._tree = WindingTree(self.triangles.float(), beta=1.3)
        self.asked_tree += len(points)
        return self._tree.winding(points.float())

    def seeds(self) -> Tensor:
        """[n, 3] int64 cells round every lattice edge that a triangle crosses, each once."""
        import torch

        around = []
        for columns in self.columns:
            edges = columns.edges()
            for du in (0, 1):
                for dv in (0, 1):
                    cells = edges.clone()
                    cells[:, columns.u] -= du
                    cells[:, columns.v] -= dv
                    around.append(cells)
        cells = torch.cat(around)
        limit = cells.new_tensor(self.columns[0].shape) - 1
        cells = cells[((cells >= 0) & (cells < limit)).all(dim=1)]
        _, y, z = self.columns[0].shape
        keys = torch.unique((cells[:, 0] * y + cells[:, 1]) * z + cells[:, 2])
        return torch.stack([keys // (y * z), keys // z % y, keys % z], dim=1)

    def share(self, low: Tensor, axis: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """Where on crossed edges the surface lies, [N] in [0, 1]: at the triangle, or in a hole where the winding
        number given at both ends, minus one half, passes 0.5.
        """
        import torch

        out = (lower / torch.where(lower == upper, 1.0, lower - upper)).clamp(0.0, 1.0)
        for k in range(3):
            rows = torch.nonzero(axis == k).squeeze(1)
            exact = self.columns[k].share(low[rows].long(), lower[rows] <= 0)
            out[rows] = torch.where(torch.isnan(exact), out[rows], exact)
        return out


@dataclass(frozen=True)
class Solid:
    """A re-extracted mesh. cell: width of a lattice cell (world units); closed: was the input closed; guessed: lattice
    points decided by the generalised winding number because lines through them met holes."""

    mesh: Mesh
    cell: float
    closed: bool
    guessed: int


def solidify(
    mesh: Mesh, *, resolution: int = 256, fill_cavities: bool = False, progress: Progress | None = None
) -> Solid:
    """The solid that a mesh encloses, as one closed 2-manifold: overlapping shells are united, holes are closed.

    resolution: cells along the longest side; vertices lie on the input's faces exactly, features below a cell are
    lost. fill_cavities: drop inner shells (the second wall of double-walled meshes). Faces must look outward: an
    inside-out shell counts as empty. Raises BadInputError when nothing is enclosed (flat sheets, shells inside out),
    BadMeshError for NaN.
    """
    import torch

    from ._extract.lattice import Lattice
    from ._extract.polygonise import Edges, polygonise
    from ._extract.sampler import Sampler
    from ._extract.walk import Walk

    if not 4 <= resolution <= 2048:
        raise BadInputError(f"the resolution must be 4 to 2048 cells, got {resolution}")
    progress = progress or silent()
    low, high = mesh.checked().bounds.astype(np.float64)
    cell = float((high - low).max()) / resolution
    if cell <= 0:
        raise BadInputError("the mesh has no extent: all its vertices are one point")
    size = [int(np.ceil(side / cell)) + 1 + 2 * MARGIN_CELLS for side in high - low]
    shape = (size[0], size[1], size[2])
    # half a cell off the corner: flat sides of boxes then do not coincide with lattice planes
    lower = low - (MARGIN_CELLS - 0.5) * cell
    closed = is_closed(mesh.faces)
    with torch.no_grad():
        corners = torch.from_numpy(mesh.vertices[mesh.faces].astype(np.float64))
        solid = LatticeSolid(corners, lower.tolist(), cell, shape, closed)
        progress.update(1, 3, "finding the cells of the solid")

        def inside(points: Tensor) -> Tensor:
            return solid.winding(points) - 0.5

        def placing(edges: Edges) -> Tensor:
            return solid.share(edges.low, edges.axis, edges.lower, edges.upper)

        device = torch.device("cpu")
        sampler = Sampler(inside, (0, 0, 0), [n - 1 for n in shape], shape, device, 1 << 18, progress)
        lattice = Lattice(shape, 8, device)
        cells = Walk(sampler, lattice, 0.0, None, 0.0).follow(solid.seeds())
        progress.update(2, 3, "meshing the solid")
        vertices, faces = polygonise(cells, lattice, sampler, 0.0, placing)
    placed = vertices.double().numpy() * cell + lower
    kept = faces.numpy()
    if fill_cavities:
        placed, kept = without_cavities(placed, kept)
    if len(kept) == 0:
        raise BadInputError(
            "the mesh encloses nothing: it is a flat sheet, thinner than a cell, or inside out; orient it first or"
            f" raise the resolution (cell {cell:.2g})"
        )
    progress.update(3, 3, "solid extracted")
    return Solid(mesh.with_geometry(placed, kept), cell, closed, solid.asked_tree)


def without_cavities(
    vertices: npt.NDArray[np.float64], faces: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The closed mesh without the components of negative volume (walls of cavities), unused vertices dropped."""
    if len(faces) == 0:
        return vertices, faces
    count, label = extension("topology").groups(np.concatenate([faces[:, :2], faces[:, 1:]]), len(vertices))
    part = label.take(faces[:, 0])
    family = extension("topology").reference
    a, b, c = family.corners(vertices, faces)
    volume = np.bincount(part, family.dot(a, family.cross(b, c)) / 6, minlength=count)
    kept = faces.compress(volume.take(part) > 0, axis=0)
    there = np.zeros(len(vertices), bool)
    there[kept.reshape(-1)] = True
    return vertices.compress(there, axis=0), (np.cumsum(there) - 1).take(kept)
