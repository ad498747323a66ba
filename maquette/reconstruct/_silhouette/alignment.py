"""Views cut out and centred one by one do not lie quite where their cameras say: small shifts that make them agree.

Centring a picture on its own silhouette loses where the object lay in the frame, and perspective makes that differ from
view to view by some percent. What is lost comes back by moving the pictures until no view's silhouette is carved away
by the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...data import Camera
from ...geometry.hull import MARGIN, Silhouette, sample
from ...progress import Progress

RAYS, SAMPLES = 32, 32
STEPS = 50
RATE, KEEP = 0.004, 1e-3
"""First step, as a share of the picture, and weight of the squared change that keeps it small."""
LIMIT = 0.08
"""Largest shift, as a share of the picture, and largest change of scale."""


def aligned(
    silhouettes: Sequence[Silhouette], center: Tensor, radius: float, progress: Progress
) -> tuple[list[Silhouette], float]:
    """The silhouettes with cameras whose principal point and focal length are moved a little; largest shift in pixels.

    Minimises how far the rays of each silhouette pass outside all others' cones, by gradient descent. Scales
    are free up to a common factor: it would let all cones grow.
    """
    with torch.inference_mode(False):  # ComfyUI runs nodes in inference mode, whose tensors know no gradients
        own = [replace(s, maps=s.maps.clone()) for s in silhouettes]
        change, sizes = _descent(own, center.clone(), radius, progress)
    moved = [
        replace(s, camera=_moved(s.camera, change[i].tolist(), float(sizes[i]))) for i, s in enumerate(silhouettes)
    ]
    return moved, float((change[:, :2].abs().amax(dim=1) * sizes).max())


def _descent(
    silhouettes: Sequence[Silhouette], center: Tensor, radius: float, progress: Progress
) -> tuple[Tensor, Tensor]:
    """The best change [views, 3] as in ``_limited``, and the size of each picture in pixels [views].

    Adam (Kingma and Ba 2015) by hand: torch.optim takes seconds to import.
    """
    place = [_pixels_along(silhouettes, view, center, radius) for view in range(len(silhouettes))]
    sizes = center.new_tensor([max(s.camera.width, s.camera.height) for s in silhouettes])
    change = torch.zeros(len(silhouettes), 3, device=center.device)
    slope, spread = torch.zeros_like(change), torch.zeros_like(change)
    best, kept = float("inf"), change
    for step in range(STEPS):
        progress.update(step, STEPS, "align the views")
        with torch.enable_grad():
            change = change.detach().requires_grad_()
            loss = _deficit(silhouettes, place, _limited(change), sizes) + KEEP * (change**2).mean()
            (gradient,) = torch.autograd.grad(loss, change)
        if float(loss.detach()) < best:
            best, kept = float(loss.detach()), change.detach()
        slope, spread = 0.8 * slope + 0.2 * gradient, 0.95 * spread + 0.05 * gradient**2
        rate = RATE * (1 - step / STEPS) + 0.05 * RATE
        change = change.detach() - rate * slope / (1 - 0.8 ** (step + 1)) / (
            (spread / (1 - 0.95 ** (step + 1))).sqrt() + 1e-8
        )
    return _limited(kept), sizes


def _limited(change: Tensor) -> Tensor:
    """[views, 3] shift x, y as shares of the picture and logarithm of the scale, within LIMIT; scales relative."""
    scale = change[:, 2:] - change[:, 2:].mean()
    return LIMIT * torch.tanh(torch.cat([change[:, :2], scale], dim=1) / LIMIT)


def _moved(camera: Camera, change: Sequence[float], size: float) -> Camera:
    k = camera.intrinsics.copy()
    k[0, 2] += change[0] * size
    k[1, 2] += change[1] * size
    k[[0, 1], [0, 1]] *= np.exp(change[2])
    return replace(camera, intrinsics=k)


def _pixels_along(silhouettes: Sequence[Silhouette], view: int, center: Tensor, radius: float) -> Tensor:
    """[views, R * R * S, 2] where points along a grid of rays of ``view`` lie in the picture of each view."""
    own = silhouettes[view]
    aim, _, _ = own.ray_grid(RAYS)
    depth = float(own.pixels(center[None])[1])
    along = torch.linspace(max(depth - radius, 1e-3), depth + radius, SAMPLES, device=center.device)
    points = (aim[:, :, None] * along[:, None] + aim.new_tensor(own.camera.position)).reshape(-1, 3)
    return torch.stack([s.pixels(points)[0] for s in silhouettes])


def _deficit(silhouettes: Sequence[Silhouette], place: Sequence[Tensor], change: Tensor, sizes: Tensor) -> Tensor:
    """Mean over all rays of all silhouettes of how far they miss the others' hull, as a share of the picture."""
    total = change.new_zeros(())
    for view, pixels in enumerate(place):
        values = []
        for i, silhouette in enumerate(silhouettes):
            k = silhouette.camera.intrinsics
            middle = pixels.new_tensor([k[0, 2], k[1, 2]])
            there = (pixels[i] - middle) * change[i, 2].exp() + middle + change[i, :2] * sizes[i]
            distance, beyond = sample(silhouette.maps[:, :1], there + MARGIN)
            values.append((distance[0] - beyond) / sizes[i])
        others = torch.stack([v for i, v in enumerate(values) if i != view]).min(dim=0).values
        met = others.reshape(-1, SAMPLES).max(dim=1).values
        own = values[view].reshape(-1, SAMPLES)[:, SAMPLES // 2]
        total = total + (torch.sigmoid(own * 200) * (-met).clamp(min=0)).mean()
    return total
