"""The published sizes. Small is Apache-2.0; Base and Large are non-commercial and never chosen by auto, nor are the
metric ones: they are trained on rooms or streets, and relative depth cuts out better."""

from __future__ import annotations

from ...backends import Spec, WeightFile

_VRAM_MB = {"small": 400, "base": 650, "large": 1400}
"""At 518 pixels in half precision: 175, 381 and 917 MB of tensors at the peak (one H100), and what the
allocator keeps beside them."""


def spec(
    size: str, revision: str, bytes_: int | None, sha256: str | None, source: str, *, free: bool, metric: str = ""
) -> Spec:
    """The ``Spec`` of one size; metric: ``indoor`` or ``outdoor`` for the variants that give metres."""
    kind = f"Metric-{metric.capitalize()}-" if metric else ""
    repo = f"depth-anything/Depth-Anything-V2-{kind}{size.capitalize()}-hf"
    name = f"depth-anything-v2-{kind.lower()}{size}"
    what = f"depth in metres, trained on {metric} scenes" if metric else "relative depth of the whole picture"
    return Spec(
        name=name,
        title=f"Depth Anything V2 {kind.replace('-', ' ')}{size.capitalize()}{' (metres)' if metric else ''}",
        summary=f"{what}, by a vision transformer",
        licence="Apache-2.0" if free else "CC BY-NC 4.0",
        commercial_use=free,
        requires=("transformers",),
        extra="models",
        weights=(
            WeightFile(repo, revision, "config.json", source=f"{source}; no hash"),
            WeightFile(repo, revision, "model.safetensors", bytes_, sha256, source),
        ),
        folder=name.replace("-", "_"),
        vram_mb={518: _VRAM_MB[size]},
        default_rank=40 if free and not metric else 1000,
    )
