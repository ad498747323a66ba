"""One region of the mask, one body: what still hangs apart on the lattice is tied by a strut, crumbs are dropped.

``tidy.joined`` moves loose parts until their columns meet. Left over is what meets only across a corner, by less than a
cell, or hidden from the front; a mask that narrows to less than a cell; and parts that no move brings home.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

CRUMB = 12
"""Lattice points below which a loose part is dropped."""
ACROSS = (3.0, 8.0, 30.0)
"""A step across the rays counts as so many along them: a strut along a ray is not seen from the camera. The later ones
where a strut would have crossed a gap of the mask."""
BARS = 3
"""Bars of a strut: along a ray, and across it along either axis."""
WIDEST = 4
"""Lattice points outside the outline that a strut may cross (a mask thinner than a cell); never a gap of the mask."""
CUBE = 8
"""Cells a side of the cubes that tell whether a bar is near."""
RADIUS, AXIS = 1.2, 0.3
"""Of a strut, in cells, and the field's least value along its axis."""
OUTSIDE = -0.01
"""Field where a crumb was."""

Indices = npt.NDArray[np.int64]
Bar = tuple[Indices, Indices]
"""Low and high end of a box of lattice points, a line along one axis."""


def tie(field: Tensor, rim: Tensor, region: npt.NDArray[np.integer]) -> int:
    """Raises and lowers ``field``, in place, until every region of the mask is one part. How many struts were set.

    field: [X, Y, Z] at a cubic lattice, positive inside, in cells, rays along Z; rim: [X, Y] distance to the outline,
    cells; region: [X, Y] label of the mask's region a ray goes through, 0 = none.
    """
    import torch

    total = 0
    for across in ACROSS:
        label, count = _parts(field)
        if count <= 1:
            break
        places = _surface(label > 0)
        crumbs, struts = _plan(places, label[tuple(places.T)], np.bincount(label.ravel()), region, across)
        if crumbs.any():
            field[torch.from_numpy(crumbs[label]).to(field.device)] = OUTSIDE
        bars = _allowed(rim, struts)
        for low, high in bars:  # after the crumbs: a strut may pass where one was
            _raise(field, rim, low, high)
        total += len(bars) // BARS
        if len(bars) == BARS * len(struts):
            break  # none was refused
    return total


def bars_between(
    vertices: npt.NDArray[np.floating],  # [V, 3] in cells of the lattice of ``rim``, rays along the third axis
    faces: npt.NDArray[np.integer],
    rim: Tensor,  # [X, Y], region: [X, Y], as in ``tie``
    region: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.bool_], list[Bar]]:
    """For a surface without a whole lattice: which faces [F] are crumbs', and the bars that tie the other parts."""
    if len(faces) == 0:
        return np.zeros(0, bool), []
    part, size = _pieces(vertices, faces)
    places = np.rint(vertices).astype(np.int64)
    places[:, :2] = places[:, :2].clip(0, np.array(region.shape) - 1)
    body = size[part] > 0  # a cavity hangs apart rightly
    crumbs, struts = _plan(places[body], part[body], size, region, ACROSS[1])
    return crumbs[part[faces[:, 0]]], _allowed(rim, struts)


def near_bars(points: Tensor, rim: Tensor, bars: list[Bar]) -> Tensor:
    """[N] field in cells of ``bars`` at points [N, 3] in cells, where the distance to the outline is ``rim`` [N];
    minus infinity far from all of them."""
    import torch

    best = torch.full_like(rim, -torch.inf)
    close = _close(points, bars)
    at, there, most = points[close], rim[close], best[close]
    for low, high in bars:
        away = ((points.new_tensor(low) - at).clamp(min=0) + (at - points.new_tensor(high)).clamp(min=0)).norm(dim=1)
        most = torch.maximum(most, torch.minimum(RADIUS - away, torch.where(away < AXIS, there.clamp(min=AXIS), there)))
    best[close] = most
    return best


def _close(points: Tensor, bars: list[Bar]) -> Tensor:
    """[N] bool: points in a cube of ``CUBE`` cells that some bar's surroundings meet; few are."""
    import torch

    last = np.max([high for _, high in bars], axis=0) // CUBE + 2
    cubes = torch.zeros(tuple(int(n) + 1 for n in last), dtype=torch.bool, device=points.device)
    for low, high in bars:
        first, stop = np.maximum((low - 2) // CUBE, 0), (high + 2) // CUBE + 1
        cubes[tuple(slice(int(a), int(b)) for a, b in zip(first, stop, strict=True))] = True
    where = torch.minimum((points / CUBE).long().clamp(min=0), points.new_tensor(last).long())
    return cubes[where[:, 0], where[:, 1], where[:, 2]]


def _plan(
    places: Indices, part: Indices, size: npt.NDArray[Any], region: npt.NDArray[np.integer], across: float
) -> tuple[npt.NDArray[np.bool_], list[Bar]]:
    """Which parts are crumbs, and the ends of the struts between the others.

    places: [N, 3] lattice points on surfaces; part: [N] label of each, from 1; size: [parts + 1] cells in each part.
    """
    home = np.full(len(size), -1, np.int64)
    np.maximum.at(home, part, region[places[:, 0], places[:, 1]])
    crumbs, struts = np.zeros(len(size), bool), []
    for one in np.unique(home[home >= 0]):
        parts = np.flatnonzero(home == one)
        main = int(parts[np.argmax(size[parts])])
        holding = {main}
        for k, other, ends in reversed(_tree(places, part, parts, main, across)):
            crumbs[k] = size[k] < CRUMB and k not in holding
            if not crumbs[k]:
                holding.add(other)
                struts.append(ends)
    return crumbs, struts


def _allowed(rim: Tensor, struts: list[Bar]) -> list[Bar]:
    """The bars of those struts that do not cross a gap of the mask."""
    made = []
    for ends in struts:
        bars = _bars(rim, *ends)
        if sum(_beyond(rim, *bar) for bar in bars[1:]) <= WIDEST:
            made += bars
    return made


def _pieces(vertices: npt.NDArray[np.floating], faces: npt.NDArray[np.integer]) -> tuple[Indices, npt.NDArray[Any]]:
    """[V] which connected piece of the surface a vertex belongs to, and the signed volume of each piece."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = (np.concatenate([faces[:, 0], faces[:, 1]]), np.concatenate([faces[:, 1], faces[:, 2]]))
    graph = coo_matrix((np.ones(len(edges[0]), np.int8), edges), shape=(len(vertices),) * 2)
    count, part = connected_components(graph, directed=False)
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    volume = (a * np.cross(b, c)).sum(1) / 6
    return part.astype(np.int64), np.bincount(part[faces[:, 0]], volume, minlength=count)


def _parts(field: Tensor) -> tuple[npt.NDArray[np.int32], int]:
    from scipy.ndimage import label

    found, count = label((field > 0).cpu().numpy())
    return found, int(count)


def _surface(inside: npt.NDArray[np.bool_]) -> Indices:
    """[N, 3] lattice points inside that have a neighbour outside."""
    inner = inside.copy()
    for axis in range(3):
        for way in (1, -1):
            inner &= np.roll(inside, way, axis)
    return np.argwhere(inside & ~inner)


def _tree(
    places: Indices, part: Indices, parts: Indices, main: int, across: float
) -> list[tuple[int, int, tuple[Indices, Indices]]]:
    """The shortest struts that tie all ``parts`` to ``main``, the nearest part first (Prim 1957): the part, what it is
    tied to, and the ends there."""
    from scipy.spatial import cKDTree

    scaled, made = places * [across, across, 1.0], []
    fresh = np.flatnonzero(part == main)
    waiting = np.flatnonzero(np.isin(part, parts) & (part != main))
    least, nearest = np.full(len(waiting), np.inf), np.zeros(len(waiting), np.int64)
    while len(waiting):
        far, at = cKDTree(scaled[fresh]).query(scaled[waiting], distance_upper_bound=float(least.max()))
        closer = far < least
        least[closer], nearest[closer] = far[closer], fresh[at[closer]]
        i = int(np.argmin(least))
        made.append((int(part[waiting[i]]), int(part[nearest[i]]), (places[waiting[i]], places[nearest[i]])))
        now = part[waiting] == part[waiting[i]]
        fresh = waiting[now]
        waiting, least, nearest = waiting[~now], least[~now], nearest[~now]
    return made


def _bars(rim: Tensor, a: Indices, b: Indices) -> list[Bar]:
    """Low and high ends of the bars of a strut: along one end's ray to the depth of the other one, then across."""
    if float(rim[b[0], b[1]]) > float(rim[a[0], a[1]]):
        a, b = b, a  # along the ray where the mask is wider
    corners = [a, np.array([a[0], a[1], b[2]]), np.array([b[0], a[1], b[2]]), b]
    return [(np.minimum(p, q), np.maximum(p, q)) for p, q in pairwise(corners)]


def _beyond(rim: Tensor, low: Indices, high: Indices) -> int:
    """Rays of a bar that miss the mask."""
    return int((rim[low[0] : high[0] + 1, low[1] : high[1] + 1] <= 0).sum())


def _raise(field: Tensor, rim: Tensor, low: Indices, high: Indices) -> None:
    """The field raised to a rounded bar from ``low`` to ``high`` along an axis; only its own axis may leave the rim."""
    import torch

    reach = int(np.ceil(RADIUS)) + 1
    first = np.maximum(low - reach, 0)
    last = np.minimum(high + reach + 1, field.shape)
    box = tuple(slice(int(i), int(j)) for i, j in zip(first, last, strict=True))
    offsets = []
    for axis in range(3):
        at = torch.arange(int(first[axis]), int(last[axis]), device=field.device, dtype=field.dtype)
        offsets.append((low[axis] - at).clamp(min=0) + (at - high[axis]).clamp(min=0))
    away = (offsets[0][:, None, None] ** 2 + offsets[1][:, None] ** 2 + offsets[2] ** 2).sqrt()
    bar = torch.minimum(RADIUS - away, rim[box[:2]][..., None])
    bar = torch.where(away == 0, bar.clamp(min=AXIS), bar)
    field[box] = torch.maximum(field[box], bar)
