"""Depth Anything V2 (Yang et al. 2024) through transformers: pictures in, relative disparity or metres out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import FloatArray
from ...errors import WeightsError
from ...progress import Progress
from .tiling import blended, tiles

if TYPE_CHECKING:
    from torch import Tensor

SIDE, LONGEST = 518, 1554
"""Shorter side the network was trained at; longest side it is given (a strip is squeezed beyond that)."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def open_model(folder: Path, device: str) -> Any:
    """The network on ``device``, half precision on a GPU. WeightsError when the folder holds another model."""
    import torch
    from safetensors import SafetensorError
    from transformers import DepthAnythingForDepthEstimation

    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    try:
        loaded: Any = DepthAnythingForDepthEstimation.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise WeightsError(f"'{folder}' holds no Depth Anything model ({error}); delete it, fetch it again") from error
    model, told = loaded
    if told["missing_keys"]:
        raise WeightsError(f"'{folder}' lacks {len(told['missing_keys'])} of the tensors; delete it, fetch it again")
    return model.to(device).eval()


def input_size(height: int, width: int, patch: int, side: int = SIDE) -> tuple[int, int]:
    """(height, width) for the network: shorter side ``side``, same shape, both multiples of ``patch``."""
    scale = side / min(height, width)
    fitted = (min(round(size * scale / patch) * patch, LONGEST // patch * patch) for size in (height, width))
    high, wide = (max(size, patch) for size in fitted)
    return high, wide


def answer(model: Any, rgb: FloatArray, progress: Progress, *, tiled: bool = False) -> FloatArray:
    """[H, W] what the network says of ``rgb`` [H, W, 3] sRGB, >= 0: relative disparity (larger = nearer), or metres.

    tiled: run overlapping tiles as well and lay their detail on the whole picture's depth (for large pictures).
    """
    whole = _once(model, rgb)
    places = tiles(rgb.shape[0], rgb.shape[1], 2 * SIDE) if tiled else []
    pieces = []
    for index, (rows, columns) in enumerate(places):
        progress.update(index + 1, len(places) + 1, "tiles")
        pieces.append(_once(model, rgb[rows, columns]))
    return blended(whole, places, pieces) if places else whole


def _once(model: Any, rgb: FloatArray) -> FloatArray:
    import torch
    from torch.nn.functional import interpolate

    weight = next(model.parameters())
    patch = int(model.config.patch_size)
    image = torch.from_numpy(np.array(rgb, np.float32)).permute(2, 0, 1)[None].to(weight.device)
    with torch.inference_mode():
        small = interpolate(
            image, input_size(rgb.shape[0], rgb.shape[1], patch), mode="bicubic", antialias=True, align_corners=False
        )
        found: Tensor = model(pixel_values=_normal(small.clamp(0, 1)).to(weight.dtype)).predicted_depth
        full = interpolate(found[:, None].float(), rgb.shape[:2], mode="bilinear", align_corners=True)[0, 0]
    return np.asarray(full.clamp(min=0).cpu().numpy(), np.float32)


def _normal(image: Tensor) -> Tensor:
    import torch

    mean, std = (torch.tensor(v, device=image.device).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (image - mean) / std
