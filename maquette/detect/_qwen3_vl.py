"""Qwen3-VL (Bai et al. 2025) through transformers: asked in words, it answers with boxes as JSON.

The picture goes through the plain (PIL) image processor and the prompt is written here in the model's chat format, so
that neither torchvision nor the video side of the model's processor is needed.
"""

from __future__ import annotations

import inspect
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import Spec, WeightFile
from ..data import FloatArray
from ..errors import BadInputError, WeightsError
from ..log import log
from ..progress import Progress
from ._box import Box
from .answers import parse_boxes

if TYPE_CHECKING:
    import torch

    from . import PictureLike

_SMALL = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
)
LONGEST_ANSWER = 4096
"""Most tokens; forty boxes take about 1,600."""
MOST_PIXELS = 1280 * 1280
"""Larger pictures are reduced: their boxes are in thousandths of a side anyhow, and each 32 x 32 pixels are a token."""
QUESTION = (
    "Find every instance of: {words}. Answer only with a JSON list, one entry per instance:"
    ' [{{"bbox_2d": [x1, y1, x2, y2], "label": "name"}}]. Answer [] when there is none.'
)
THINNEST = 200
"""Longest side over the shortest that the model's processor takes."""
IMAGE = "<|image_pad|>"
CHAT = "<|im_start|>user\n<|vision_start|>{image}<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"


def spec(size: str, revision: str, shards: tuple[WeightFile, ...], rank: int, vram: int) -> Spec:
    """The ``Spec`` of one size (``2B``)."""
    repo = f"Qwen/Qwen3-VL-{size}-Instruct"
    index = ("model.safetensors.index.json",) if len(shards) > 1 else ()
    return Spec(
        name=f"qwen3-vl-{size.lower()}",
        title=f"Qwen3-VL {size}",
        summary="a vision-language model: finds what free words describe",
        licence="Apache-2.0",
        requires=("transformers",),
        extra="models",
        weights=(
            *(WeightFile(repo, revision, name, source="revision only; no hash") for name in (*_SMALL, *index)),
            *shards,
        ),
        folder=f"qwen3_vl_{size.lower()}",
        vram_mb={1280: vram},
        vram_estimated=True,
        default_rank=rank,
    )


@dataclass(frozen=True)
class Model:
    """The network, its tokenizer and its image processor."""

    network: Any
    tokens: Any
    images: Any


def detect_with(spec: Spec, picture: PictureLike, prompt: str, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels. BadInputError with the start of the answer when it is prose without any box."""
    from ..memory import own
    from ..weights.ready import folder

    place = folder(spec, progress.part(0, 0.2))
    with own(device, need=spec.room, progress=progress) as lease, lease.stage(spec.name):
        progress.update(2, 10, "loading the model")
        model = open_model(place, device)
        answer = ask(model, picture.rgb, QUESTION.format(words=prompt), progress.part(0.4, 1.0))
        del model
    log.debug("%s answered: %s", spec.name, answer[:2000])
    return boxes_of(answer, picture, prompt)


def boxes_of(answer: str, picture: PictureLike, prompt: str) -> tuple[Box, ...]:
    """The answer's boxes; empty for an empty list."""
    height, width = picture.rgb.shape[:2]
    found = parse_boxes(answer, width, height)
    if not found and "[]" not in answer.replace(" ", ""):
        raise BadInputError(
            f"'{picture.name}': looked for '{prompt}', but the model answered without any box:"
            f" '{answer.strip()[:160]}'; use plainer words, or another backend"
        )
    return found


def precision(weight_bytes: int, device: str) -> torch.dtype:
    """bfloat16, as published; on a CPU without bfloat16 arithmetic float32, where twice ``weight_bytes`` take at most
    half of the memory: reading a picture is several times faster there."""
    import torch

    from ..memory import total_memory_bytes

    room = (total_memory_bytes() or 0) >= 4 * weight_bytes
    return torch.float32 if device == "cpu" and room and not _has_bfloat16() else torch.bfloat16


@cache
def _has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 about as fast as float32: timed, since torch has no public word on it."""
    import torch

    def seconds(kind: torch.dtype) -> float:
        x, times = torch.ones(384, 384, dtype=kind), []
        for _ in range(5):
            began = time.perf_counter()
            x @ x
            times.append(time.perf_counter() - began)
        return min(times)

    return seconds(torch.bfloat16) < 2 * seconds(torch.float32)


def open_model(place: Path, device: str) -> Model:
    """The model on ``device``, in ``precision``. WeightsError when the folder holds another model."""
    import transformers
    from safetensors import SafetensorError

    kind = precision(sum(file.stat().st_size for file in place.glob("*.safetensors")), device)
    # transformers 4 calls its plain processor by the short name, transformers 5 the one that needs torchvision.
    plain: Any = getattr(transformers, "Qwen2VLImageProcessorPil", None) or transformers.Qwen2VLImageProcessor
    try:
        network: Any = transformers.Qwen3VLForConditionalGeneration.from_pretrained(
            place, local_files_only=True, use_safetensors=True, dtype=kind
        )
        tokens = transformers.AutoTokenizer.from_pretrained(place, local_files_only=True)
        images = plain.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"'{place}' holds no Qwen3-VL ({error}); delete it and fetch it again") from error
    return Model(network.to(device).eval(), tokens, images)


def ask(model: Model, rgb: FloatArray, question: str, progress: Progress) -> str:
    """The model's answer to one question about ``rgb`` [H, W, 3]; Cancel is looked at after every token."""
    import torch
    from transformers import StoppingCriteriaList

    given = inputs(model, rgb, question)
    start, done = int(given["input_ids"].shape[1]), [0]

    def watch(ids: Any, scores: Any, **kwargs: Any) -> Any:
        del scores, kwargs
        done[0] += 1
        progress.update(done[0], LONGEST_ANSWER, "answering")
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    with torch.inference_mode():
        made = model.network.generate(
            **given,
            max_new_tokens=LONGEST_ANSWER,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([watch]),  # type: ignore[list-item]
        )
    return str(model.tokens.decode(made[0, start:], skip_special_tokens=True))


def inputs(model: Model, rgb: FloatArray, question: str) -> dict[str, Any]:
    """What ``generate`` takes, on the network's device: patches [P, C], grid [1, 3], tokens [1, T] and their mask.

    BadInputError for a picture that is a mere strip.
    """
    import torch
    from PIL import Image

    height, width = rgb.shape[:2]
    if max(height, width) >= THINNEST * min(height, width):
        raise BadInputError(f"the picture is {width} x {height} pixels, too thin for this model; crop it, or turn it")
    image = Image.fromarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    shrink = min(1.0, (MOST_PIXELS / (image.width * image.height)) ** 0.5)
    if shrink < 1:
        image = image.resize((max(1, round(image.width * shrink)), max(1, round(image.height * shrink))))
    seen = dict(model.images(images=[image], return_tensors="pt"))
    count = int(seen["image_grid_thw"].prod()) // model.images.merge_size**2
    words = dict(model.tokens(CHAT.format(image=IMAGE * count, question=question), return_tensors="pt"))
    out = {"input_ids": words["input_ids"], "attention_mask": words["attention_mask"], **seen}
    if "mm_token_type_ids" in inspect.signature(model.network.forward).parameters:  # transformers 5
        is_image = words["input_ids"] == model.tokens.convert_tokens_to_ids(IMAGE)
        out["mm_token_type_ids"] = is_image.to(torch.int64)
    weight = next(model.network.parameters())
    out["pixel_values"] = out["pixel_values"].to(weight.dtype)
    return {name: value.to(weight.device) for name, value in out.items()}
