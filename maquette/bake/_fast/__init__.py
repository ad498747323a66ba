"""The fast unwrap: chart, flatten, check, cut again what does not pass, pack. numpy and scipy, in this process: no step
holds the interpreter for long, and Cancel is asked between all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...progress import Progress
from .charts import Ints, Surface, chart, compact
from .checks import unfit
from .flatten import Complexes, flatten, isometric, seamed, signed_areas
from .layout import arrange
from .relax import mend

_FLATNESS = 0.045
_TIGHTER = 0.55
"""Charts that do not pass are cut again for this share of the flatness."""
_ROUNDS = 6
_ITERATIONS = 4


def fast_layout(
    vertices: npt.ArrayLike, faces: npt.ArrayLike, size: int, padding: int, progress: Progress
) -> dict[str, npt.NDArray[Any]]:
    """vertices [V, 3] at about unit size, faces [F, 3] -> source [W] (input vertex), faces [F, 3], pixels [W, 2] in a
    square of side 1, extent [4] (1, 1, 1, charts): what the xatlas child answers too."""
    surface = Surface.of(vertices, faces)
    progress.update(0.1, 1, "cutting charts")
    label, corners = _charted(surface, progress)
    cut = seamed(surface.faces, label)
    flat = np.empty(len(cut.source), np.complex128)
    flat[cut.faces] = corners
    progress.update(0.5, 1, "packing charts")
    uv = arrange(flat, cut.faces, cut.chart, size, padding, progress.part(0.5, 1.0)).uv
    charts = int(label.max()) + 1
    return {
        "source": cut.source,
        "faces": cut.faces,
        "pixels": np.stack([uv.real, uv.imag], axis=1),
        "extent": np.array([1, 1, 1, charts]),
    }


def _charted(surface: Surface, progress: Progress) -> tuple[Ints, Complexes]:
    """[F] chart of every face and [F, 3] its corners in the plane; every chart passes ``unfit``, or is one face."""
    label = np.full(len(surface.faces), -1, np.int64)
    corners = np.zeros((len(surface.faces), 3), np.complex128)
    flatness, open_ = _FLATNESS, np.ones(len(surface.faces), bool)
    for _ in range(_ROUNDS):
        progress.check()
        part = surface.part(open_)
        local = chart(part, flatness, progress)
        cut = seamed(part.faces, local)
        flat = mend(part, flatten(part, local, cut, _ITERATIONS, progress), cut)
        good = ~unfit(part, flat, cut)[local]
        chosen = np.flatnonzero(open_)[good]
        label[chosen] = local[good] + int(label.max()) + 1
        corners[chosen] = _to_scale(part, flat, cut.faces, local)[good]
        open_[chosen] = False
        flatness *= _TIGHTER
        if not open_.any():
            return compact(label), corners
    label[open_] = int(label.max()) + 1 + np.arange(int(open_.sum()))
    corners[open_] = isometric(surface.part(open_))
    return compact(label), corners


def _to_scale(part: Surface, flat: Complexes, faces: Ints, local: Ints) -> Complexes:
    """[F, 3] corners, each chart as large in the plane as on the surface."""
    count = int(local.max()) + 1
    plane = np.bincount(local, np.abs(signed_areas(flat, faces)), count)
    scale = np.sqrt(np.bincount(local, part.area, count) / np.maximum(plane, 1e-30))
    scale[~((scale > 0.1) & (scale < 10))] = 1.0
    return flat[faces] * scale[local][:, None]
