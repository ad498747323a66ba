"""The image encoder: a plain ViT (Dosovitskiy et al. 2021) with DINO's weights.

Module names are those under which the published checkpoint stores it, so that loading needs no renaming.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...attention import attend
from .config import VitConfig
from .packing import joint_linear

Observer = Callable[[str, Tensor], None]
"""Called with a name and an intermediate tensor; for parity checks only."""


def interpolate_positions(
    positions: Tensor,  # [1, 1 + n * n, C]: class token first
    side: int,
    native: int,
) -> Tensor:
    """[1, 1 + m * m, C] for ``side`` patches a side; ``native`` = n.

    Bicubic with the *scale factor* (side + 0.1) / n, as the model was trained with; resizing to a target size samples
    other places and moves values by up to a quarter. At the native size the input comes back unchanged.
    """
    if side == native:
        return positions
    width = positions.shape[-1]
    matrix = _bicubic(side, native).to(positions)
    rows = matrix @ positions[0, 1:].reshape(native, -1)
    grid = matrix @ rows.view(-1, native, width)
    return torch.cat([positions[:, :1], grid.reshape(1, -1, width)], dim=1)


def _bicubic(side: int, native: int) -> Tensor:
    """[m, n] weights of a bicubic resize along one axis, which both axes share.

    As a product it takes microseconds on a GPU; the resize itself took a third of the whole transformer pass there.
    """
    scale = (side + 0.1) / native
    return functional.interpolate(
        torch.eye(native)[None, :, :, None],
        scale_factor=(scale, 1.0),
        mode="bicubic",
        align_corners=False,
        recompute_scale_factor=False,
    )[0, :, :, 0].T.contiguous()


class Embeddings(nn.Module):
    """Picture -> class token and patch tokens with positions."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.native = config.image_size // config.patch_size
        self.patch = config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.position_embeddings = nn.Parameter(torch.zeros(1, 1 + self.native**2, config.width))
        projection = nn.Conv2d(3, config.width, config.patch_size, config.patch_size)
        self.patch_embeddings = nn.ModuleDict({"projection": projection})

    def forward(self, image: Tensor) -> Tensor:
        """image: [B, 3, S, S], normalised -> [B, 1 + (S / patch)^2, C]."""
        patches = self.patch_embeddings["projection"](image).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(image), -1, -1), patches], dim=1)
        positions = interpolate_positions(self.position_embeddings.float(), image.shape[-1] // self.patch, self.native)
        return tokens + positions.to(tokens.dtype)


class VitLayer(nn.Module):
    """Pre-norm: self-attention and a two-layer perceptron with exact GELU, both added to their input."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        parts = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.attention = nn.ModuleDict(
            {"attention": nn.ModuleDict(parts), "output": nn.ModuleDict({"dense": nn.Linear(width, width)})}
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, config.hidden)})
        self.output = nn.ModuleDict({"dense": nn.Linear(config.hidden, width)})
        self.layernorm_before = nn.LayerNorm(width, eps=config.epsilon)
        self.layernorm_after = nn.LayerNorm(width, eps=config.epsilon)

    def forward(self, tokens: Tensor) -> Tensor:
        """tokens: [B, N, C] -> [B, N, C]."""
        tokens = tokens + self._attend(self.layernorm_before(tokens))
        hidden = functional.gelu(self.intermediate["dense"](self.layernorm_after(tokens)))
        return tokens + self.output["dense"](hidden)

    def _attend(self, tokens: Tensor) -> Tensor:
        inner: nn.ModuleDict = self.attention["attention"]  # type: ignore[assignment]
        layers = (inner["query"], inner["key"], inner["value"])
        q, k, v = (x.unflatten(-1, (self.heads, -1)) for x in joint_linear(tokens, layers))  # type: ignore[arg-type]
        dense: nn.Module = self.attention["output"]["dense"]  # type: ignore[index]
        return dense(attend(q, k, v).flatten(-2))


class Vit(nn.Module):
    """The encoder; the pooler is in the checkpoint but nothing uses it."""

    def __init__(self, config: VitConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(VitLayer(config) for _ in range(config.layers))})
        self.layernorm = nn.LayerNorm(config.width, eps=config.epsilon)
        self.pooler = nn.ModuleDict({"dense": nn.Linear(config.width, config.width)})

    @property
    def layers(self) -> list[VitLayer]:
        """The layers in order."""
        return list(self.encoder["layer"])  # type: ignore[call-overload]
