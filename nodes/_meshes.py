"""Core's MESH <-> Maquette's Mesh.

A MESH holds a batch: ``vertices`` [B, N, 3], ``faces`` [B, M, 3] and, on newer ComfyUIs, uvs, colours, textures and
normals; items of different size are zero-padded and ``vertex_counts`` / ``face_counts`` [B] say how much is real. We
always build core's own class and set all newer attributes on it, so that what we give works in old and new nodes.
Nothing that comes in is changed, what goes out lies on the CPU and shares no memory with the library's arrays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..maquette.data import Material, Mesh, Texture
from ..maquette.errors import BadInputError, BadMeshError
from ..maquette.log import log

_EXTRA = {
    "uvs": None,
    "vertex_colors": None,
    "texture": None,
    "metallic_roughness": None,
    "vertex_counts": None,
    "face_counts": None,
    "unlit": False,
    "normals": None,
    "tangents": None,
    "normal_map": None,
    "occlusion_in_mr": False,
    "material": None,
    "emissive": None,
}
"""Attributes of today's core class with their defaults; older classes get them set from outside."""


def meshes(value: Any) -> tuple[Mesh, ...]:
    """All meshes of a socket value: a core MESH batch, a ``trimesh`` object, a core 3D file, or a list of these.

    Raises BadMeshError for anything else and for empty, NaN or out-of-range geometry.
    """
    if isinstance(value, Mesh):
        return (value.checked(),)
    if isinstance(value, list | tuple):
        return tuple(mesh for item in value for mesh in meshes(item))
    if hasattr(value, "save_to") and hasattr(value, "format"):
        from ._files import read_file3d

        return (read_file3d(value),)
    vertices, faces = getattr(value, "vertices", None), getattr(value, "faces", None)
    if hasattr(vertices, "detach") and hasattr(faces, "detach"):
        return tuple(_item(value, index).checked() for index in range(_batch_size(value)))
    if hasattr(value, "visual") or hasattr(value, "geometry"):
        from ._trimesh import from_trimesh

        return (from_trimesh(value).checked(),)
    raise BadMeshError(f"mesh: a MESH or a TRIMESH was expected, got {type(value).__name__}")


def one_mesh(value: Any, what: str) -> Mesh:
    """The only mesh of ``value``; BadMeshError for a batch of several."""
    found = meshes(value)
    if len(found) != 1:
        raise BadMeshError(f"{what} takes one mesh, got a batch of {len(found)}; split the batch first")
    return found[0]


def core_mesh(items: Mesh | Sequence[Mesh]) -> Any:
    """Meshes -> one MESH of core's class. Items of different size are zero-padded and counted.

    Raises BadMeshError when only some items have UVs, colours or a texture, or textures differ in size.
    """
    batch = [items] if isinstance(items, Mesh) else list(items)
    if not batch:
        raise BadMeshError("mesh: an empty batch cannot be passed on")
    made = _core_class()(
        vertices=_padded([m.vertices for m in batch], np.float32), faces=_padded([m.faces for m in batch], np.int64)
    )
    values: dict[str, Any] = dict(_EXTRA)
    values["uvs"] = _optional(batch, "uvs", lambda m: m.uvs)
    values["vertex_colors"] = _optional(batch, "vertex colours", lambda m: m.vertex_colors)
    values["normals"] = _optional(batch, "", lambda m: m.vertex_normals)
    values["maquette_confidence"] = _optional(batch, "", lambda m: m.confidence)
    values |= _maps(batch)
    values["material"] = _factors(batch[0], values)
    if material_note(batch):
        log.warning("%s", material_note(batch))
        values["maquette_materials"] = tuple(mesh.material for mesh in batch)
    if any(len(m.vertices) != len(batch[0].vertices) or len(m.faces) != len(batch[0].faces) for m in batch):
        values["vertex_counts"] = _tensor(np.array([len(m.vertices) for m in batch], np.int64))
        values["face_counts"] = _tensor(np.array([len(m.faces) for m in batch], np.int64))
    for name, value in values.items():
        setattr(made, name, value)
    return made


def material_note(batch: Sequence[Mesh]) -> str:
    """What to say of a batch whose items have different materials: core's MESH has one ``material`` for all of them."""
    if all(mesh.material == batch[0].material for mesh in batch):
        return ""
    return (
        "the meshes of this batch have different materials: core's nodes (SaveGLB) give all of them the factors of the"
        " first; Maquette's nodes keep each its own"
    )


def _core_class() -> Any:
    """Core's MESH class, wherever this ComfyUI keeps it."""
    import comfy_api.latest as api

    found = getattr(getattr(api, "Types", None), "MESH", None)
    if found is None:
        from comfy_extras import nodes_hunyuan3d

        found = nodes_hunyuan3d.MESH
    return found


def _batch_size(value: Any) -> int:
    vertices, faces = value.vertices, value.faces
    flat = vertices.ndim == 2
    if vertices.ndim not in (2, 3) or vertices.shape[-1] != 3 or faces.ndim != vertices.ndim or faces.shape[-1] != 3:
        raise BadMeshError(
            f"mesh: vertices [B, N, 3] and faces [B, M, 3] were expected, got {tuple(vertices.shape)} and"
            f" {tuple(faces.shape)}"
        )
    if not flat and len(vertices) != len(faces):
        raise BadMeshError(f"mesh: {len(vertices)} sets of vertices but {len(faces)} sets of faces")
    return 1 if flat else len(vertices)


def _item(value: Any, index: int) -> Mesh:
    """Item ``index`` of a core MESH, without its padding; attributes that an older class lacks count as absent."""
    vertices, faces = _row(value, "vertices", index, None), _row(value, "faces", index, None)
    vertex_count, face_count = _count(value, "vertex_counts", index), _count(value, "face_counts", index)
    vertices, faces = vertices[:vertex_count], faces[:face_count]
    if faces.size and not np.issubdtype(faces.dtype, np.integer):
        if not np.array_equal(faces, np.round(faces)):
            raise BadMeshError("mesh: face indices must be whole numbers")
        faces = faces.astype(np.int64)
    count = len(vertices)
    uvs, colors = _row(value, "uvs", index, count), _row(value, "vertex_colors", index, count)
    texture = _texture(value, index)
    if texture is not None and uvs is None:
        log.info("the mesh carries a texture but no UVs (core's clean-up nodes drop them): the texture is ignored")
    return Mesh(
        vertices,
        _fits_int32(faces),
        vertex_normals=_row(value, "normals", index, count),
        vertex_colors=None if colors is None else _unit(colors)[:, :3],
        uvs=uvs,
        confidence=_row(value, "maquette_confidence", index, count),
        texture=texture if uvs is not None else None,
        material=_material(value, index),
    )


def _fits_int32(faces: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Faces as given, or BadMeshError before a wrap-around could make a wild index look right."""
    if faces.size and (faces.max() > np.iinfo(np.int32).max or faces.min() < np.iinfo(np.int32).min):
        raise BadMeshError(f"mesh: face indices run from {faces.min()} to {faces.max()}; the mesh is corrupt")
    return faces


def _row(value: Any, name: str, index: int, count: int | None) -> Any:
    """A numpy copy of row ``index`` of an attribute, cut to ``count`` rows; None when absent or too short."""
    tensor = getattr(value, name, None)
    if tensor is None:
        return None
    tensor = tensor.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.float()
    flat = value.vertices.ndim == 2
    row = tensor if flat else tensor[min(index, len(tensor) - 1)]
    array = np.array(row.numpy())
    if count is not None:
        if len(array) < count:
            raise BadMeshError(f"mesh: {name} has {len(array)} rows but there are {count} vertices")
        array = array[:count]
    return array


def _count(value: Any, name: str, index: int) -> int | None:
    counts = getattr(value, name, None)
    return None if counts is None else int(counts[index])


def _unit(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Colours as float in [0, 1], also from 8-bit integers."""
    scale = 255.0 if np.issubdtype(array.dtype, np.integer) else 1.0
    return np.clip(array.astype(np.float32) / scale, 0.0, 1.0)


def _map(value: Any, name: str, index: int) -> Any:
    """A texture map [H, W, 3] in [0, 1]; one map may serve the whole batch, a fourth channel is dropped."""
    tensor = getattr(value, name, None)
    if tensor is None:
        return None
    tensor = tensor.detach().cpu()
    if tensor.ndim == 4:
        tensor = tensor[min(index, len(tensor) - 1)]
    if tensor.ndim != 3 or tensor.shape[2] not in (1, 3, 4):
        raise BadMeshError(f"mesh: {name} must be [B, H, W, 3], got {tuple(getattr(value, name).shape)}")
    array = _unit(np.array(tensor.float().numpy() if tensor.is_floating_point() else tensor.numpy()))
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array[..., :3]


def _texture(value: Any, index: int) -> Texture | None:
    color, packed = _map(value, "texture", index), _map(value, "metallic_roughness", index)
    normal = _map(value, "normal_map", index)
    if color is None and packed is None and normal is None:
        return None
    if color is None:
        side = packed if packed is not None else normal
        color = np.ones_like(side)
    occlusion = packed[..., 0] if packed is not None and getattr(value, "occlusion_in_mr", False) else None
    return Texture(color, packed, normal, occlusion)


def _material(value: Any, index: int) -> Material:
    """Ours where the items differ, else core's ``material`` dict (factors, negative = automatic) -> Material."""
    own = getattr(value, "maquette_materials", None)
    if own is not None and len(own) == _batch_size(value):
        material: Material = own[index]
        return material
    given = getattr(value, "material", None)
    if not isinstance(given, dict):
        return Material()
    base, plain = given.get("base_color_factor"), Material()
    metallic, roughness = float(given.get("metallic_factor", -1.0)), float(given.get("roughness_factor", -1.0))
    return Material(
        plain.base_color if base is None else (float(base[0]), float(base[1]), float(base[2])),
        metallic if metallic >= 0 else plain.metallic,
        roughness if roughness >= 0 else plain.roughness,
        bool(given.get("double_sided", plain.double_sided)),
    )


def _factors(mesh: Mesh, values: dict[str, Any]) -> dict[str, Any]:
    """Material -> core's dict. Metal and roughness factors would scale a map, so a map leaves them alone."""
    material = mesh.material
    out: dict[str, Any] = {"double_sided": material.double_sided, "base_color_factor": [*material.base_color, 1.0]}
    if values["metallic_roughness"] is None:
        out |= {"metallic_factor": material.metallic, "roughness_factor": material.roughness}
    return out


def _maps(batch: Sequence[Mesh]) -> dict[str, Any]:
    """Texture maps [B, S, S, 3] of a batch."""
    textures = [m.texture for m in batch]
    present = [texture for texture in textures if texture is not None]
    if not present:
        return {}
    if len(present) != len(batch):
        raise BadMeshError("mesh batch: every item needs a texture of the same size; bake them alike or one at a time")
    out: dict[str, Any] = {"texture": _stacked("base colour", [t.base_color[..., :3] for t in present])}
    occluded = all(t.occlusion is not None for t in present)
    if occluded or all(t.metallic_roughness is not None for t in present):
        out["metallic_roughness"] = _stacked("metal-roughness", [_packed(m) for m in batch])
        out["occlusion_in_mr"] = occluded
    if all(t.normal is not None for t in present):
        out["normal_map"] = _stacked("normal", [t.normal for t in present])
    return out


def _stacked(what: str, maps: Sequence[Any]) -> Any:
    """[H, W, 3] maps -> one tensor [B, H, W, 3]; BadMeshError when they differ in size, which core cannot hold."""
    sizes = [f"{array.shape[1]} x {array.shape[0]}" for array in maps]
    if len(set(sizes)) > 1:
        raise BadMeshError(
            f"mesh batch: every item needs a texture of the same size, but the {what} maps are {', '.join(sizes)};"
            " bake them alike or work on one at a time"
        )
    return _tensor(np.stack(maps))


def _packed(mesh: Mesh) -> np.ndarray[Any, Any]:
    """Metal-roughness with the occlusion in R, as glTF packs them; the material's factors where there is no map, since
    core has no other place for an occlusion map."""
    texture = mesh.texture
    assert texture is not None
    if texture.metallic_roughness is not None:
        packed = np.array(texture.metallic_roughness)
    else:
        packed = np.ones_like(texture.base_color)
        packed[..., 1], packed[..., 2] = mesh.material.roughness, mesh.material.metallic
    if texture.occlusion is not None:
        packed[..., 0] = _resized(texture.occlusion, packed.shape[:2])
    return packed


def _resized(occlusion: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """[H, W] or [H, W, C] -> the first channel at ``shape``: a file may hold it larger than the other maps."""
    import torch

    only = np.array(occlusion.reshape((*occlusion.shape[:2], -1))[..., 0])
    if only.shape == tuple(shape):
        return only
    planes = torch.from_numpy(only)[None, None]
    return torch.nn.functional.interpolate(planes, size=tuple(shape), mode="bilinear", antialias=True)[0, 0].numpy()


def _optional(batch: Sequence[Mesh], what: str, get: Any) -> Any:
    """A padded attribute. When some items lack it: dropped if ``what`` is empty (it can be remade), else refused."""
    arrays = [get(mesh) for mesh in batch]
    if all(array is None for array in arrays):
        return None
    if any(array is None for array in arrays):
        if not what:
            return None
        raise BadMeshError(f"mesh batch: only some items have {what}; make them alike or work on one at a time")
    return _padded(arrays, np.float32)


def _padded(arrays: Iterable[Any], dtype: Any) -> Any:
    """[n_i, ...] arrays -> one tensor [B, max n, ...], zeros after each item's end."""
    rows = list(arrays)
    out = np.zeros((len(rows), max(len(row) for row in rows), *rows[0].shape[1:]), dtype)
    for index, row in enumerate(rows):
        out[index, : len(row)] = row
    return _tensor(out)


def _tensor(array: np.ndarray[Any, Any]) -> Any:
    """A CPU tensor with memory of its own (``torch.from_numpy`` would share, and could write into, a frozen array)."""
    import torch

    return torch.from_numpy(np.array(array))


def need_mesh_or(value: Any, message: str) -> Any:
    """``value``, or BadInputError with ``message`` when an optional mesh socket is empty."""
    if value is None:
        raise BadInputError(message)
    return value
