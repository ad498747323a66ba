"""Vertices at exactly the same place are found, whatever their hashes say."""

from __future__ import annotations

import numpy as np
import pytest

from maquette.geometry import welding
from maquette.native import extension

family = extension("topology")


def obvious(points: np.ndarray) -> tuple[list[int], list[int]]:
    """A dictionary of places."""
    first: list[int] = []
    group, seen = [], {}
    for index, row in enumerate((points + 0.0).tolist()):
        key = tuple(row)
        if key not in seen or any(value != value for value in row):
            seen[key] = len(first)
            first.append(index)
        group.append(seen[key])
    return first, group


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("factors", [family.reference._FACTORS, (0, 0, 0), (1, 1, 1)])
def test_weld_equal_is_exact(kind: type, factors: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Twins, signed zeros and NaN; also when all hashes are alike, or many are."""
    monkeypatch.setattr(family, "NATIVE", False)
    monkeypatch.setattr(family.reference, "_FACTORS", factors)
    points = np.random.default_rng(0).integers(-3, 4, (900, 3)).astype(kind) / 3
    points[::7] *= -1
    points[5] = points[50] = np.nan
    first, group = welding.weld_equal(points)
    assert (first.tolist(), group.tolist()) == obvious(points)
