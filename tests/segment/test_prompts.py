"""Depth-guided prompts: on scenes with a known subject they lie where they should, and bad depth is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from depth_scenes import make, outline, overlap
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.data import DepthMap
from maquette.errors import BadInputError
from maquette.segment.prompts import Prompts, agreement, prompts, prompts_for_mask, prompts_for_prior, spread_points


def measured(seeds: range) -> tuple[float, float, float, float, float]:
    """(foreground on, background off, mean box IoU, centre point on, IoU of the middle half's box)."""
    front: list[bool] = []
    behind: list[bool] = []
    boxes, centres, halves = [], [], []
    for seed in seeds:
        disparity, truth = make(seed)
        found = prompts(disparity)
        x, y = found.points.T.astype(int)
        front += list(truth[y, x][found.labels == 1])
        behind += list(~truth[y, x][found.labels == 0])
        boxes.append(overlap(found.box, truth))
        height, width = truth.shape
        centres.append(bool(truth[height // 2, width // 2]))
        halves.append(overlap((width / 4, height / 4, 3 * width / 4, 3 * height / 4), truth))
    return tuple(float(np.mean(x)) for x in (front, behind, boxes, centres, halves))  # type: ignore[return-value]


def check(seeds: range) -> None:
    front, behind, box, centre, half = measured(seeds)
    assert front >= 0.99
    assert behind >= 0.99
    assert box >= 0.9
    assert centre < 0.75 and half < 0.6, "the scenes are too easy: the middle of the picture finds the subject too"


def test_prompts_find_the_subject_among_distractors() -> None:
    """The first scenes of the benchmark; the whole set is the slow test."""
    check(range(24))


@pytest.mark.slow
def test_prompts_find_the_subject_in_two_hundred_scenes() -> None:
    """Share of foreground prompts on the subject and of background prompts off it >= 0.99, mean box IoU >= 0.9."""
    check(range(200))


def plate(shape: tuple[int, int] = (120, 160), center: tuple[float, float] = (60, 50), half: float = 25) -> Any:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    return outline("ellipse", (x - center[0]) / half, (y - center[1]) / half)


def test_the_answer_does_not_change_with_the_unit_of_disparity() -> None:
    """Relative depth has no unit: scaling and shifting the disparity moves nothing."""
    disparity, _ = make(3)
    one, two = prompts(disparity), prompts(disparity * 37.0 + 5.0)
    assert np.array_equal(one.points, two.points) and one.box == two.box


def test_a_mirrored_picture_gives_the_mirrored_box() -> None:
    disparity, _ = make(5)
    one, two = prompts(disparity), prompts(disparity[:, ::-1])
    width = disparity.shape[1]
    assert np.allclose([width - one.box[2], width - one.box[0]], [two.box[0], two.box[2]], atol=3)


def test_a_large_picture_is_searched_small_and_answered_in_its_own_pixels() -> None:
    """Points and box are in pixels of what was given, whatever size the region was searched at."""
    disparity = np.repeat(np.repeat(np.where(plate(), 3.0, 1.0), 9, axis=0), 9, axis=1)
    found = prompts(disparity)
    assert np.allclose(found.box, (9 * 35, 9 * 25, 9 * 86, 9 * 76), atol=14)
    assert found.region.shape == disparity.shape
    x, y = found.points.T.astype(int)
    assert np.array_equal(disparity[y, x] == 3.0, found.labels == 1)


def test_the_dictionary_is_plain_json_and_complete() -> None:
    found = prompts(np.where(plate(), 3.0, 1.0), foreground=3, background=4)
    answer = json.loads(json.dumps(found.as_dict()))
    assert answer["labels"] == [1, 1, 1, 0, 0, 0, 0] and len(answer["points"]) == 7 and len(answer["box"]) == 4


def test_two_subjects_at_the_same_depth_are_said() -> None:
    """One of them is taken whole, and a note says that there was a choice."""
    one, two = plate(center=(40, 60)), plate(center=(120, 60))
    found = prompts(np.where(one | two, 3.0, 1.0))
    assert found.notes and "equally near" in found.notes[0]
    assert max(overlap(found.box, one), overlap(found.box, two)) > 0.9


def test_a_ring_gets_no_foreground_point_in_its_hole() -> None:
    y, x = np.mgrid[:160, :160].astype(float)
    ring = outline("ring", (x - 80) / 60, (y - 80) / 60)
    found = prompts(np.where(ring, 2.0, 1.0))
    px, py = found.points[found.labels == 1].T.astype(int)
    assert ring[py, px].all()


def test_nothing_known_outside_the_mask_is_fine() -> None:
    """DepthMap.disparity is 0 where there is nothing: the object is what is left, NaN says the same."""
    inside = plate()
    y, _ = np.mgrid[: inside.shape[0], : inside.shape[1]]
    for empty in (0.0, np.nan):
        found = prompts(np.where(inside, 1.0 + y / 100, empty))
        assert overlap(found.box, inside) > 0.85


@pytest.mark.parametrize(
    ("disparity", "words"),
    [
        (np.zeros((64, 64)), "empty"),
        (np.full((64, 64), np.nan), "empty"),
        (np.full((64, 64), 3.0), "flat"),
        (np.ones((8, 64)), "16 pixels"),
        (np.ones((4, 64, 64)), r"\[H, W\]"),
        (np.full((64, 64), "a"), "real numbers"),
        (np.linspace(1, 2, 64)[:, None] * np.ones((1, 64)), "stands free"),
    ],
)
def test_bad_depth_is_refused_with_the_reason(disparity: Any, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        prompts(disparity)


@pytest.mark.parametrize("options", [{"percentile": 100}, {"percentile": -1}, {"foreground": 0}, {"background": 65}])
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BadInputError, match="got"):
        prompts(np.where(plate(), 2.0, 1.0), **options)


def test_a_rough_mask_is_taken_as_it_is_and_depth_as_depth() -> None:
    """A painted prior gives its own box; a grey one goes through the depth rules."""
    painted = plate().astype(np.float32)
    assert overlap(prompts_for_prior(painted).box, plate()) == 1.0
    disparity, truth = make(2)
    assert overlap(prompts_for_prior(disparity / disparity.max()).box, truth) > 0.9
    with pytest.raises(BadInputError, match="empty"):
        prompts_for_mask(np.zeros((64, 64), bool))


def test_depth_with_a_far_background_points_where_its_disparity_does() -> None:
    """Estimate Depth -> Segment: a sky a hundred times as far away leaves the subject and what lies behind it apart."""
    y, x = np.mgrid[:240, :320].astype(np.float64)
    truth = (x - 130) ** 2 + (y - 130) ** 2 < 45**2
    behind = (x - 220) ** 2 + (y - 110) ** 2 < 50**2
    floor = np.maximum((y - 100) / 240, 0.01)  # Depth Anything's answer is floored at 1 % of its nearest
    disparity = np.where(truth, 1.0, np.where(behind, 0.5, floor)).astype(np.float32)
    prior = DepthMap(1 / disparity).nearness
    assert prior.min() == pytest.approx(0.1) and prior.max() == pytest.approx(1.0)
    assert overlap(prompts_for_prior(prior).box, truth) > 0.95
    assert DepthMap(np.full((4, 4), np.nan, np.float32)).nearness.max() == 0


def test_agreement_prefers_the_mask_that_follows_region_prompts_and_edges() -> None:
    """Among the true mask, a part of it, a too large one and another object, the true one wins."""
    truth = plate()
    disparity = np.where(truth, 3.0, 1.0)
    found = prompts(disparity)
    part, large, other = plate(half=12), plate(half=40), plate(center=(130, 90), half=20)
    scores = agreement(np.stack([part, truth, large, other, 0 * truth]), found, disparity)
    assert int(scores.argmax()) == 1 and scores[1] > 0.95 and scores[4] == 0
    with pytest.raises(BadInputError, match="masks"):
        agreement(np.zeros((2, 5, 5)), found)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_spread_points_are_allowed_distinct_and_far_apart(seed: int, count: int) -> None:
    """Each new point is farther from the others than the rest of the cells are from any point (farthest-point rule)."""
    allowed = np.random.default_rng(seed).random((20, 30)) < 0.2
    points = spread_points(allowed, count, None)
    assert len(points) == min(count, int(allowed.sum()))
    if len(points) == 0:
        return
    x, y = points.T.astype(int)
    assert allowed[y, x].all() and len({*zip(x, y, strict=True)}) == len(points)
    cells = np.argwhere(allowed)[:, ::-1]
    cover = np.linalg.norm(cells[:, None] - points[None], axis=2).min(axis=1).max()
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + 1e9 * np.eye(len(points))
    assert gaps.min() >= cover - 1e-9


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_noise_gives_prompts_inside_the_picture_or_an_error(seed: int) -> None:
    """Whatever the depth, points and box stay in the picture."""
    g = np.random.default_rng(seed)
    values = g.random((int(g.integers(16, 80)), int(g.integers(16, 80)))) ** g.uniform(0.2, 4)
    try:
        found: Prompts = prompts(values)
    except BadInputError:
        return
    size = np.array([values.shape[1], values.shape[0]])
    assert (found.points >= 0).all() and (found.points <= size).all()
    assert found.box[0] < found.box[2] <= size[0] and found.box[1] < found.box[3] <= size[1]
    assert found.labels[0] == 1
