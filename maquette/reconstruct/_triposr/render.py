"""Volume rendering of the scene and the orbit cameras of the published code, in the model frame (z up).

Emission and absorption along a ray (Mildenhall et al. 2020, equation 3), background white. Used to compare with the
original, not by the default path.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .field import SceneField

SHRINK = 1.0 - 1e-3
"""The cube is made this much smaller, so that no sample falls out of it."""
SMALLEST = 1e-6
CLOSE = 1e-10


def orbit_rays(
    views: int, elevation: float, distance: float, field_of_view: float, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Origins and unit directions [views, H, W, 3] of cameras on a circle; azimuth 0 on +x, growing to +y.

    elevation, field_of_view (vertical): degrees.
    """
    azimuth = torch.linspace(0, 360.0, views + 1)[:views] * math.pi / 180
    tilt = torch.full_like(azimuth, elevation) * math.pi / 180
    level = torch.cos(tilt)
    eyes = distance * torch.stack([level * azimuth.cos(), level * azimuth.sin(), torch.sin(tilt)], dim=-1)
    forward = torch.nn.functional.normalize(-eyes, dim=-1)
    up = torch.tensor([0.0, 0.0, 1.0]).expand_as(forward)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, up, dim=-1), dim=-1)
    up = torch.nn.functional.normalize(torch.linalg.cross(right, forward, dim=-1), dim=-1)
    focal = 0.5 * height / math.tan(0.5 * math.radians(field_of_view))
    x = (torch.arange(width) + 0.5 - width / 2) / focal
    y = -(torch.arange(height) + 0.5 - height / 2) / focal
    y, x = torch.meshgrid(y, x, indexing="ij")
    local = torch.stack([x, y, -torch.ones_like(x)], dim=-1)
    axes = torch.stack([right, up, -forward], dim=-1)
    directions = torch.nn.functional.normalize(torch.einsum("hwc,vdc->vhwd", local, axes), dim=-1)
    return eyes[:, None, None].expand_as(directions).contiguous(), directions


def render(
    field: SceneField,
    origins: Tensor,  # [..., 3]
    directions: Tensor,  # [..., 3] unit
    radius: float,
    samples: int,
) -> Tensor:
    """[..., 3] colours over white; a ray that misses the cube is white (the original stops with an error there)."""
    rays_o, rays_d = origins.reshape(-1, 3), directions.reshape(-1, 3)
    near, far = _through_cube(rays_o, rays_d, radius)
    edges = torch.linspace(0, 1, samples + 1, device=origins.device)
    middle = (edges[:-1] + edges[1:]) / 2
    depth = near[:, None] * (1 - middle) + far[:, None] * middle
    points = rays_o[:, None] + depth[..., None] * rays_d[:, None]
    raw, color = field.both(points.reshape(-1, 3))
    # the step is 1 / samples for every ray, whatever its length in the cube: that is what the model learnt with
    alpha = 1 - torch.exp(-(edges[1:] - edges[:-1]) * raw.exp().view(len(rays_o), samples))
    alpha = alpha * (far > near)[:, None]
    passed = torch.cumprod(1 - alpha[:, :-1] + CLOSE, dim=-1)
    weights = alpha * torch.cat([torch.ones_like(alpha[:, :1]), passed], dim=-1)
    seen = (weights[..., None] * color.view(len(rays_o), samples, 3)).sum(dim=1)
    return (seen + 1 - weights.sum(dim=1)[:, None]).view(origins.shape)


def _through_cube(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances [N] at which rays enter and leave the (slightly smaller) cube; both 0 for a miss."""
    safe = torch.where(directions.abs() < SMALLEST, torch.full_like(directions, SMALLEST), directions)
    first, second = (SHRINK * radius - origins) / safe, (-SHRINK * radius - origins) / safe
    near = torch.minimum(first, second).amax(dim=-1).clamp_min(0)
    far = torch.maximum(first, second).amin(dim=-1)
    hit = far - near > 0.01
    return near * hit, far * hit
