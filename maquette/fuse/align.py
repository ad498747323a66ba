"""Refining a first guess: similarity ICP that leaves alone what the surface does not decide, then GICP."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .samples import Array, Cloud, similarity_scale

REACH = 0.03
"""Two surfaces agree at a point when they are this near, as a share of the target's size."""
FACING = 0.3
"""... and their normals' cosine is at least this."""
FREE = 0.02
"""Directions of motion whose information is below this share of the strongest are left at the first guess: an axis of
symmetry must not drift (Zhang, Kaess, Singh, "On degeneracy of optimization-based state estimation problems", 2016)."""


class Score(NamedTuple):
    """fitness: share of both surfaces' samples that agree with the other; rmse: of those, in units of the target."""

    fitness: float
    rmse: float


def score(source: Cloud, target: Cloud, transform: Array) -> Score:
    """How well ``transform`` [4, 4] lays source over target; the mean of both directions."""
    moved = source.moved(transform)
    distances = [_agreeing(a, b, REACH * target.size) for a, b in ((moved, target), (target, moved))]
    fitness = float(np.mean([np.isfinite(d).mean() for d in distances]))
    agreed = np.concatenate([d[np.isfinite(d)] for d in distances])
    return Score(fitness, float(np.sqrt((agreed**2).mean())) if len(agreed) else float("inf"))


def _agreeing(cloud: Cloud, other: Cloud, reach: float) -> Array:
    """Distance of each point to the other surface's tangent plane; inf where the two do not agree."""
    spacing = 2.0 * np.sqrt(4.0 / len(other.points)) * other.size
    apart, index = other.tree.query(cloud.points, distance_upper_bound=reach + spacing)
    found = np.isfinite(apart)
    index = np.where(found, index, 0)
    gap = cloud.points - other.points[index]
    plane = np.abs((gap * other.normals[index]).sum(axis=1))
    facing = (cloud.normals * other.normals[index]).sum(axis=1) > FACING
    return np.where(found & facing & (plane < reach), plane, np.inf)


def refine(source: Cloud, target: Cloud, start: Array, rounds: int = 30, reach: float = 0.15) -> Array:
    """Similarity ICP, point to plane, both directions, robust; from ``start`` [4, 4]; reach: share of the target's
    size.
    """
    transform = start.copy()
    for number in range(rounds):
        limit = target.size * max(reach * 0.85**number, 1.5 * REACH)
        step = _step(source.moved(transform), target, limit)
        if step is None:
            break
        transform = step @ transform
        if np.abs(step - np.eye(4)).max() < 1e-6:
            break
    return transform


def _step(moved: Cloud, target: Cloud, limit: float) -> Array | None:
    p, q, n = _matches(moved, target, limit)
    if len(p) < 12:
        return None
    middle, size = q.mean(axis=0), target.size
    p, q = (p - middle) / size, (q - middle) / size
    gap = ((q - p) * n).sum(axis=1)
    spread = max(1.5 * float(np.median(np.abs(gap))), 1e-6)
    weight = 1.0 / (1.0 + (gap / spread) ** 2) ** 2  # Geman-McClure
    rows = np.column_stack([np.cross(p, n), n, (p * n).sum(axis=1)])
    weighted = rows * (weight / weight.sum())[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ rows)
    seen = values > FREE * values[-1]
    motion = vectors[:, seen] @ ((vectors[:, seen].T @ (weighted.T @ gap)) / values[seen])
    return _similarity(motion, middle, size)


def _matches(moved: Cloud, target: Cloud, limit: float) -> tuple[Array, Array, Array]:
    """Pairs (source point, target point, target normal) from both directions, near enough and facing alike."""
    apart, index = target.tree.query(moved.points, distance_upper_bound=limit)
    back_apart, back = moved.tree.query(target.points, distance_upper_bound=limit)
    one, two = np.nonzero(np.isfinite(apart))[0], np.nonzero(np.isfinite(back_apart))[0]
    mine = np.concatenate([one, back[two]])
    theirs = np.concatenate([index[one], two])
    facing = (moved.normals[mine] * target.normals[theirs]).sum(axis=1) > FACING
    mine, theirs = mine[facing], theirs[facing]
    return moved.points[mine], target.points[theirs], target.normals[theirs]


def _similarity(motion: Array, middle: Array, size: float) -> Array:
    """[4, 4] of a small motion (rotation vector, shift, growth) about ``middle``."""
    from scipy.spatial.transform import Rotation

    linear = Rotation.from_rotvec(motion[:3]).as_matrix() * float(np.exp(np.clip(motion[6], -0.2, 0.2)))
    out = np.eye(4)
    out[:3, :3] = linear
    out[:3, 3] = middle + motion[3:6] * size - linear @ middle
    return out


def polish(source: Cloud, target: Cloud, start: Array) -> Array:
    """Generalised ICP (small_gicp) from ``start``: rigid, so the scale stays."""
    import small_gicp

    scale = similarity_scale(start)
    grow = np.diag([scale, scale, scale, 1.0])
    clouds = []
    for points in (target.points, source.points * scale):
        cloud = small_gicp.PointCloud(points)
        tree = small_gicp.KdTree(cloud, 1)
        small_gicp.estimate_normals_covariances(cloud, tree, 12, 1)
        clouds.append((cloud, tree))
    (goal, goal_tree), (cloud, _) = clouds
    result = small_gicp.align(
        goal,
        cloud,
        goal_tree,
        init_T_target_source=start @ np.linalg.inv(grow),
        max_correspondence_distance=2 * REACH * target.size,
        max_iterations=30,
        num_threads=1,
    )
    moved: Array = np.asarray(result.T_target_source, np.float64) @ grow
    return moved if np.isfinite(moved).all() else start
