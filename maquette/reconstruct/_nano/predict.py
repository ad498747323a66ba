"""One view -> its solid in the frustum, colours of the far side, and how sure all of it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ...data import FloatArray, View
from ...geometry.inflate import outline_distance
from .network import bin_edges, columns
from .picture import Crop, crop_of, cut, network_input
from .solid import INTERVALS, LEAST, Frustum, frustum, intervals, nearest_column

if TYPE_CHECKING:
    from torch import Tensor

    from .network import NanoNet

THRESHOLD = 0.35
"""Probability from which a bin counts as solid (.3 to .5 differ little on scenes; real meshes like .3)."""
COVER = 0.25
"""Share of a pixel that the mask must cover for the pixel's own column to be used."""
TRACE = 0.02
"""Share of a pixel from which the mask counts as going through it."""


@dataclass(frozen=True)
class Prediction:
    """What the network says of one view.

    solid: field in the frustum; crop: where it lies in the picture; cell: lattice spacing it was made for, half picture
    widths; colors: [S, S, 6] sRGB of the picture and of the farthest surface; error: [S, S] expected error of the first
    surface's depth; doubt: [S, S] length of each column that may or may not be solid; depth, thick: [S, S] depth of the
    first surface and length of the material behind it; starts, stops: [S * S, INTERVALS] ends of the material behind
    the first surface, NaN = none; middle: depth halfway through the solid.
    """

    solid: Frustum
    crop: Crop
    cell: float
    colors: FloatArray
    error: FloatArray
    doubt: FloatArray
    depth: FloatArray
    thick: FloatArray
    starts: FloatArray
    stops: FloatArray
    middle: float

    def at(self, depth: FloatArray) -> Prediction:
        """The same columns behind first surfaces at other depths [S, S]."""
        outline = self.solid.outline
        solid = frustum(depth, self.starts, self.stops, outline.cpu().numpy(), self.cell, str(outline.device))
        return replace(self, depth=depth, solid=solid)


def run(network: NanoNet, picture: Tensor, device: str, flip: bool) -> tuple[Tensor, Tensor]:
    """Raw head [1, 85, S/2, S/2] and mask [1, S/2, S/2]; flip: average with the mirrored picture's answer."""
    import torch

    with torch.inference_mode():
        picture = picture.to(device).contiguous(memory_format=torch.channels_last)
        half = picture.device.type == "cuda"
        with torch.autocast(picture.device.type, torch.bfloat16, enabled=half):
            raw = network(torch.cat([picture, picture.flip(-1)]) if flip else picture).float()
        if flip:
            raw = (raw[:1] + raw[1:].flip(-1)) / 2
        return raw, torch.nn.functional.avg_pool2d(picture[:, 3], 2)


def predict(
    network: NanoNet, view: View, mask: FloatArray, resolution: int, device: str, *, flip: bool = True,
    threshold: float = THRESHOLD,
) -> Prediction:  # fmt: skip
    """The solid of ``view`` whose tidy ``mask`` [H, W] is given, for a lattice of ``resolution`` cells along the
    subject's longer side."""
    import torch
    from scipy.ndimage import label

    crop = crop_of(mask)
    picture = network_input(view, mask, crop, network.shape.size)
    raw, cover = run(network, picture, device, flip)
    valid = (cover[0] >= min(COVER, float(cover.max()))).cpu().numpy()
    c = columns(raw, torch.from_numpy(valid)[None].to(raw.device))
    index = nearest_column(valid).reshape(-1)
    side = valid.shape[0]

    def spread(values: Tensor) -> FloatArray:
        """[C, S, S] -> [S, S, C], every pixel from the nearest one of the subject."""
        flat = values.flatten(1).T.cpu().numpy()[index]
        return np.ascontiguousarray(flat.reshape(side, side, -1), np.float32)

    edges, cell = bin_edges().numpy(), 1.7 / resolution
    full = torch.sigmoid(c.logits[0]).flatten(1).T.cpu().numpy()
    region = label(cover[0].cpu().numpy() > TRACE, np.ones((3, 3)))[0]
    depth, starts, stops = _ends(full, edges, c.depth[0].cpu().numpy(), valid, threshold, cell, region)
    depth = depth.reshape(-1)[index].reshape(side, side)
    starts, stops = (e.reshape(side * side, -1)[index] - depth.reshape(-1, 1) for e in (starts, stops))
    pixel = 2.0 / crop.side
    outline = outline_distance(cut(mask, crop), LEAST * cell / pixel) * pixel
    small = torch.nn.functional.avg_pool2d(picture[0, :3], 2).to(raw.device)
    thick = np.nanmax(stops, axis=1).reshape(side, side)
    doubt = (4 * full * (1 - full) * np.diff(edges)).sum(1)[index].reshape(side, side)
    ends = (depth.min(), (depth + thick).max())
    return Prediction(
        solid=frustum(depth, starts, stops, outline.astype(np.float32), cell, device),
        crop=crop,
        cell=cell,
        colors=spread(torch.cat([small, c.back[0]])),
        error=np.exp(np.clip(spread(c.log_error)[..., 0], -6, 2)),
        doubt=doubt.astype(np.float32),
        depth=depth,
        thick=thick,
        starts=starts,
        stops=stops,
        middle=float(ends[0] + ends[1]) / 2,
    )


def _ends(
    full: FloatArray, edges: FloatArray, depth: FloatArray, valid: npt.NDArray[np.bool_], threshold: float, cell: float,
    region: npt.NDArray[np.integer],
) -> tuple[FloatArray, FloatArray, FloatArray]:  # fmt: skip
    """Depth [S, S] of the first surface and ends [S, S, INTERVALS] of the material, tidied; NaN outside ``valid``."""
    from .strips import filled_behind
    from .tidy import joined, smoothed

    centres = np.asarray((edges[1:] + edges[:-1]) / 2, np.float32)
    side, own = valid.shape[0], valid.reshape(-1)
    starts, stops = (np.full((side * side, INTERVALS), np.nan, np.float32) for _ in range(2))
    starts[own], stops[own] = intervals(full[own], centres, threshold, 2 * LEAST * cell)
    starts, stops = (e.reshape(side, side, -1) + depth[..., None] for e in (starts, stops))
    starts[..., 1:], stops = smoothed(starts[..., 1:], valid), smoothed(stops, valid)
    stops[..., 0] = np.maximum(stops[..., 0], starts[..., 0] + 2 * LEAST * cell)
    starts, stops = filled_behind(starts, stops, valid, 2 * LEAST * cell)
    starts, stops = joined(starts, stops, valid, 2 * LEAST * cell, region)
    return starts[..., 0], starts, stops
