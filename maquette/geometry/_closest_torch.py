"""``closest.closest_on_triangles`` in PyTorch, step by step the same, for a GPU."""

from __future__ import annotations

import torch
from torch import Tensor


def closest_on_triangles(points: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
    """points [..., 3], corners [..., 3, 3] -> weights [..., 3] of the nearest point and its distance [...]."""
    a, b, c = corners.unbind(-2)
    ab, ac, ap = b - a, c - a, points - a
    d00, d01, d11 = (ab * ab).sum(-1), (ab * ac).sum(-1), (ac * ac).sum(-1)
    d20, d21 = (ap * ab).sum(-1), (ap * ac).sum(-1)
    area = d00 * d11 - d01 * d01
    safe = torch.where(area > 1e-30, area, 1.0)
    v, w = (d11 * d20 - d01 * d21) / safe, (d00 * d21 - d01 * d20) / safe
    inside = (area > 1e-30) & (v >= 0) & (w >= 0) & (v + w <= 1)
    weights = torch.stack([1 - v - w, v, w], dim=-1)
    best = torch.where(inside, _distance(points, corners, weights), torch.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        start, along = corners[..., i, :], corners[..., j, :] - corners[..., i, :]
        length = (along * along).sum(-1)
        t = (((points - start) * along).sum(-1) / torch.where(length > 0, length, 1.0)).clamp(0, 1)
        edge = torch.zeros_like(weights)
        edge[..., i], edge[..., j] = 1 - t, t
        distance = _distance(points, corners, edge)
        nearer = distance < best
        weights = torch.where(nearer[..., None], edge, weights)
        best = torch.where(nearer, distance, best)
    return weights, best


def _distance(points: Tensor, corners: Tensor, weights: Tensor) -> Tensor:
    return ((corners * weights[..., None]).sum(dim=-2) - points).square().sum(-1).sqrt()
