"""One region of the mask, one body: what still hangs apart on the lattice is tied by a strut, crumbs are dropped.

``tidy.joined`` moves loose parts until their columns meet. Left over is what meets only across a corner, by less than a
cell, or hidden from the front; a mask that narrows to less than a cell; and parts that no move brings home.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

CRUMB = 12
"""Lattice points below which a loose part is dropped."""
ACROSS = 8.0
"""A step across the rays counts as so many along them: a strut along a ray is not seen from the camera."""
WIDEST = 4
"""Lattice points outside the outline that a strut may cross (a mask thinner than a cell); never a gap of the mask."""
RADIUS, AXIS = 1.2, 0.3
"""Of a strut, in cells, and the field's least value along its axis."""
OUTSIDE = -0.01
"""Field where a crumb was."""

Indices = npt.NDArray[np.int64]


def tie(field: Tensor, rim: Tensor, region: npt.NDArray[np.integer]) -> None:
    """Raises and lowers ``field``, in place, until every region of the mask is one part.

    field: [X, Y, Z] at a cubic lattice, positive inside, in cells, rays along Z; rim: [X, Y] distance to the outline,
    cells; region: [X, Y] label of the mask's region a ray goes through, 0 = none.
    """
    import torch

    label, count = _parts(field)
    if count <= 1:
        return
    places = _surface(label > 0)
    part, size = label[tuple(places.T)], np.bincount(label.ravel())
    home = np.zeros(count + 1, np.int64)
    np.maximum.at(home, part, region[places[:, 0], places[:, 1]])
    crumbs, struts = np.zeros(count + 1, bool), []
    for one in np.unique(home[1:]):
        parts = 1 + np.flatnonzero(home[1:] == one)
        main = int(parts[np.argmax(size[parts])])
        holding = {main}
        for k, other, ends in reversed(_tree(places, part, parts, main)):
            crumbs[k] = size[k] < CRUMB and k not in holding
            if not crumbs[k]:
                holding.add(other)
                struts.append(ends)
    if crumbs.any():
        field[torch.from_numpy(crumbs[label]).to(field.device)] = OUTSIDE
    for ends in struts:  # after the crumbs: a strut may pass where one was
        bars = _bars(rim, *ends)
        if sum(_beyond(rim, *bar) for bar in bars[1:]) <= WIDEST:
            for bar in bars:
                _raise(field, rim, *bar)


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


def _tree(places: Indices, part: Indices, parts: Indices, main: int) -> list[tuple[int, int, tuple[Indices, Indices]]]:
    """The shortest struts that tie all ``parts`` to ``main``, the nearest part first (Prim 1957): the part, what it is
    tied to, and the ends there."""
    from scipy.spatial import cKDTree

    scaled, made = places * [ACROSS, ACROSS, 1.0], []
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


def _bars(rim: Tensor, a: Indices, b: Indices) -> list[tuple[Indices, Indices]]:
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
