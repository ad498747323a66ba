"""IMAGE and MASK at the border: shapes, batches, Load Image's turned mask, bad values."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch


@pytest.fixture
def border(part: Any) -> Any:
    return part("_pictures")


def test_load_images_mask_is_turned_round(border: Any) -> None:
    """1 - alpha becomes alpha."""
    image, transparency = torch.rand(1, 4, 6, 3), torch.rand(1, 4, 6)
    (alpha,) = border.alphas_of(transparency, image)
    assert np.allclose(alpha, 1 - transparency[0].numpy())
    (picture,) = border.pictures(image, (alpha,))
    assert np.allclose(picture.alpha, alpha) and np.allclose(picture.rgb, image[0].numpy())


def test_load_images_empty_mask_says_nothing(border: Any) -> None:
    """A picture without alpha comes with 64 x 64 zeros: that is no mask, whatever the picture's size."""
    assert border.alphas_of(torch.zeros(1, 64, 64), torch.rand(1, 100, 80, 3)) == (None,)
    assert border.alphas_of(None, torch.rand(2, 5, 5, 3)) == (None, None)


def test_one_mask_serves_a_batch_and_any_other_number_is_refused(border: Any) -> None:
    """4 pictures take 4 masks or 1; 3 is an error that names both numbers."""
    one = torch.rand(1, 4, 4)
    assert all(np.array_equal(m, one[0].numpy()) for m in border.masks(one, 4))
    four = torch.rand(4, 4, 4)
    assert np.array_equal(np.stack(border.masks(four, 4)), four.numpy())
    with pytest.raises(ValueError, match="4 pictures but 3 masks"):
        border.masks(torch.rand(3, 4, 4), 4)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5), (1, 4, 5, 1)])
def test_masks_come_in_several_shapes(border: Any, shape: tuple[int, ...]) -> None:
    """Other packs give [H, W], [B, 1, H, W] or [B, H, W, 1] too."""
    assert border.masks(torch.rand(shape), 1)[0].shape == (4, 5)


def test_transparency_of_another_size_is_refused(border: Any) -> None:
    """A real mask of a different picture is a wiring mistake, not something to resize in silence."""
    with pytest.raises(ValueError, match="same Load Image"):
        border.alphas_of(torch.ones(1, 8, 8), torch.rand(1, 4, 4, 3))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 7.0, -3.0])
def test_bad_pixels_are_refused(border: Any, value: float) -> None:
    """NaN, infinite and far out-of-range pixels are an error; a little ringing is clipped."""
    image = torch.rand(1, 64, 64, 3)
    image[0, 0, 0, 0] = value
    with pytest.raises(ValueError, match="image"):
        border.pictures(image)


def test_ringing_is_clipped(border: Any) -> None:
    """Resampling in other nodes overshoots by a percent."""
    image = torch.full((1, 64, 64, 3), 1.01)
    assert border.pictures(image)[0].rgb.max() == 1.0


def test_grey_and_rgba_images(border: Any) -> None:
    """One channel becomes three; a fourth channel is alpha."""
    assert border.pictures(torch.rand(1, 64, 64, 1))[0].rgb.shape == (64, 64, 3)
    image = torch.rand(2, 64, 64, 4)
    found = border.pictures(image)
    assert np.allclose(found[1].alpha, image[1, ..., 3].numpy())


@pytest.mark.parametrize("shape", [(1, 0, 4, 3), (1, 4, 4, 2), (4, 4), (1, 1, 4, 4, 3)])
def test_odd_shapes_are_refused(border: Any, shape: tuple[int, ...]) -> None:
    """A latent or a video tensor in an IMAGE socket gets words, not an IndexError."""
    with pytest.raises(ValueError, match="was expected"):
        border.pictures(torch.rand(shape))


def test_the_source_tensor_is_never_written(border: Any) -> None:
    """ComfyUI caches the tensors of other nodes."""
    image, mask = torch.rand(2, 8, 8, 4), torch.rand(2, 8, 8)
    before = image.clone(), mask.clone()
    found = border.pictures(image)
    border.masks(mask, 2)
    border.alphas_of(mask, image)
    assert torch.equal(image, before[0]) and torch.equal(mask, before[1])
    assert not np.shares_memory(found[0].rgb, image.numpy())


def test_directions(border: Any) -> None:
    """Names, degrees, a mixture, and the default order."""
    assert border.directions("", 3) == ("front", "right", "back")
    assert border.directions(" Front, LEFT ", 2) == ("front", "left")
    assert border.directions("0, 45; 90.5", 3) == ("0", "45", "90.5")
    assert border.camera_angles(("front", "left")) == {}
    assert border.camera_angles(("front", "45", "top")) == {
        "azimuths": (0.0, 45.0, 0.0),
        "elevations": (0.0, 0.0, 90.0),
    }


@pytest.mark.parametrize(
    ("text", "count", "word"),
    [("front", 2, "2 pictures but 1"), ("front, up", 2, "'up'"), ("front, front", 2, "same"), ("", 5, "5 pictures")],
)
def test_bad_directions_are_named(border: Any, text: str, count: int, word: str) -> None:
    """The message names the offending word or the two numbers."""
    with pytest.raises(ValueError, match=word):
        border.directions(text, count)


def test_a_depth_picture_is_a_prior(border: Any) -> None:
    """IMAGE (near = bright) and MASK both work as a hint; none gives none."""
    assert border.priors(None, 2) == (None, None)
    assert border.priors(torch.ones(1, 4, 4, 3), 2)[1].shape == (4, 4)
    assert border.priors(torch.ones(2, 4, 4), 2)[0].max() == 1.0
