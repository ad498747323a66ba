"""Mesh: clean, certify, simplify, read and write. What leaves this stage can be printed, sculpted and rigged."""

from __future__ import annotations

from ..gate import gate
from ..landing import next_path
from .certificate import certify
from .cleaning import CleanResult, clean
from .finishing import Finished, finish
from .normals import normalize, smooth_normals
from .reading import read_mesh
from .reducing import simplify
from .writing import write_mesh

__all__ = [
    "CleanResult",
    "Finished",
    "certify",
    "clean",
    "finish",
    "gate",
    "next_path",
    "normalize",
    "read_mesh",
    "simplify",
    "smooth_normals",
    "write_mesh",
]
