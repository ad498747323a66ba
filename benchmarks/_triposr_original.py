"""The published TripoSR code, run beside ours for the ratios. Its folder is given on the command line, never committed.

Needs what that code imports (einops, omegaconf, transformers, trimesh). ``rembg`` and ``imageio`` are not used by what
is timed and may be missing; where ``torchmcubes`` is missing our marching cubes stands in (1 ms of about 450).
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

VIT = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
VIT |= {"image_size": 224, "patch_size": 16, "num_channels": 3, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}


def load(folder: Path, config: dict[str, Any], state: Callable[[str], Tensor], device: str) -> Any:
    """The original model with our weights, float32 on ``device``."""
    _stand_ins()
    sys.path.insert(0, str(folder))
    from omegaconf import OmegaConf
    from transformers import ViTConfig, ViTModel
    from tsr.models.tokenizers import image as tokenizer
    from tsr.system import TSR

    with torch.device("meta"):
        vit = ViTModel(ViTConfig(**VIT))
    tokenizer.hf_hub_download = lambda **_: "unused"  # it would fetch the encoder's configuration
    tokenizer.ViTModel = lambda _config: vit
    tokenizer.ViTModel.config_class = types.SimpleNamespace(from_pretrained=lambda *_a, **_k: None)
    model = TSR(OmegaConf.create(config))
    model.to_empty(device=device)
    model.image_tokenizer.image_mean = torch.tensor([0.485, 0.456, 0.406], device=device).reshape(1, 1, 3, 1, 1)
    model.image_tokenizer.image_std = torch.tensor([0.229, 0.224, 0.225], device=device).reshape(1, 1, 3, 1, 1)
    generator = torch.Generator(device=device).manual_seed(0)
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            given = state(name)
            if given is not None and not given.is_meta and given.shape == parameter.shape:
                parameter.copy_(given)
            else:  # the encoder's modules have other names in newer transformers: same shapes, other random numbers
                spread = 1.0 if parameter.ndim == 1 else parameter[0].numel() ** -0.5
                parameter.copy_(torch.randn(parameter.shape, generator=generator, device=device) * spread * 0.5)
    return model.eval()


def _stand_ins() -> None:
    for name in ("rembg", "imageio"):
        sys.modules.setdefault(name, types.ModuleType(name))
    try:
        import torchmcubes  # noqa: F401
    except ImportError:
        from maquette.geometry.extract import marching_cubes

        def theirs(level: Tensor, threshold: float) -> tuple[Tensor, Tensor]:
            size = float(level.shape[0] - 1)
            vertices, faces = marching_cubes(level, threshold, lower=(0.0,) * 3, upper=(size,) * 3)
            return vertices[:, [2, 1, 0]], faces

        module = types.ModuleType("torchmcubes")
        module.marching_cubes = theirs  # type: ignore[attr-defined]
        sys.modules["torchmcubes"] = module


def put_in_place(model: Any, density: Callable[[Tensor], Tensor]) -> None:
    """Let the extraction see an analytic density, after the decoder's value was computed."""
    original = model.renderer.query_triplane

    def query(decoder: Any, positions: Tensor, triplane: Tensor) -> dict[str, Tensor]:
        out = original(decoder, positions, triplane)
        flat = positions.reshape(-1, 3)
        parts = [density(part) for part in flat.split(1 << 20)]
        out["density_act"] = torch.cat(parts).view(out["density_act"].shape)
        return out

    model.renderer.query_triplane = query
