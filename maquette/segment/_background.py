"""What the background looks like: a smooth wall of light (studio backdrop) and any number of flat colours.

A backdrop whose colour drifts over the picture is no small set of colours, but it is a low polynomial of the place.
Where such a polynomial explains the border, distance from it separates even a dark subject from a dark backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._mixture import Doubles, Mixture, fit, squared_length, whitened_length

PARTS = 6
LEAST_SPREAD = 1.2
"""Standard deviation (CIELAB units) below which no backdrop is trusted: sensors and JPEG add that much."""
LEVEL_APART = 12.0
"""CIELAB units by which left and right border may differ at one height and still be taken for one level thing."""
SHADOWS = ((0.75, 0.12), (0.5, 0.08), (0.3, 0.06), (0.18, 0.05), (0.1, 0.04))
"""How dim a shadow may be, and how likely each is: on the ground, the background is also itself in less light."""
OUTLIER = 1e-7
"""Density of a colour that no model explains."""


@dataclass(frozen=True)
class Background:
    """backdrop: [H, W, 3] CIELAB; inverse: [3, 3] of the covariance about it; share: how much of the background it
    explains, in [0, 1]; colours: the rest."""

    backdrop: Doubles
    inverse: Doubles
    scale: float
    share: float
    colours: Mixture
    level: Level

    def density(self, lab: Doubles) -> Doubles:
        """lab: [H, W, 3] -> density [H, W] of seeing that colour at that place of the background."""
        everywhere = np.arange(lab.shape[0] * lab.shape[1])
        flat = lab.reshape(-1, 3)
        density = self._plain(flat, everywhere)
        shade = self.level.shade.ravel()
        dark = np.flatnonzero(shade > 0.02)
        for dim, likely in SHADOWS:
            density[dark] = np.maximum(density[dark], likely * shade[dark] * self._plain(_lit(flat[dark], dim), dark))
        density[dark] = np.maximum(density[dark], shade[dark] * self._shaded(flat[dark], dark))
        return density.reshape(lab.shape[:2]) + OUTLIER

    def _shaded(self, lab: Doubles, at: npt.NDArray[np.intp]) -> Doubles:
        """The density [N] of the backdrop in exactly the shadow that gives each colour its lightness: the rim of a soft
        shadow passes through all of them, and a few steps would leave it as a ring."""
        base = self.backdrop.reshape(-1, 3)[at]
        dim = np.clip((lab[:, 0] + 16) / np.maximum(base[:, 0] + 16, 1), SHADOWS[-1][0] ** (1 / 3), 1) ** 3
        steps, chances = zip(*reversed(SHADOWS), strict=True)
        gap = whitened_length(_lit(lab, dim[:, None]) - base, self.inverse)
        return np.asarray(np.interp(dim, steps, chances) * self.share * self.scale * np.exp(-0.5 * gap))

    def _plain(self, lab: Doubles, at: npt.NDArray[np.intp]) -> Doubles:
        """The density [N] without shadows of colours [N, 3] at the flat pixel indices ``at``."""
        gap = whitened_length(lab - self.backdrop.reshape(-1, 3)[at], self.inverse)
        wall = self.scale * np.exp(-0.5 * gap)
        mixed = self.share * wall + (1 - self.share) * self.colours.density(lab)
        return np.asarray(np.maximum(mixed, self.level.density(lab, at)))


@dataclass(frozen=True)
class Level:
    """What runs level through the picture (a horizon, the far edge of a table) shows at both sides at one height.

    colour: [H, W, 3] between the left and the right border's; variance: [H, 1]; share: [H, 1] how far it is believed:
    little where both sides differ; shade: [H, W] 1 where shadows may fall: low in the picture, no more detail than the
    background has.
    """

    colour: Doubles
    variance: Doubles
    share: Doubles
    shade: Doubles

    def density(self, lab: Doubles, at: npt.NDArray[np.intp]) -> Doubles:
        """[N] share times density of colours [N, 3] at the flat pixel indices ``at``."""
        row = at // self.colour.shape[1]
        variance, share = self.variance[row, 0], self.share[row, 0]
        gap = squared_length(lab - self.colour.reshape(-1, 3)[at])
        return np.asarray(share * np.exp(-0.5 * gap / variance) / (2 * np.pi * variance) ** 1.5)


def _level(lab: Doubles) -> Level:
    width = lab.shape[1]
    rim = max(2, width // 40)
    left, right = np.median(lab[:, :rim], axis=1), np.median(lab[:, -rim:], axis=1)
    noise = 0.5 * (lab[:, :rim].var(axis=1) + lab[:, -rim:].var(axis=1)).mean(axis=1, keepdims=True)
    apart = ((left - right) ** 2).sum(axis=1, keepdims=True)
    way = np.linspace(0, 1, width)[None, :, None]
    colour = left[:, None] * (1 - way) + right[:, None] * way
    share = 0.35 * np.exp(-apart / (2 * LEVEL_APART**2))
    return Level(colour, 1.5 * noise + 0.05 * apart + 2 * LEAST_SPREAD**2, share, _shade(lab, rim))


def _shade(lab: Doubles, rim: int) -> Doubles:
    """[H, W] how far a shadow is possible."""
    from scipy.ndimage import gaussian_filter, uniform_filter

    light = gaussian_filter(lab[..., 0], 0.7)
    detail = np.sqrt(np.maximum(uniform_filter(light**2, 5) - uniform_filter(light, 5) ** 2, 0))
    usual = float(np.median(np.concatenate([detail[:, :rim], detail[:, -rim:]], axis=1)))
    calm = np.exp(-((np.maximum(detail - usual, 0) / (usual + 1.5)) ** 2))
    ground = np.clip((np.arange(len(lab))[:, None] / len(lab) - 0.5) / 0.25, 0, 1)
    return np.asarray(uniform_filter(calm, 5) * ground)


def _lit(lab: Doubles, dim: float | Doubles) -> Doubles:
    """CIELAB as it would be if the light were stronger by 1 / dim: (L + 16, a, b) grows with its third root.

    dim: one for all, or [N, 1].
    """
    offset = np.array([16.0, 0.0, 0.0])
    return (lab + offset) / dim ** (1 / 3) - offset


def learn(lab: Doubles, weight: npt.ArrayLike, seed: int = 0) -> Background:
    """A background from the pixels [H, W, 3] whose ``weight`` [H, W] says that they belong to it."""
    trust = np.asarray(weight, float)
    backdrop, inverse, inliers = _fit_backdrop(lab, trust)
    scale = float(np.sqrt(np.linalg.det(inverse / (2 * np.pi))))
    share = float(np.clip((inliers - 0.3) / 0.6, 0.0, 0.97))
    colours = fit(lab.reshape(-1, 3), trust.ravel(), PARTS, seed)
    return Background(backdrop, inverse, scale, share, colours, _level(lab))


def _fit_backdrop(lab: Doubles, trust: Doubles) -> tuple[Doubles, Doubles, float]:
    """Polynomial colours [H, W, 3], inverse covariance [3, 3] about them, trusted share within 3 sigma."""
    terms = _terms(*lab.shape[:2])
    used = np.flatnonzero(trust.ravel() > 0.02)
    used = used[:: max(1, len(used) // 6000)]
    design, colours, base = terms[used], lab.reshape(-1, 3)[used], trust.ravel()[used]
    weight, sigma = base.copy(), 20.0
    for _ in range(6):
        left = design.T @ (design * weight[:, None]) + 1e-6 * np.eye(design.shape[1])
        solution = np.linalg.solve(left, design.T @ (colours * weight[:, None]))
        gap = np.sqrt(((colours - design @ solution) ** 2).sum(axis=1))
        sigma = max(LEAST_SPREAD, 0.9 * _weighted_median(gap, base), 0.6 * sigma if sigma > 8 else 0.0)
        weight = base / (1 + (gap / (2 * sigma)) ** 2) ** 2
    inside = gap < 3 * sigma
    residual = colours - design @ solution
    kept = base * inside
    covariance = (residual * kept[:, None]).T @ residual / max(kept.sum(), 1e-9) * 1.2 + LEAST_SPREAD**2 * np.eye(3)
    inliers = float(kept.sum() / base.sum()) * float(np.clip(8.0 / sigma, 0, 1))
    return (terms @ solution).reshape(lab.shape), np.linalg.inv(covariance), inliers


def _terms(height: int, width: int) -> Doubles:
    """[H * W, 10] monomials up to the third power of the place, in [-1, 1]."""
    y, x = (a.ravel() for a in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    one = np.ones_like(x)
    return np.stack([one, x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], axis=1)


def _weighted_median(values: Doubles, weights: Doubles) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
