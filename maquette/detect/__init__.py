"""A text ("cup, spoon") and one picture -> one box per object. A backend is one file of this folder.

A backend module has a ``SPEC`` (backends.Spec) and one function::

    def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]

and, where it ignores the words, ``READS_TEXT = False``. Detectors that read are large models and need a download.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Protocol

from ..backends import choose, discover, missing_reason
from ..data import FloatArray
from ..errors import BadInputError
from ..log import log
from ..progress import Progress, silent
from ._box import Box
from .boxes import LEAST, clip_boxes, crop, draw, file_stem, merge_boxes, pad_box

__all__ = ["Box", "Detection", "PictureLike", "crop", "detect", "draw", "file_stem", "load", "merge_boxes", "names"]
__all__ += ["pad_box", "unavailable"]


class PictureLike(Protocol):
    """What detection reads of an ``image.Picture`` (a stage imports no other stage)."""

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
class Detection:
    """boxes: best first; method: which backend found them; notes: what the user should know."""

    boxes: tuple[Box, ...]
    method: str
    notes: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """All backends, available or not, in the order in which ``auto`` prefers them."""
    found = discover(__name__, list(__path__))
    return tuple(sorted(found, key=lambda name: (found[name].SPEC.default_rank, name)))


def load(name: str) -> ModuleType:
    """The backend's module; ``auto`` = the best available one. BadInputError, MissingError when there is none."""
    return choose(discover(__name__, list(__path__)), name, "detection")


def unavailable(name: str) -> str:
    """Empty when backend ``name`` can run now, else the sentence that says what is missing."""
    return missing_reason(discover(__name__, list(__path__))[name])


def detect(
    picture: PictureLike, prompt: str, backend: str = "auto", *, device: str = "cpu", progress: Progress | None = None
) -> Detection:
    """Everything that ``prompt`` names, best first, inside the picture, one box per thing.

    Raises BadInputError for an empty prompt and when nothing is found (the message says what was looked for and what
    was seen), MissingError when no backend can run.
    """
    if not prompt.strip():
        raise BadInputError("the prompt is empty; name what to look for, for example 'cup, spoon'")
    progress = progress or silent()
    progress.check()
    height, width = picture.rgb.shape[:2]
    module = load(backend)
    found: tuple[Box, ...] = module.detect(picture, prompt.strip(), device=device, progress=progress)
    kept = merge_boxes(clip_boxes(found, width, height))
    if not kept:
        seen = (
            f"{len(found)} boxes, none of them inside the picture and over {LEAST:g} pixels"
            if found
            else "nothing of it"
        )
        raise BadInputError(
            f"'{picture.name}': looked for '{prompt.strip()}' with {module.SPEC.name} and saw {seen}; use other words,"
            " or crop the picture"
        )
    notes = tuple(_notes(module, len(found), len(kept)))
    for note in notes:
        log.info("%s: %s", picture.name, note)
    return Detection(kept, module.SPEC.name, notes)


def _notes(module: ModuleType, found: int, kept: int) -> Iterator[str]:
    if not getattr(module, "READS_TEXT", True):
        yield (
            f"{module.SPEC.name} does not read the text: every thing that stands apart was taken; for a model that"
            " reads it: `maquette models fetch grounding-dino`"
        )
    if kept < found:
        yield f"{found - kept} more boxes lay outside the picture or named a thing twice"
