"""Columns made one body: noise of hidden ends smoothed, parts that hang in the air moved to where they belong.

Both work on absolute ends [S, S, INTERVALS] (frustum depth, NaN = none). The mask shows that a part is joined to its
neighbour; only its depth was uncertain. So a part whose material meets that of no neighbouring pixel is moved along its
rays, as a whole, until it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...data import FloatArray

if TYPE_CHECKING:
    from torch import Tensor

RANGE = 0.15
"""Ends further apart than about this belong to different surfaces and are not averaged."""
FARTHEST = 0.7
"""A part is moved at most this far, half picture widths."""

NECK = 4.0
"""Pixels over which the parts of one region of the mask are still taken to be joined."""

Labels = npt.NDArray[np.int64]


def places(valid: Tensor) -> Tensor:
    """Flat indices of the pixels to work on: on a CPU those of ``valid`` [S, S], elsewhere all. To count them there
    would stop the host, and could not be recorded."""
    import torch

    return (
        valid.view(-1).nonzero()[:, 0]
        if valid.device.type == "cpu"
        else torch.arange(valid.numel(), device=valid.device)
    )


def smoothed(ends: Tensor, valid: Tensor, radius: int = 2, rounds: int = 2) -> Tensor:
    """Ends [S, S, N] averaged over neighbours of ``valid`` [S, S] that lie within ``RANGE``."""
    import torch
    from torch.nn import functional

    width, count = valid.shape[1] + 2 * radius, ends.shape[2]
    at = places(valid)
    step = torch.arange(2 * radius + 1, device=ends.device) - radius
    far = ((step[:, None] ** 2 + step**2) / (0.5 * (radius + 0.5) ** 2)).view(-1, 1, 1)
    beside = (step[:, None] * width + step).view(-1, 1)
    own = at + at // valid.shape[1] * (2 * radius) + radius * (width + 1)  # in the padded picture
    table = functional.pad(ends, (0, 0, radius, radius, radius, radius)).reshape(-1, count)
    known = torch.zeros_like(table)
    known[own] = (valid.view(-1)[at][:, None] & ~table[own].isnan()).to(ends.dtype)
    table = torch.where(known > 0, table, 0.0)
    # all neighbours at once are the fewest calls, a row of them is what a processor's cache holds
    rows = len(step) if ends.device.type == "cpu" else len(beside)
    for _ in range(rounds):
        inside = table[own]
        total, weight = torch.zeros_like(inside), torch.zeros_like(inside)
        for aside, off in zip(beside.split(rows), far.split(rows), strict=True):
            there = (own + aside).view(-1)
            near = table.index_select(0, there).view(len(aside), -1, count)
            w = (near - inside).square_().div_(-(RANGE**2)).sub_(off).exp_()
            w.mul_(known.index_select(0, there).view(w.shape))
            weight += w.sum(0)
            total += w.mul_(near).sum(0)
        table[own] = torch.where(weight > 0, total / weight.clamp(min=1e-9), inside)
    out = ends.reshape(-1, count).clone()
    out[at] = torch.where(known[own] > 0, table[own], out[at])
    return out.view(ends.shape)


def linked(starts: Tensor, stops: Tensor, overlap: float) -> Tensor:
    """[2, S, S] whether the material of a pixel meets that of its right, and of its lower neighbour."""
    import torch

    met = torch.zeros((2, *starts.shape[:2]), dtype=torch.bool, device=starts.device)
    for axis, out in ((1, met[0, :, :-1]), (0, met[1, :-1])):
        count = starts.shape[axis] - 1
        (a, c), (b, d) = ((e.narrow(axis, 0, count), e.narrow(axis, 1, count)) for e in (starts, stops))
        gap = torch.maximum(c[..., None, :] - b[..., :, None], a[..., :, None] - d[..., None, :])
        out.copy_((gap <= -overlap / 2).flatten(2).any(2))
    return met


def brought_together(
    starts: Tensor,
    stops: Tensor,
    links: Tensor,
    valid: npt.NDArray[np.bool_],
    overlap: float,
    region: npt.NDArray[np.integer],
) -> tuple[Tensor, Tensor]:
    """As ``joined``; where nothing hangs apart the host looks at the links only."""
    import torch

    label = parts(links.cpu().numpy(), valid)
    if not label.any():
        return starts, stops
    moved = joined(starts.cpu().numpy(), stops.cpu().numpy(), label, valid, overlap, region)
    return torch.from_numpy(moved[0]).to(starts), torch.from_numpy(moved[1]).to(stops)


def parts(links: npt.NDArray[np.bool_], valid: npt.NDArray[np.bool_]) -> Labels:
    """[P] parts of the pixels of ``valid`` [S, S], in their order, given what is ``linked`` [2, S, S]."""
    right, below = np.flatnonzero(links[0]), np.flatnonzero(links[1])
    pairs = np.concatenate([np.stack([right, right + 1], 1), np.stack([below, below + valid.shape[1]], 1)])
    own = np.flatnonzero(valid)
    index = np.full(valid.size, -1)
    index[own] = np.arange(len(own))
    pairs = index[pairs]
    return _components(len(own), pairs[(pairs >= 0).all(1)])


def joined(
    starts: FloatArray,
    stops: FloatArray,
    label: Labels,
    valid: npt.NDArray[np.bool_],
    overlap: float,
    region: npt.NDArray[np.integer] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Starts and stops with every loose part moved until it overlaps a neighbour by ``overlap``.

    label: [P] the ``parts``; region: [S, S] labels; pixels of one region that no chain of neighbours joins (the mask is
    thinner than a pixel between them) are brought to one depth as well.
    """
    flat = np.flatnonzero(valid)
    a, b = starts.reshape(-1, starts.shape[2])[flat], stops.reshape(-1, stops.shape[2])[flat]
    index = np.full(valid.shape, -1)
    index[valid] = np.arange(len(flat))
    pairs = _neighbours(index)
    if region is not None:
        necks = _necks(index, region)
        pairs = np.concatenate([pairs, necks])
        label = _together(label, necks[_gap(a, b, necks) <= -overlap / 2])
    shift = _shifts(a, b, pairs, label, overlap)
    out = []
    for ends, own in ((starts, a), (stops, b)):
        moved = ends.copy().reshape(-1, ends.shape[2])
        moved[flat] = own + shift[:, None]
        out.append(moved.reshape(ends.shape))
    return out[0], out[1]


def _together(label: Labels, pairs: Labels) -> Labels:
    """[P] parts when the pixels of ``pairs`` [E, 2] are joined too."""
    return _components(int(label.max()) + 1, label[pairs])[label] if len(pairs) else label


def _neighbours(index: Labels) -> Labels:
    """[E, 2] pairs of pixels side by side, both valid (index >= 0); across a mere corner the field is mostly empty."""
    pairs = []
    height, width = index.shape
    for dy, dx in ((0, 1), (1, 0)):
        here, there = index[: height - dy, : width - dx], index[dy:, dx:]
        both = (here >= 0) & (there >= 0)
        pairs.append(np.stack([here[both], there[both]], axis=1))
    return np.concatenate(pairs)


def _necks(index: Labels, region: npt.NDArray[np.integer]) -> Labels:
    """[E, 2] the nearest pixels of every two pieces of one region that lie within ``NECK`` of each other."""
    from scipy.ndimage import binary_erosion, label
    from scipy.spatial import cKDTree

    pieces, count = label(index >= 0)
    if count < 2:
        return np.zeros((0, 2), np.int64)
    rim = np.argwhere((pieces > 0) & ~binary_erosion(pieces > 0))
    pairs = cKDTree(rim).query_pairs(NECK, output_type="ndarray")
    here, there = rim[pairs[:, 0]].T, rim[pairs[:, 1]].T
    own, other = pieces[tuple(here)], pieces[tuple(there)]
    good = (own != other) & (region[tuple(here)] == region[tuple(there)])
    far = np.hypot(*(here - there))[good]
    which = (np.minimum(own, other) * (count + 1) + np.maximum(own, other))[good]
    order = np.lexsort((far, which))
    order = order[np.unique(which[order], return_index=True)[1]]  # the nearest of each two pieces
    return np.stack([index[tuple(end[:, good][:, order])] for end in (here, there)], axis=1)


def _gap(a: FloatArray, b: FloatArray, pairs: Labels) -> FloatArray:
    """[E] least distance between a piece of one pixel and a piece of the other; negative = they overlap."""
    i, j = pairs[:, 0], pairs[:, 1]
    below = a[j][:, None, :] - b[i][:, :, None]
    above = a[i][:, :, None] - b[j][:, None, :]
    return np.asarray(np.nanmin(np.maximum(below, above), axis=(1, 2)))


def _components(count: int, pairs: Labels) -> Labels:
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _shifts(a: FloatArray, b: FloatArray, pairs: Labels, label: Labels, overlap: float) -> FloatArray:
    """[P] how far every pixel is moved: parts join their best neighbour, the smaller one moving, until none is left."""
    shift = np.zeros(len(a), np.float32)
    for _ in range(12):
        across = pairs[label[pairs[:, 0]] != label[pairs[:, 1]]]
        if len(across) == 0:
            break
        size = np.bincount(label)
        swap = size[label[across[:, 0]]] < size[label[across[:, 1]]]
        across = np.where(swap[:, None], across[:, ::-1], across)  # the second one is the smaller: it moves
        move = _meeting(a, b, across, shift, overlap)
        parent, moves = _best_moves(label[across], move, len(size))
        if (parent == np.arange(len(size))).all():
            break
        shift += moves[label]
        label = parent[label]
        label = np.unique(label, return_inverse=True)[1].astype(np.int64)
    return shift


def _best_moves(parts: Labels, move: FloatArray, count: int) -> tuple[Labels, FloatArray]:
    """[count] what each part joins and by how much it moves then, the shortest moves first.

    parts: [E, 2] the part that stays and the one that moves; move: [E].
    """
    order = np.argsort(np.abs(move), kind="stable")
    order = order[np.abs(move[order]) <= FARTHEST]
    order = order[np.sort(np.unique(parts[order] @ [count, 1], return_index=True)[1])]  # the shortest of each two parts
    parent, moves = np.arange(count), np.zeros(count, np.float32)
    moved, met = np.zeros(count, bool), np.zeros(count, bool)
    for (big, small), far in zip(parts[order].tolist(), move[order].tolist(), strict=True):
        if moved[big] or moved[small] or met[small]:
            continue  # next round, from where they are then
        moved[small], met[big] = True, True
        parent[small], moves[small] = big, far
    return parent, moves


def _meeting(a: FloatArray, b: FloatArray, pairs: Labels, shift: FloatArray, overlap: float) -> FloatArray:
    """[E] the move of the second pixel that makes its first piece overlap the nearest piece of the first pixel."""
    i, j = pairs[:, 0], pairs[:, 1]
    start, stop = a[j, 0] + shift[j], b[j, 0] + shift[j]
    low, high = a[i] + shift[i][:, None], b[i] + shift[i][:, None]
    room = np.minimum(overlap, np.minimum(high - low, (stop - start)[:, None]))
    forward, backward = low + room - stop[:, None], high - room - start[:, None]  # needed where positive / negative
    move = np.where(forward > 0, forward, np.where(backward < 0, backward, 0.0))
    best = np.argmin(np.where(np.isnan(low), np.inf, np.abs(move)), axis=1)
    return np.asarray(move[np.arange(len(move)), best], np.float32)
