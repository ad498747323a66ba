"""Columns brought together, from plain arrays."""

from __future__ import annotations

import numpy as np
import torch

from maquette.reconstruct._nano.tidy import joined, linked, parts


def together(
    starts: np.ndarray, stops: np.ndarray, valid: np.ndarray, overlap: float, region: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """``joined``, given the parts that the links of these ends make."""
    links = linked(torch.from_numpy(starts), torch.from_numpy(stops), overlap).numpy()
    return joined(starts, stops, parts(links, valid), valid, overlap, region)
