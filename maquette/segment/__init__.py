"""One picture -> which pixels are the subject. A backend is one file of this folder.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def segment(picture: PictureLike, *, prior: FloatArray | None, device: str, progress: Progress) -> FloatArray

It gives a soft mask [H, W] in [0, 1] of the picture's size, 1 = subject. It may rely on this: the picture is finite and
in [0, 1]; ``prior``, when given, has the picture's size. It may also define ``notes(picture, prior)`` (for the
report) and ``FOLLOWS_PRIOR = True`` (``auto`` prefers it when a prior is given).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ..backends import choose, discover, missing_reason
from ..data import FloatArray, frozen_array
from ..errors import BadMaskError
from ..log import log
from ..progress import Progress, silent
from .alpha import transparent, usable


class PictureLike(Protocol):
    """What segmentation reads of an ``image.Picture`` (a stage imports no other stage)."""

    @property
    def rgb(self) -> FloatArray:
        """[H, W, 3] float32 sRGB in [0, 1]."""
        ...

    @property
    def alpha(self) -> FloatArray | None:
        """[H, W] float32, 1 = opaque, or None."""
        ...

    @property
    def name(self) -> str:
        """For messages."""
        ...


@dataclass(frozen=True)
class Segmentation:
    """mask: [H, W] float32 in [0, 1], 1 = subject; method: which backend made it; notes: what the user should know."""

    mask: FloatArray
    method: str
    notes: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """All backends, available or not, in the order in which ``auto`` prefers them."""
    found = discover(__name__, list(__path__))
    return tuple(sorted(found, key=lambda name: (found[name].SPEC.default_rank, name)))


def load(name: str) -> ModuleType:
    """The backend's module; ``auto`` = the best one for a picture without alpha. BadInputError, MissingError."""
    return choose(discover(__name__, list(__path__)), name, "segmentation")


def unavailable(name: str) -> str:
    """Empty when backend ``name`` can run now, else the sentence that says what is missing."""
    return missing_reason(discover(__name__, list(__path__))[name])


def segment(
    picture: PictureLike,
    method: str = "auto",
    *,
    prior: npt.ArrayLike | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> Segmentation:
    """Find the subject of ``picture``.

    method: a backend, or ``auto``: the picture's own alpha when it says something (and no prior is given), else the
    best available backend (with a prior: the best that follows priors, when there is one). prior: [H, W] in [0, 1],
    where the subject probably is (a rough mask, or a depth picture with near = 1). Raises BadMaskError when no subject
    stands out, BadInputError and MissingError for the method.
    """
    progress = progress or silent()
    progress.check()
    hint = None if prior is None else _checked_prior(prior, picture)
    own = usable(picture.alpha) and hint is None
    chosen = "alpha" if method == "auto" and (own or transparent(picture.alpha)) else method
    module = load(chosen) if chosen != "auto" or hint is None else _best_with_prior()
    mask = np.asarray(module.segment(picture, prior=hint, device=device, progress=progress), np.float32)
    if float(mask.max()) < 0.5:
        raise BadMaskError(
            f"'{picture.name}': {module.SPEC.name} found no subject; use a picture whose subject stands out from its"
            " background, or give a mask"
        )
    notes = tuple(_notes(picture, hint, mask, module, chosen, method))
    for note in notes:
        log.info("%s: %s", picture.name, note)
    return Segmentation(frozen_array(np.clip(mask, 0, 1), np.float32), module.SPEC.name, notes)


def _best_with_prior() -> ModuleType:
    found = discover(__name__, list(__path__))
    following = {n: m for n, m in found.items() if getattr(m, "FOLLOWS_PRIOR", False) and not missing_reason(m)}
    return choose(following or found, "auto", "segmentation")


def _notes(
    picture: PictureLike, hint: FloatArray | None, mask: FloatArray, module: ModuleType, chosen: str, method: str
) -> list[str]:
    notes: list[str] = []
    if method == "auto" and chosen == "auto" and picture.alpha is not None and not usable(picture.alpha):
        notes.append("the picture's alpha is opaque everywhere and was not used")
    touched = [side for side, edge in _borders(mask).items() if float(edge.mean()) > 0.02]
    if touched:
        notes.append(f"the subject is cut off by the picture's border ({', '.join(touched)}); the mesh ends there")
    more = getattr(module, "notes", None)
    return notes + list(more(picture, hint)) if more is not None else notes


def _borders(mask: FloatArray) -> dict[str, FloatArray]:
    inside = (mask >= 0.5).astype(np.float32)
    return {"top": inside[0], "right": inside[:, -1], "bottom": inside[-1], "left": inside[:, 0]}


def _checked_prior(prior: npt.ArrayLike, picture: PictureLike) -> FloatArray:
    values = np.asarray(prior, np.float32)
    if values.shape != picture.rgb.shape[:2]:
        raise BadMaskError(
            f"'{picture.name}': the prior is {list(values.shape)} but the picture is {list(picture.rgb.shape[:2])}"
            " (height, width); resize one to the other first"
        )
    if not np.isfinite(values).all() or float(values.min()) < -1e-3 or float(values.max()) > 1.001:
        raise BadMaskError(f"'{picture.name}': the prior must hold values in [0, 1] and no NaN")
    if float(np.ptp(values)) < 1e-3:
        raise BadMaskError(f"'{picture.name}': the prior is the same everywhere and says nothing; leave it out")
    return np.clip(values, 0, 1)
