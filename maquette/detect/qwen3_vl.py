"""Qwen3-VL 2B (Apache-2.0): asked in words, it answers with boxes, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import WeightFile
from ..progress import Progress
from ._box import Box
from ._qwen3_vl import spec

if TYPE_CHECKING:
    from . import PictureLike

_REPO, _REVISION = "Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203"
_SOURCE = "revision, sizes and hashes as pinned by several independent public projects"
SPEC = spec(
    "2B",
    _REVISION,
    (
        WeightFile(
            _REPO,
            _REVISION,
            "model.safetensors",
            4_255_140_312,
            "7de1838c87a5349b016c26a1c3f7d2bc400a3d485f95ef39a7059ffd734977a0",
            _SOURCE,
        ),
    ),
    30,
    5500,
)


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels. BadInputError with the start of the answer when it is prose without any box."""
    from ._qwen3_vl import detect_with

    return detect_with(SPEC, picture, prompt, device, progress)
