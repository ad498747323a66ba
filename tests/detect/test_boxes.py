"""Boxes are merged, padded, cropped and drawn within the picture; the stage's face says what was not found."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette import detect
from maquette.backends import Spec
from maquette.detect import Box, crop, draw, merge_boxes, pad_box
from maquette.detect.boxes import clip_boxes, overlap
from maquette.errors import BadInputError
from maquette.image import from_array

SIDE = st.floats(-50, 150, allow_nan=False)
BOX = st.builds(Box, SIDE, SIDE, SIDE, SIDE, st.sampled_from(["cup", "jug"]), st.floats(0, 1))


@settings(max_examples=100, deadline=None)
@given(st.lists(BOX, max_size=12))
def test_merged_boxes_are_inside_best_first_and_apart(boxes: list[Box]) -> None:
    """No two overlap beyond the threshold, and every input box is covered by a better one."""
    clipped = clip_boxes(boxes, 100, 80)
    kept = merge_boxes(clipped, 0.5)
    assert all(0 <= b.left < b.right <= 100 and 0 <= b.top < b.bottom <= 80 for b in kept)
    assert [b.score for b in kept] == sorted((b.score for b in kept), reverse=True)
    assert all(overlap(a, b) <= 0.5 for i, a in enumerate(kept) for b in kept[:i])
    assert all(any(k.score >= b.score and (k == b or overlap(k, b) > 0.5) for k in kept) for b in clipped)


@settings(max_examples=60, deadline=None)
@given(BOX, BOX)
def test_overlap_is_symmetric_and_one_for_itself(one: Box, two: Box) -> None:
    pair = clip_boxes([one, two], 100, 80)
    for box in pair:
        assert overlap(box, box) == pytest.approx(1)
    if len(pair) == 2:
        assert overlap(*pair) == overlap(pair[1], pair[0]) <= 1


def test_a_crop_holds_the_padded_box_and_stops_at_the_border() -> None:
    rgb = np.arange(60 * 80 * 3, dtype=np.float32).reshape(60, 80, 3)
    piece = crop(rgb, Box(20, 10, 40, 30, "cup"), 0.25)
    assert np.array_equal(piece, rgb[5:35, 15:45])
    assert crop(rgb, Box(0, 0, 80, 60, "all"), 1.0).shape == rgb.shape
    assert crop(rgb, Box(79.5, 59.5, 80, 60, "corner"), 0).shape == (1, 1, 3)
    with pytest.raises(BadInputError, match="padding"):
        pad_box(Box(0, 0, 1, 1, "x"), -0.1, 80, 60)


def test_drawing_changes_only_a_copy_and_shows_every_box() -> None:
    rgb = np.zeros((60, 80, 3), np.float32)
    shown = draw(rgb, [Box(5, 5, 40, 30, "cup"), Box(45, 20, 78, 58, "茶杯")])
    assert rgb.max() == 0 and shown.shape == rgb.shape and shown.dtype == np.float32
    assert shown[5, 20].max() > 0.3 and shown[57, 60].max() > 0.3


class Fake(ModuleType):
    """A backend that answers what it was made with."""

    def __init__(self, boxes: tuple[Box, ...]) -> None:
        super().__init__("fake")
        self.boxes, self.SPEC = boxes, Spec("fake", "Fake", "for tests")

    def detect(self, picture: Any, prompt: str, *, device: str, progress: Any) -> tuple[Box, ...]:
        return self.boxes


@pytest.mark.parametrize(
    ("boxes", "seen"), [((), "nothing of it"), ((Box(500, 500, 600, 600, "cup"),), "1 boxes, none of them inside")]
)
def test_nothing_found_names_the_text_and_what_was_seen(
    boxes: tuple[Box, ...], seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detect, "load", lambda name: Fake(boxes))
    picture = from_array(np.zeros((64, 64, 3), np.float32), None, "table.jpg")
    with pytest.raises(BadInputError, match=f"table.jpg.*teapot.*fake.*{seen}"):
        detect.detect(picture, " teapot ")


def test_one_thing_named_twice_is_one_box(monkeypatch: pytest.MonkeyPatch) -> None:
    boxes = (Box(0, 0, 30, 30, "cup", 0.4), Box(1, 0, 30, 30, "mug", 0.9), Box(40, 40, 60, 60, "spoon", 0.2))
    monkeypatch.setattr(detect, "load", lambda name: Fake(boxes))
    picture = from_array(np.zeros((64, 64, 3), np.float32), None, "p")
    found = detect.detect(picture, "cup, mug, spoon")
    assert [b.label for b in found.boxes] == ["mug", "spoon"] and found.method == "fake"
    assert "1 more boxes" in found.notes[0]


def test_an_empty_text_is_refused() -> None:
    picture = from_array(np.zeros((64, 64, 3), np.float32), None, "p")
    with pytest.raises(BadInputError, match="prompt is empty"):
        detect.detect(picture, "  ")
