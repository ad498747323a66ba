"""Model answers become boxes whatever their wrapping, and nothing in them is run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.detect.answers import MOST, parse_boxes

CUP = '{"bbox_2d": [100, 200, 300, 400], "label": "cup"}'
SPOON = '{"bbox_2d": [500, 500, 900, 700], "label": "spoon"}'


@pytest.mark.parametrize(
    "answer",
    [
        f"[{CUP}, {SPOON}]",
        f"```json\n[{CUP}, {SPOON}]\n```",
        f"Here they are:\n```\n[\n\t{CUP},\n\t{SPOON},\n]\n``` Anything else?",
        f"{CUP}\n{SPOON}",
        f'[{CUP}, {SPOON}, {{"bbox_2d": [1, 2',
        f'{{"objects": [{CUP}, {SPOON}]}}',
        f"[{CUP.replace(']', ',]')}, {SPOON.replace('}', ',}')},]",
        f"[{CUP}, {CUP}, {SPOON}, {CUP}]",
        f"[{CUP}, {{broken}}, {SPOON}]",
        f"[{CUP}, {SPOON}]".replace('"', "'"),
    ],
    ids=["plain", "fence", "prose", "lines", "cut off", "nested", "commas", "repeated", "broken", "quotes"],
)
def test_every_wrapping_gives_the_same_two_boxes(answer: str) -> None:
    boxes = parse_boxes(answer, 1000, 500)
    assert [(b.label, b.left, b.top, b.right, b.bottom) for b in boxes] == [
        ("cup", 100, 100, 300, 200),
        ("spoon", 500, 250, 900, 350),
    ]


def test_an_inverted_box_is_turned_round() -> None:
    (box,) = parse_boxes('{"bbox_2d": [300, 400, 100, 200], "label": "cup"}', 1000, 1000)
    assert (box.left, box.top, box.right, box.bottom) == (100, 200, 300, 400)


@pytest.mark.parametrize(
    "answer",
    [
        "I see a cup on the table and a spoon next to it.",
        "",
        "[]",
        '{"label": "cup"}',
        '{"bbox_2d": [1, 2, 3], "label": "cup"}',
        '{"bbox_2d": [1, 2, 3, true], "label": "cup"}',
        '{"bbox_2d": [NaN, 0, 10, 10], "label": "cup"}',
        '{"bbox_2d": [1e400, 0, 10, 10], "label": "cup"}',
        '{"bbox_2d": [2000, 2000, 3000, 3000], "label": "outside"}',
        '{"bbox_2d": [10, 10, 10, 500], "label": "no width"}',
        "{" * 5000,
        '__import__("os").system("true")',
    ],
)
def test_what_is_no_box_gives_none(answer: str) -> None:
    assert parse_boxes(answer, 640, 480) == ()


def test_a_box_half_outside_is_cut_to_the_picture() -> None:
    (box,) = parse_boxes('{"bbox_2d": [-200, 500, 500, 1500], "label": "cup"}', 200, 100)
    assert (box.left, box.top, box.right, box.bottom) == (0, 50, 100, 100)


def test_forty_objects_are_all_read_and_endless_repetition_is_not() -> None:
    """A table full of things is fine; a model in a loop is cut off."""
    many = [{"bbox_2d": [20 * k, 0, 20 * k + 19, 500], "label": f"thing {k}"} for k in range(40)]
    assert len(parse_boxes(json.dumps(many), 1000, 1000)) == 40
    endless = "".join(f'{{"bbox_2d": [0, 0, {500 + k / 10}, 500], "label": "cup"}},' for k in range(3000))
    assert len(parse_boxes(endless, 1000, 1000)) == MOST


def test_other_names_for_the_same_fields() -> None:
    answer = '{"bbox": "(0, 0), (500, 500)", "name": "jug", "score": 0.25} {"box": [[0,0],[500,500]], "score": "high"}'
    one, two = parse_boxes(answer, 100, 100)
    assert (one.label, one.score, one.right) == ("jug", 0.25, 50)
    assert (two.label, two.score, two.bottom) == ("object", 1.0, 50)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_survived(answer: str) -> None:
    """No text raises, and what comes out lies in the picture."""
    for box in parse_boxes(answer, 320, 200):
        assert 0 <= box.left < box.right <= 320 and 0 <= box.top < box.bottom <= 200


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["bbox_2d", "label", "x"]), inner),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(JSON, st.sampled_from(["%s", "```json\n%s\n```", "Sure! %s", "%s,]"]))
def test_any_json_is_survived(value: Any, wrapping: str) -> None:
    for box in parse_boxes(wrapping.replace("%s", json.dumps(value)), 320, 200):
        assert 0 <= box.left < box.right <= 320 and 0 <= box.top < box.bottom <= 200


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 1000)] * 4), max_size=12), st.integers(16, 3000), st.integers(16, 3000))
def test_boxes_round_trip(sides: list[tuple[int, int, int, int]], width: int, height: int) -> None:
    """Every box wide enough comes back at its place, in order, once."""
    expected: list[tuple[float, ...]] = []
    for x0, y0, x1, y1 in sides:
        box = (min(x0, x1) / 1000 * width, min(y0, y1) / 1000 * height)
        box += (max(x0, x1) / 1000 * width, max(y0, y1) / 1000 * height)
        if box[2] - box[0] >= 4 and box[3] - box[1] >= 4 and box not in expected:
            expected.append(box)
    answer = json.dumps([{"bbox_2d": list(s), "label": "a"} for s in sides])
    found = [(b.left, b.top, b.right, b.bottom) for b in parse_boxes(answer, width, height)]
    assert found == [pytest.approx(box) for box in expected]
