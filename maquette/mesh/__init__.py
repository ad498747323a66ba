"""Mesh: clean, certify, simplify, read and write. What leaves this stage can be printed, sculpted and rigged."""

from __future__ import annotations

from ..gate import gate
from .certificate import certify
from .cleaning import CleanResult, clean
from .normals import normalize, smooth_normals
from .reducing import simplify

__all__ = ["CleanResult", "certify", "clean", "gate", "normalize", "simplify", "smooth_normals"]
