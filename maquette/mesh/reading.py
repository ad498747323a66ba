"""Read a mesh file: one Mesh with its texture or colours, whatever the file held."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data import Material, Mesh, Texture
from ..errors import BadMeshError, MaquetteError, MissingError
from .atlas import packed
from .color import to_linear
from .gltf import COLOR, CONFIDENCE, as_floats, colors_hidden, joined_glb, parsed, split_glb
from .materials import factors_of, textures_of

FORMATS = (".glb", ".gltf", ".obj", ".ply", ".stl", ".3mf", ".off")


@dataclass(frozen=True)
class Piece:
    """One geometry of a file, in the file's world frame; the arrays are as in Mesh, colours linear."""

    vertices: Any
    faces: Any
    normals: Any = None
    colors: Any = None
    uvs: Any = None
    confidence: Any = None
    texture: Texture | None = None
    material: Material = field(default_factory=Material)


def read_mesh(path: Path | str) -> Mesh:
    """The triangles of a GLB, glTF, OBJ, PLY, STL, 3MF or OFF file as one Mesh, each part at its place in the scene.

    Textures of several materials are packed into one atlas. Colours of formats without a colour space (PLY, OBJ) are
    taken as sRGB. Raises BadMeshError when the file is missing, cut off, of another kind or holds no triangles; nothing
    is ever put in its place. The mesh is not repaired: certify or clean it.
    """
    path = Path(path)
    if not path.is_file():
        raise BadMeshError(f"there is no mesh file {path}")
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise BadMeshError(f"{path.name}: a '{suffix}' file cannot be read; one of {', '.join(FORMATS)} is needed")
    if path.stat().st_size == 0:
        raise BadMeshError(f"{path.name} is an empty file; the program that wrote it failed")
    source = _source(path, suffix)
    try:
        with np.errstate(all="ignore"):  # damaged numbers may overflow; whoever uses the mesh checks that it is finite
            pieces = _pieces(_loaded(source, path, suffix), suffix)
            mesh = _one(pieces) if pieces else None
    except (MaquetteError, MemoryError):
        raise
    except Exception as error:  # a parser fed with a broken file, or a picture in it, may raise anything
        raise BadMeshError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error
    if mesh is None:
        raise BadMeshError(f"{path.name} holds no triangles (only points, lines or nothing at all)")
    return mesh


def _loaded(source: io.BytesIO, path: Path, suffix: str) -> Any:
    """trimesh's scene or mesh."""
    try:
        import trimesh
    except ImportError as error:
        raise MissingError("reading meshes needs trimesh: pip install trimesh") from error
    resolver = trimesh.resolvers.FilePathResolver(str(path))
    options: dict[str, Any] = {"maintain_order": True} if suffix == ".obj" else {}
    return trimesh.load(source, file_type=suffix[1:], resolver=resolver, process=False, **options)


def _source(path: Path, suffix: str) -> io.BytesIO:
    """The bytes, with glTF's vertex colours under a name that keeps them exact."""
    data = path.read_bytes()
    try:
        if suffix == ".glb":
            tree, rest = split_glb(data)
            data = joined_glb(colors_hidden(tree), rest)
        elif suffix == ".gltf":
            data = json.dumps(colors_hidden(parsed(data))).encode()
    except BadMeshError as error:
        raise BadMeshError(f"{path.name}: {error}") from error
    return io.BytesIO(data)


def _pieces(loaded: Any, suffix: str) -> list[Piece]:
    """Every triangle geometry, moved to its place."""
    if not hasattr(loaded, "geometry"):
        return [_piece(loaded, np.eye(4), suffix)] if _has_faces(loaded) else []
    found = []
    for node in sorted(loaded.graph.nodes_geometry):
        matrix, name = loaded.graph[node]
        geometry = loaded.geometry.get(name)
        if geometry is not None and _has_faces(geometry):
            found.append(_piece(geometry, np.asarray(matrix, np.float64), suffix))
    return found


def _has_faces(geometry: Any) -> bool:
    faces = getattr(geometry, "faces", None)
    return faces is not None and len(faces) > 0 and len(geometry.vertices) > 0


def _piece(geometry: Any, matrix: Any, suffix: str) -> Piece:
    """One trimesh geometry as arrays of ours."""
    vertices = np.asarray(geometry.vertices, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    faces = np.asarray(geometry.faces, np.int64)
    if np.linalg.det(matrix[:3, :3]) < 0:
        faces = faces[:, ::-1]  # a mirrored part would be inside out
    visual = geometry.visual
    material = getattr(visual, "material", None)
    uvs, texture = _texture(visual, material, len(vertices))
    extra = geometry.vertex_attributes
    return Piece(
        vertices,
        faces,
        _normals(geometry, matrix),
        _colors(geometry, suffix),
        uvs,
        np.asarray(extra[CONFIDENCE], np.float64).reshape(-1) if CONFIDENCE in extra else None,
        texture,
        Material(metallic=0.0) if material is None else factors_of(material),
    )


def _texture(visual: Any, material: Any, count: int) -> tuple[Any, Texture | None]:
    """uvs with the origin at the top left and the texture; either is None without the other's use."""
    uvs = getattr(visual, "uv", None)
    if uvs is None or len(uvs) != count or not np.isfinite(np.asarray(uvs, float)).all():
        return None, None
    uvs = np.array(uvs, np.float64)[:, :2]
    uvs[:, 1] = 1.0 - uvs[:, 1]
    return uvs, None if material is None else textures_of(material)


def _normals(geometry: Any, matrix: Any) -> Any:
    """The normals that the file itself holds (never computed here), turned with the part."""
    stored = geometry._cache.cache.get("vertex_normals")
    if stored is None or len(stored) != len(geometry.vertices):
        return None
    turned = np.asarray(stored, np.float64) @ np.linalg.pinv(matrix[:3, :3])
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return turned / np.where(length > 0, length, 1.0)


def _colors(geometry: Any, suffix: str) -> Any:
    """[V, 3] linear vertex colours, None when there are none."""
    if COLOR in geometry.vertex_attributes:
        return as_floats(np.asarray(geometry.vertex_attributes[COLOR]))[:, :3]
    visual = geometry.visual
    values = visual.vertex_colors if visual.kind in {"vertex", "face"} else None
    if values is None:
        values = getattr(visual, "vertex_attributes", {}).get("color")
    if values is None or len(values) != len(geometry.vertices):
        return None
    colors = as_floats(np.asarray(values))[:, :3]
    return colors if suffix in {".glb", ".gltf"} else to_linear(colors)


def _one(pieces: list[Piece]) -> Mesh:
    """All pieces in one Mesh; what only some of them have is made up for the others."""
    if any(p.texture is not None for p in pieces) and len(pieces) > 1:
        pieces = packed(pieces)
    first = next((p for p in pieces if p.texture is not None), pieces[0])
    if first.texture is None and len({p.material.base_color for p in pieces}) > 1:
        pieces = [_painted(p) for p in pieces]
        first = pieces[0]
    starts = np.cumsum([0, *(len(p.vertices) for p in pieces)])
    arrays: dict[str, Any] = {
        "vertex_normals": _stacked([p.normals for p in pieces], None, pieces),
        "vertex_colors": _stacked([p.colors for p in pieces], (1.0, 1.0, 1.0), pieces),
        "uvs": _stacked([p.uvs for p in pieces], (0.0, 0.0), pieces) if first.uvs is not None else None,
        "confidence": _stacked([p.confidence for p in pieces], 0.0, pieces),
    }
    vertices: Any = np.concatenate([p.vertices for p in pieces])
    faces: Any = np.concatenate([p.faces + start for p, start in zip(pieces, starts, strict=False)])
    return Mesh(vertices, faces, texture=first.texture, material=first.material, **arrays)


def _painted(piece: Piece) -> Piece:
    """The material's colour as vertex colours, where materials differ by colour only."""
    base = np.ones((len(piece.vertices), 3)) if piece.colors is None else piece.colors
    white = Material((1.0, 1.0, 1.0), piece.material.metallic, piece.material.roughness, piece.material.double_sided)
    return Piece(
        piece.vertices, piece.faces, piece.normals, base * np.array(piece.material.base_color), piece.uvs,
        piece.confidence, None, white,
    )  # fmt: skip


def _stacked(values: list[Any], missing: Any, pieces: list[Piece]) -> Any:
    """One array of all pieces; None when none has it, or when it is missing somewhere and cannot be made up."""
    if all(value is None for value in values) or (missing is None and any(value is None for value in values)):
        return None
    blocks = []
    for value, piece in zip(values, pieces, strict=True):
        blocks.append(np.array([missing] * len(piece.vertices)) if value is None else value)
    return np.concatenate(blocks)
