"""Masks and settings that nobody wants: a clear error, or a sound solid."""

from __future__ import annotations

import numpy as np
import pytest
from _silhouette_scenes import bar, disc, silhouette_iou, solid_of, view

from maquette.errors import BadInputError, BadMaskError, BadViewsError
from maquette.reconstruct import Settings, reconstruct

SMALL = Settings(resolution=48)


def made(mask):
    result = reconstruct([view(mask)], "silhouette", SMALL)
    return result, solid_of(result.mesh)


@pytest.mark.parametrize("across", [False, True])
def test_one_pixel_wide_subject(across):
    """A line one pixel wide becomes a thin closed rod."""
    mask = np.zeros((120, 120), np.float32)
    mask[10:110, 60] = 1
    result, solid = made(mask.T if across else mask)
    assert solid.body_count == 1 and solid.euler_number == 2
    assert sorted(np.ptp(result.mesh.vertices, axis=0))[1] < 0.06


def test_one_pixel():
    """A single pixel is a small ball."""
    mask = np.zeros((64, 64), np.float32)
    mask[30, 31] = 1
    _, solid = made(mask)
    assert solid.euler_number == 2


def test_mask_touching_all_borders():
    """The frame cuts the subject off; the solid is closed all the same and fills the frame."""
    result, _ = made(np.ones((64, 64), np.float32))
    assert silhouette_iou(result.mesh, result.views[0]) > 0.97


def test_wide_picture():
    """A picture that is not square is seen by a camera of its own shape."""
    mask = np.zeros((60, 160), np.float32)
    mask[20:40, 20:140] = 1
    result, _ = made(mask)
    assert silhouette_iou(result.mesh, result.views[0]) > 0.95


def test_two_components_are_two_shells():
    """Two separate parts of the mask stay two closed shells."""
    _, solid = made(np.maximum(disc(0.3, -0.5), disc(0.3, 0.5)))
    assert solid.body_count == 2 and solid.euler_number == 4


def test_specks_are_left_out_and_said():
    """Dust beside the subject goes, with a note; the subject is as without it."""
    mask = disc(0.6)
    dusty = mask.copy()
    dusty[2:4, 2:4] = 1
    dusty[-3:-1, 5] = 1
    result, solid = made(dusty)
    clean, _ = made(mask)
    assert solid.body_count == 1 and any("2 specks" in note for note in result.notes)
    assert np.allclose(result.mesh.bounds, clean.mesh.bounds, atol=1e-3)


def test_hundreds_of_holes():
    """A sieve: every hole larger than a cell stays, the solid is closed; pinholes are closed with a note."""
    mask = bar(0.8)
    mask[16:112:8, 20:108:8] = 0
    result, solid = made(mask)
    assert any("holes" in note for note in result.notes) and solid.body_count == 1
    wide = bar(0.8)
    for y in range(16, 112, 12):
        for x in range(18, 108, 12):
            wide[y : y + 6, x : x + 6] = 0
    _, sieve = made(wide)
    assert sieve.euler_number == 2 - 2 * 64


@pytest.mark.parametrize(
    ("mask", "match"),
    [
        (np.zeros((32, 32)), "empty"),
        (np.full((32, 32), 0.3), "empty"),
        (np.full((32, 32), np.nan), "NaN"),
    ],
    ids=["zero", "faint", "nan"],
)
def test_unusable_masks(mask, match):
    """Nothing to reconstruct is said before anything runs."""
    with pytest.raises(BadMaskError, match=match):
        reconstruct([view(mask)], "silhouette", SMALL)


@pytest.mark.parametrize("values", [{"resolution": 2}, {"resolution": 10**5}, {"field_of_view": 180.0}])
def test_unusable_settings(values):
    """Settings out of range are refused with the range."""
    with pytest.raises(BadInputError, match="must lie between"):
        reconstruct([view(disc())], "silhouette", Settings(**values))


def test_views_without_direction():
    """Two pictures with file names and no azimuths cannot be placed; counts must fit; no views is an error."""
    pair = [view(disc(), "a.png"), view(disc(), "b.png")]
    with pytest.raises(BadViewsError, match=r"direction of view 'a\.png' is unknown"):
        reconstruct(pair, "silhouette", SMALL)
    with pytest.raises(BadViewsError, match="3 azimuths were given for 2 views"):
        reconstruct(pair, "silhouette", Settings(azimuths=(0, 90, 180)))
    with pytest.raises(BadViewsError, match="no views"):
        reconstruct([], "silhouette", SMALL)


def test_unknown_backend():
    """The message lists what there is."""
    with pytest.raises(BadInputError, match="silhouette"):
        reconstruct([view(disc())], "no-such", SMALL)
