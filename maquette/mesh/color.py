"""Colours between the three places they live in: sRGB textures and files, linear vertex colours, linear factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import Mesh, Texture

Values = npt.NDArray[Any]


def to_linear(encoded: Values) -> Values:
    """sRGB in [0, 1] -> linear (IEC 61966-2-1)."""
    encoded = np.asarray(encoded, np.float64)
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def to_encoded(linear: Values) -> Values:
    """Linear in [0, 1] -> sRGB."""
    linear = np.clip(np.asarray(linear, np.float64), 0.0, 1.0)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def sampled(texture: Texture, uvs: Values) -> Values:
    """[N, 3] sRGB colours of the base colour map at ``uvs`` [N, 2], bilinear, repeating outside [0, 1]."""
    picture = texture.base_color
    height, width = picture.shape[:2]
    x = np.mod(uvs[:, 0].astype(np.float64), 1.0) * width - 0.5
    y = np.mod(uvs[:, 1].astype(np.float64), 1.0) * height - 0.5
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    out = np.zeros((len(uvs), 3))
    for down in (0, 1):
        for right in (0, 1):
            weight = np.abs(1 - right - (x - left)) * np.abs(1 - down - (y - top))
            row, column = np.clip(top + down, 0, height - 1), np.clip(left + right, 0, width - 1)
            out += weight[:, None] * picture[row, column, :3]
    return out


def with_vertex_colors(mesh: Mesh) -> Mesh:
    """``mesh`` without uvs and texture, its vertices coloured from the texture; itself when it has none.

    The material's factor and the vertex colours that there were are in the new ones, for glTF multiplies all three.
    """
    if mesh.uvs is None or mesh.texture is None:
        return mesh
    colors: Any = to_linear(sampled(mesh.texture, mesh.uvs)) * np.array(mesh.material.base_color)
    if mesh.vertex_colors is not None:
        colors = colors * mesh.vertex_colors
    white = replace(mesh.material, base_color=(1.0, 1.0, 1.0))
    return mesh.replace(vertex_colors=colors, uvs=None, texture=None, material=white)
