"""The image-to-triplane transformer: self-attention over the triplane's tokens, cross-attention to the picture's."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...attention import attend
from .config import Config
from .packing import joint_linear
from .vit import Observer

GROUPS = 32
"""Of the GroupNorm before the transformer."""


class Attention(nn.Module):
    """Multi-head attention without bias on query, key and value; ``context_width`` is the keys' and values' input."""

    def __init__(self, width: int, heads: int, context_width: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(width, width, bias=False)
        self.to_k = nn.Linear(context_width, width, bias=False)
        self.to_v = nn.Linear(context_width, width, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, tokens: Tensor, context: Tensor | None = None) -> Tensor:
        """tokens: [B, N, C]; context: [B, M, C'], or None for self-attention -> [B, N, C]."""
        if context is None:
            q, k, v = joint_linear(tokens, (self.to_q, self.to_k, self.to_v))
        else:
            k, v = joint_linear(context, (self.to_k, self.to_v))
            q = self.to_q(tokens).expand(len(context), -1, -1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)) for x in (q, k, v))
        return self.to_out[0](attend(q, k, v).flatten(-2))


class Gate(nn.Module):
    """GEGLU (Shazeer 2020): one half of the projection times the exact GELU of the other."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., C] -> [..., hidden]."""
        hidden = self.proj.out_features // 2
        weight, bias = self.proj.weight, self.proj.bias
        # two products leave both halves contiguous: the elementwise steps run at twice the speed of strided ones
        gate = functional.gelu(functional.linear(tokens, weight[hidden:], bias[hidden:]))
        return gate.mul_(functional.linear(tokens, weight[:hidden], bias[:hidden]))


class FeedForward(nn.Module):
    """Gate, then back to the width; numbered as in the checkpoint, whose entry 1 (dropout) holds nothing."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.net = nn.ModuleList([Gate(width, 4 * width), nn.Identity(), nn.Linear(4 * width, width)])

    def forward(self, tokens: Tensor) -> Tensor:
        """[..., C] -> [..., C]."""
        return self.net[2](self.net[0](tokens))


class Block(nn.Module):
    """Self-attention, cross-attention and feed-forward, each after its own norm and added to its input."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        width = config.inner
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width, eps=1e-5) for _ in range(3))
        self.attn1 = Attention(width, config.heads, width)
        self.attn2 = Attention(width, config.heads, config.vit.width)
        self.ff = FeedForward(width)

    def forward(self, tokens: Tensor, image: Tensor, observe: Observer | None = None) -> Tensor:
        """tokens: [1 or B, N, C]; image: [B, M, C'] -> [B, N, C] (tokens still the same for all come as one)."""
        own = self.attn1(self.norm1(tokens))
        tokens = tokens + own
        cross = self.attn2(self.norm2(tokens), image)
        tokens = tokens + cross
        wide = self.ff(self.norm3(tokens))
        tokens = tokens + wide
        if observe is not None:
            for name, value in (("_attn1", own), ("_attn2", cross), ("_ff", wide), ("", tokens)):
                observe(name, value)
        return tokens


class Transformer(nn.Module):
    """Norm and projection in, blocks, projection out; the caller runs the blocks (they may be streamed)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, config.channels, eps=1e-6)
        self.proj_in = nn.Linear(config.channels, config.inner)
        self.transformer_blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.proj_out = nn.Linear(config.inner, config.channels)

    @property
    def blocks(self) -> list[Block]:
        """The blocks in order."""
        return list(self.transformer_blocks)  # type: ignore[arg-type]


def flat_tokens(planes: Tensor) -> Tensor:
    """Learned planes [3, C, H, W] -> tokens [1, C, 3 * H * W] in the order plane, row, column."""
    return planes.permute(1, 0, 2, 3).reshape(1, planes.shape[1], -1)


def upsample(
    tokens: Tensor,  # [B, C, 3 * n * n]
    weight: Tensor,  # [C, P, 2, 2]
    bias: Tensor,  # [P]
    side: int,
) -> Tensor:
    """[B, 3, P, 2n, 2n]: a transposed convolution of kernel 2 and stride 2, which is one matrix product per token."""
    batch, channels, _ = tokens.shape
    out = weight.shape[1]
    rows = tokens.transpose(1, 2).reshape(-1, channels)
    cells = torch.addmm(bias.repeat_interleave(4), rows, weight.reshape(channels, out * 4))
    cells = cells.reshape(batch, 3, side, side, out, 2, 2)
    return cells.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, 3, out, 2 * side, 2 * side)
