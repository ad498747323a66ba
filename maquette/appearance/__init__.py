"""Looks of an object, independent of its mesh: each class is a ``data.Appearance`` and moves its inputs itself.

``ProjectedPhotos`` (the input pictures), ``VertexColors``, ``TexturedMesh``, ``Uniform``, ``OwnLook`` (whichever
of these a mesh has), and ``Layered`` to put one over another. Nothing heavy is imported before a name is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layered import Layered
    from .own import OwnLook
    from .photos import ProjectedPhotos
    from .surface import TexturedMesh, VertexColors
    from .uniform import Uniform

_HOMES = {
    "Layered": ".layered",
    "OwnLook": ".own",
    "ProjectedPhotos": ".photos",
    "TexturedMesh": ".surface",
    "VertexColors": ".surface",
    "Uniform": ".uniform",
}

__all__ = ["Layered", "OwnLook", "ProjectedPhotos", "TexturedMesh", "Uniform", "VertexColors"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name], __name__), name)
