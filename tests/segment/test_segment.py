"""The segment contract: which method runs, what the notes say, what cannot work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from maquette.backends import Spec
from maquette.errors import BadInputError, BadMaskError, Cancelled, MissingError
from maquette.image import from_array
from maquette.progress import Progress
from maquette.segment import load, names, segment, unavailable
from maquette.segment.alpha import transparent, usable, without_specks


def ball(alpha: bool = True, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    mask = np.clip((0.6 - np.hypot(x, y)) * side / 2 + 0.5, 0, 1)
    rgb = np.array([0.8, 0.3, 0.1]) * (0.7 + 0.3 * y[..., None]) * mask[..., None] + 0.75 * (1 - mask[..., None])
    return rgb.astype(np.float32), mask.astype(np.float32)


def test_auto_takes_the_pictures_own_alpha() -> None:
    """Alpha is exact: it comes out unchanged, and the method is named."""
    rgb, mask = ball()
    found = segment(from_array(rgb, mask, "ball"))
    assert found.method == "alpha"
    np.testing.assert_allclose(found.mask, np.where(mask < 0.03, 0, mask))
    assert found.notes == ()
    assert not found.mask.flags.writeable


def test_opaque_alpha_is_not_used_and_that_is_said() -> None:
    """A picture saved with an alpha channel that is 1 everywhere is segmented like one without."""
    rgb, mask = ball()
    found = segment(from_array(rgb, np.ones_like(mask), "ball"))
    assert found.method == load("auto").SPEC.name
    assert "opaque everywhere" in found.notes[0]
    assert np.abs(found.mask - mask).mean() < 0.01


def test_fully_transparent_is_an_error_whatever_its_colours_say() -> None:
    """Nothing is visible, so nothing may be reconstructed from hidden colours."""
    rgb, mask = ball()
    with pytest.raises(BadMaskError, match="fully transparent"):
        segment(from_array(rgb, np.zeros_like(mask), "ghost"))


@pytest.mark.parametrize("method", ["auto", "walker"])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_uniform_picture_is_an_error(method: str, value: float) -> None:
    """One even colour, fully opaque: no subject, and the remedy is in the message."""
    with pytest.raises(BadMaskError, match=r"one even colour.*give a mask"):
        segment(from_array(np.full((64, 64, 3), value), np.ones((64, 64)), "blank"), method)


def test_noise_and_a_bare_gradient_hold_no_subject() -> None:
    """Pictures with contrast but nothing in them are refused rather than cut at random."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0.1, 0.9, 128)[:, None, None] + rng.normal(0, 0.01, (128, 128, 3))
    with pytest.raises(BadMaskError, match="no subject"):
        segment(from_array(np.clip(ramp, 0, 1), None, "ramp"), "walker")
    with pytest.raises(BadMaskError, match="no subject"):
        segment(from_array(np.clip(0.5 + rng.normal(0, 0.05, (128, 128, 3)), 0, 1), None, "noise"), "walker")


def test_alpha_asked_for_where_there_is_none() -> None:
    """The message names what else can be done."""
    rgb, mask = ball()
    with pytest.raises(BadMaskError, match="no alpha channel"):
        segment(from_array(rgb, None, "ball"), "alpha")
    with pytest.raises(BadMaskError, match=r"fully opaque.*walker"):
        segment(from_array(rgb, np.ones_like(mask), "ball"), "alpha")


def test_unknown_and_missing_methods() -> None:
    """A wrong name lists the right ones; a backend whose library is absent says how to get it."""
    rgb, _ = ball()
    with pytest.raises(BadInputError, match=r"alpha.*grabcut.*walker"):
        segment(from_array(rgb, None, "ball"), "magic")
    if unavailable("grabcut"):
        with pytest.raises(MissingError, match="cv2"):
            segment(from_array(rgb, None, "ball"), "grabcut")


def test_backends_are_listed_and_cheap_to_import(root: Path) -> None:
    """Menus import every backend: that must not bring scipy, scikit-image, torch or cv2 with it."""
    assert {"alpha", "grabcut", "walker"} <= set(names())
    code = "import sys; import maquette.segment as s; s.names(); import maquette.image; print(' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert not {"scipy", "skimage", "torch", "cv2", "PIL"} & set(answer.stdout.split())


def test_subject_at_the_border_is_noted() -> None:
    """A mask that runs off the picture says at which side."""
    alpha = np.zeros((64, 64), np.float32)
    alpha[20:, 20:40] = 1
    found = segment(from_array(np.full((64, 64, 3), 0.5), alpha, "bust"))
    assert any("border (bottom)" in note for note in found.notes)


def test_a_prior_moves_the_choice() -> None:
    """Two equal balls: the prior says which one is meant; without it both are kept."""
    y, x = np.mgrid[:120, :200]
    left, right = np.hypot(x - 55, y - 60) < 30, np.hypot(x - 145, y - 60) < 30
    rgb = np.full((120, 200, 3), 0.8) + np.random.default_rng(0).normal(0, 0.01, (120, 200, 3))
    rgb[left | right] -= (0.1, 0.5, 0.6)
    picture = from_array(np.clip(rgb, 0, 1), None, "balls")
    hint = (np.hypot(x - 145, y - 60) < 36).astype(np.float32)
    chosen = segment(picture, "walker", prior=hint).mask >= 0.5
    assert (chosen & right).sum() > 0.95 * right.sum()
    assert (chosen & left).sum() < 0.05 * left.sum()
    both = segment(picture, "walker").mask >= 0.5
    assert (both & (left | right)).sum() > 0.95 * (left | right).sum()


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        (np.zeros((10, 10)), r"the prior is \[10, 10\] but the picture is \[96, 96\]"),
        (np.full((96, 96), np.nan), "no NaN"),
        (np.full((96, 96), 7.0), r"\[0, 1\]"),
        (np.ones((96, 96)), "same everywhere"),
    ],
)
def test_priors_that_cannot_work(prior: np.ndarray, message: str) -> None:
    """Wrong size, NaN, range, and a prior that says nothing."""
    rgb, _ = ball()
    with pytest.raises(BadMaskError, match=message):
        segment(from_array(rgb, None, "ball"), "walker", prior=prior)


def test_cancel_reaches_the_walker() -> None:
    """Cancelling at any of its steps stops it at once."""
    rgb, _ = ball()
    picture = from_array(rgb, None, "ball")
    steps: list[str] = []
    segment(picture, "walker", progress=Progress(report=lambda _share, label: steps.append(label)))
    assert len(steps) >= 5
    for stop in range(len(steps)):
        seen = 0

        def check(stop: int = stop) -> None:
            nonlocal seen
            seen += 1
            if seen > stop:
                raise Cancelled("stop")

        with pytest.raises(Cancelled):
            segment(picture, "walker", progress=Progress(check=check))


def test_specks_go_and_parts_stay() -> None:
    """Dirt of a few pixels is dropped, a second part is not."""
    mask = np.zeros((100, 100), np.float32)
    mask[10:60, 10:60] = 1
    mask[70:80, 70:80] = 0.8
    mask[95, 5] = 1
    out = without_specks(mask)
    assert out[95, 5] == 0
    out_without = out.copy()
    out_without[95, 5] = mask[95, 5]
    np.testing.assert_array_equal(out_without, mask)


def test_usable_alpha() -> None:
    """None, opaque and empty alpha say nothing; a small subject does."""
    small = np.zeros((100, 100), np.float32)
    small[:5, :5] = 1
    assert usable(small)
    assert not usable(None)
    assert not usable(np.ones((9, 9), np.float32))
    assert not usable(np.zeros((9, 9), np.float32))
    assert transparent(np.zeros((9, 9), np.float32))
    assert not transparent(None)


def test_inputs_stay_as_they_are_and_the_answer_is_repeatable() -> None:
    """No randomness from outside, no edit in place."""
    rgb, _ = ball()
    picture = from_array(rgb, None, "ball")
    before = picture.rgb.copy()
    first = segment(picture, "walker").mask
    np.random.default_rng().random(5)
    np.testing.assert_array_equal(segment(picture, "walker").mask, first)
    np.testing.assert_array_equal(picture.rgb, before)


def test_auto_takes_a_model_that_follows_priors_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a prior the best ranked model, with one the model that works from it, and walker when neither is here."""
    import maquette.segment as stage

    def model(name: str, follows: bool) -> Any:
        module = ModuleType(name)
        module.SPEC = Spec(name, name, "for tests", default_rank=5 if not follows else 9)
        module.FOLLOWS_PRIOR = follows
        module.segment = lambda picture, **_: np.pad(np.ones((8, 8), np.float32), 4)
        return module

    real = stage.discover(stage.__name__, list(stage.__path__))
    more = {"best": model("best", False), "guided": model("guided", True)}
    monkeypatch.setattr(stage, "discover", lambda *_: {**real, **more})
    picture = from_array(np.random.default_rng(0).random((16, 16, 3), np.float32), None, "p")
    prior = np.zeros((16, 16), np.float32)
    prior[4:12, 4:12] = 1
    assert stage.segment(picture).method == "best"
    assert stage.segment(picture, prior=prior).method == "guided"
    more.pop("guided")
    assert stage.segment(picture, prior=prior).method == "best"
