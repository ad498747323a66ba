"""Write a mesh file: whole, checked by reading it again, and only then under its name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Mesh
from ..errors import BadInputError, BadMeshError, MissingError
from ..landing import WriteError, landing
from .color import to_encoded, with_vertex_colors
from .gltf import COLOR, CONFIDENCE, finisher
from .materials import pictures_of
from .obj import write_obj
from .packing import DRACO_STEP, as_webp, packing
from .parts import usable
from .reading import read_mesh
from .surface import to_mesh

FORMATS = (".glb", ".obj", ".ply", ".stl", ".3mf")


def write_mesh(
    mesh: Mesh,
    path: Path | str,
    *,
    report: dict[str, Any] | None = None,
    metadata: dict[str, Any] | None = None,
    size_mm: float | None = None,
    webp: bool = False,
    draco: bool = False,
) -> Path:
    """Write ``mesh`` as GLB, OBJ (with MTL and PNG beside it), PLY, STL or 3MF, by the ending of ``path``.

    report: the JSON report, and metadata: more keys (workflow, prompt): both go into a GLB's ``asset.extras``. size_mm:
    for printing: the longest side becomes this many millimetres and z points up (glTF is y up and in no fixed unit).
    webp, draco: make a GLB smaller, see ``packing``; other formats know neither.
    The folder is made when it is missing. The file is read again and compared before it gets its name; on any failure
    nothing is left behind and a file that was there before is untouched. Returns the path.

    Raises BadMeshError for a mesh that is empty or corrupt (an empty file is never written: mission, bug 11),
    WriteError when the disk refuses, BadInputError for an unknown ending or size.
    """
    path, mesh = Path(path), mesh.checked()
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BadInputError(f"cannot write '{path.name}': the ending must be one of {', '.join(FORMATS)}")
    packed = checked_packing(path, webp, draco)
    placed = _sized(mesh, size_mm)
    with landing(path) as folder:
        if suffix == ".glb":
            (folder / path.name).write_bytes(_glb(placed, report, metadata, packed))
        else:
            _PLAIN_WRITERS[suffix](placed, folder / path.name)
        _compared(placed, folder / path.name, DRACO_STEP if draco else _SAME)
    return path


def _sized(mesh: Mesh, size_mm: float | None) -> Mesh:
    """In millimetres and z up when a size is given."""
    if size_mm is None:
        return mesh
    side = float(np.ptp(mesh.vertices[np.unique(mesh.faces)], axis=0).max())
    if not (np.isfinite(size_mm) and size_mm > 0 and side > 0):
        raise BadInputError(
            f"size_mm must be above 0 and the mesh must have a size; got {size_mm} for a side of {side}"
        )
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    points: Any = mesh.vertices.astype(np.float64) @ turn.T * (size_mm / side)
    normals: Any = None if mesh.vertex_normals is None else mesh.vertex_normals @ turn.T
    return mesh.replace(vertices=points, vertex_normals=normals)


def _bare(mesh: Mesh) -> Any:
    """A trimesh of the geometry alone, vertices in order and unmerged."""
    try:
        import trimesh
    except ImportError as error:
        raise MissingError("writing meshes needs trimesh: pip install trimesh") from error
    made = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=mesh.vertex_normals, process=False, validate=False)
    made.metadata.clear()
    return made


def checked_packing(path: Path, webp: bool, draco: bool) -> dict[str, bool]:
    """What the exporter is told; also for asking before the work. BadInputError where ``path`` is no GLB, MissingError
    where this machine cannot pack it."""
    suffix = path.suffix.lower()
    if (webp or draco) and suffix != ".glb":
        raise BadInputError(f"webp and draco are ways to pack a GLB; {path.name} would be {suffix[1:]}")
    return packing(webp, draco)


def _textured(mesh: Mesh, webp: bool) -> Any:
    """A trimesh with a PBR material and, where the mesh has them, uvs and maps."""
    made = _bare(mesh)
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    maps = {} if mesh.texture is None or mesh.uvs is None else pictures_of(mesh.texture)
    if webp:
        as_webp(maps)
    material = PBRMaterial(name="maquette", alphaMode="OPAQUE", **maps)
    uvs = None
    if mesh.uvs is not None:
        uvs = mesh.uvs.astype(np.float64)
        uvs[:, 1] = 1.0 - uvs[:, 1]
    made.visual = TextureVisuals(uv=uvs, material=material)
    return made


def _glb(mesh: Mesh, report: dict[str, Any] | None, metadata: dict[str, Any] | None, packed: dict[str, bool]) -> bytes:
    made = _textured(mesh, "extension_webp" in packed)
    from trimesh.exchange.gltf import export_glb
    from trimesh.scene import Scene

    if mesh.vertex_colors is not None:
        made.vertex_attributes[COLOR] = np.clip(mesh.vertex_colors, 0.0, 1.0).astype(np.float32)
    if mesh.confidence is not None:
        made.vertex_attributes[CONFIDENCE] = mesh.confidence.astype(np.float32)
    textured = mesh.texture is not None and mesh.uvs is not None
    finish = finisher(mesh.material, textured, report, metadata)
    normals = mesh.vertex_normals is not None
    data: bytes = export_glb(Scene({"mesh": made}), include_normals=normals, tree_postprocessor=finish, **packed)
    return data


def _ply(mesh: Mesh, path: Path) -> None:
    path.write_bytes(_colored(mesh).export(file_type="ply", vertex_normal=mesh.vertex_normals is not None))


def _colored(mesh: Mesh) -> Any:
    """A trimesh with sRGB vertex colours; a texture, which the format cannot hold, is sampled into them."""
    mesh = with_vertex_colors(mesh)
    made = _bare(mesh)
    if mesh.vertex_colors is not None:
        encoded = np.rint(to_encoded(mesh.vertex_colors) * 255).astype(np.uint8)
        made.visual.vertex_colors = np.column_stack([encoded, np.full(len(encoded), 255, np.uint8)])
    return made


def _stl(mesh: Mesh, path: Path) -> None:
    path.write_bytes(_bare(mesh).export(file_type="stl"))


def _3mf(mesh: Mesh, path: Path) -> None:
    """Welded by position, for a slicer takes each open edge, also a texture's seam, for a hole."""
    bare = Mesh(mesh.vertices, mesh.faces)
    path.write_bytes(_bare(to_mesh(usable(bare)[0], bare)).export(file_type="3mf"))


_PLAIN_WRITERS: dict[str, Callable[[Mesh, Path], None]] = {".obj": write_obj, ".ply": _ply, ".stl": _stl, ".3mf": _3mf}


_SAME = 1e-5
"""How far the bounds of a file read again may be off, as a share of the size."""


def _compared(mesh: Mesh, path: Path, slack: float = _SAME) -> None:
    """Read the file again: as many faces, the same bounds, finite, and its texture decodes at its size."""
    try:
        again = read_mesh(path).checked()
    except BadMeshError as error:
        raise WriteError(f"{path.name} was written but cannot be read again ({error}); it was thrown away") from error
    size = float(np.ptp(mesh.vertices, axis=0).max())
    used = mesh.vertices[np.unique(mesh.faces)]
    bounds = np.stack([used.min(axis=0), used.max(axis=0)])
    again_used = again.vertices[np.unique(again.faces)]
    drift = np.abs(np.stack([again_used.min(axis=0), again_used.max(axis=0)]) - bounds).max()
    if len(again.faces) != len(mesh.faces) or drift > slack * max(size, float(np.abs(bounds).max())):
        raise WriteError(
            f"{path.name} came back with {len(again.faces)} of {len(mesh.faces)} faces and bounds off by {drift:.3g};"
            " it was thrown away"
        )
    expects_map = mesh.texture is not None and mesh.uvs is not None and path.suffix.lower() in {".glb", ".obj"}
    if expects_map and mesh.texture is not None:
        shape = None if again.texture is None else again.texture.base_color.shape[:2]
        if shape != mesh.texture.base_color.shape[:2]:
            raise WriteError(f"the texture in {path.name} came back as {shape}; the file was thrown away")
