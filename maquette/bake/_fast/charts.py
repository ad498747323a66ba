"""Cutting a surface into charts: neighbouring clusters of faces merge in rounds while they stay flat and compact.

Hierarchical face clustering (Garland, Willmott, Heckbert, "Hierarchical face clustering on polygonal surfaces", 2001)
with the L2,1 flatness energy of variational shape approximation (Cohen-Steiner, Alliez, Desbrun, 2004), done for all
mutually best pairs at once, so that a round is a handful of array operations and there are few of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...progress import Progress

Ints = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

_TURN = 5.0
"""Weight of direction against place when borders move; place counts in units of the mean chart's radius."""
_TINY = 0.15
"""Charts below this share of the mean area look for a neighbour to join."""
_SMALL = 0.01
"""Weight of a cluster's area in the cost of a merge: on flat ground small clusters go first, and grow evenly."""


@dataclass(frozen=True)
class Surface:
    """faces: [F, 3]; corners: [F, 3, 3] positions; area: [F]; normals: [F, 3] unit, of the surface a little smoothed;
    pairs: [E, 2] faces that share an edge; lengths: [E] of those edges."""

    faces: Ints
    corners: Reals
    area: Reals
    normals: Reals
    pairs: Ints
    lengths: Reals

    def part(self, chosen: npt.NDArray[np.bool_]) -> Surface:
        """The chosen faces [F] alone."""
        number = np.cumsum(chosen) - 1
        both = chosen[self.pairs].all(axis=1)
        return Surface(
            self.faces[chosen],
            self.corners[chosen],
            self.area[chosen],
            self.normals[chosen],
            number[self.pairs[both]],
            self.lengths[both],
        )

    @staticmethod
    def of(vertices: npt.ArrayLike, faces: npt.ArrayLike, smoothing: int = 2) -> Surface:
        """Areas, adjacency over edges with exactly two faces, and normals averaged ``smoothing`` times around."""
        faces = np.asarray(faces, np.int64)
        corners = np.asarray(vertices, np.float64)[faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        pairs, sides = adjacency(faces)
        lengths = _length(corners[pairs[:, 0], (sides + 1) % 3] - corners[pairs[:, 0], sides])
        normals = cross.copy()
        for _ in range(smoothing):
            normals = cross + 2 * _gathered(pairs, normals, len(faces))
        return Surface(faces, corners, _length(cross) / 2, unit(normals), pairs, lengths)


def adjacency(faces: Ints) -> tuple[Ints, Ints]:
    """[E, 2] faces on both sides of every edge with exactly two of one orientation, [E] its number in the first."""
    ends = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)  # edge k runs from corner k to k + 1
    key = ends.min(axis=1) * (int(faces.max(initial=0)) + 1) + ends.max(axis=1)
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    count = np.diff(np.concatenate([starts, [len(key)]]))
    first = starts[count == 2]
    one, two = order[first], order[first + 1]
    agree = ends[one, 0] == ends[two, 1]  # neighbours of one orientation run along their edge in opposite directions
    apart = (one // 3 != two // 3) & agree
    return np.stack([one // 3, two // 3], axis=1)[apart], (one % 3)[apart]


def chart(surface: Surface, flatness: float, progress: Progress) -> Ints:
    """[F] chart of every face: connected, compact, nearly flat, numbered from 0.

    flatness: highest mean of 1 - cos(angle to the chart's mean normal), roughly (0 = flat).
    """
    label = absorb(surface, cluster(surface, flatness, progress), _TINY, 1.7 * flatness)
    label = lloyd(surface, label)
    return absorb(surface, tidy(surface, label), _TINY, 2.5 * flatness)


def cluster(surface: Surface, flatness: float, progress: Progress) -> Ints:
    """[F] connected clusters, merged while their ``flatness`` allows."""
    pairs, lengths = surface.pairs, surface.lengths
    label = np.arange(len(surface.faces))
    area, normal = surface.area.copy(), surface.normals * surface.area[:, None]
    rim = _rims(surface)
    while len(pairs):
        progress.check()
        i, j = pairs.T
        total, joint = area[i] + area[j], _length(normal[i] + normal[j])
        around = np.maximum(rim[i] + rim[j] - 2 * lengths, 1e-12)
        bent = (total - joint) - (area[i] - _length(normal[i])) - (area[j] - _length(normal[j]))
        cost = (np.maximum(bent, 0) + _SMALL * total) * around**2 / np.maximum(total, 1e-20)
        fits = total - joint <= flatness * total
        merge = _mutual(i, j, np.where(fits, cost, np.inf), len(area))
        if not merge.any():
            break
        keep, drop = i[merge], j[merge]
        target = np.arange(len(area))
        target[drop] = keep
        rim[keep] += rim[drop] - 2 * lengths[merge]
        area[keep] += area[drop]
        normal[keep] += normal[drop]
        label = target[label]
        pairs, lengths = _relinked(target[pairs[fits]], lengths[fits])
    return compact(label)


def lloyd(surface: Surface, label: Ints, rounds: int = 8) -> Ints:
    """Borders moved to where two charts are equally good (near in place and direction), a ring of faces at a time."""
    count = int(label.max()) + 1
    center = surface.corners.mean(axis=1)
    radius2 = max(float(surface.area.sum()) / count / np.pi, 1e-30)
    i, j = surface.pairs.T
    label = label.copy()
    for _ in range(rounds):
        middle = sums(label, center * surface.area[:, None], count)
        middle /= np.maximum(np.bincount(label, surface.area, count), 1e-30)[:, None]
        axis = unit(sums(label, surface.normals * surface.area[:, None], count))

        def cost(face: Ints, of: Ints, middle: Reals = middle, axis: Reals = axis) -> Reals:
            far = ((center[face] - middle[of]) ** 2).sum(axis=1) / radius2
            return far + _TURN * (1 - (surface.normals[face] * axis[of]).sum(axis=1))

        border = label[i] != label[j]
        face = np.concatenate([i[border], j[border]])
        other = np.concatenate([label[j[border]], label[i[border]]])
        gain = cost(face, label[face]) - cost(face, other)
        better = gain > 1e-9
        if not better.any():
            break
        face, other, gain = face[better], other[better], gain[better]
        first = _first_of_each(face, np.lexsort((other, -gain, face)))
        label[face[first]] = other[first]
    return label


def tidy(surface: Surface, label: Ints, rounds: int = 4) -> Ints:
    """Straighter borders: a face with two neighbours in one other chart and none in its own joins that chart; then
    every chart is made connected again."""
    for step in range(rounds):
        i, j = surface.pairs.T
        border = label[i] != label[j]
        face = np.concatenate([i[border], j[border]])
        other = np.concatenate([label[j[border]], label[i[border]]])
        same = np.bincount(np.concatenate([i[~border], j[~border]]), minlength=len(label))
        key, count = np.unique(face * (int(label.max()) + 1) + other, return_counts=True)
        face, other = key // (int(label.max()) + 1), key % (int(label.max()) + 1)
        axis = sums(label, surface.normals * surface.area[:, None], int(label.max()) + 1)
        facing = (axis[other] * surface.normals[face]).sum(axis=1) > 0
        turn = (count >= 2) & (same[face] <= 1) & (face % 2 == step % 2) & facing
        label = label.copy()
        label[face[turn]] = other[turn]
    return connected(surface, label)


def absorb(surface: Surface, label: Ints, share: float, flatness: float) -> Ints:
    """Charts below ``share`` of the mean chart's area join the neighbour with the longest common border, where the
    result keeps within ``flatness``."""
    for _ in range(4):
        count = int(label.max()) + 1
        area = np.bincount(label, surface.area, count)
        normal = sums(label, surface.normals * surface.area[:, None], count)
        pairs, lengths = _relinked(label[surface.pairs], surface.lengths)
        if not len(pairs):
            break
        i, j = np.concatenate([pairs, pairs[:, ::-1]]).T
        border, total = np.concatenate([lengths, lengths]), area[i] + area[j]
        bent = 1 - _length(normal[i] + normal[j]) / np.maximum(total, 1e-20)
        small = (area[i] < share * area.mean()) & (bent <= flatness) & (area[i] <= area[j])
        if not small.any():
            break
        i, j, border = i[small], j[small], border[small]
        first = _first_of_each(i, np.lexsort((j, -border, i)))
        target = np.arange(count)
        steady = ~np.isin(j[first], i[first])
        target[i[first][steady]] = j[first][steady]
        if not steady.any():
            break
        label = compact(target[label])
    return label


def connected(surface: Surface, label: Ints) -> Ints:
    """The charts of ``label`` split into their connected parts, numbered in the order of their first face."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    inside = surface.pairs[label[surface.pairs[:, 0]] == label[surface.pairs[:, 1]]]
    shape = (len(label), len(label))
    links = coo_matrix((np.ones(len(inside), bool), (inside[:, 0], inside[:, 1])), shape=shape)
    return connected_components(links, directed=False)[1].astype(np.int64)


def compact(label: Ints) -> Ints:
    """Labels renumbered from 0 without gaps."""
    return np.unique(label, return_inverse=True)[1].reshape(-1).astype(np.int64)


def unit(values: npt.NDArray[Any]) -> Reals:
    """Rows scaled to length 1; rows of length 0 stay 0."""
    length = _length(values)[:, None]
    return values / np.where(length > 0, length, 1.0)


def sums(label: Ints, values: Reals, count: int) -> Reals:
    """[count, K] sums of the rows of ``values`` [F, K] by label."""
    return np.stack([np.bincount(label, values[:, k], count) for k in range(values.shape[1])], axis=1)


def _first_of_each(key: Ints, order: Ints) -> Ints:
    """The first of each run of equal keys, in ``order``."""
    return order[np.concatenate([[True], np.diff(key[order]) > 0])]


def _length(values: npt.NDArray[Any]) -> Reals:
    """[F] of rows of three, column by column: numpy is slow along short axes."""
    x, y, z = values.T
    return np.asarray(np.sqrt(x * x + y * y + z * z), np.float64)


def _rims(surface: Surface) -> Reals:
    """[F] perimeters."""
    a, b, c = surface.corners.transpose(1, 0, 2)
    return _length(b - a) + _length(c - b) + _length(a - c)


def _gathered(pairs: Ints, values: Reals, count: int) -> Reals:
    """Sum of the neighbours' values."""
    one, two = pairs.T
    return np.stack(
        [
            np.bincount(one, values[two, k], count) + np.bincount(two, values[one, k], count)
            for k in range(values.shape[1])
        ],
        axis=1,
    )


def _mutual(i: Ints, j: Ints, cost: Reals, count: int) -> npt.NDArray[np.bool_]:
    """[E] True where each end is the other's cheapest partner; ties go to the lower pair, so that nothing hangs."""
    order = np.argsort(cost, kind="stable")
    rank = np.empty(len(cost), np.int64)
    rank[order] = np.arange(len(cost))
    best = np.full(count, len(cost))
    np.minimum.at(best, i, rank)
    np.minimum.at(best, j, rank)
    return (best[i] == rank) & (best[j] == rank) & np.isfinite(cost)


def _relinked(pairs: Ints, lengths: Reals) -> tuple[Ints, Reals]:
    """Pairs between different clusters, each once, with the summed length of their common border."""
    apart = pairs[:, 0] != pairs[:, 1]
    pairs, lengths = np.sort(pairs[apart], axis=1), lengths[apart]
    if not len(pairs):
        return pairs, lengths
    span = int(pairs.max()) + 1
    key, inverse = np.unique(pairs[:, 0] * span + pairs[:, 1], return_inverse=True)
    joined: Reals = np.bincount(inverse.reshape(-1), lengths).astype(np.float64)
    return np.stack([key // span, key % span], axis=1).astype(np.int64), joined
