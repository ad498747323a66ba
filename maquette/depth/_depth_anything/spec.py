"""The published sizes. Small is Apache-2.0; Base and Large are non-commercial and never chosen by auto."""

from __future__ import annotations

from ...backends import Spec, WeightFile


def spec(size: str, revision: str, bytes_: int | None, sha256: str | None, source: str, *, free: bool) -> Spec:
    """The ``Spec`` of one size. VRAM is not measured on a GPU yet, so its table is empty."""
    repo = f"depth-anything/Depth-Anything-V2-{size.capitalize()}-hf"
    return Spec(
        name=f"depth-anything-v2-{size}",
        title=f"Depth Anything V2 {size.capitalize()}",
        summary="relative depth of the whole picture by a vision transformer",
        licence="Apache-2.0" if free else "CC BY-NC 4.0",
        commercial_use=free,
        requires=("transformers",),
        extra="models",
        weights=(
            WeightFile(repo, revision, "config.json", source=f"{source}; no hash"),
            WeightFile(repo, revision, "model.safetensors", bytes_, sha256, source),
        ),
        folder=f"depth_anything_v2_{size}",
        default_rank=40 if free else 1000,
    )
