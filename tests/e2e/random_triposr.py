"""A full-size TripoSR that nobody trained: random weights, a few of them set so that every scene is a bumpy ball.

Purely random weights give a density without a surface. Here channel 0 of the learned planes holds the squared distance
from their middle, a path of weight 1 through the decoder carries its sum to the density, and the transformer, whose
output depends on the picture, adds the bumps.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from maquette.reconstruct._triposr.config import Config
from maquette.reconstruct._triposr.engine import random_engine

RADIUS, STEEP, LIFT, BUMPS = 0.6, 4.0, 10.0, 0.02
"""Of the ball as a share of the volume's half side; fall of the log density; offset that keeps SiLU straight; weight of
the transformer's output."""


def write_checkpoint(path: Path, config: Config | None = None, seed: int = 7) -> Path:
    """All tensors of the published model's manifest, float32, as safetensors (1.7 GB at full size)."""
    config = config or Config()
    state = random_engine(config, torch.float32, seed).network.state_dict()
    tensors = {name: _own(tensor) for name, tensor in state.items()}
    _planes(tensors, config)
    _decoder(tensors, config)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def _own(tensor: Tensor) -> Tensor:
    """A copy with memory of its own; what no pass uses (the pooler) is zero."""
    return torch.zeros(tensor.shape) if tensor.is_meta else tensor.detach().clone()


def _planes(tensors: dict[str, Tensor], config: Config) -> None:
    line = torch.linspace(-1, 1, config.plane_size)
    tensors["tokenizer.embeddings"][:, 0] = line[:, None] ** 2 + line[None, :] ** 2
    tensors["backbone.proj_out.weight"] *= BUMPS
    tensors["backbone.proj_out.bias"][0] = 0.0
    tensors["post_processor.upsample.weight"][:, 0] = 0.0
    tensors["post_processor.upsample.weight"][0, 0] = 1.0
    tensors["post_processor.upsample.bias"][0] = 0.0


def _decoder(tensors: dict[str, Tensor], config: Config) -> None:
    for layer in range(config.decoder_layers):
        weight, bias = (tensors[f"decoder.layers.{2 * layer}.{kind}"] for kind in ("weight", "bias"))
        weight[0] = 0.0
        weight[0, [0, config.plane_channels, 2 * config.plane_channels] if layer == 0 else [0]] = 1.0
        bias[0] = LIFT if layer == 0 else 0.0
    last = f"decoder.layers.{2 * config.decoder_layers}"
    tensors[f"{last}.weight"][0] = 0.0
    tensors[f"{last}.weight"][0, 0] = -STEEP
    level = math.log(25.0) - config.density_bias
    tensors[f"{last}.bias"][0] = level + STEEP * (LIFT + 2 * RADIUS**2)
