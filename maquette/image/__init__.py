"""Pictures in and out, and the square frame that every view is brought into. The segment stage finds the mask."""

from __future__ import annotations

from .color import linear_to_srgb, srgb_to_linear
from .edges import clean_edges, spread
from .framing import prepare, prepare_views
from .picture import Picture, from_array
from .reading import read_picture
from .writing import write_picture

__all__ = [
    "Picture",
    "clean_edges",
    "from_array",
    "linear_to_srgb",
    "prepare",
    "prepare_views",
    "read_picture",
    "spread",
    "srgb_to_linear",
    "write_picture",
]
