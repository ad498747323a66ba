"""The noun of the detection stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """One found object: sides in pixels of the picture (x right, y down), its label and how sure, in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float
    label: str
    score: float = 1.0
