"""Grounding DINO tiny (Liu et al. 2023, Apache-2.0) through transformers: a text and a picture -> scored boxes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import Spec, WeightFile
from ..data import FloatArray
from ..errors import WeightsError
from ..progress import Progress
from ._box import Box

if TYPE_CHECKING:
    from torch import Tensor

    from . import PictureLike

_REPO, _REVISION = "IDEA-Research/grounding-dino-tiny", "a2bb814dd30d776dcf7e30523b00659f4f141c71"
_SOURCE = "revision, size and hash as pinned by several independent public projects"
_SMALL = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
SPEC = Spec(
    name="grounding-dino",
    title="Grounding DINO tiny",
    summary="finds what a text names, with a score per box",
    licence="Apache-2.0",
    requires=("transformers",),
    extra="models",
    weights=(
        *(WeightFile(_REPO, _REVISION, name, source="revision only; no hash") for name in _SMALL),
        WeightFile(
            _REPO,
            _REVISION,
            "model.safetensors",
            689_359_096,
            "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3",
            _SOURCE,
        ),
    ),
    folder="grounding_dino_tiny",
    vram_mb={800: 2200},  # 1,502 MB of tensors at the peak in float32 (one H100), and what the allocator keeps
    default_rank=20,
)
SHORT, LONG = 800, 1333
"""Sides in pixels the network was trained at."""
THRESHOLD = 0.25
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes of everything the prompt's words name, in pixels; empty when there is none."""
    from ..memory import own
    from ..weights.ready import folder

    place = folder(SPEC, progress.part(0, 0.2))
    with own(device, need=SPEC.room, progress=progress) as lease, lease.stage(SPEC.name):
        progress.update(2, 10, "loading the model")
        model, tokenizer = open_model(place, device)
        progress.update(5, 10, "looking")
        found = look(model, tokenizer, picture.rgb, words_of(prompt))
        del model
    progress.update(1, 1, "boxes")
    return found


def words_of(prompt: str) -> tuple[str, ...]:
    """``"Cup, spoon."`` -> ("cup", "spoon")."""
    split = prompt.replace(";", ",").replace(".", ",").replace("\n", ",").split(",")
    return tuple(dict.fromkeys(" ".join(word.lower().split()) for word in split if word.strip()))


def open_model(place: Path, device: str) -> tuple[Any, Any]:
    """(network, tokenizer). WeightsError when the folder holds another model."""
    from safetensors import SafetensorError
    from transformers import AutoTokenizer, GroundingDinoForObjectDetection

    try:
        loaded: Any = GroundingDinoForObjectDetection.from_pretrained(
            place, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        tokenizer = AutoTokenizer.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"'{place}' holds no Grounding DINO ({error}); delete it and fetch it again") from error
    return loaded[0].to(device).eval(), tokenizer


def look(model: Any, tokenizer: Any, rgb: FloatArray, words: tuple[str, ...]) -> tuple[Box, ...]:
    """Boxes of ``words`` in ``rgb`` [H, W, 3], in pixels."""
    import torch

    height, width = rgb.shape[:2]
    text = tokenizer(". ".join(words) + ".", return_tensors="pt", return_offsets_mapping=True)
    offsets = text.pop("offset_mapping")[0].numpy()
    device = next(model.parameters()).device
    with torch.inference_mode():
        made = model(pixel_values=_pixels(rgb, device), **{name: value.to(device) for name, value in text.items()})
    odds = torch.sigmoid(made.logits[0].float()).cpu().numpy()[:, : len(offsets)]
    return boxes_of(odds, made.pred_boxes[0].float().cpu().numpy(), offsets, words, (height, width))


def boxes_of(odds: Any, centers: Any, offsets: Any, words: tuple[str, ...], size: tuple[int, int]) -> tuple[Box, ...]:
    """odds: [Q, T] per query and token; centers: [Q, 4] (x, y, w, h) in [0, 1]; offsets: [T, 2] characters."""
    ends = np.cumsum([len(word) + 2 for word in words])
    owner = np.where(offsets[:, 1] > offsets[:, 0], np.searchsorted(ends, offsets[:, 0], side="right"), -1)
    height, width = size
    out = []
    for row, (x, y, w, h) in zip(odds, centers, strict=True):
        each = [float(row[owner == index].max(initial=0.0)) for index in range(len(words))]
        best = int(np.argmax(each))
        if each[best] >= THRESHOLD:
            left, right = float((x - w / 2) * width), float((x + w / 2) * width)
            top, bottom = float((y - h / 2) * height), float((y + h / 2) * height)
            out.append(Box(left, top, right, bottom, words[best], each[best]))
    return tuple(out)


def _pixels(rgb: FloatArray, device: Any) -> Tensor:
    import torch
    from torch.nn.functional import interpolate

    scale = min(SHORT / min(rgb.shape[:2]), LONG / max(rgb.shape[:2]))
    size = tuple(max(32, round(side * scale)) for side in rgb.shape[:2])
    image = torch.from_numpy(np.array(rgb, np.float32)).permute(2, 0, 1)[None].to(device)
    small = interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (small - mean) / std
