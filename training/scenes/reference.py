"""The twin of csrc/scene.h in PyTorch: signed distance of a scene at points. Needs no compiler, proves the kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import layout as at


def ellipsoid(q: Tensor, d: Tensor) -> Tensor:
    """Bounded distance to an ellipsoid with half axes d[0:3] (Quilez)."""
    a = q / d[:3]
    outer, inner = a.norm(dim=1), (a / d[:3]).norm(dim=1)
    return torch.where(inner < 1e-6, -d[:3].min(), outer * (outer - 1) / inner.clamp(min=1e-6))


def box(q: Tensor, d: Tensor) -> Tensor:
    """Distance to a box with half sides d[0:3]."""
    away = q.abs() - d[:3]
    return away.clamp(min=0).norm(dim=1) + away.amax(1).clamp(max=0)


def _radius(q: Tensor, sides: float) -> Tensor:
    flat = torch.hypot(q[:, 0], q[:, 2])
    if sides < 2.5:
        return flat
    sector = 2 * math.pi / sides
    angle = torch.atan2(q[:, 2], q[:, 0])
    return flat * (angle - sector * torch.floor(angle / sector + 0.5)).cos()


def cone(q: Tensor, d: Tensor) -> Tensor:
    """Capped cone or frustum: radius d0 below, d1 above, half height d2, d3 sides (0 = round)."""
    r, y = _radius(q, float(d[3])), q[:, 1]
    low, high, h = d[0], d[1], d[2]
    ax = r - torch.minimum(r, torch.where(y < 0, low, high))
    ay = y.abs() - h
    kx, ky = high - low, 2 * h
    t = (((high - r) * kx + (h - y) * ky) / (kx * kx + ky * ky)).clamp(0, 1)
    bx, by = r - high + kx * t, y - h + ky * t
    sign = torch.where((bx < 0) & (ay < 0), -1.0, 1.0)
    return sign * torch.minimum(ax * ax + ay * ay, bx * bx + by * by).sqrt()


def capsule(q: Tensor, d: Tensor) -> Tensor:
    """Round cone from the origin (radius d0) to y = d2 (radius d1)."""
    r, y, h = torch.hypot(q[:, 0], q[:, 2]), q[:, 1], d[2]
    b = float((d[0] - d[1]) / h)
    if abs(b) >= 1:
        return q.norm(dim=1) - d[:2].max()
    a = math.sqrt(1 - b * b)
    k = -b * r + a * y
    side = r * a + y * b - d[0]
    return torch.where(k < 0, torch.hypot(r, y) - d[0], torch.where(k > a * h, torch.hypot(r, y - h) - d[1], side))


def torus(q: Tensor, d: Tensor) -> Tensor:
    """Ring of radius d0 around y, d1 thick."""
    return torch.hypot(torch.hypot(q[:, 0], q[:, 2]) - d[0], q[:, 1]) - d[1]


def arc(q: Tensor, d: Tensor) -> Tensor:
    """Part of a ring of radius d0 in the x-y plane, open below, half angle d2, d1 thick, ends round."""
    x, y = q[:, 0].abs(), q[:, 1]
    sn, cs = d[2].sin(), d[2].cos()
    k = torch.where(cs * x > sn * y, x * sn + y * cs, torch.hypot(x, y))
    return (q.square().sum(1) + d[0] ** 2 - 2 * d[0] * k).clamp(min=0).sqrt() - d[1]


def frame(q: Tensor, d: Tensor) -> Tensor:
    """The edges of a box with half sides d[0:3], half as thick as d3."""
    p = q.abs() - d[:3]
    w = (p + d[3]).abs() - d[3]
    rods = []
    for axis in range(3):
        mixed = w.clone()
        mixed[:, axis] = p[:, axis]
        rods.append(mixed.clamp(min=0).norm(dim=1) + mixed.amax(1).clamp(max=0))
    return torch.stack(rods).amin(0)


KINDS = (ellipsoid, box, cone, capsule, torus, arc, frame)


def _copies(x: Tensor, count: float, spacing: float) -> Tensor:
    half = 0.5 * (count - 1)
    return x - ((torch.floor(x / spacing + half + 0.5)).clamp(0, count - 1) - half) * spacing


def primitive(p: Tensor, g: Tensor) -> Tensor:
    """[N] signed distance of primitive ``g`` [PRIM] at object points ``p`` [N, 3]."""
    p = p.clone()
    mirror = int(g[at.MIRROR])
    if mirror & 1:
        p[:, 0] = p[:, 0].abs()
    if mirror & 2:
        p[:, 2] = p[:, 2].abs()
    if int(g[at.REPEAT]) == at.RADIAL:
        sector = 2 * math.pi / float(g[at.COUNT])
        angle = torch.atan2(p[:, 2], p[:, 0]) - g[at.PHASE]
        angle = angle - sector * torch.floor(angle / sector + 0.5)
        flat = torch.hypot(p[:, 0], p[:, 2])
        p = torch.stack([flat * angle.cos(), p[:, 1], flat * angle.sin()], 1)
    q = (p - g[at.CENTER]) @ g[at.ROTATION].view(3, 3).T
    if int(g[at.REPEAT]) == at.LINE:
        x = _copies(q[:, 0], float(g[at.COUNT]), float(g[at.SPACING]))
        z = _copies(q[:, 2], float(g[at.COUNT2]), float(g[at.SPACING2])) if g[at.COUNT2] > 1 else q[:, 2]
        q = torch.stack([x, q[:, 1], z], 1)
    q = torch.stack([q[:, 0], q[:, 1] - g[at.BEND] * q[:, 0] ** 2, q[:, 2]], 1)
    d = KINDS[int(g[at.KIND])](q, g[at.DIMS]) - g[at.ROUND]
    if g[at.SHELL] > 0:
        d = d.abs() - g[at.SHELL]
    return d * g[at.LIPSCHITZ]


def field(head: Tensor, prims: Tensor, points: Tensor, stretch: Tensor | None = None) -> Tensor:
    """[N] signed distance of a scene at ``points`` [N, 3]; bounded from below, exact in sign. stretch: [3] scales."""
    p = points if stretch is None else points / stretch
    if head[at.TWIST] != 0:
        c, s = (head[at.TWIST] * p[:, 1]).cos(), (head[at.TWIST] * p[:, 1]).sin()
        p = torch.stack([c * p[:, 0] - s * p[:, 2], p[:, 1], s * p[:, 0] + c * p[:, 2]], 1)
    p = torch.stack([p[:, 0] - head[at.LEAN] * p[:, 1] ** 2, p[:, 1], p[:, 2]], 1)
    total = torch.full_like(p[:, 0], 1e3)
    for g in prims[: int(head[at.N_PRIMS])]:
        d, k, cut = primitive(p, g), float(g[at.BLEND]), bool(g[at.OP])
        a, b = (-total, d) if cut else (total, d)
        joined = torch.minimum(a, b)
        if k > 0:
            t = (0.5 + 0.5 * (a - b) / k).clamp(0, 1)
            joined = a + (b - a) * t - k * t * (1 - t)
        total = -joined if cut else joined
    if head[at.BUMP] > 0:
        f = head[at.BUMP_FREQUENCY]
        x, y, z = p.unbind(1)
        low = (f * x).sin() * (f * y + 1).sin() * (f * z + 2).sin()
        high = (2.3 * f * x + 1.7).sin() * (2.3 * f * y).sin() * (2.3 * f * z).sin()
        bumps = head[at.BUMP] * (low + 0.4 * high)
        total = torch.where(total.abs() < 4 * head[at.BUMP], total + bumps, total)
    return total * head[at.STEP] * (1.0 if stretch is None else stretch.min())
