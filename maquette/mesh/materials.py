"""Textures between our float arrays and the pictures that trimesh reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import FloatArray, Material, Texture
from .color import to_linear

if TYPE_CHECKING:
    from PIL.Image import Image

_MAPS = {
    "base_color": "baseColorTexture",
    "metallic_roughness": "metallicRoughnessTexture",
    "normal": "normalTexture",
    "occlusion": "occlusionTexture",
}


def pictures_of(texture: Texture) -> dict[str, Image]:
    """The maps as 8-bit pictures, rounded, under their glTF names."""
    from PIL import Image

    out = {}
    for name, key in _MAPS.items():
        values = getattr(texture, name)
        if values is not None:
            rounded = np.rint(np.clip(values[..., :3], 0.0, 1.0) * 255).astype(np.uint8)
            if rounded.shape[-1] == 1:
                rounded = np.repeat(rounded, 3, axis=-1)
            out[key] = Image.fromarray(rounded)
    return out


def array_of(picture: Any) -> FloatArray:
    """[H, W, 3] float32 of a picture in any mode; its alpha is ignored, as everything here is opaque."""
    if picture.mode in {"I", "I;16", "F"}:
        values = np.asarray(picture, np.float32)
        values = values / (65535.0 if picture.mode != "F" else 1.0)
        return np.repeat(values[..., None], 3, axis=-1)
    return np.asarray(picture.convert("RGBA"), np.float32)[..., :3] / 255.0


def textures_of(material: Any) -> Texture | None:
    """Our Texture from a trimesh material; None when it has no base colour picture (other maps then mean nothing)."""
    if hasattr(material, "baseColorTexture"):
        base = material.baseColorTexture
        if base is None:
            return None
        others = {
            name: None if getattr(material, key, None) is None else array_of(getattr(material, key))
            for name, key in _MAPS.items()
            if name != "base_color"
        }
        packed = others["metallic_roughness"]
        if packed is not None:
            # Here a map speaks for itself; glTF multiplies it with the factors.
            scale = [1.0, _factor(material.roughnessFactor), _factor(material.metallicFactor)]
            others["metallic_roughness"] = packed * np.array(scale, np.float32)
        return Texture(array_of(base), **others)
    picture = getattr(material, "image", None)
    return None if picture is None else Texture(array_of(picture))


def factors_of(material: Any) -> Material:
    """Our Material from a trimesh material; colours are linear in glTF and sRGB in the older formats."""
    if hasattr(material, "baseColorFactor"):
        color = _color(material.baseColorFactor, np.ones(3))
        metallic, roughness = _factor(material.metallicFactor), _factor(material.roughnessFactor)
        return Material(_triple(color), metallic, roughness, bool(material.doubleSided))
    color = _color(getattr(material, "diffuse", None), np.ones(3))
    if getattr(material, "image", None) is not None:
        color = np.ones(3)  # OBJ programs ignore Kd, or write 0.8 by habit, beside a picture
    return Material(_triple(to_linear(color)))


def _factor(value: Any) -> float:
    """A glTF factor, 1 where the file leaves it out."""
    return 1.0 if value is None else float(value)


def _triple(color: Any) -> tuple[float, float, float]:
    return float(color[0]), float(color[1]), float(color[2])


def _color(value: Any, default: Any) -> Any:
    """[3] in [0, 1]; trimesh keeps factors as bytes or floats."""
    if value is None or len(value) < 3:
        return default
    array = np.asarray(value)
    return array[:3] / 255.0 if array.dtype.kind in "ui" else np.clip(array[:3].astype(float), 0.0, 1.0)
