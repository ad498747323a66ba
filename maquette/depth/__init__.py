"""One view -> depth per pixel. A backend is one file of this folder.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def estimate(view: View, *, device: str, progress: Progress) -> DepthMap

A model that needs no mask says ``WHOLE_PICTURE = True`` and also takes ``tiled: bool``. The depth is z-depth along the
camera's axis in units of the camera's world (metres if ``metric``), NaN where the mask says that there is nothing;
``DepthMap.disparity`` is its inverse. A view without a camera is seen by the front camera.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

from ..backends import choose, discover, missing_reason
from ..data import DepthMap, View
from ..errors import BadInputError, BadMaskError
from ..progress import Progress, silent


def names() -> tuple[str, ...]:
    """All backends, available or not, in the order in which ``auto`` prefers them."""
    found = discover(__name__, list(__path__))
    return tuple(sorted(found, key=lambda name: (found[name].SPEC.default_rank, name)))


def load(name: str) -> ModuleType:
    """The backend's module; ``auto`` = the best available one. BadInputError, MissingError when there is none."""
    return choose(discover(__name__, list(__path__)), name, "depth")


def unavailable(name: str) -> str:
    """Empty when backend ``name`` can run now, else the sentence that says what is missing."""
    return missing_reason(discover(__name__, list(__path__))[name])


def estimate(
    view: View,
    backend: str = "auto",
    *,
    device: str = "cpu",
    progress: Progress | None = None,
    tiled: bool = False,
) -> DepthMap:
    """Depth [H, W] of ``view``, NaN outside its mask.

    tiled: finer detail in large pictures, for models that see the whole picture (``WHOLE_PICTURE``). Raises
    BadMaskError when the mask is empty, BadInputError when the backend knows no tiles.
    """
    if not np.isfinite(view.mask).all() or float(view.mask.max()) < 0.5:
        raise BadMaskError(
            f"view '{view.name}': the mask is empty or holds NaN (largest value {float(view.mask.max()):.2f}, the"
            " subject needs values above 0.5); run Segment on the picture or give another mask"
        )
    progress = progress or silent()
    progress.check()
    module = load(backend)
    if tiled and not getattr(module, "WHOLE_PICTURE", False):
        raise BadInputError(
            f"depth backend '{module.SPEC.name}' knows no tiles; leave tiled off, or choose a model that sees the whole"
            " picture (Depth Anything)"
        )
    more = {"tiled": True} if tiled else {}
    found: DepthMap = module.estimate(view, device=device, progress=progress, **more)
    return found
