"""Things apart without a model: boxes of the example picture, of alpha, of many things; and what has none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from examples.group import group, masks
from maquette import detect
from maquette.errors import BadInputError
from maquette.image import from_array, read_picture

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "examples" / "three_things.jpg"


def overlap(box: detect.Box, mask: Any) -> float:
    """IoU of a box and the tight box of a mask."""
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    true = detect.Box(columns[0], rows[0], columns[-1] + 1, rows[-1] + 1, "true")
    from maquette.detect.boxes import overlap as iou

    return iou(box, true)


def test_the_example_picture_is_what_its_script_makes() -> None:
    committed = read_picture(EXAMPLE).rgb
    assert np.abs(committed - group()).mean() < 0.01


def test_every_thing_of_the_example_gets_one_tight_box() -> None:
    """Shadows and grain add nothing; what did it and that it does not read is said."""
    found = detect.detect(read_picture(EXAMPLE), "rocket, teapot", "apart")
    assert len(found.boxes) == 3 and found.method == "apart"
    assert "does not read the text" in found.notes[0]
    for mask in masks().values():
        assert max(overlap(box, mask > 0.5) for box in found.boxes) > 0.85
    assert {box.label for box in found.boxes} == {"object"}
    assert {box.label for box in detect.detect(read_picture(EXAMPLE), "toy", "apart").boxes} == {"toy"}


def test_auto_takes_it_when_no_model_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert detect.load("auto").SPEC.name == "apart"


def balls(count: int, side: int = 400, alpha: bool = False) -> Any:
    """``count`` balls of several colours in rows on a gradient, or on nothing."""
    y, x = np.mgrid[:side, :side].astype(np.float32)
    rgb = np.repeat((0.75 + 0.2 * y / side)[..., None], 3, axis=2)
    inside = np.zeros((side, side), bool)
    across = int(np.ceil(np.sqrt(count)))
    step = side / across
    for k in range(count):
        ball = np.hypot(x - (k % across + 0.5) * step, y - (k // across + 0.5) * step) < 0.36 * step
        rgb[ball] = np.random.default_rng(k).uniform(0, 0.6, 3)
        inside |= ball
    return from_array(rgb.astype(np.float32), inside.astype(np.float32) if alpha else None, "balls")


@pytest.mark.parametrize("alpha", [False, True])
def test_forty_things_are_forty_boxes(alpha: bool) -> None:
    found = detect.detect(balls(40, alpha=alpha), "ball", "apart")
    assert len(found.boxes) == 40
    sides = [(b.right - b.left, b.bottom - b.top) for b in found.boxes]
    assert np.allclose(sides, 0.72 * 400 / 7, atol=4)


@pytest.mark.parametrize("kind", ["even", "gradient", "noise", "tiny"])
def test_where_nothing_stands_apart_the_error_says_so(kind: str) -> None:
    """It names the text, the method and what was seen."""
    side = 6 if kind == "tiny" else 96
    rgb = np.full((side, side, 3), 0.5, np.float32)
    if kind == "gradient":
        rgb *= np.linspace(0.5, 1.5, side, dtype=np.float32)[:, None, None]
    if kind == "noise":
        rgb = np.random.default_rng(0).random((side, side, 3), np.float32)
    with pytest.raises(BadInputError, match=r"p\.png.*teapot.*apart.*nothing"):
        detect.detect(from_array(rgb, None, "p.png"), "teapot", "apart")


def test_file_names_are_safe() -> None:
    box = detect.Box(0, 0, 9, 9, "../tea spoon?")
    assert detect.file_stem(box, 0) == "01_tea_spoon"
    assert detect.file_stem(detect.Box(0, 0, 9, 9, "???"), 11) == "12_object"
