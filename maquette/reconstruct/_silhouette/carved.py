"""Several views -> mesh: the rounded visual hull."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ...data import FloatArray, Mesh, View
from ...progress import Progress

if TYPE_CHECKING:
    from .. import Settings


def carved_mesh(
    masks: Sequence[FloatArray], views: Sequence[View], settings: Settings, progress: Progress
) -> tuple[Mesh, list[str], dict[str, Any]]:
    raise NotImplementedError
