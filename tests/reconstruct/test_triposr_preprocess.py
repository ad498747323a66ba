"""Preprocessing against pictures made by the published code, its crop and truncation included."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from maquette.data import View
from maquette.errors import BadMaskError
from maquette.reconstruct._triposr.preprocess import composite, resize_foreground, view_to_image

FOLDER = Path(__file__).resolve().parent.parent / "data" / "triposr" / "preprocess"
CASES = json.loads((FOLDER / "cases.json").read_text())


def pixels(name: str) -> np.ndarray:
    with Image.open(FOLDER / name) as picture:
        return np.array(picture)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["resized"][:-12])
def test_framing_is_exact_and_compositing_within_one_level(case: dict[str, Any]) -> None:
    """The framed picture matches byte for byte; the composited one too, on this machine's float32."""
    resized = resize_foreground(pixels(case["input"]), case["ratio"])
    np.testing.assert_array_equal(resized, pixels(case["resized"]))
    got = composite(resized).astype(int)
    assert np.abs(got - pixels(case["composited"]).astype(int)).max() <= 1


def test_background_is_127_and_opaque_pixels_are_kept() -> None:
    """Truncation, not rounding."""
    rgba = np.zeros((2, 2, 4), np.uint8)
    rgba[0, 0] = (10, 200, 255, 255)
    out = composite(rgba)
    assert (out[1, 1] == 127).all()
    assert tuple(out[0, 0]) == (10, 200, 255)


@pytest.mark.parametrize("box", [(0, 0), (1, 1), (1, 5), (5, 1)])
def test_subjects_on_which_the_original_breaks_are_refused(box: tuple[int, int]) -> None:
    """Nothing, one pixel, or one pixel wide or high."""
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[1 : 1 + box[0], 2 : 2 + box[1], 3] = 255
    with pytest.raises(BadMaskError):
        resize_foreground(rgba)


def test_a_view_becomes_a_grey_square_with_its_subject() -> None:
    """The subject takes 0.85 of the frame; NaN outside the subject does no harm."""
    rgb = np.full((100, 60, 3), np.nan, np.float32)
    mask = np.zeros((100, 60), np.float32)
    rgb[20:61, 10:51], mask[20:61, 10:51] = (1.0, 0.0, 0.0), 1.0
    image = view_to_image(View(rgb, mask))
    assert image.shape == (47, 47, 3)
    red = image[..., 1] == 0.0
    assert red.sum() == 40 * 40
    np.testing.assert_allclose(image[0, 0], 127 / 255, atol=1e-6)
