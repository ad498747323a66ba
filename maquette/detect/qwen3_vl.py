"""Qwen3-VL 2B (Apache-2.0) through transformers: asked in words, it answers with boxes as JSON."""

from __future__ import annotations

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
    from . import PictureLike

_REPO, _REVISION = "Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203"
_SOURCE = "revision, size and hash as pinned by several independent public projects"
_SMALL = (
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "video_preprocessor_config.json",
    "chat_template.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
)
SPEC = Spec(
    name="qwen3-vl-2b",
    title="Qwen3-VL 2B",
    summary="a vision-language model: finds what free words describe",
    licence="Apache-2.0",
    requires=("transformers", "torchvision"),
    extra="models",
    weights=(
        *(WeightFile(_REPO, _REVISION, name, source="revision only; no hash") for name in _SMALL),
        WeightFile(
            _REPO,
            _REVISION,
            "model.safetensors",
            4_255_140_312,
            "7de1838c87a5349b016c26a1c3f7d2bc400a3d485f95ef39a7059ffd734977a0",
            _SOURCE,
        ),
    ),
    folder="qwen3_vl_2b",
    default_rank=30,
)
LONGEST_ANSWER = 4096
"""Most tokens; forty boxes take about 1,600."""
QUESTION = (
    "Find every instance of: {words}. Answer only with a JSON list, one entry per instance:"
    ' [{{"bbox_2d": [x1, y1, x2, y2], "label": "name"}}]. Answer [] when there is none.'
)


def unavailable() -> str:
    """Which command fetches the weights; empty when they are here."""
    from ..weights.ready import missing

    return missing(SPEC)


def detect(picture: PictureLike, prompt: str, *, device: str, progress: Progress) -> tuple[Box, ...]:
    """Boxes in pixels. BadInputError with the start of the answer when it is prose without any box."""
    from ..memory import own
    from ..weights.ready import folder

    place = folder(SPEC, progress.part(0, 0.2))
    with own(device, need=6_000_000_000, progress=progress) as lease, lease.stage(SPEC.name):
        progress.update(2, 10, "loading the model")
        model, processor = open_model(place, device)
        answer = ask(model, processor, picture.rgb, QUESTION.format(words=prompt), progress.part(0.4, 1.0))
        del model
    log.debug("%s answered: %s", SPEC.name, answer[:2000])
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


def open_model(place: Path, device: str) -> tuple[Any, Any]:
    """(network, processor). WeightsError when the folder holds another model."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoProcessor, Qwen3VLForConditionalGeneration

    dtype = torch.bfloat16
    try:
        model: Any = Qwen3VLForConditionalGeneration.from_pretrained(
            place, local_files_only=True, use_safetensors=True, dtype=dtype
        )
        processor = AutoProcessor.from_pretrained(place, local_files_only=True)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"'{place}' holds no Qwen3-VL ({error}); delete it and fetch it again") from error
    return model.to(device).eval(), processor


def ask(model: Any, processor: Any, rgb: FloatArray, question: str, progress: Progress) -> str:
    """The model's answer to one question about ``rgb`` [H, W, 3]; Cancel is looked at after every token."""
    import torch
    from PIL import Image
    from transformers import StoppingCriteriaList

    image = Image.fromarray(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        tokenize=True,
        add_generation_prompt=True,
        return_dict=True,
        return_tensors="pt",
    ).to(model.device)
    start, done = int(inputs["input_ids"].shape[1]), [0]

    def watch(ids: Any, scores: Any, **kwargs: Any) -> Any:
        del scores, kwargs
        done[0] += 1
        progress.update(done[0], LONGEST_ANSWER, "answering")
        return torch.zeros(len(ids), dtype=torch.bool, device=ids.device)

    with torch.inference_mode():
        made = model.generate(
            **inputs,
            max_new_tokens=LONGEST_ANSWER,
            do_sample=False,
            stopping_criteria=StoppingCriteriaList([watch]),  # type: ignore[list-item]
        )
    return str(processor.batch_decode(made[:, start:], skip_special_tokens=True)[0])
