"""The community's TRIMESH socket (a ``trimesh.Trimesh`` or ``Scene``) <-> Mesh.

trimesh keeps v = 0 at the bottom of a picture, glTF and we at the top. Vertex colours pass through unconverted, as
trimesh's own glTF reader and writer do: what community nodes export stays what it was.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..maquette.data import FloatArray, Material, Mesh, Texture
from ..maquette.errors import BadMeshError


def from_trimesh(value: Any) -> Mesh:
    """A Trimesh, or all of a Scene in one mesh. BadMeshError for a scene without triangles."""
    found = _single(value)
    uvs = getattr(found.visual, "uv", None)
    kind = getattr(found.visual, "kind", None)
    texture, material = _look(getattr(found.visual, "material", None)) if kind == "texture" else (None, Material())
    if uvs is not None:
        uvs = np.array(uvs, np.float32)[:, :2]
        uvs[:, 1] = 1.0 - uvs[:, 1]
    colors = None
    if kind == "vertex":
        colors = np.asarray(found.visual.vertex_colors, np.float32)[:, :3] / 255.0
    normals = found._cache.cache.get("vertex_normals") if hasattr(found, "_cache") else None
    return Mesh(
        np.array(found.vertices),
        np.array(found.faces),
        vertex_normals=None if normals is None else np.array(normals),
        vertex_colors=colors,
        uvs=uvs,
        texture=texture if uvs is not None else None,
        material=material,
    )


def to_trimesh(mesh: Mesh) -> Any:
    """A new Trimesh with arrays of its own; nothing is merged or reordered (``process=False``)."""
    import trimesh

    made = trimesh.Trimesh(
        vertices=np.array(mesh.vertices),
        faces=np.array(mesh.faces),
        vertex_normals=None if mesh.vertex_normals is None else np.array(mesh.vertex_normals),
        process=False,
    )
    material = mesh.material
    if mesh.uvs is not None:
        uvs = np.array(mesh.uvs)
        uvs[:, 1] = 1.0 - uvs[:, 1]
        made.visual = trimesh.visual.TextureVisuals(uv=uvs, material=_pbr(mesh))
    elif mesh.vertex_colors is not None:
        rgb = np.round(np.clip(mesh.vertex_colors, 0, 1) * 255).astype(np.uint8)
        opaque = np.full((len(rgb), 1), 255, np.uint8)
        made.visual = trimesh.visual.ColorVisuals(made, vertex_colors=np.hstack([rgb, opaque]))
    else:
        made.visual = trimesh.visual.TextureVisuals(material=_pbr(mesh)) if material != Material() else made.visual
    return made


def _single(value: Any) -> Any:
    """A Scene's parts, placed and joined; a Trimesh as it is."""
    import trimesh

    if isinstance(value, trimesh.Scene):
        joined = value.to_geometry() if hasattr(value, "to_geometry") else value.dump(concatenate=True)
        value = joined
    if not isinstance(value, trimesh.Trimesh):
        raise BadMeshError(f"TRIMESH: a triangle mesh was expected, got {type(value).__name__}")
    return value


def _look(material: Any) -> tuple[Texture | None, Material]:
    """trimesh's material -> our maps and factors."""
    if material is None:
        return None, Material()
    if not hasattr(material, "baseColorTexture"):
        material = material.to_pbr()
    color, packed = _picture(material.baseColorTexture), _picture(material.metallicRoughnessTexture)
    normal = _picture(getattr(material, "normalTexture", None))
    plain = Material()
    base = material.baseColorFactor
    factors = Material(
        plain.base_color if base is None else _rgb_factor(base),
        plain.metallic if material.metallicFactor is None else float(material.metallicFactor),
        plain.roughness if material.roughnessFactor is None else float(material.roughnessFactor),
        bool(material.doubleSided),
    )
    if color is None and packed is None and normal is None:
        return None, factors
    if color is None:
        color = np.ones((1, 1, 3), np.float32)
    return Texture(color, packed, normal), factors


def _rgb_factor(base: Any) -> tuple[float, float, float]:
    """trimesh keeps factors as 0 to 255 integers."""
    values = np.asarray(base)
    scale = 255.0 if np.issubdtype(values.dtype, np.integer) else 1.0
    rgb = values[:3].astype(float) / scale
    return float(rgb[0]), float(rgb[1]), float(rgb[2])


def _picture(picture: Any) -> FloatArray | None:
    if picture is None:
        return None
    array: FloatArray = np.asarray(picture.convert("RGB"), np.float32) / 255.0
    return array


def _pbr(mesh: Mesh) -> Any:
    """A trimesh PBR material; a metal-roughness map takes factors of 1, because glTF multiplies them."""
    import trimesh

    texture, material = mesh.texture, mesh.material
    packed = texture is not None and texture.metallic_roughness is not None
    return trimesh.visual.material.PBRMaterial(
        baseColorFactor=[*(round(255 * c) for c in material.base_color), 255],
        metallicFactor=1.0 if packed else material.metallic,
        roughnessFactor=1.0 if packed else material.roughness,
        doubleSided=material.double_sided,
        alphaMode="OPAQUE",
        baseColorTexture=None if texture is None else _image(texture.base_color),
        metallicRoughnessTexture=_image(texture.metallic_roughness) if texture is not None and packed else None,
        normalTexture=None if texture is None or texture.normal is None else _image(texture.normal),
    )


def _image(array: Any) -> Any:
    from PIL import Image

    return Image.fromarray(np.round(np.clip(array[..., :3], 0, 1) * 255).astype(np.uint8), "RGB")
