"""Qwen3-VL 4B (Apache-2.0): asked in words, it answers with boxes, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import WeightFile
from ..progress import Progress
from ._box import Box
from ._qwen3_vl import spec

if TYPE_CHECKING:
    from . import PictureLike

_REPO, _REVISION = "Qwen/Qwen3-VL-4B-Instruct", "ebb281ec70b05090aa6165b016eac8ec08e71b17"
_SOURCE = "revision, sizes and hashes as pinned by several independent public projects"
SPEC = spec(
    "4B",
    _REVISION,
    (
        WeightFile(
            _REPO,
            _REVISION,
            "model-00001-of-00002.safetensors",
            4_967_229_296,
            "30a01a0556622645a3cce87b655bbbbbc1f170c196099f1b666c93202c3339a9",
            _SOURCE,
        ),
        WeightFile(
            _REPO,
            _REVISION,
            "model-00002-of-00002.safetensors",
            3_908_490_048,
            "046296a2a387efb43b0c997d5833c789604d168834f6e0d3064bf7bb13d002a6",
            _SOURCE,
        ),
    ),
    28,
    10500,
)


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels. BadInputError with the start of the answer when it is prose without any box."""
    from ._qwen3_vl import detect_with

    return detect_with(SPEC, picture, prompt, device, progress)
