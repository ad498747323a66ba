"""The weight files that ship with the pack: found, proved by their hashes, memory-mapped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import WeightsError

if TYPE_CHECKING:
    from .network import NanoNet

FOLDER = Path(__file__).parent
HASHES: dict[str, str] = {
    "nano-1-of-3.safetensors": "98227e9a9c1b8105813a8621c176cac082d416e68a7603e2109896232a61f633",
    "nano-2-of-3.safetensors": "35607e5cec56a86cde122d1574a4674661b9e02782c01594ab76840053b9f50c",
    "nano-3-of-3.safetensors": "f74f7853b2100c5a14a1c27dcdef6e1b406b69902ae100e6f2672ef2640f91eb",
}
"""File name -> SHA-256, in the order in which the pieces are read."""


def missing(folder: Path = FOLDER) -> str:
    """Empty when every piece is there, else the sentence that says what is missing."""
    lacking = [name for name in HASHES if not (folder / name).is_file()]
    if HASHES and not lacking:
        return ""
    names = ", ".join(lacking) or "the weight files"
    return f"{names} not found in {folder.name}/; they belong to the repository: clone it again with all files"


def load_network(folder: Path = FOLDER, *, check: bool = True) -> NanoNet:
    """The network in float32 on the CPU, ready for inference. WeightsError when a piece is missing or damaged."""
    import torch
    from safetensors.torch import load_file

    from .network import NanoNet

    reason = missing(folder)
    if reason:
        raise WeightsError(reason)
    tensors: dict[str, torch.Tensor] = {}
    for name, digest in HASHES.items():
        path = folder / name
        if check:
            _check(path, digest)
        tensors.update(load_file(path))
    network = NanoNet()
    network.load_state_dict({k: v.float() for k, v in tensors.items()}, strict=True)
    return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _check(path: Path, digest: str) -> None:
    import hashlib

    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != digest:
        raise WeightsError(
            f"{path.name} is damaged: its SHA-256 is {found[:12]}..., published {digest[:12]}...; restore it from the"
            " repository (git checkout, or download the pack again; a Git LFS pointer is not the file)"
        )
