"""What the background looks like: a smooth wall of light (studio backdrop) and any number of flat colours.

A backdrop whose colour drifts over the picture is no small set of colours, but it is a low polynomial of the place.
Where such a polynomial explains the border, distance from it separates even a dark subject from a dark backdrop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ._mixture import Doubles, Mixture, fit

PARTS = 6
LEAST_SPREAD = 1.2
"""Standard deviation (CIELAB units) below which no backdrop is trusted: sensors and JPEG add that much."""
OUTLIER = 1e-6
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

    def density(self, lab: Doubles) -> Doubles:
        """lab: [H, W, 3] -> density [H, W] of seeing that colour at that place of the background."""
        flat = self.colours.density(lab.reshape(-1, 3)).reshape(lab.shape[:2])
        wall = self.scale * np.exp(-0.5 * self.deviation(lab) ** 2)
        return np.asarray(self.share * wall + (1 - self.share) * flat + OUTLIER)

    def deviation(self, lab: Doubles) -> Doubles:
        """[H, W] how far each colour lies from the backdrop, in standard deviations."""
        gap = lab - self.backdrop
        return np.sqrt(np.einsum("hwi,ij,hwj->hw", gap, self.inverse, gap))


def learn(lab: Doubles, weight: npt.ArrayLike, seed: int = 0) -> Background:
    """A background from the pixels [H, W, 3] whose ``weight`` [H, W] says that they belong to it."""
    trust = np.asarray(weight, float)
    backdrop, inverse, inliers = _fit_backdrop(lab, trust)
    scale = float(np.sqrt(np.linalg.det(inverse / (2 * np.pi))))
    share = float(np.clip((inliers - 0.3) / 0.6, 0.0, 0.97))
    colours = fit(lab.reshape(-1, 3), trust.ravel(), PARTS, seed)
    return Background(backdrop, inverse, scale, share, colours)


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
