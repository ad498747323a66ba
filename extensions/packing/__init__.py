"""Where a bitmap fits beside what lies in a square already. CPU; numpy in and out.

Compiled where it was built, a twin of big integers otherwise; both find the same place.
"""

from __future__ import annotations

import numpy as np
import torch

from ..build import load
from . import reference
from .reference import Mask, Place

NATIVE = load("packing")
"""Is the compiled operator there (``extensions.build.why_not`` says why not)?"""

__all__ = ["NATIVE", "lowest", "method", "reference"]


def method(device: torch.device | str = "cpu") -> str:
    """For reports: "native" where the compiled kernel runs on that kind of device, else "integers"."""
    return "native" if NATIVE and torch.device(device).type == "cpu" else "integers"


def lowest(taken: Mask, mask: Mask, side: int) -> Place | None:
    """(turns, left, top) of where ``mask`` [h, w], in one of four quarter turns counter-clockwise (numpy.rot90), covers
    no cell that is ``taken`` [R, C]: its upper end as low as can be, then leftmost, then with the fewest turns.

    Only the first ``side`` rows and columns count; rows are counted from the lowest one. None: it fits nowhere there.
    ValueError for other shapes and types.
    """
    for name, cells in (("taken", taken), ("mask", mask)):
        if cells.ndim != 2 or cells.dtype != np.bool_:
            raise ValueError(f"{name} is boolean [rows, columns], got {list(cells.shape)} of {cells.dtype}")
    if not 0 < side <= min(taken.shape) or 0 in mask.shape:
        raise ValueError(f"nothing to do: a mask of {list(mask.shape)}, {side} cells of {list(taken.shape)}")
    if method() == "native":
        turns, left, top = torch.ops.maquette.packing(_tensor(taken), _tensor(mask), side).tolist()
        return None if turns < 0 else (turns, left, top)
    return reference.lowest(taken, mask, side)


def _tensor(cells: Mask) -> torch.Tensor:
    """Contiguous, without torch's warning about arrays that cannot be written to: the operator does not write."""
    cells = np.ascontiguousarray(cells)
    return torch.from_numpy(cells if cells.flags.writeable else cells.copy())
