"""SAM 2.1 (Ravi et al. 2024) through transformers: prompts in, one soft mask out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import Spec, WeightFile
from ..data import FloatArray
from ..errors import BadMaskError, WeightsError
from ..progress import Progress
from .prompts import Prompts, agreement, prompts_for_mask, prompts_for_prior

if TYPE_CHECKING:
    from torch import Tensor

    from . import PictureLike

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SELF_TRUST = 0.3
"""Weight of the model's own quality estimate beside the agreement with depth when one of its masks is chosen."""
GUESS_SIDE = 320
_VRAM_MB = {"tiny": 500, "small": 550, "base-plus": 700, "large": 1200}
"""At 1024 pixels in half precision: 290, 305, 401 and 726 MB of tensors at the peak (one H100), and what the
allocator keeps beside them."""


def spec(size: str, revision: str, bytes_: int | None, sha256: str | None, source: str, rank: int) -> Spec:
    """The ``Spec`` of one size."""
    repo = f"facebook/sam2.1-hiera-{size}"
    return Spec(
        name=f"sam2.1-{size}",
        title=f"SAM 2.1 {size.capitalize()}",
        summary="cuts out what depth-guided prompts point at; give a depth picture as prior",
        licence="Apache-2.0",
        requires=("transformers",),
        extra="models",
        weights=(
            WeightFile(repo, revision, "config.json", source=f"{source}; no hash"),
            WeightFile(repo, revision, "model.safetensors", bytes_, sha256, source),
        ),
        folder=f"sam2.1_{size.replace('-', '_')}",
        vram_mb={1024: _VRAM_MB[size]},
        default_rank=rank,
    )


def segment_with(
    spec: Spec, picture: PictureLike, prior: FloatArray | None, device: str, progress: Progress
) -> FloatArray:
    """[H, W] soft mask. Load, run, give back. WeightsError, BadInputError (flat depth), BadMaskError."""
    from ..memory import own
    from ..weights.ready import folder

    given = prompts_for_prior(prior) if prior is not None else guessed(picture)
    place = folder(spec, progress.part(0, 0.2))
    with own(device, need=spec.room, progress=progress) as lease, lease.stage(spec.name):
        progress.update(2, 10, "loading the model")
        model = open_model(place, device)
        mask = cut_out(model, picture.rgb, given, prior, progress.part(0.3, 1.0))
        del model
    progress.update(1, 1, "cut-out")
    return mask


def notes(picture: PictureLike, prior: FloatArray | None) -> tuple[str, ...]:
    """What is doubtful about the prompts, for the report."""
    del picture
    return () if prior is None else prompts_for_prior(prior).notes


def guessed(picture: PictureLike) -> Prompts:
    """Prompts without depth: from what stands out by colour against the picture's border."""
    from ._prior import guess
    from ._reduced import reduced_lab, resized

    odds = guess(reduced_lab(picture.rgb, GUESS_SIDE, picture.name)).odds
    full = resized(odds.astype(np.float32), (picture.rgb.shape[0], picture.rgb.shape[1]))
    if not (full >= 0.5).any():
        raise BadMaskError(
            f"'{picture.name}': nothing stands out to point the model at; give a depth picture or rough mask as prior"
        )
    return prompts_for_mask(full >= 0.5)


def open_model(folder: Path, device: str) -> Any:
    """The network on ``device``, half precision on a GPU. WeightsError when the folder holds another model."""
    import torch
    from safetensors import SafetensorError
    from transformers import Sam2Model

    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    try:
        loaded: Any = Sam2Model.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"'{folder}' holds no SAM 2.1 model ({error}); delete it and fetch it again") from error
    model, told = loaded
    if told["missing_keys"]:
        raise WeightsError(f"'{folder}' lacks {len(told['missing_keys'])} of the tensors; delete it, fetch it again")
    return model.to(device).eval()


def cut_out(
    model: Any, rgb: FloatArray, given: Prompts, disparity: FloatArray | None, progress: Progress
) -> FloatArray:
    """[H, W] soft mask: three proposals, the one that agrees best with depth, refined once with itself as prompt."""
    import torch

    height, width = rgb.shape[:2]
    inputs = model_inputs(model, rgb, given)
    with torch.inference_mode():
        progress.update(0, 3, "reading the picture")
        first = model(pixel_values=_pixels(model, rgb), **inputs, multimask_output=True)
        progress.update(1, 3, "choosing a mask")
        proposals = torch.sigmoid(_full(first.pred_masks[0, 0], height, width)).cpu().numpy()
        scores = agreement(proposals, given, disparity) + SELF_TRUST * first.iou_scores[0, 0].float().cpu().numpy()
        best = int(np.argmax(scores))
        progress.update(2, 3, "refining")
        second = model(
            image_embeddings=first.image_embeddings,
            input_masks=first.pred_masks[:, 0, best : best + 1],
            **inputs,
            multimask_output=False,
        )
        mask = torch.sigmoid(_full(second.pred_masks[0, 0], height, width))[0].cpu().numpy()
    both = np.stack([mask, proposals[best]])
    kept = both[int(np.argmax(agreement(both, given, disparity)))]  # refinement may also lose the subject
    return np.asarray(kept, np.float32)


def model_inputs(model: Any, rgb: FloatArray, given: Prompts) -> dict[str, Tensor]:
    """Points [1, 1, N, 2], labels [1, 1, N] and box [1, 1, 4] in the network's square of pixels."""
    import torch

    side, device = _side(model), next(model.parameters()).device
    scale = np.array([side / rgb.shape[1], side / rgb.shape[0]], np.float32)
    box = np.asarray(given.box, np.float32).reshape(2, 2) * scale
    return {
        "input_points": torch.from_numpy(given.points * scale)[None, None].to(device),
        "input_labels": torch.from_numpy(np.array(given.labels))[None, None].to(device),
        "input_boxes": torch.from_numpy(box.reshape(1, 1, 4)).to(device),
    }


def _side(model: Any) -> int:
    size = model.config.vision_config.backbone_config.image_size
    return int(size[0] if isinstance(size, list | tuple) else size)


def _pixels(model: Any, rgb: FloatArray) -> Tensor:
    import torch
    from torch.nn.functional import interpolate

    weight = next(model.parameters())
    image = torch.from_numpy(np.array(rgb, np.float32)).permute(2, 0, 1)[None].to(weight.device)
    square = interpolate(image, (_side(model),) * 2, mode="bilinear", antialias=True, align_corners=False)
    mean, std = (torch.tensor(v, device=weight.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return ((square - mean) / std).to(weight.dtype)


def _full(logits: Tensor, height: int, width: int) -> Tensor:
    """[N, h, w] -> [N, height, width]."""
    from torch.nn.functional import interpolate

    return interpolate(logits[None].float(), (height, width), mode="bilinear", align_corners=False)[0]
