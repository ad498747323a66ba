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
from .solid import INTERVALS, LEAST, Frustum, frustum, nearest_column
from .tidy import brought_together

if TYPE_CHECKING:
    from torch import Tensor

    from .engine import Engine
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
        import torch

        outline = self.solid.outline
        first, starts, stops = (
            torch.from_numpy(np.ascontiguousarray(e)).to(outline) for e in (depth, self.starts, self.stops)
        )
        solid = frustum(first, starts, stops, outline, self.cell)
        return replace(self, depth=depth, solid=solid)


def run(network: NanoNet | Engine, picture: Tensor, device: str, flip: bool) -> Tensor:
    """Raw head [1, 85, S/2, S/2] for ``picture`` [1, 4, S, S]; flip: average with the mirrored picture's answer."""
    import torch

    with torch.inference_mode():
        picture = picture.to(device).contiguous(memory_format=torch.channels_last)
        raw = network(torch.cat([picture, picture.flip(-1)]) if flip else picture).float()
        return (raw[:1] + raw[1:].flip(-1)) / 2 if flip else raw


@dataclass(frozen=True)
class Subject:
    """Where the subject is on the network's output, on the host.

    valid: [S, S] its pixels; index: [S * S] flat index of each pixel's nearest one of these; region: [S, S] labels of
    the mask's regions.
    """

    valid: npt.NDArray[np.bool_]
    index: npt.NDArray[np.int64]
    region: npt.NDArray[np.integer]


def cover_of(picture: Tensor) -> FloatArray:
    """[S, S] share of each pixel of the network's output that the mask of its input [1, 4, 2 S, 2 S] covers."""
    import torch

    return np.asarray(torch.nn.functional.avg_pool2d(picture[:, 3], 2)[0].cpu().numpy(), np.float32)


def subject_of(cover: FloatArray) -> Subject:
    """The subject that covers this share [S, S] of the pixels."""
    from scipy.ndimage import label

    valid = cover >= min(COVER, float(cover.max()))
    return Subject(valid, nearest_column(valid).reshape(-1), label(cover > TRACE, np.ones((3, 3)))[0])


def predict(
    network: NanoNet | Engine, view: View, mask: FloatArray, resolution: int, device: str, *, flip: bool = True,
    threshold: float = THRESHOLD,
) -> Prediction:  # fmt: skip
    """The solid of ``view`` whose tidy ``mask`` [H, W] is given, for a lattice of ``resolution`` cells along the
    subject's longer side."""
    crop = crop_of(mask)
    picture = network_input(view, mask, crop, network.shape.size, device)
    cover, cell = cover_of(picture), 1.7 / resolution
    raw = run(network, picture, device, flip)  # a GPU works on this while the host looks at the mask
    subject = subject_of(cover)
    outline = outline_of(cut(mask, crop), cell, device)
    material = material_of(network, raw, subject, cell, threshold)
    return prediction(raw, picture, subject, material, outline, crop, cell)


def material_of(
    network: NanoNet | Engine, raw: Tensor, subject: Subject, cell: float, threshold: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Starts and stops [S, S, INTERVALS] (depth, NaN = none) of one body, and how far each column may or may not be
    solid [S * S]."""
    import torch

    from .engine import Engine
    from .material import material

    least, device = 2 * LEAST * cell, raw.device
    valid = torch.from_numpy(subject.valid).to(device)
    work = network.material if isinstance(network, Engine) else material
    starts, stops, links, doubt = work(raw, valid, bin_edges().to(device), threshold=threshold, least=least)
    return *brought_together(starts, stops, links, subject.valid, least, subject.region), doubt


def outline_of(mask: FloatArray, cell: float, device: str) -> Tensor:
    """[R, R] signed distance to the outline of the crop's mask, half picture widths, no part thinner than the cells."""
    import torch

    pixel = 2.0 / len(mask)
    if torch.device(device).type == "cpu":
        outline = outline_distance(mask, LEAST * cell / pixel) * pixel
        return torch.from_numpy(outline.astype(np.float32))
    from ...geometry.outline_device import outline_distance_on_device

    return outline_distance_on_device(torch.from_numpy(mask).to(device), LEAST * cell / pixel) * pixel


def prediction(
    raw: Tensor,
    picture: Tensor,
    subject: Subject,
    material: tuple[Tensor, Tensor, Tensor],
    outline: Tensor,
    crop: Crop,
    cell: float,
) -> Prediction:
    """The raw head and its ``material_of`` made a solid, where it lies."""
    import torch

    side, device = len(subject.valid), raw.device
    valid, index = (torch.from_numpy(one).to(device) for one in (subject.valid, subject.index))
    c = columns(raw, valid[None])
    starts, stops, doubt = (e.reshape(side * side, -1)[index] for e in material)
    depth = starts[:, :1].clone()
    starts, stops = starts - depth, stops - depth
    thick = stops.nan_to_num(nan=-torch.inf).amax(1)[:, None]
    small = torch.nn.functional.avg_pool2d(picture[0, :3], 2).to(device)
    spread = torch.cat([small, c.back[0], c.log_error.clamp(-6, 2).exp()]).flatten(1).T[index]
    solid = frustum(depth.view(side, side), starts, stops, outline, cell)
    parts = [spread, doubt, depth, thick, starts, stops]
    whole = torch.cat(parts, 1).cpu().numpy()  # one transfer
    found = np.split(whole, np.cumsum([6, 1, 1, 1, 1, INTERVALS]), axis=1)
    maps = [np.ascontiguousarray(one) for one in found]
    error, doubted, first, length = (one.reshape(side, side) for one in maps[1:5])
    ends = (first.min(), (first + length).max())
    return Prediction(
        solid=solid,
        crop=crop,
        cell=cell,
        colors=maps[0].reshape(side, side, 6),
        error=error,
        doubt=doubted,
        depth=first,
        thick=length,
        starts=maps[5],
        stops=maps[6],
        middle=float(ends[0] + ends[1]) / 2,
    )
