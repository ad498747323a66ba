"""Cut a mesh into charts and lay them out on a square; Cancel and a time limit end it at any moment.

``fast`` is our own (``_fast``), ``xatlas`` the well-known library, which holds the interpreter lock for tens of seconds
and so runs in a child process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..child import run_child
from ..data import Mesh
from ..errors import BadInputError, BadMeshError, StageTimeoutError, WorkerDiedError
from ..geometry.normals import face_normals, vertex_normals
from ..geometry.welding import weld_equal
from ..log import log
from ..progress import Progress, silent

METHODS = ("fast", "xatlas")
SIZES = (16, 8192)
"""Smallest and largest side of a texture, texels."""
_OVERLAP = 0.01
"""Share of the used texels that may belong to two faces before the layout is called bad."""


@dataclass(frozen=True)
class Unwrapped:
    """mesh: with uvs, vertices split along the seams; source: [V] int64, the input vertex of each vertex; charts: how
    many; utilisation: share of the square that triangles cover; overlap: share of the used texels covered twice."""

    mesh: Mesh
    source: npt.NDArray[np.int64]
    charts: int
    utilisation: float
    overlap: float
    notes: tuple[str, ...] = ()


def unwrap(
    mesh: Mesh,
    *,
    size: int = 1024,
    method: str = "fast",
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Mesh:
    """``mesh`` with uvs in [0, 1] for a ``size`` x ``size`` texture; everything per vertex is kept, the texture is not.

    method: ``fast`` (default: over 10 times faster, fuller, less stretch) or ``xatlas``. timeout: seconds, default by
    the number of faces. Raises StageTimeoutError, WorkerDiedError, BadMeshError, BadInputError; never gives back an
    empty mesh.
    """
    done = unwrap_with_map(mesh, size=size, method=method, timeout=timeout, progress=progress)
    for note in done.notes:
        log.warning("unwrap: %s", note)
    return done.mesh


def unwrap_with_map(
    mesh: Mesh,
    *,
    size: int = 1024,
    method: str = "fast",
    timeout: float | None = None,
    progress: Progress | None = None,
) -> Unwrapped:
    """As ``unwrap``, and which input vertex each vertex came from, with the layout's figures."""
    if method not in METHODS:
        raise BadInputError(f"there is no unwrap method '{method}'; choose one of: {', '.join(METHODS)}")
    check_size(size)
    if not face_normals(mesh.checked()).any():
        raise BadMeshError("every face of the mesh has zero area, so there is nothing to lay out; run Clean Mesh on it")
    limit = max(120.0, 0.01 * len(mesh.faces)) if timeout is None else timeout
    progress = progress or silent()
    notes: tuple[str, ...] = ()
    if method == "fast":
        answer = _fast(mesh, size, _limited(progress, limit))
    else:
        answer, notes = _xatlas(mesh, size, limit, progress)
    return _built(mesh, answer, size, notes)


def _fast(mesh: Mesh, size: int, progress: Progress) -> dict[str, npt.NDArray[Any]]:
    """What ``fast_layout`` says. The triangles of an STL share places, not vertices, so vertices at one place count as
    one where that joins more faces: it joins fewer where two skins lie on each other."""
    from ._fast import fast_layout
    from ._fast.charts import adjacency

    first, group = weld_equal(mesh.vertices)
    faces = mesh.faces.astype(np.int64)
    welded = first[group][faces]
    joins = len(first) < len(mesh.vertices) and len(adjacency(welded)[0]) > len(adjacency(faces)[0])
    answer = fast_layout(_unit_size(mesh), welded if joins else faces, size, padding(size), progress)
    return _by_corner(answer, faces) if joins else answer


def _by_corner(answer: dict[str, npt.NDArray[Any]], faces: npt.NDArray[np.int64]) -> dict[str, npt.NDArray[Any]]:
    """The layout of a welded mesh for its own ``faces`` [F, 3]: a vertex for every (vertex laid out, own vertex)."""
    span = int(faces.max()) + 1
    key, index = np.unique((answer["faces"] * span + faces).reshape(-1), return_inverse=True)
    found = {"source": key % span, "faces": index.reshape(-1, 3), "pixels": answer["pixels"][key // span]}
    return {**answer, **found}


def _xatlas(
    mesh: Mesh, size: int, limit: float, progress: Progress
) -> tuple[dict[str, npt.NDArray[Any]], tuple[str, ...]]:
    """What the child says. xatlas 0.0.11 crashes on some perfectly regular meshes (an icosphere of 81,920 faces), so a
    dead child gets a second chance with vertices moved by a hundred-thousandth of the size, for the layout only."""
    given = {"normals": vertex_normals(mesh), "faces": mesh.faces, "size": size, "padding": padding(size)}
    vertices, script = _unit_size(mesh), Path(__file__).with_name("_xatlas_child.py")
    try:
        return run_child(script, {"vertices": vertices, **given}, "unwrapping", limit, progress), ()
    except WorkerDiedError as died:
        log.warning("%s; trying again with jittered vertices", died)
    jitter = np.random.default_rng(0).uniform(-1e-5, 1e-5, vertices.shape).astype(np.float32)
    answer = run_child(script, {"vertices": vertices + jitter, **given}, "unwrapping", limit, progress)
    return answer, ("xatlas crashed on this mesh and laid it out at the second try, with jittered vertices",)


def _limited(progress: Progress, limit: float) -> Progress:
    """``progress`` whose check also ends the work ``limit`` seconds from now."""
    end = time.monotonic() + limit

    def check() -> None:
        progress.check()
        if time.monotonic() > end:
            raise StageTimeoutError(
                f"unwrapping took longer than its limit of {limit:.0f} s; simplify the mesh first or raise the limit"
            )

    return replace(progress, check=check)


def padding(size: int) -> int:
    """Texels between charts: enough for bilinear look-ups, on large textures for the first mipmap levels, too."""
    return min(max(size // 256, 3), 8)


def check_size(size: int) -> None:
    """BadInputError when ``size`` is no sensible texture side."""
    low, high = SIZES
    if not low <= size <= high:
        raise BadInputError(f"the texture size must lie between {low} and {high}, got {size}")


def _unit_size(mesh: Mesh) -> npt.NDArray[Any]:
    """[V, 3] vertices at longest side 1: xatlas drops triangles below a fixed area."""
    low, high = mesh.bounds
    return (mesh.vertices - low) / max(float((high - low).max()), 1e-12)


def _built(mesh: Mesh, answer: dict[str, npt.NDArray[Any]], size: int, notes: tuple[str, ...]) -> Unwrapped:
    """The mesh from the child's answer, checked."""
    source, faces, pixels = answer["source"], answer["faces"], answer["pixels"]
    if not np.array_equal(source[faces.reshape(-1)] if len(source) else faces.reshape(-1), mesh.faces.reshape(-1)):
        raise WorkerDiedError(
            f"unwrapping gave back {len(faces)} faces that do not match the {len(mesh.faces)} of the mesh; run Clean"
            " Mesh on it first (non-manifold or degenerate input), then unwrap again"
        )
    uvs = pixels / max(float(answer["extent"][:2].max()), 1.0)
    if not np.isfinite(uvs).all() or uvs.min() < -1e-6 or uvs.max() > 1 + 1e-6:
        raise WorkerDiedError("unwrapping gave uvs outside [0, 1]; run Clean Mesh on the mesh first, then unwrap again")
    out = Mesh(
        mesh.vertices[source],
        faces,
        vertex_normals(mesh)[source],
        None if mesh.vertex_colors is None else mesh.vertex_colors[source],
        uvs.clip(0, 1),
        None if mesh.confidence is None else mesh.confidence[source],
        material=mesh.material,
    )
    return _measured(out, source, int(answer["extent"][3]), size, notes)


def _measured(
    mesh: Mesh, source: npt.NDArray[np.int64], charts: int, size: int, notes: tuple[str, ...] = ()
) -> Unwrapped:
    import torch

    from ..geometry.raster import count_uv

    assert mesh.uvs is not None
    count = count_uv(torch.tensor(mesh.uvs), torch.tensor(mesh.faces), max(size, 256))
    used, twice = int((count > 0).sum()), int((count > 1).sum())
    overlap = twice / max(used, 1)
    if used == 0:
        raise WorkerDiedError("unwrapping gave a layout without area; run Clean Mesh on the mesh first")
    if overlap > _OVERLAP:
        notes += (f"{overlap:.1%} of the used texels belong to two faces; clean the mesh for a better layout",)
    corners = mesh.uvs[mesh.faces].astype(np.float64)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = float(np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]).sum()) / 2
    return Unwrapped(mesh, source, charts, area, overlap, notes)
