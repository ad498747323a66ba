"""Gaussian mixtures of colours: what a region looks like, as a density."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

SAMPLES = 4000
"""Colours a fit looks at: more change nothing."""
ROUNDS = 10
SPREAD = 3.0
"""Smallest variance of a component along any axis (CIELAB units squared): no colour is known better."""
_FLOOR = 1e-12


@dataclass(frozen=True)
class Mixture:
    """weights: [K]; means: [K, D]; inverse: [K, D, D] of the covariances; scale: [K] density at the mean."""

    weights: Doubles
    means: Doubles
    inverse: Doubles
    scale: Doubles

    def density(self, values: npt.ArrayLike) -> Doubles:
        """values: [N, D] -> probability density [N]."""
        return np.asarray(_joint(self, np.asarray(values, float)).sum(axis=0))


def fit(values: npt.ArrayLike, weights: npt.ArrayLike, parts: int, seed: int = 0, spread: float = SPREAD) -> Mixture:
    """A mixture of ``parts`` Gaussians for ``values`` [N, D] with ``weights`` [N] >= 0, by expectation maximisation.

    Repeatable. The weights need a positive sum.
    """
    rng = np.random.default_rng(seed)
    share = np.asarray(weights, float)
    share = share / share.sum()
    picked = rng.choice(len(share), size=SAMPLES, p=share)
    sample = np.asarray(values, float)[picked]
    mixture = _from_groups(sample, _start(sample, parts, rng), parts, spread)
    for _ in range(ROUNDS):
        joint = _joint(mixture, sample)
        mixture = _from_groups(sample, (joint / np.maximum(joint.sum(axis=0), _FLOOR)).T, parts, spread)
    return mixture


def _start(sample: Doubles, parts: int, rng: np.random.Generator) -> Doubles:
    """[N, K] 0 or 1: nearest of K seeds that were drawn far from each other, moved to their groups' means thrice."""
    seeds = [sample[0]]
    for _ in range(parts - 1):
        gap = np.min([((sample - s) ** 2).sum(axis=1) for s in seeds], axis=0)
        total = gap.sum()
        seeds.append(sample[rng.choice(len(sample), p=gap / total)] if total > 0 else sample[0])
    centers = np.array(seeds)
    for _ in range(3):
        nearest = ((sample[:, None] - centers[None]) ** 2).sum(axis=2).argmin(axis=1)
        centers = np.array(
            [sample[nearest == k].mean(axis=0) if (nearest == k).any() else centers[k] for k in range(parts)]
        )
    return np.eye(parts)[nearest]


def _from_groups(sample: Doubles, groups: Doubles, parts: int, spread: float) -> Mixture:
    size = groups.sum(axis=0) + 1e-6
    means = (groups.T @ sample) / size[:, None]
    covariances = np.empty((parts, sample.shape[1], sample.shape[1]))
    for k in range(parts):
        gap = sample - means[k]
        covariances[k] = (gap * groups[:, k : k + 1]).T @ gap / size[k] + spread * np.eye(sample.shape[1])
    inverse = np.asarray(np.linalg.inv(covariances), np.float64)
    scale = np.asarray(1 / np.sqrt(np.linalg.det(2 * np.pi * covariances)), np.float64)
    return Mixture(size / size.sum(), means, inverse, scale)


def _joint(mixture: Mixture, values: Doubles) -> Doubles:
    """[K, N] weight times density of each component."""
    out = np.empty((len(mixture.weights), len(values)))
    for k in range(len(out)):
        gap = whitened_length(values - mixture.means[k], mixture.inverse[k])
        out[k] = mixture.weights[k] * mixture.scale[k] * np.exp(-0.5 * gap)
    return out


def whitened_length(gap: Doubles, inverse: Doubles) -> Doubles:
    """gap: [N, D] from a mean, inverse: [D, D] of the covariance -> squared Mahalanobis distance [N].

    Plain additions: in a matrix product this thin the BLAS threads mostly wait for each other (five times the
    processor time on two cores).
    """
    factor, size = np.linalg.cholesky(inverse), gap.shape[1]
    total = np.zeros(len(gap))
    for column in range(size):
        along = gap[:, column] * factor[column, column]
        for row in range(column + 1, size):
            along += gap[:, row] * factor[row, column]
        total += along**2
    return total


def squared_length(vectors: Doubles) -> Doubles:
    """[..., 3] -> [...]; plain additions are several times faster than a sum along a short axis."""
    total = vectors[..., 0] ** 2
    for axis in range(1, vectors.shape[-1]):
        total += vectors[..., axis] ** 2
    return np.asarray(total)
