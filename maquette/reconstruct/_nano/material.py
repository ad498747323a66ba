"""What the network says -> pieces of material on every ray, tidied where it lies, without making the host wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .network import columns
from .solid import INTERVALS, intervals
from .strips import filled_behind
from .tidy import linked, places, smoothed

if TYPE_CHECKING:
    from torch import Tensor


def material(
    raw: Tensor,  # [1, 85, S, S] the network's answer
    valid: Tensor,  # [S, S] the subject's pixels
    edges: Tensor,  # [BINS + 1]
    *,
    threshold: float,
    least: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Starts and stops [S, S, INTERVALS] of the material (depth, NaN = none and outside the subject), what of them is
    ``linked`` [2, S, S], and how far each column may or may not be solid [S * S].

    threshold: probability from which a bin counts as solid; least: thickness of the first piece, half picture widths.
    """
    import torch

    side = len(valid)
    c = columns(raw, valid[None])
    full = torch.sigmoid(c.logits[0]).flatten(1).T.contiguous()
    own = places(valid)
    both = torch.full((side * side, 2 * INTERVALS), torch.nan, device=full.device)
    both[own] = torch.cat(intervals(full[own], (edges[1:] + edges[:-1]) / 2, threshold, least), 1)
    both = torch.where(valid[..., None], both.view(side, side, -1) + c.depth[0][..., None], torch.nan)
    both = torch.cat([both[..., :1], smoothed(both[..., 1:], valid)], 2)
    starts, stops = both.split(INTERVALS, dim=2)
    stops = torch.cat([torch.maximum(stops[..., :1], starts[..., :1] + least), stops[..., 1:]], 2)
    starts, stops = filled_behind(starts, stops, valid, least)
    return starts, stops, linked(starts, stops, least), (4 * full * (1 - full) * edges.diff()).sum(1)
