"""Qwen3-VL 8B (Apache-2.0): asked in words, it answers with boxes, through transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..backends import WeightFile
from ..progress import Progress
from ._box import Box
from ._qwen3_vl import spec

if TYPE_CHECKING:
    from . import PictureLike

_REPO, _REVISION = "Qwen/Qwen3-VL-8B-Instruct", "0c351dd01ed87e9c1b53cbc748cba10e6187ff3b"
_SOURCE = "revision, sizes and hashes as pinned by several independent public projects"
SPEC = spec(
    "8B",
    _REVISION,
    (
        WeightFile(
            _REPO,
            _REVISION,
            "model-00001-of-00004.safetensors",
            4_902_275_944,
            "d5d0aef0eb170fc7453a296c43c0849a56f510555d3588e4fd662bb35490aefa",
            _SOURCE,
        ),
        WeightFile(
            _REPO,
            _REVISION,
            "model-00002-of-00004.safetensors",
            4_915_962_496,
            "8be88fb5501e4d5719a6d4cc212e6a13480330e74f3e8c77daa1a68f199106b5",
            _SOURCE,
        ),
        WeightFile(
            _REPO,
            _REVISION,
            "model-00003-of-00004.safetensors",
            4_999_831_048,
            "83de00eafe6e0d57ccd009dbcf71c9974d74df2f016c27afb7e95aafd16b2192",
            _SOURCE,
        ),
        WeightFile(
            _REPO,
            _REVISION,
            "model-00004-of-00004.safetensors",
            2_716_270_024,
            "0a88b98e9f96270973f567e6a2c103ede6ccdf915ca3075e21c755604d0377a5",
            _SOURCE,
        ),
    ),
    27,
    19500,
)


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels. BadInputError with the start of the answer when it is prose without any box."""
    from ._qwen3_vl import detect_with

    return detect_with(SPEC, picture, prompt, device, progress)
