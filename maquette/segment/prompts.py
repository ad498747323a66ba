"""Depth-guided prompts: from a disparity picture to points and a box that tell a promptable model what to cut out.

Disparity, 70th percentile, the closest connected region, well-spread foreground points in its inside, background
points around it, and its box. Only numpy and scipy; nothing is learnt and nothing is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data import frozen_array
from ..errors import BadInputError
from ._region import Bools, Doubles, Region, closest_region, depth_edges

WORK = 384
"""Longer side in pixels at which the region is searched."""
LEAST_SIDE = 16
PERCENTILE, FOREGROUND, BACKGROUND = 70.0, 5, 8


@dataclass(frozen=True)
class Prompts:
    """points: [N, 2] float32 (x, y) in pixels, pixel (0, 0)'s centre at (0.5, 0.5); labels: [N] int32, 1 = subject,
    0 = not; box: x0, y0, x1, y1 in pixels; region: [H, W] bool, the subject as depth sees it; notes: what to know."""

    points: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]
    box: tuple[float, float, float, float]
    region: Bools
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON: points, labels and box; notes when there are any."""
        out: dict[str, Any] = {
            "points": [[round(float(x), 2), round(float(y), 2)] for x, y in self.points],
            "labels": [int(label) for label in self.labels],
            "box": [round(float(side), 2) for side in self.box],
        }
        return {**out, "notes": list(self.notes)} if self.notes else out


def prompts(
    disparity: npt.ArrayLike,
    *,
    percentile: float = PERCENTILE,
    foreground: int = FOREGROUND,
    background: int = BACKGROUND,
) -> Prompts:
    """Prompts for the closest object of ``disparity`` [H, W], larger = nearer, any unit; 0, NaN or inf = nothing there.

    percentile: the nearest (100 - percentile) % of what stands in the room are looked at; foreground, background: how
    many points of each kind (fewer where there is no room). Raises BadInputError: not a picture, too small, empty,
    flat, or nothing stands free of the floor and walls.
    """
    _check_options(percentile, foreground, background)
    values = _checked(disparity)
    step = max(1, -(-max(values.shape) // WORK))
    small = _reduced(values, step)
    near, known = _normalised(small)
    found = closest_region(near, known, percentile)
    if found is None:
        raise BadInputError(
            "nothing stands free in this disparity picture: it shows only flat surfaces or touches every border; use a"
            " picture with the object in front of something, or give a rough mask as prior"
        )
    return _prompts_of(found, values.shape, step, foreground, background)


def prompts_for_prior(prior: npt.ArrayLike, *, foreground: int = FOREGROUND, background: int = BACKGROUND) -> Prompts:
    """Prompts from a prior [H, W] in [0, 1]: a rough mask (nearly all 0 or 1) as it is, anything else as disparity."""
    values = _checked(prior)
    if float(((values > 0.1) & (values < 0.9)).mean()) > 0.1:
        return prompts(values, foreground=foreground, background=background)
    return prompts_for_mask(values >= 0.5, foreground=foreground, background=background)


def prompts_for_mask(mask: npt.ArrayLike, *, foreground: int = FOREGROUND, background: int = BACKGROUND) -> Prompts:
    """Prompts for a rough mask [H, W] bool: its largest connected part."""
    from scipy.ndimage import binary_dilation, label

    whole = np.asarray(mask, bool)
    step = max(1, -(-max(whole.shape) // WORK))
    inside = _reduced(whole.astype(np.float64), step) >= 0.5
    parts, count = label(inside)
    if count == 0:
        raise BadInputError("the rough mask is empty; paint where the object is")
    area = np.bincount(parts.ravel())[1:]
    part = parts == int(area.argmax()) + 1
    reach = max(2, round(0.02 * max(part.shape)))
    rival = float(np.sort(area)[-2] / area.max()) if count > 1 else 0.0
    region = Region(part, ~binary_dilation(inside, iterations=reach), rival)
    return _prompts_of(region, whole.shape, step, foreground, background)


def agreement(masks: npt.ArrayLike, given: Prompts, disparity: npt.ArrayLike | None = None) -> Doubles:
    """[N] in [0, 1]: how well each mask [N, H, W] (in [0, 1]) fits the prompts, to choose among a model's proposals.

    Mean of: overlap with the region (IoU), share of prompts on their side, and, with disparity [H, W], the share of the
    mask's outline that lies on a depth edge.
    """
    stack = np.asarray(masks, np.float64) >= 0.5
    if stack.ndim != 3 or stack.shape[1:] != given.region.shape:
        raise BadInputError(f"masks must be [N, {given.region.shape[0]}, {given.region.shape[1]}], got {stack.shape}")
    x, y = np.clip(given.points.T.astype(int), 0, np.array([[stack.shape[2] - 1], [stack.shape[1] - 1]]))
    edges = None if disparity is None else _wide_edges(disparity)
    out = []
    for mask in stack:
        union = int((mask | given.region).sum())
        cues = [int((mask & given.region).sum()) / max(union, 1)]
        cues.append(float((mask[y, x] == (given.labels == 1)).mean()) if len(x) else 0.0)
        if edges is not None:
            outline = _outline(mask)
            cues.append(float(edges[outline].mean()) if outline.any() else 0.0)
        out.append(float(np.mean(cues)) if mask.any() else 0.0)
    return np.asarray(out)


def _outline(mask: Bools) -> Bools:
    """The mask's own pixels beside the background; the picture's border is none."""
    from scipy.ndimage import binary_erosion

    return np.asarray(mask & ~binary_erosion(mask, border_value=1))


def _wide_edges(disparity: npt.ArrayLike) -> Bools:
    """[H, W] within about 1 % of the picture's side of a depth edge."""
    from scipy.ndimage import binary_dilation

    near, _ = _normalised(_checked(disparity))
    return np.asarray(binary_dilation(depth_edges(near), iterations=max(1, round(0.008 * max(near.shape)))))


def _check_options(percentile: float, foreground: int, background: int) -> None:
    if not 0 <= percentile < 100:
        raise BadInputError(f"the percentile must lie in [0, 100), got {percentile:g}")
    if not 1 <= foreground <= 64 or not 0 <= background <= 64:
        raise BadInputError(
            f"ask for 1 to 64 foreground and 0 to 64 background points, got {foreground} and {background}"
        )


def _checked(values: npt.ArrayLike) -> Doubles:
    array = np.asarray(values)
    if array.dtype.kind not in "buif":
        raise BadInputError(f"a disparity picture holds real numbers, got {array.dtype}")
    array = array.astype(np.float64)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array[0] if array.shape[0] == 1 else array[..., 0]
    if array.ndim != 2:
        raise BadInputError(f"a disparity picture must be [H, W], got {list(array.shape)}")
    if min(array.shape) < LEAST_SIDE:
        raise BadInputError(f"the disparity picture is {list(array.shape)}; it needs {LEAST_SIDE} pixels a side")
    return array


def _reduced(values: Doubles, step: int) -> Doubles:
    """Every ``step``-th pixel from the middle of its block: averaging would make depths that nothing has."""
    return values[step // 2 :: step, step // 2 :: step]


def _normalised(values: Doubles) -> tuple[Doubles, Bools]:
    """Disparity in [0, 1] between its 1st and 99.5th percentile, 0 where nothing is known; and what is known."""
    known = np.isfinite(values)
    if known.any() and float(values[known].min()) >= 0:
        known &= values > 0
    if int(known.sum()) < 64:
        raise BadInputError("the disparity picture is empty (no finite values above 0); estimate the depth again")
    low, high = np.percentile(values[known], [1.0, 99.5])
    if high - low <= 1e-6 * max(abs(float(high)), 1e-12):
        raise BadInputError(
            f"the disparity picture is flat (everything near {float(high):g}), so nothing is closer than the rest; use"
            " another picture or give a rough mask as prior"
        )
    return np.where(known, np.clip((np.where(known, values, low) - low) / (high - low), 0, 1), 0.0), known


def _prompts_of(found: Region, shape: tuple[int, ...], step: int, foreground: int, background: int) -> Prompts:
    """Points and box from the region at working size, brought to full size."""
    inner = _inner(found.inside)
    front = spread_points(inner, foreground, _deepest(found.inside))
    behind = spread_points(_around(found), background, None)
    scale = np.array([shape[1] / found.inside.shape[1], shape[0] / found.inside.shape[0]])
    points = (np.concatenate([front, behind]) + 0.5) * scale
    rows, columns = np.nonzero(found.inside.any(axis=1))[0], np.nonzero(found.inside.any(axis=0))[0]
    box = (columns[0] * scale[0], rows[0] * scale[1], (columns[-1] + 1) * scale[0], (rows[-1] + 1) * scale[1])
    labels = np.array([1] * len(front) + [0] * len(behind), np.int32)
    region = np.repeat(np.repeat(found.inside, step, axis=0), step, axis=1)
    region = np.pad(region, ((0, step), (0, step)), mode="edge")[: shape[0], : shape[1]]
    notes = []
    if found.rival > 0.8:
        notes.append("two regions are almost equally near; the likelier one was taken: check it, or paint a prior")
    return Prompts(
        frozen_array(points, np.float32),
        frozen_array(labels, np.int32),
        (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        frozen_array(region, bool),
        tuple(notes),
    )


def _inner(inside: Bools) -> Bools:
    """The part well inside: at least 35 % as deep as the deepest point."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    return np.asarray(depth >= max(0.35 * float(depth.max()), 1.0))


def _deepest(inside: Bools) -> tuple[int, int]:
    """(row, column) of the pixel farthest from the outside."""
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(row), int(column)


def _around(found: Region) -> Bools:
    """Where background points may lie: outside the box with a margin, else at least well off the region."""
    rows, columns = np.nonzero(found.inside.any(axis=1))[0], np.nonzero(found.inside.any(axis=0))[0]
    margin = max(3, round(0.06 * max(len(rows), len(columns))))
    outside = found.free.copy()
    outside[
        max(rows[0] - margin, 0) : rows[-1] + margin + 1, max(columns[0] - margin, 0) : columns[-1] + margin + 1
    ] = 0
    return outside if int(outside.sum()) >= 0.02 * outside.size else found.free


def spread_points(allowed: Bools, count: int, first: tuple[int, int] | None) -> Doubles:
    """[K, 2] (x, y) pixel indices in ``allowed`` [H, W], K <= count, each as far as can be from those before it.

    first: (row, column) to begin with; None = the pixel nearest to the middle of ``allowed``.
    """
    rows, columns = np.nonzero(allowed)
    if len(rows) == 0 or count == 0:
        return np.zeros((0, 2))
    cells = np.stack([columns, rows], axis=1).astype(np.float64)
    start = cells.mean(axis=0) if first is None else np.array([first[1], first[0]], np.float64)
    chosen = [int(((cells - start) ** 2).sum(axis=1).argmin())]
    gap = ((cells - cells[chosen[0]]) ** 2).sum(axis=1)
    while len(chosen) < min(count, len(cells)) and float(gap.max()) > 0:
        chosen.append(int(gap.argmax()))
        gap = np.minimum(gap, ((cells - cells[chosen[-1]]) ** 2).sum(axis=1))
    return cells[chosen]
