"""Which side is outside: make neighbours agree, then turn whole parts so that they enclose their volume."""

from __future__ import annotations

import numpy as np

from .surface import Surface
from .topology import Bools, Floats, Ints, label_groups


def agreed(surface: Surface) -> tuple[Surface, int]:
    """Turn the fewest faces so that neighbours agree. Returns the surface and how many faces were turned.

    Works on the double cover of the face graph (each face once as it is and once turned over): two sheets that stay
    apart mean the part can be oriented. A part that cannot (a Moebius strip) is oriented along a spanning tree, which
    leaves a seam of disagreeing edges to cut.
    """
    count = len(surface.faces)
    if not surface.partners.same_way:
        return surface, 0
    edges = surface.edges
    crossed = edges.same_way
    first, second = edges.pairs[:, 0] // 3, edges.pairs[:, 1] // 3
    other = np.where(crossed, second + count, second)
    another = np.where(crossed, second, second + count)
    cover = np.concatenate([np.stack([first, other], axis=1), np.stack([first + count, another], axis=1)])
    _, sheet = label_groups(cover, 2 * count)
    plain, turned = sheet[:count], sheet[count:]
    one_sided = plain == turned
    part = np.minimum(plain, turned)
    in_low = plain == part
    votes = np.bincount(part, np.where(in_low, 1.0, -1.0), int(part.max()) + 1)
    flip = np.where(votes[part] >= 0, ~in_low, in_low) & ~one_sided
    if one_sided.any():
        flip |= _along_tree(first, second, crossed, one_sided, count)
    return surface.flipped(flip), int(flip.sum())


def _along_tree(first: Ints, second: Ints, crossed: Bools, wanted: Bools, count: int) -> Bools:
    """[F] the faces to turn when orientation spreads from the first face of each one-sided part, breadth first."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import breadth_first_order

    graph = coo_matrix((np.where(crossed, 2, 1), (first, second)), shape=(count, count)).tocsr()
    graph = graph.maximum(graph.T).tocsr()
    flip, seen = np.zeros(count, bool), ~wanted
    while not seen.all():
        seed = int(np.argmin(seen))
        order, parent = breadth_first_order(graph, seed, directed=False)
        seen[order] = True
        weight = np.asarray(graph[order[1:], parent[order[1:]]]).reshape(-1)
        for face, above, link in zip(order[1:], parent[order[1:]], weight, strict=True):
            flip[face] = flip[above] ^ (link == 2)
    return flip & wanted


def outward(surface: Surface) -> tuple[Surface, int]:
    """Turn each part so that it encloses its volume; a part inside another one stays turned inwards: a cavity.

    Returns the surface and how many faces were turned.
    """
    labels, volumes, areas = surface.parts[1], surface.measures.volume, surface.measures.area
    inside = _nested(surface, labels, np.abs(volumes))
    flat = np.abs(volumes) <= _NOTHING * areas**1.5
    wrong = np.where(inside, volumes > 0, volumes < 0) & ~flat
    flip = wrong[labels]
    return surface.flipped(flip), int(flip.sum())


def _nested(surface: Surface, labels: Ints, volumes: Floats) -> Bools:
    """[parts] whether an odd number of larger parts encloses each part (winding numbers at some of its points)."""
    parts = len(volumes)
    inside = np.zeros(parts, bool)
    if parts < 2 or parts > _MANY_PARTS:
        return inside
    order = np.argsort(labels, kind="stable")
    start = np.searchsorted(labels[order], np.arange(parts))
    corner = surface.points[surface.faces]
    low = np.minimum.reduceat(corner.min(axis=1)[order], start)
    high = np.maximum.reduceat(corner.max(axis=1)[order], start)
    closed = np.ones(parts, bool)
    closed[labels[surface.partners.open_halves() // 3]] = False
    for part in np.flatnonzero(closed).tolist():
        own = order[start[part] : start[part + 1] if part + 1 < parts else None]
        corners = np.unique(surface.faces[own])
        spread = surface.points[corners[np.linspace(0, len(corners) - 1, min(len(corners), _PROBES)).astype(int)]]
        around = [
            k for k in np.flatnonzero(closed & (volumes > volumes[part])).tolist()
            if (low[k] <= low[part]).all() and (high[k] >= high[part]).all()
        ]  # fmt: skip
        # A part that passes through the other one's surface is no cavity: every probe must lie inside.
        within = [_holds(corner[labels == k], spread) for k in around]
        inside[part] = sum(within) % 2 == 1
    return inside


def _holds(corner: Floats, probes: Floats) -> bool:
    """Whether the triangles wind round every probe [P, 3]; stops at the first one outside."""
    return all(abs(winding_number(corner, probe)) > 0.5 for probe in probes)


_NOTHING = 1e-7
"""A part with less volume than this share of area^1.5 has no side that is outside: it is left as it is."""
_PROBES = 24
_MANY_PARTS = 64
"""Above this many parts nesting is not looked at: it is rubble, not a design."""


def winding_number(corner: Floats, point: Floats) -> float:
    """How often the triangles [F, 3, 3] wind round ``point`` [3] (Van Oosterom and Strackee 1983)."""
    a, b, c = (corner[:, k] - point for k in range(3))
    la, lb, lc = (np.linalg.norm(x, axis=1) for x in (a, b, c))
    over = np.einsum("fi,fi->f", a, np.cross(b, c))
    under = la * lb * lc
    under += np.einsum("fi,fi->f", a, b) * lc + np.einsum("fi,fi->f", b, c) * la + np.einsum("fi,fi->f", c, a) * lb
    return float(np.arctan2(over, under).sum() / (2 * np.pi))
