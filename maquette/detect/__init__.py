"""A text ("cup, spoon") and one picture -> one box per object. A backend is one file of this folder.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]

Detectors are large language or vision models, so each needs a download; without one, crop the pictures yourself.
"""

from __future__ import annotations

from types import ModuleType
from typing import Protocol

from ..backends import choose, discover, missing_reason
from ..data import FloatArray
from ..errors import BadInputError, MissingError
from ..progress import Progress, silent
from ._box import Box
from .boxes import clip_boxes, crop, draw, merge_boxes, pad_box

__all__ = ["Box", "PictureLike", "crop", "detect", "draw", "load", "merge_boxes", "names", "pad_box", "unavailable"]


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
    """Boxes of everything that ``prompt`` names, best first, inside the picture, one per thing.

    Raises BadInputError for an empty prompt and when nothing is found (the message says what was looked for and what
    was seen), MissingError when no backend can run.
    """
    if not prompt.strip():
        raise BadInputError("the prompt is empty; name what to look for, for example 'cup, spoon'")
    progress = progress or silent()
    progress.check()
    height, width = picture.rgb.shape[:2]
    found: tuple[Box, ...] = load(backend).detect(picture, prompt.strip(), device=device, progress=progress)
    kept = merge_boxes(clip_boxes(found, width, height))
    if not kept:
        seen = f"{len(found)} boxes, none of them inside the picture" if found else "nothing of it"
        raise BadInputError(
            f"'{picture.name}': looked for '{prompt.strip()}' and saw {seen}; use other words, or crop the picture"
        )
    return kept
