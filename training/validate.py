"""Numbers on scenes that training never sees: error of the first surface, overlap of the columns in absolute depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from maquette.reconstruct._nano.network import DEEPEST, bin_edges, columns

from .batches import Batch, make_batch
from .pool import scene_arrays
from .scenes.families import FAMILIES, HELD_OUT
from .scenes.native import Renderer

VALIDATION_SEED = 2_000_000_000


def absolute(depth: Tensor, solid: Tensor, levels: Tensor) -> Tensor:
    """Columns relative to the first surface -> occupancy [B, H, W, Z] at absolute depths ``levels`` [Z].

    depth: [B, H, W]; solid: [B, H, W, BINS] bool or share."""
    k = solid.shape[-1]
    behind = levels - depth[..., None]
    index = (k * (behind.clamp(min=0) / DEEPEST) ** (1 / 1.4)).long().clamp(max=k - 1)
    inside = (behind >= 0) & (behind < DEEPEST)
    return torch.gather(solid, -1, index) * inside


@torch.no_grad()
def figures(model: nn.Module, batch: Batch, thresholds: tuple[float, ...] = (0.3, 0.4, 0.5)) -> dict[str, float]:
    """Mean error of depth, IoU at each threshold."""
    with torch.autocast(batch.picture.device.type, torch.bfloat16, enabled=batch.picture.is_cuda):
        raw = model(batch.picture)
    c = columns(raw, batch.valid)
    where = batch.valid
    out = {"depth": float((c.depth - batch.depth).abs()[where].mean())}
    levels = torch.linspace(-2, 2.4, 160, device=raw.device)
    true = absolute(batch.depth, (batch.solid > 127).float(), levels) > 0.5
    width = bin_edges().diff().to(raw.device)
    full = torch.sigmoid(c.logits).permute(0, 2, 3, 1)
    known = batch.solid.float() / 255
    out["thickness"] = float((((full > 0.4).float() - known) * width).sum(-1)[where].abs().mean())
    for t in thresholds:
        solid = (full > t).float()
        solid[..., 0] = 1
        made = (absolute(c.depth, solid, levels) > 0.5) & where[..., None]
        both, either = (made & true).sum((1, 2, 3)), (made | true).sum((1, 2, 3)).clamp(min=1)
        out[f"iou@{t}"] = float((both / either)[batch.weight > 0].mean())
        exact = (absolute(batch.depth, solid, levels) > 0.5) & where[..., None]
        both, either = (exact & true).sum((1, 2, 3)), (exact | true).sum((1, 2, 3)).clamp(min=1)
        out[f"known-front@{t}"] = float((both / either)[batch.weight > 0].mean())
    return out


def report(model: nn.Module, renderer: Renderer, each: int = 16) -> dict[str, dict[str, float]]:
    """``figures`` of every family, held-out ones included, and their mean."""
    rows: dict[str, dict[str, float]] = {}
    for i, family in enumerate([*FAMILIES, *HELD_OUT]):
        heads, prims = (
            torch.from_numpy(a).to(renderer.device)
            for a in scene_arrays(list(range(VALIDATION_SEED, VALIDATION_SEED + each)), family)
        )
        g = torch.Generator(renderer.device).manual_seed(i)
        rows[family] = figures(model, make_batch(renderer, heads, prims, g))
    keys = next(iter(rows.values()))
    rows["TRAINED"] = {k: sum(rows[f][k] for f in FAMILIES) / len(FAMILIES) for k in keys}
    rows["HELD OUT"] = {k: sum(rows[f][k] for f in HELD_OUT) / len(HELD_OUT) for k in keys}
    return rows
