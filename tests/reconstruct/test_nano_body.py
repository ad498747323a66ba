"""The built-in model's solid is one body: surfaces go on behind strips, one region of the mask is one part."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _columns import together

from maquette.geometry.inflate import outline_distance
from maquette.progress import silent
from maquette.reconstruct._nano import solid as solid_of
from maquette.reconstruct._nano.solid import INTERVALS, frustum, surface
from maquette.reconstruct._nano.strips import filled_behind
from maquette.reconstruct._nano.struts import tie


def parts_of(faces: np.ndarray) -> int:
    """Pieces of a mesh that no edge joins."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    count = int(faces.max()) + 1
    i, j = faces[:, [0, 1]].T
    k = faces[:, 2]
    pairs = np.concatenate([i, j]), np.concatenate([j, k])
    graph = coo_matrix((np.ones(len(pairs[0]), np.int8), pairs), shape=(count, count))
    return int(connected_components(graph, directed=False)[0])


def rope_before_a_sail(far: float) -> tuple[np.ndarray, np.ndarray]:
    """A rope of two pixels at depth 0 before a sail at .5 on its left and ``far`` on its right."""
    starts = np.full((12, 16, INTERVALS), np.nan, np.float32)
    stops = starts.copy()
    starts[:, :7, 0], starts[:, 7:9, 0], starts[:, 9:, 0] = 0.5, 0.0, far
    stops[..., 0] = starts[..., 0] + 0.05
    return starts, stops


def test_a_sail_goes_on_behind_a_rope() -> None:
    starts, stops = rope_before_a_sail(0.52)
    a, b = (e.numpy() for e in filled_behind(*map(torch.from_numpy, (starts, stops, np.ones((12, 16), bool))), 0.02))
    np.testing.assert_allclose(a[:, 7:9, 1], 0.51, atol=1e-6)
    np.testing.assert_allclose(b[:, 7:9, 1], 0.56, atol=1e-6)
    a[:, 7:9, 1] = b[:, 7:9, 1] = np.nan
    np.testing.assert_array_equal(a, starts)
    np.testing.assert_array_equal(b, stops)


@pytest.mark.parametrize("case", ["two surfaces", "a hole beside", "known already", "no room"])
def test_nothing_is_put_behind_a_strip_without_reason(case: str) -> None:
    starts, stops = rope_before_a_sail(0.9 if case == "two surfaces" else 0.5)
    valid = np.ones((12, 16), bool)
    if case == "a hole beside":
        valid[:, 9:] = False
    if case == "known already":
        starts[:, 7:9, 1], stops[:, 7:9, 1] = 0.52, 0.6
    if case == "no room":
        starts[:, 7:9] = [0.0, 0.1, 0.2, 0.3]
        stops[:, 7:9] = starts[:, 7:9] + 0.05
    a, b = (e.numpy() for e in filled_behind(*map(torch.from_numpy, (starts, stops, valid)), 0.02))
    np.testing.assert_array_equal(a, starts)
    np.testing.assert_array_equal(b, stops)


def test_parts_joined_by_less_than_a_pixel_of_the_mask_come_to_one_depth() -> None:
    """Two leaves that touch across a corner only, at different depths; in another region a third one stays."""
    valid = np.zeros((12, 12), bool)
    valid[:4, :4], valid[4:8, 4:8], valid[10:, 10:] = True, True, True
    starts = np.zeros((12, 12, 1), np.float32)
    starts[4:8, 4:8] = 0.4
    starts[10:, 10:] = 0.6
    region = np.where(np.add.outer(np.arange(12), np.arange(12)) < 18, 1, 2)
    a, b = together(starts, starts + 0.1, valid, 0.03, region)
    assert min(b[0, 0, 0], b[5, 5, 0]) - max(a[0, 0, 0], a[5, 5, 0]) > 0.02
    assert a[11, 11, 0] == np.float32(0.6)


def balls(*centres: tuple[float, float, float], radius: float = 4.0) -> torch.Tensor:
    """[24, 24, 60] field in cells of balls."""
    line = [torch.arange(n, dtype=torch.float32) for n in (24, 24, 60)]
    x, y, z = torch.meshgrid(*line, indexing="ij")
    return torch.stack([radius - ((x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2).sqrt() for a, b, c in centres]).amax(0)


def test_parts_of_one_region_are_tied_and_regions_are_not() -> None:
    """Two balls one behind the other: one part if the mask is one region; beside each other in two regions: two."""
    from scipy.ndimage import label

    wide = torch.full((24, 24), 9.0)
    field = balls((8, 8, 12), (10, 8, 40))
    tie(field, wide, np.ones((24, 24), int))
    assert label(field.numpy() > 0)[1] == 1
    region = np.ones((24, 24), int)
    region[12:] = 2
    field = balls((6, 8, 12), (18, 8, 40))
    before = field.clone()
    tie(field, wide, region)
    assert torch.equal(field, before)


def test_a_strut_stays_within_the_outline() -> None:
    field = balls((8, 8, 12), (10, 8, 40))
    rim = field.amax(2)
    tie(field, rim, np.ones((24, 24), int))
    assert (field.amax(2)[rim < 0] < 0).all()


def test_crumbs_are_dropped_but_never_the_last_part() -> None:
    field = balls((8, 8, 12))
    field[8, 8, 40] = 0.5
    tie(field, torch.full((24, 24), 9.0), np.ones((24, 24), int))
    assert (field[..., 30:] < 0).all() and (field > 0).sum() > 200
    alone = torch.full((24, 24, 60), -1.0)
    alone[3, 3, 3], alone[3, 3, 9] = 0.5, 0.5
    tie(alone, torch.full((24, 24), 9.0), np.ones((24, 24), int))
    assert (alone > 0).sum() == 1


@pytest.mark.parametrize("dense", [330, 0])
@pytest.mark.parametrize("seed", range(4))
def test_one_region_of_the_mask_is_one_part_whatever_the_columns_say(
    seed: int, dense: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mask of thin branches, every patch of pixels at a depth of its own: the mesh is one closed piece, on the whole
    lattice as well as where only the surface's surroundings are evaluated."""
    monkeypatch.setattr(solid_of, "DENSE", dense)
    rng = np.random.default_rng(seed)
    size, cell = 64, 1.7 / 64
    inside = np.zeros((size, size), bool)
    inside[24:40, 24:40] = True
    for _ in range(8):  # branches from the middle, two pixels wide, in steps
        y, x = 32, 32
        for _ in range(24):
            dy, dx = rng.integers(-2, 3, 2)
            y, x = int(np.clip(y + dy, 4, 58)), int(np.clip(x + dx, 4, 58))
            inside[y - 1 : y + 2, x - 1 : x + 2] = True
    depth = np.kron(rng.uniform(-0.5, 0.5, (8, 8)), np.ones((8, 8))).astype(np.float32)
    starts = np.full((size * size, INTERVALS), np.nan, np.float32)
    stops = starts.copy()
    starts[:, 0], stops[:, 0] = 0, 0.06
    pixel = 2 / size
    outline = outline_distance(inside.astype(np.float32), 0.8 * cell / pixel) * pixel
    solid = frustum(*map(torch.from_numpy, (depth, starts, stops, outline.astype(np.float32))), cell)
    _, faces, struts = surface(solid, cell, silent())
    assert parts_of(faces) == 1 and struts > 0
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] % 2 == 0).all()
