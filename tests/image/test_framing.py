"""prepare: the subject centred in a square, its longer side the asked share; masks that cannot work are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.errors import BadInputError, BadMaskError, BadViewsError
from maquette.image import Picture, from_array, prepare, prepare_views
from maquette.image.subject import subject_box


def disc(height: int, width: int, cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
    """An anti-aliased ellipse (16 samples a pixel)."""
    y, x = (np.mgrid[: 4 * height, : 4 * width] + 0.5) / 4
    inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1
    return inside.reshape(height, 4, width, 4).mean(axis=(1, 3)).astype(np.float32)


def flat(height: int, width: int, color: tuple[float, float, float] = (0.2, 0.5, 0.7)) -> Picture:
    return from_array(np.broadcast_to(np.array(color, np.float32), (height, width, 3)), None, "flat")


def box_of(mask: np.ndarray) -> tuple[float, float, float, float]:
    box = subject_box(mask, "x")
    return box.left, box.top, box.right, box.bottom


@settings(max_examples=40, deadline=None)
@given(
    cx=st.floats(25, 95),
    cy=st.floats(25, 75),
    rx=st.floats(8, 22),
    ry=st.floats(8, 22),
    size=st.sampled_from([64, 100, 256]),
    fill=st.floats(0.5, 0.95),
)
def test_the_subject_is_centred_and_fills_its_share(
    cx: float, cy: float, rx: float, ry: float, size: int, fill: float
) -> None:
    """Wherever and however large the ellipse was, its box ends up centred, the longer side taking ``fill``."""
    mask = disc(100, 120, cx, cy, rx, ry)
    view = prepare(flat(100, 120), mask, size=size, fill=fill)
    left, top, right, bottom = box_of(view.mask)
    assert view.rgb.shape == (size, size, 3)
    assert view.camera is None
    pixel = 0.25 + 0.6 * size * fill / (2 * max(rx, ry))  # a share of a source pixel
    assert (left + right) / 2 == pytest.approx(size / 2, abs=0.6 * pixel)
    assert (top + bottom) / 2 == pytest.approx(size / 2, abs=0.6 * pixel)
    assert max(right - left, bottom - top) == pytest.approx(fill * size, abs=pixel)
    area = np.pi * rx * ry * (fill * size / (2 * max(rx, ry))) ** 2
    assert view.mask.sum() == pytest.approx(area, rel=0.08)
    assert 0 <= view.mask.min() <= view.mask.max() <= 1
    assert 0 <= view.rgb.min() <= view.rgb.max() <= 1


def test_subject_that_touches_every_border_is_framed_whole() -> None:
    """A mask of ones is a square that takes its share; nothing wraps around or is repeated."""
    view = prepare(flat(50, 50), np.ones((50, 50)), size=200, fill=0.8)
    left, top, right, bottom = box_of(view.mask)
    assert (left, top) == pytest.approx((20, 20), abs=0.6)
    assert (right, bottom) == pytest.approx((180, 180), abs=0.6)
    assert view.mask.sum() == pytest.approx(160**2, rel=0.02)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((40, 40)), "mask is empty.*run Segment"),
        (np.full((40, 40), 0.3), r"largest value is 0\.30"),
        (np.ones((20, 20)), r"mask is \[20, 20\] but the picture is \[40, 40\]"),
        (np.full((40, 40), np.nan), "NaN"),
        (np.full((40, 40), 255.0), "must lie in"),
        (np.eye(40)[19:20].T @ np.ones((1, 40)), "too thin for an outline"),
    ],
)
def test_masks_that_cannot_work(mask: np.ndarray, message: str) -> None:
    """Each has its own sentence with the remedy; a one-pixel-wide subject is among them."""
    with pytest.raises(BadMaskError, match=message):
        prepare(flat(40, 40), mask)


@pytest.mark.parametrize(("size", "fill"), [(0, 0.85), (100000, 0.85), (256, 0.0), (256, 1.5)])
def test_frames_that_make_no_sense(size: int, fill: float) -> None:
    """Size and fill have limits that are named."""
    with pytest.raises(BadInputError, match="between"):
        prepare(flat(40, 40), disc(40, 40, 20, 20, 9, 9), size=size, fill=fill)


def test_no_background_colour_is_left_at_the_edge() -> None:
    """A red disc photographed on green, cut with a soft mask: every pixel that counts is red."""
    mask = disc(160, 160, 80, 80, 50, 40)
    soft = mask[..., None]
    photo = from_array(np.array([0.8, 0.1, 0.1]) * soft + np.array([0.1, 0.9, 0.1]) * (1 - soft), None, "photo")
    view = prepare(photo, mask, size=160)
    counts = view.mask > 0.05
    assert np.abs(view.rgb[counts] - [0.8, 0.1, 0.1]).max() < 0.12
    assert np.abs(view.rgb[counts] - [0.8, 0.1, 0.1]).mean() < 0.005
    naive = np.abs(photo.rgb[mask > 0.05] - [0.8, 0.1, 0.1]).max()
    assert naive > 0.5


def test_hidden_colours_of_a_cut_out_do_not_show() -> None:
    """Straight alpha with garbage where it is transparent: the garbage is gone, also after resampling."""
    mask = disc(160, 160, 80, 80, 50, 40)
    rgb = np.where(mask[..., None] > 0, np.array([0.8, 0.1, 0.1]), np.array([0.0, 1.0, 0.0]))
    picture = from_array(rgb, mask, "cut")
    view = prepare(picture, mask, size=300)
    counts = view.mask > 0.02
    assert np.abs(view.rgb[counts] - [0.8, 0.1, 0.1]).max() < 0.02


def test_colours_inside_stay_exactly_where_nothing_is_resampled() -> None:
    """At the picture's own scale the inside is untouched."""
    rng = np.random.default_rng(0)
    rgb = rng.random((100, 100, 3)).astype(np.float32)
    mask = np.zeros((100, 100), np.float32)
    mask[10:90, 10:90] = 1
    view = prepare(from_array(rgb, None, "x"), mask, size=100, fill=0.8)
    np.testing.assert_allclose(view.rgb[12:88, 12:88], rgb[12:88, 12:88], atol=1e-5)


def test_views_get_one_scale() -> None:
    """Photos taken at different distances: afterwards the heights of all horizontal views agree."""
    near, far = disc(300, 300, 150, 160, 120, 90), disc(200, 260, 90, 80, 25, 45)
    views = prepare_views([flat(300, 300), flat(200, 260)], [near, far], ["front", "right"], size=256, fill=0.8)
    boxes = [box_of(view.mask) for view in views]
    heights = [bottom - top for _, top, _, bottom in boxes]
    assert heights[0] == pytest.approx(heights[1], rel=0.03)
    assert boxes[0][2] - boxes[0][0] == pytest.approx(0.8 * 256, abs=1.5)
    assert boxes[1][2] - boxes[1][0] < boxes[0][2] - boxes[0][0]
    assert [view.name for view in views] == ["front", "right"]


def test_top_view_is_matched_by_its_width() -> None:
    """What is wide in front is equally wide from above."""
    front, top = disc(200, 200, 100, 100, 80, 30), disc(120, 120, 60, 60, 30, 20)
    views = prepare_views([flat(200, 200), flat(120, 120)], [front, top], ["front", "top"], size=256)
    widths = [box_of(view.mask)[2] - box_of(view.mask)[0] for view in views]
    assert widths[0] == pytest.approx(widths[1], rel=0.03)


def test_views_of_one_camera_keep_their_place() -> None:
    """Rendered or turntable sets: offsets and differences of scale are perspective, they are not evened out."""
    first, second = disc(200, 200, 103, 100, 80, 60), disc(200, 200, 98, 99, 40, 61)
    views = prepare_views([flat(200, 200)] * 2, [first, second], ["front", "right"], size=200, fill=0.8)
    a, b = (box_of(view.mask) for view in views)
    np.testing.assert_allclose(a, (23, 40, 183, 160), atol=0.6)
    np.testing.assert_allclose(b, (58, 38, 138, 160), atol=0.6)


def test_numbers_of_views_must_agree() -> None:
    """Two pictures and one mask are refused with all three numbers."""
    mask = disc(40, 40, 20, 20, 9, 9)
    with pytest.raises(BadViewsError, match="2 pictures, 1 masks and 2 names"):
        prepare_views([flat(40, 40)] * 2, [mask], ["front", "back"])
    with pytest.raises(BadViewsError):
        prepare_views([], [], [])


def test_the_view_with_the_bad_mask_is_named() -> None:
    """Of several views, the message says which one."""
    masks = [disc(40, 40, 20, 20, 9, 9), np.zeros((40, 40))]
    with pytest.raises(BadMaskError, match="'back'"):
        prepare_views([flat(40, 40)] * 2, masks, ["front", "back"])
