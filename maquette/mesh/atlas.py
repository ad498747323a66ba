"""Several textures in one: a grid of equal cells, one per texture, with each piece's uvs moved into its cell."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import Material, Texture
from .color import to_encoded, to_linear

if TYPE_CHECKING:
    from .reading import Piece

_LARGEST = 8192
"""Longest side of the atlas in texels; cells shrink to fit."""
_MARGIN = 4
"""Texels round each cell that repeat its border, so that mipmaps do not mix cells."""
_PLAIN = 8


def packed(pieces: list[Piece]) -> list[Piece]:
    """The pieces with one common texture. Materials without a texture get a cell of their colour.

    A texture that repeats (uvs outside [0, 1]) keeps its first period only where faces do not cross periods.
    """
    looks: list[tuple[Any, Material, bool]] = []
    cell_of = []
    for piece in pieces:
        tinted = piece.colors if piece.texture is None else None
        look = (piece.texture, piece.material, tinted is not None)
        index = next((k for k, known in enumerate(looks) if known[0] is look[0] and known[1:] == look[1:]), len(looks))
        if index == len(looks):
            looks.append(look)
        cell_of.append(index)
    if len(looks) == 1:
        return pieces
    columns = int(np.ceil(np.sqrt(len(looks))))
    rows = int(np.ceil(len(looks) / columns))
    side = max(max(t.base_color.shape[:2]) if t is not None else _PLAIN for t, _, _ in looks)
    side = min(side, _LARGEST // columns - 2 * _MARGIN)
    texture = _drawn(looks, columns, rows, side)
    step = side + 2 * _MARGIN
    out = []
    for piece, cell in zip(pieces, cell_of, strict=True):
        uvs = _first_period(piece) if piece.texture is not None else np.full((len(piece.vertices), 2), 0.5)
        corner = np.array([cell % columns, cell // columns]) * step + _MARGIN
        placed = (corner + uvs * side) / np.array([columns * step, rows * step])
        out.append(replace(piece, uvs=placed, texture=texture, material=Material(metallic=0.0)))
    return out


def _first_period(piece: Piece) -> Any:
    """uvs [V, 2] in [0, 1]: each vertex moved by the whole number that its first face asks for."""
    uvs = np.asarray(piece.uvs, np.float64)
    if uvs.min() >= 0 and uvs.max() <= 1:
        return uvs
    shift = np.zeros_like(uvs)
    shift[piece.faces.reshape(-1)] = np.repeat(np.floor(uvs[piece.faces].mean(axis=1)), 3, axis=0)
    return np.clip(uvs - shift, 0.0, 1.0)


def _drawn(looks: list[tuple[Any, Material, bool]], columns: int, rows: int, side: int) -> Texture:
    """The atlas maps; metallic-roughness only where some texture or differing factors need it."""
    step = side + 2 * _MARGIN
    color = np.zeros((rows * step, columns * step, 3), np.float32)
    packed_map = np.ones_like(color)
    normal = np.broadcast_to(np.array([0.5, 0.5, 1.0], np.float32), color.shape).copy()
    for index, (texture, material, _) in enumerate(looks):
        top, left = index // columns * step, index % columns * step
        window = np.s_[top : top + step, left : left + step]
        factor = np.array(material.base_color)
        if texture is None:
            color[window] = to_encoded(factor)
        else:
            color[window] = to_encoded(to_linear(_cell(texture.base_color, side)) * factor)
        if texture is not None and texture.metallic_roughness is not None:
            packed_map[window] = _cell(texture.metallic_roughness, side)
        else:
            packed_map[window] = (1.0, material.roughness, material.metallic)
        if texture is not None and texture.normal is not None:
            normal[window] = _cell(texture.normal, side)
    bent = any(texture is not None and texture.normal is not None for texture, _, _ in looks)
    return Texture(color, packed_map, normal if bent else None)


def _cell(picture: Any, side: int) -> Any:
    """[side + 2 margin, same, 3] the map at the cell's size with its border repeated."""
    from PIL import Image

    if picture.shape[:2] != (side, side):
        bands = [
            np.asarray(
                Image.fromarray(np.ascontiguousarray(picture[..., k])).resize((side, side), Image.Resampling.BILINEAR)
            )
            for k in range(3)
        ]
        picture = np.stack(bands, axis=-1)
    return np.pad(picture, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)), mode="edge")
