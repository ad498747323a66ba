"""A text ("cup, spoon") and one picture -> one box per object. A backend is one file of this folder; none is built in.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]

Detectors are large language or vision models, so each needs a download; without one, crop the pictures yourself.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from ..backends import choose, discover, missing_reason
from ..data import FloatArray
from ..errors import BadInputError, MissingError
from ..progress import Progress, silent


class PictureLike(Protocol):
    """What detection reads of an ``image.Picture`` (a stage imports no other stage)."""

    @property
    def rgb(self) -> FloatArray:
        """[H, W, 3] float32 sRGB in [0, 1]."""
        ...

    @property
    def name(self) -> str:
        """For messages."""
        ...


@dataclass(frozen=True)
class Box:
    """One found object: sides in pixels of the picture (x right, y down), its label and how sure, in [0, 1]."""

    left: float
    top: float
    right: float
    bottom: float
    label: str
    score: float = 1.0


def names() -> tuple[str, ...]:
    """All backends, available or not, in the order in which ``auto`` prefers them."""
    found = discover(__name__, list(__path__))
    return tuple(sorted(found, key=lambda name: (found[name].SPEC.default_rank, name)))


def load(name: str) -> ModuleType:
    """The backend's module; ``auto`` = the best available one. BadInputError, MissingError when there is none."""
    found = discover(__name__, list(__path__))
    if not found:
        raise MissingError("no detection backend is installed; crop the picture to one object, or use Segment")
    return choose(found, name, "detection")


def unavailable(name: str) -> str:
    """Empty when backend ``name`` can run now, else the sentence that says what is missing."""
    return missing_reason(discover(__name__, list(__path__))[name])


def detect(
    picture: PictureLike, prompt: str, backend: str = "auto", *, device: str = "cpu", progress: Progress | None = None
) -> tuple[Box, ...]:
    """Boxes of everything that ``prompt`` names, best first; empty when nothing is found.

    Raises BadInputError for an empty prompt, MissingError when no backend can run.
    """
    if not prompt.strip():
        raise BadInputError("the prompt is empty; name what to look for, for example 'cup, spoon'")
    progress = progress or silent()
    progress.check()
    found: tuple[Box, ...] = load(backend).detect(picture, prompt, device=device, progress=progress)
    return found
