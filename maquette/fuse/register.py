"""Laying one mesh over another: from a prior, or from descriptors and the 24 axis rotations when there is none."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from ..data import Mesh
from ..errors import BadInputError
from ..progress import Progress, silent
from .align import Score, polish, refine, score
from .features import SCALES, candidates, rotation_angle
from .samples import Array, Cloud, sample_cloud, similarity_scale

SAMPLES, MIDDLE, COARSE = 6000, 2000, 500
"""Points a mesh for judging, for the last alignment, and for sifting first guesses."""
LOOSE = 30.0
"""Degrees that a refinement may turn away from a prior at most, and then only if everything agrees there."""


@dataclass(frozen=True)
class Registration:
    """transform: [4, 4] similarity that lays source over target; fitness: share of both surfaces that agree within 3
    % of the target's size; rmse: distance of what agrees, as a share of that size; method: "prior", "prior + icp",
    "fpfh", "axes"; ambiguous: another pose fits as well (a symmetric object without a prior)."""

    transform: npt.NDArray[np.float64]
    fitness: float
    rmse: float
    method: str
    ambiguous: bool = False

    @property
    def scale(self) -> float:
        """Size of the source in units of the target."""
        return similarity_scale(self.transform)


def register(
    source: Mesh,
    target: Mesh,
    prior: npt.ArrayLike | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Registration:
    """The similarity that lays ``source`` over ``target``.

    prior: [4, 4] first guess source -> target (a preset rotation); the result stays near it, and stays it where the
    surface does not say otherwise. Without one, poses are searched globally. Raises BadMeshError for unusable meshes
    and BadInputError for a prior that is no similarity.
    """
    return register_clouds(
        sample_cloud(source, SAMPLES, seed),
        sample_cloud(target, SAMPLES, seed + 1),
        checked_prior(prior),
        seed,
        progress,
    )


def checked_prior(prior: npt.ArrayLike | None) -> Array | None:
    """The prior as float64 [4, 4]; BadInputError unless it is a rotation, shift and positive scale."""
    if prior is None:
        return None
    matrix = np.asarray(prior, np.float64)
    if matrix.shape != (4, 4) or not np.isfinite(matrix).all() or np.abs(matrix[3] - [0, 0, 0, 1]).max() > 1e-6:
        raise BadInputError(
            f"a prior must be a finite [4, 4] transform with last row 0 0 0 1, got shape {matrix.shape}"
        )
    scale = similarity_scale(matrix)
    if scale <= 0 or np.abs(matrix[:3, :3].T @ matrix[:3, :3] / scale**2 - np.eye(3)).max() > 1e-3:
        raise BadInputError("a prior must be a rotation with one positive scale; this one mirrors or shears")
    return matrix


def register_clouds(
    source: Cloud, target: Cloud, prior: Array | None, seed: int = 0, progress: Progress | None = None
) -> Registration:
    """``register`` on samples that were drawn before."""
    progress = progress or silent()
    if prior is not None:
        return _from_prior(source, target, prior, progress)
    return _searched(source, target, seed, progress)


def _from_prior(source: Cloud, target: Cloud, prior: Array, progress: Progress) -> Registration:
    best, method = prior, "prior"
    named = mark = score(source, target, prior)
    for start in (prior, _matched_boxes(source, target, prior)):
        progress.check()
        transform = _finished(source, target, start)
        reached = score(source, target, transform)
        turn = rotation_angle(transform, prior)
        if _allowed(transform) and _earned(turn, reached, named) and _better(reached, mark):
            best, mark, method = transform, reached, "prior + icp"
    return Registration(best, mark.fitness, mark.rmse / target.size, method)


def _better(new: Score, old: Score) -> bool:
    """Clearly better: an alignment that only slides along a symmetry is none."""
    if new.fitness < old.fitness - 0.005:
        return False
    return new.fitness > old.fitness + 0.01 or new.rmse < 0.97 * old.rmse


def _earned(turn: float, new: Score, old: Score) -> bool:
    """A turn of ``turn`` degrees away from the prior must remove at least turn / LOOSE of what disagrees at the prior.

    Two flattened balls agree better when they are turned until their long axes meet, but are no better understood:
    the direction that somebody named weighs more than such a gain.
    """
    price = turn / LOOSE
    return 1.0 - new.fitness <= (1.0 - price) * (1.0 - old.fitness) or new.rmse <= (1.0 - price) * old.rmse


def _allowed(transform: Array) -> bool:
    return SCALES[0] < similarity_scale(transform) < SCALES[1]


def _finished(source: Cloud, target: Cloud, start: Array) -> Array:
    """ICP with scale on thinned clouds, then GICP where it helps."""
    thin, goal = source.thinned(MIDDLE), target.thinned(MIDDLE)
    transform = refine(thin, goal, start)
    polished = polish(thin, goal, transform)
    if _better(score(thin, goal, polished), score(thin, goal, transform)):
        return polished
    return transform


def _matched_boxes(source: Cloud, target: Cloud, prior: Array) -> Array:
    """The prior, then moved and scaled so that both samples have the same middle and the same spread."""
    moved = source.moved(prior).points
    middles = [points.mean(axis=0) for points in (moved, target.points)]
    away = [points - middle for points, middle in zip((moved, target.points), middles, strict=True)]
    scale = float(np.sqrt((away[1] ** 2).sum(axis=1).mean() / max((away[0] ** 2).sum(axis=1).mean(), 1e-24)))
    fit = np.diag([scale, scale, scale, 1.0])
    fit[:3, 3] = middles[1] - scale * middles[0]
    out: Array = fit @ prior
    return out


def _searched(source: Cloud, target: Cloud, seed: int, progress: Progress) -> Registration:
    thin, goal = source.thinned(COARSE), target.thinned(COARSE)
    starts = [(guess, "fpfh") for guess in candidates(source.thinned(MIDDLE), target.thinned(MIDDLE), seed)]
    starts += [(_matched_boxes(source, target, turn), "axes") for turn in axis_rotations()]
    sifted = []
    for number, (start, method) in enumerate(starts):
        progress.update(number, len(starts) + 6, "searching the pose")
        transform = refine(thin, goal, start, rounds=12, reach=0.2)
        if _allowed(transform):
            sifted.append((score(thin, goal, transform), transform, method))
    sifted.sort(key=lambda item: (-item[0].fitness, item[0].rmse))
    finals = []
    for _, start, method in _distinct(sifted)[:4]:
        progress.check()
        transform = _finished(source, target, start)
        if _allowed(transform):
            finals.append((score(source, target, transform), transform, method))
    if not finals:
        return Registration(np.eye(4), *_relative(score(source, target, np.eye(4)), target), "none")
    finals.sort(key=lambda item: (-item[0].fitness, item[0].rmse))
    first = finals[0]
    rivals = [
        other
        for other in finals[1:]
        if rotation_angle(other[1], first[1]) > 20 and other[0].fitness > first[0].fitness - 0.02
    ]
    return Registration(first[1], *_relative(first[0], target), first[2], bool(rivals))


def _relative(mark: Score, target: Cloud) -> tuple[float, float]:
    return mark.fitness, mark.rmse / target.size


def _distinct(found: list[tuple[Score, Array, str]]) -> list[tuple[Score, Array, str]]:
    """The found poses, best first, without those that turn like a better one."""
    out: list[tuple[Score, Array, str]] = []
    for item in found:
        if all(rotation_angle(item[1], other[1]) > 10 for other in out):
            out.append(item)
    return out


def axis_rotations() -> list[Array]:
    """The 24 rotations [4, 4] that take axes to axes."""
    out = []
    for order in permutations(range(3)):
        for signs in product((1.0, -1.0), repeat=3):
            matrix = np.eye(4)
            matrix[:3, :3] = np.eye(3)[list(order)] * np.array(signs)[:, None]
            if np.linalg.det(matrix) > 0:
                out.append(matrix)
    return out
