"""Patches: the kernels make the twin's choices, points are the twin's to rounding, and both are what is obvious."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from compiled import compile_and_compare
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import Cancelled
from maquette.mesh.holes import fill_holes
from maquette.mesh.splitting import split
from maquette.mesh.surface import Rows, Surface
from maquette.native import extension
from maquette.progress import silent

family = extension("patches")
native = pytest.mark.skipif(not family.NATIVE, reason="not compiled here")

COMPARE = "from test_patches import compare_all\ncompare_all(family)"


def check() -> None:
    """Never cancels."""


def on_grid(kind: str, side: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A closed or open grid bent to a shape that holes can be cut in, a little uneven so that no two choices tie."""
    u, v = np.meshgrid(np.linspace(0, 1, side), np.linspace(0, 1, side), indexing="ij")
    u, v = u.ravel() * 2 * np.pi, v.ravel() * 2 - 1
    points = {
        "sphere": np.stack([np.cos(u) * np.sqrt(1.02 - v * v), np.sin(u) * np.sqrt(1.02 - v * v), v], axis=1),
        "saddle": np.stack([u - 3, 3 * v, 0.1 * ((u - 3) ** 2 - 9 * v * v)], axis=1),
        "pipe": np.stack([0.3 * np.cos(u), 0.3 * np.sin(u), 2 * v], axis=1),
        "sheet": np.stack([u, 3 * v, 0 * u], axis=1),
    }[kind]
    points = points + rng.normal(size=points.shape) * 1e-3
    cell = np.arange(side * side).reshape(side, side)
    a, b, c, d = (x.ravel() for x in (cell[:-1, :-1], cell[1:, :-1], cell[1:, 1:], cell[:-1, 1:]))
    return points, np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])


def holed(kind: str, seed: int) -> Surface:
    """A surface with holes: round ones of all sizes, or (seed 3, 7, ..) many frayed ones; its outer rim is open too."""
    rng = np.random.default_rng(seed)
    points, faces = on_grid(kind, int(rng.integers(24, 50)), rng)
    middle = points[faces].mean(axis=1)
    gone = rng.random(len(faces)) < (0.08 if seed % 4 == 3 else 0.0)
    for at in middle[rng.integers(0, len(middle), 4)]:
        gone |= np.linalg.norm(middle - at, axis=1) < rng.choice([0.15, 0.3, 0.6, 1.0])
    faces = faces[~gone]
    return split(Surface(points, faces, faces, Rows(len(points))))[0]


def lockstep(module, replace) -> list[str]:
    """Replaces every operation of ``module`` by one that asks kernel and twin, compares, and goes on with the twin."""
    asked: list[str] = []

    def either(name):
        call = getattr(module, name)

        def ask(*given):
            module.NATIVE = True
            ours = call(*given)
            module.NATIVE = False
            twin = call(*given)
            module.NATIVE = True
            asked.append(name)
            if name in ("membrane", "plate"):
                scale = float(np.ptp(given[0], axis=0).max())
                np.testing.assert_allclose(ours, twin, rtol=0, atol=1e-9 * scale, err_msg=name)
            else:
                for one, two in zip(*(x if name == "least_area" else (x,) for x in (ours, twin)), strict=True):
                    np.testing.assert_array_equal(one, two, err_msg=name)
            return twin

        replace(module, name, ask)

    for name in ("least_area", "large", "flipped", "membrane", "plate"):
        either(name)
    return asked


def loops(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random closed loops of several lengths, some on a lattice where areas tie, some edges barred."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 3 + rng.choice([4, 30, 90]), rng.integers(1, 7))
    points = rng.normal(size=(len(sizes), sizes.max(), 3))
    if seed % 3 == 0:
        points = np.round(points)
    return points, rng.random((len(sizes), sizes.max(), sizes.max())) < rng.choice([0.0, 0.1, 0.6]), sizes


def compare_loops(module, seed: int) -> None:
    """Triangles and whether there are any."""
    given_loops = loops(seed)
    ours = module.least_area(*given_loops, check)
    twin = module.reference.least_area(*given_loops, check)
    for one, two in zip(ours, twin, strict=True):
        np.testing.assert_array_equal(one, two)


def compare_all(module) -> None:
    """Loops, then whole fillings in lockstep; in this process ``module`` is what the mesh stage uses."""
    for seed in range(40):
        compare_loops(module, seed)
    asked = lockstep(module, setattr)
    for kind in ("sphere", "saddle", "pipe", "sheet"):
        for seed in range(4):
            fill_holes(holed(kind, seed), silent())
    assert {"least_area", "large", "flipped", "membrane", "plate"} <= set(asked), asked


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process."""
    compile_and_compare("patches", COMPARE, tmp_path, monkeypatch)


@native
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_the_least_area_is_found_in_the_twins_order(seed):
    """The same triangles, also where areas tie and edges are barred."""
    compare_loops(family, seed)


@native
@pytest.mark.parametrize("kind", ["sphere", "saddle", "pipe", "sheet"])
def test_every_step_is_the_twins(kind, monkeypatch):
    """While holes are filled: the same triangles, splits and flips; points of the membrane and plate to rounding."""
    asked = lockstep(family, monkeypatch.setattr)
    for seed in range(4, 8):
        fill_holes(holed(kind, seed), silent())
    assert asked.count("flipped") > 20 and asked.count("plate") >= 12


@native
@pytest.mark.parametrize("kind", ["sphere", "saddle", "pipe", "sheet"])
def test_whole_fillings_are_the_twins(kind, monkeypatch):
    """The same faces, and no point further off than a millionth of the size."""
    for seed in range(8, 12):
        surface = holed(kind, seed)
        ours = fill_holes(surface, silent())
        monkeypatch.setattr(family, "NATIVE", False)
        twin = fill_holes(surface, silent())
        monkeypatch.setattr(family, "NATIVE", True)
        assert ours.holes == twin.holes
        np.testing.assert_array_equal(ours.surface.faces, twin.surface.faces)
        np.testing.assert_allclose(ours.surface.points, twin.surface.points, rtol=0, atol=1e-6 * surface.scale)


@native
def test_patches_in_batches_are_those_of_one(monkeypatch):
    """However many patches a kernel gets at once, the bits are the same; Cancel is heard before each batch."""
    surface = holed("sphere", 11)
    whole = fill_holes(surface, silent()).surface
    monkeypatch.setattr(family, "_TOGETHER", 40)
    some = fill_holes(surface, silent()).surface
    np.testing.assert_array_equal(whole.faces, some.faces)
    np.testing.assert_array_equal(whole.points, some.points)
    square = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.3, 0.4, 0]])
    fan = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
    count = 50
    points, group = np.tile(square, (count, 1)), np.repeat(np.arange(count), 5)
    faces = (fan + 5 * np.arange(count)[:, None, None]).reshape(-1, 3)
    heard: list[int] = []

    def third() -> None:
        heard.append(1)
        if len(heard) == 3:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        family.membrane(points, faces, np.tile([True] * 4 + [False], count), group, third)
    assert len(heard) == 3


@pytest.fixture(params=["as it is", "twin"])
def either(request, monkeypatch):
    """The wrapper with what is compiled here (if anything), and with the twin."""
    if request.param == "twin":
        monkeypatch.setattr(family, "NATIVE", False)
    return family


SQUARE = np.array([[0.0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0], [1, 1, 0]])
FAN = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
RIM = np.array([True] * 4 + [False])
ONE = np.zeros(5, np.int64)


def test_the_shorter_diagonal_of_a_bent_square(either):
    """A square of which one corner is lifted is cut where its area is least; not where that is barred."""
    points = np.array([[[0.0, 0, 0], [1, 0, 0], [1, 1, 1], [0, 1, 0]]])
    barred, four = np.zeros((1, 4, 4), bool), np.array([4])
    assert sorted(either.least_area(points, barred, four, check)[0][0].tolist()) == [[0, 1, 3], [1, 2, 3]]
    barred[0, 1, 3] = True
    assert sorted(either.least_area(points, barred, four, check)[0][0].tolist()) == [[0, 1, 2], [0, 2, 3]]
    barred[0, 0, 2] = True
    assert not either.least_area(points, barred, four, check)[1][0]
    assert barred.sum() == 2  # what is given is not written to


def test_a_long_edge_is_flipped_but_never_onto_the_rim(either):
    """Two thin triangles turn; they stay where their far corners both lie on the rim, or are joined already."""
    points = np.array([[-3.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, -1, 0]])
    faces, nobody = np.array([[0, 1, 2], [1, 0, 3]]), np.zeros(4, bool)
    made = either.flipped(points, faces, nobody, np.zeros(4, np.int64), check)
    assert {frozenset(face) for face in made.tolist()} == {frozenset({0, 2, 3}), frozenset({1, 2, 3})}
    on_rim = np.array([False, False, True, True])
    assert either.flipped(points, faces, on_rim, np.zeros(4, np.int64), check).tolist() == faces.tolist()
    joined = np.append(faces, [[2, 3, 4]], axis=0)
    five = np.append(points, [[9.0, 0, 0]], axis=0)
    assert either.flipped(five, joined, np.zeros(5, bool), np.zeros(5, np.int64), check).tolist() == joined.tolist()


def test_two_faces_on_the_same_points_are_left_alone(either):
    """A flip of their common edge would give both of them a corner twice."""
    points, faces = np.array([[-3.0, 0, 0], [3, 0, 0], [0, 1, 0]]), np.array([[0, 1, 2], [1, 0, 2]])
    made = either.flipped(points, faces, np.zeros(3, bool), np.zeros(3, np.int64), check)
    assert made.tolist() == faces.tolist()


def test_nothing_to_do(either):
    """No points, no faces, no loops."""
    none, no_faces, no_group = np.zeros((0, 3)), np.zeros((0, 3), np.int64), np.zeros(0, np.int64)
    assert either.large(none, no_faces, no_group, np.zeros(0)).shape == (0,)
    assert either.flipped(none, no_faces, np.zeros(0, bool), no_group, check).shape == (0, 3)
    assert either.membrane(none, no_faces, np.zeros(0, bool), no_group, check).shape == (0, 3)
    triangles, found = either.least_area(np.zeros((0, 5, 3)), np.zeros((0, 5, 5), bool), no_group, check)
    assert triangles.shape == (0, 3, 3) and found.shape == (0,)


def test_membranes_and_plates_by_hand(either):
    """Among four even neighbours a point lies in their middle; a flat plate in a flat surround stays flat, a bent one
    does not."""
    even = np.array([[2.0, 0, 0], [0, 2, 0], [-2, 0, 0], [0, -2, 0], [0, 0, 0]])
    np.testing.assert_allclose(either.membrane(even, FAN, RIM, ONE, check)[4], [0, 0, 0], atol=1e-12)
    far = np.array([[8.0, -4, 0], [8, 8, 0], [-4, 8, 0], [-4, -4, 0]])
    ring = np.array([[1, 0, 5], [2, 1, 6], [3, 2, 7], [0, 3, 8], [0, 8, 5], [1, 5, 6], [2, 6, 7], [3, 7, 8]])
    flat = either.plate(SQUARE, FAN, RIM, ONE, (far, ring), check)
    np.testing.assert_allclose(flat[:, 2], 0, atol=1e-12)
    np.testing.assert_array_equal(flat[:4], SQUARE[:4])
    bowl = either.plate(SQUARE, FAN, RIM, ONE, (far - [0, 0, 3], ring), check)
    assert bowl[4, 2] > 0.1  # the surround falls away, so the middle rises


def test_large_faces_are_split_until_a_patch_has_enough(either):
    """Larger than wanted at all corners; never in a patch of very many faces."""
    assert either.large(SQUARE, FAN, ONE, np.full(5, 0.5)).all()
    assert not either.large(SQUARE, FAN, ONE, np.array([0.5, 0.5, 0.5, 0.5, 9])).any()
    many = np.tile(FAN, (2000, 1))
    assert not either.large(SQUARE, many, ONE, np.full(5, 0.5)).any()


def test_a_rim_alone_stays(either):
    """Without inner points nothing moves."""
    whole = np.ones(5, bool)
    ring = np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    assert either.membrane(SQUARE, FAN, whole, ONE, check).tolist() == SQUARE.tolist()
    assert either.plate(SQUARE, FAN, whole, ONE, ring, check).tolist() == SQUARE.tolist()


def test_bad_input_is_refused(either):
    """Shapes, types and numbers that do not fit: a ValueError each."""
    ring = np.zeros((1, 3)), np.array([[0, 1, 5]])
    for says, call in (
        ("loops are", lambda: either.least_area(np.zeros((1, 5, 3)), np.zeros((1, 4, 4), bool), np.array([4]), check)),
        ("3 to 5", lambda: either.least_area(np.zeros((1, 5, 3)), np.zeros((1, 5, 5), bool), np.array([2]), check)),
        ("points are", lambda: either.large(SQUARE, FAN, ONE, np.zeros(4))),
        ("faces are int64", lambda: either.flipped(SQUARE, FAN + 1, RIM, ONE, check)),
        ("faces are int64", lambda: either.flipped(SQUARE, FAN.astype(np.int32), RIM, ONE, check)),
        ("groups are int64", lambda: either.membrane(SQUARE, FAN, RIM, ONE - 1, check)),
        ("points are", lambda: either.membrane(SQUARE[:, :2], FAN, RIM, ONE, check)),
        ("points are float64", lambda: either.flipped(SQUARE.astype(np.float32), FAN, RIM, ONE, check)),
        ("values bool", lambda: either.membrane(SQUARE, FAN, RIM.astype(np.int64), ONE, check)),
        ("values float64", lambda: either.large(SQUARE, FAN, ONE, ONE)),
        ("faces of the ring", lambda: either.plate(SQUARE, FAN, RIM, ONE, (ring[0], ring[1] + 5), check)),
        ("no patch", lambda: either.plate(SQUARE, FAN, RIM, ONE, (np.zeros((3, 3)), np.array([[5, 6, 7]])), check)),
    ):
        with pytest.raises(ValueError, match=says):
            call()


@native
def test_places_that_are_no_numbers_move_nothing():
    """A patch of many points, some of them NaN, stays as it is."""
    points, faces = on_grid("sheet", 24, np.random.default_rng(0))
    rim = np.abs(points - points.mean(axis=0))[:, :2].max(axis=1) > 2.5
    points[~rim & (np.arange(len(points)) % 5 == 0)] = np.nan
    group, ring = np.zeros(len(points), np.int64), (np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    assert (~rim).sum() > 100
    np.testing.assert_array_equal(family.membrane(points, faces, rim, group, check), points)
    np.testing.assert_array_equal(family.plate(points, faces, rim, group, ring, check), points)


@native
def test_patches_are_the_same_on_any_number_of_threads():
    """So many patches that they are shared out among threads."""
    count, rng = 7000, np.random.default_rng(0)
    points = np.tile(SQUARE, (count, 1)) + rng.normal(size=(5 * count, 3)) * 0.5
    faces = (FAN + 5 * np.arange(count)[:, None, None]).reshape(-1, 3)
    rim, group = np.tile(RIM, count), np.repeat(np.arange(count), 5)
    first = 5 * np.arange(count)
    outside = np.stack([first + 1, first, 5 * count + np.arange(count)], axis=1)
    ring = rng.normal(size=(count, 3)) * 9, outside
    before, made = torch.get_num_threads(), []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        flipped = family.flipped(points, faces, np.zeros(5 * count, bool), group, check)
        moved = family.membrane(points, faces, rim, group, check), family.plate(points, faces, rim, group, ring, check)
        made.append((flipped, *moved))
    torch.set_num_threads(before)
    assert (made[0][0] != faces).any() and all((one != points).any() for one in made[0][1:])
    for one, three in zip(*made, strict=True):
        np.testing.assert_array_equal(one, three)


@native
def test_kernels_refuse_what_lies_in_two_patches():
    """A face of two patches, or with a corner twice, is an error, never memory that is not there."""
    two = np.array([0, 0, 0, 0, 1])
    with pytest.raises(RuntimeError, match="two patches"):
        family.flipped(SQUARE, FAN, RIM, two, check)
    with pytest.raises(RuntimeError, match="twice"):
        family.flipped(SQUARE, np.array([[0, 1, 1]]), RIM, ONE, check)
