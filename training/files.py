"""Checkpoints: half-precision safetensors in pieces below 16 MB."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

LIMIT = 15_500_000
"""Bytes a piece at most."""


def save_pieces(tensors: dict[str, Tensor], folder: Path, name: str = "nano") -> list[Path]:
    """Write ``tensors`` as float16 into as many pieces as needed."""
    pieces: list[dict[str, Tensor]] = [{}]
    room = LIMIT
    for key, value in tensors.items():
        half = value.detach().to("cpu", torch.float16).contiguous()
        size = half.numel() * 2
        if size > room and pieces[-1]:
            pieces.append({})
            room = LIMIT
        pieces[-1][key] = half
        room -= size
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for i, piece in enumerate(pieces):
        path = folder / f"{name}-{i + 1}-of-{len(pieces)}.safetensors"
        save_file(piece, path, metadata={"format": "pt", "licence": "MIT"})
        paths.append(path)
    return paths


def load_pieces(folder: Path, name: str = "nano") -> dict[str, Tensor]:
    """The inverse; float32."""
    paths = sorted(folder.glob(f"{name}-*-of-*.safetensors"))
    if not paths:
        raise FileNotFoundError(f"no {name}-*-of-*.safetensors in {folder}")
    out: dict[str, Tensor] = {}
    for path in paths:
        out.update(load_file(path))
    return {k: v.float() for k, v in out.items()}
