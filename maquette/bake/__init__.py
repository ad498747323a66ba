"""Bake: give a finished mesh UVs and textures. The last stage: UVs are never made before the last geometry edit.

``unwrap`` cuts and lays out the surface, ``bake`` fills its texels (photos where they saw the surface, the appearance
elsewhere, the nearest surface for the rest), ``bake_detail`` adds normal and occlusion maps, ``dress`` does all of it,
``color_vertices`` is the cheap way without UVs.
"""

from __future__ import annotations

from ._detail import bake_detail
from ._dressing import UVS, dress
from ._texels import BakeResult, bake, color_vertices
from ._unwrap import METHODS, Unwrapped, unwrap, unwrap_with_map

__all__ = [
    "METHODS",
    "UVS",
    "BakeResult",
    "Unwrapped",
    "bake",
    "bake_detail",
    "color_vertices",
    "dress",
    "unwrap",
    "unwrap_with_map",
]
