"""The closest object of a disparity picture: planes of the room taken away, then the nearest part that stands free.

A flat surface (floor, table, wall) has a disparity that is affine in the pixel coordinates, so planes are found by a
robust affine fit to what lies along the picture's border, and need no camera.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

JUMP = 0.08
"""Change of normalised disparity between neighbours that counts as the edge of an object."""
LAYERS = 3
"""Most planes that are looked for (floor, back wall, side wall)."""
LEAST, MOST = 0.015, 0.65
"""Share of the picture a subject usually takes; smaller and larger regions are believed less."""


@dataclass(frozen=True)
class Region:
    """inside: [H, W] the subject; free: [H, W] surely no subject; rival: score of the runner-up over the winner's."""

    inside: Bools
    free: Bools
    rival: float


def closest_region(near: Doubles, known: Bools, percentile: float) -> Region | None:
    """near: [H, W] disparity normalised to [0, 1], larger = nearer; known: [H, W]. None when nothing stands free."""
    from scipy.ndimage import binary_dilation

    room, edges = planes(near, known), depth_edges(near)
    best = _best(near, known & ~room, edges, percentile, known)
    if best is None and edges.any():  # a flat object at the border looks like a wall: then only edges part things
        best = _best(near, known, edges, percentile, known)
    if best is None:
        return None
    parts, scores = best
    order = np.argsort(-scores)
    core = parts == order[0] + 1
    inside = _with_soft_edge(core, near, known)
    reach = max(2, round(0.02 * max(near.shape)))
    free = ~binary_dilation(inside, iterations=reach)
    rival = float(scores[order[1]] / scores[order[0]]) if len(scores) > 1 else 0.0
    return Region(inside, free, rival)


def _best(
    near: Doubles, candidates: Bools, edges: Bools, percentile: float, known: Bools
) -> tuple[npt.NDArray[np.int32], Doubles] | None:
    """Parts [H, W] (0 = none) of the candidates between depth edges, and their scores; None when no part has any."""
    from scipy.ndimage import label

    standing = np.where(candidates, near, 0.0)
    threshold = max(float(np.percentile(standing[known], percentile)), 1e-3)
    parts, count = label(candidates & ~edges)
    scores = _scores(parts, count, near, standing >= threshold)
    return None if count == 0 or float(scores.max()) <= 0 else (parts, scores)


def depth_edges(near: Doubles) -> Bools:
    """[H, W] where disparity jumps between neighbours in a 3 x 3 window."""
    from scipy.ndimage import maximum_filter, minimum_filter

    return np.asarray(maximum_filter(near, 3) - minimum_filter(near, 3) > JUMP)


def planes(near: Doubles, known: Bools) -> Bools:
    """[H, W] pixels on a flat surface that reaches the picture's border."""
    height, width = near.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    grid = np.stack([x, y, np.ones_like(x)], axis=-1)
    rim = _rim(near.shape) & known
    tolerance = max(0.012, 3.5 * noise(near))
    out, generator = np.zeros(near.shape, bool), np.random.default_rng(0)
    needed = 0.12 * max(int(rim.sum()), 1)
    for _ in range(LAYERS):
        rows, values = grid[rim], near[rim]
        if len(values) < needed:
            break
        fit = _consensus(rows, values, tolerance, generator)
        close = np.abs(rows @ fit - values) < tolerance
        if int(close.sum()) < needed:
            break
        flat = np.abs(grid @ fit - near) < 1.25 * tolerance
        out |= _joined_to_rim(flat & known)
        rim &= ~flat
    return out


def noise(near: Doubles) -> float:
    """Standard deviation of the pixel noise, from second differences (Immerkaer 1996), unmoved by edges."""
    from scipy.ndimage import convolve

    kernel = np.array([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]])
    return float(np.median(np.abs(convolve(near, kernel)))) / (6 * 0.6745)


def _rim(shape: tuple[int, ...]) -> Bools:
    band = max(2, round(0.1 * min(shape)))
    out = np.ones(shape, bool)
    out[band:-band, band:-band] = False
    return out


def _consensus(rows: Doubles, values: Doubles, tolerance: float, generator: np.random.Generator) -> Doubles:
    """[3] the affine function that most pixels agree with: RANSAC with 160 tries, then two least-squares rounds."""
    if len(values) > 3000:
        pick = generator.choice(len(values), 3000, replace=False)
        rows, values = rows[pick], values[pick]
    triples = generator.integers(0, len(values), (160, 3))
    systems = rows[triples]
    usable = np.abs(np.linalg.det(systems)) > 1e-4
    best = np.array([0.0, 0.0, float(np.median(values))])
    if usable.any():
        fits = np.linalg.solve(systems[usable], values[triples[usable]][..., None])[..., 0]
        votes = (np.abs(rows @ fits.T - values[:, None]) < tolerance).sum(axis=0)
        best = fits[int(votes.argmax())]
    for _ in range(2):
        close = np.abs(rows @ best - values) < 1.5 * tolerance
        if int(close.sum()) >= 3:
            best = np.linalg.lstsq(rows[close], values[close], rcond=None)[0]
    return np.asarray(best, np.float64)


def _joined_to_rim(flat: Bools) -> Bools:
    """The parts of a plane's pixels that reach the border, or are large: a slice through the subject is neither."""
    from scipy.ndimage import binary_opening, label

    parts, count = label(binary_opening(flat, iterations=1) | (flat & _rim(flat.shape)))
    border = np.zeros(flat.shape, bool)
    border[[0, -1]] = border[:, [0, -1]] = True
    keep = np.zeros(count + 1, bool)
    keep[np.unique(parts[border])] = True
    keep[0] = False
    return np.asarray(keep[parts])


def _scores(parts: npt.NDArray[np.int32], count: int, near: Doubles, seeds: Bools) -> Doubles:
    """[count] how much each part looks like the subject: near, of a usual size, not cut off by the border."""
    area = np.bincount(parts.ravel(), minlength=count + 1)[1:].astype(np.float64)
    seeded = np.bincount(parts[seeds], minlength=count + 1)[1:]
    nearness = np.bincount(parts.ravel(), near.ravel(), minlength=count + 1)[1:] / np.maximum(area, 1)
    cut = sum(np.bincount(side, minlength=count + 1)[1:] for side in (parts[0], parts[-1], parts[:, 0], parts[:, -1]))
    share = area / parts.size
    size = np.clip(share / LEAST, 0, 1) ** 2 * np.clip((1 - share) / (1 - MOST), 0.05, 1)
    border = np.exp(-3.0 * cut / np.sqrt(np.maximum(area, 1)))
    return np.asarray(nearness * size * border * (seeded >= 0.15 * area))


def _with_soft_edge(core: Bools, near: Doubles, known: Bools) -> Bools:
    """The part with the pixels of its own edge that are nearer to it than to what lies behind it, noise closed."""
    from scipy.ndimage import binary_closing, distance_transform_edt, minimum_filter

    far, index = distance_transform_edt(~core, return_indices=True)
    own = near[index[0], index[1]]
    behind = minimum_filter(near, 7)
    edge = (far > 0) & (far <= 4) & known & (near - behind > 0.5 * (own - behind)) & (own - behind > JUMP / 2)
    return np.asarray(binary_closing(np.pad(core | edge, 2), iterations=2)[2:-2, 2:-2] & known)
