"""``maquette prompts``, ``segment``, ``depth`` and ``detect``: what they write and how they refuse."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maquette import depth, detect, segment, weights
from maquette.backends import discover
from maquette.cli import main, parser
from maquette.commands._pictures import write_grey
from maquette.commands._terminal import write_text
from maquette.commands.segment import to_unit
from maquette.errors import BadInputError

SMALL = "depth-anything-v2-small"


def ball(path: Path, size: int = 96) -> Path:
    """A ball on a transparent ground."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = x**2 + y**2 < 0.5
    rgba = np.stack([0.5 + 0.4 * x, 0.5 - 0.4 * y, 0.6 + 0 * x, inside], axis=-1)
    Image.fromarray((rgba * 255).astype(np.uint8), "RGBA").save(path)
    return path


def test_prompts_prints_points_labels_and_box_in_pixels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The format of the issue, for a disc at a known place."""
    y, x = np.mgrid[:120, :200].astype(float)
    inside = (x - 140) ** 2 + (y - 50) ** 2 < 30**2
    np.save(tmp_path / "d.npy", np.where(inside, 2.0, 1.0))
    assert main(["prompts", str(tmp_path / "d.npy"), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer) == {"points", "labels", "box"}
    assert answer["box"] == pytest.approx([110, 20, 171, 81], abs=3)
    assert all(
        inside[int(py), int(px)] == bool(n) for (px, py), n in zip(answer["points"], answer["labels"], strict=True)
    )
    assert main(["prompts", str(tmp_path / "d.npy"), "--foreground", "3", "--background", "0"]) == 0
    assert capsys.readouterr().out.count("object") == 3


def test_segment_writes_the_mask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sub" / "mask.png"
    assert main(["segment", str(ball(tmp_path / "b.png")), "-o", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    mask = np.asarray(Image.open(out).convert("L"))
    assert answer["method"] == "alpha" and mask.shape == (96, 96)
    assert mask[48, 48] == 255 and mask[2, 2] == 0
    assert answer["share"] == pytest.approx((mask > 127).mean(), abs=0.01)


def test_disparity_in_metres_guides_like_any_other(tmp_path: Path) -> None:
    """Beyond 1 m it lies in [0, 1] and never reaches one half; a mask stays what it is."""
    y, x = np.mgrid[:120, :200].astype(float)
    inside = (x - 140) ** 2 + (y - 50) ** 2 < 30**2
    metres = np.where(inside, 3.0, 12.0 - y / 60).astype(np.float32)
    given = to_unit(1 / metres)
    assert given.min() == 0 and given[inside].min() == 1 and given[~inside].max() < 0.2
    assert np.array_equal(to_unit(inside.astype(np.float32)), inside)
    np.save(tmp_path / "prior.npy", 1 / metres)
    rgb = np.where(inside[..., None], [200, 60, 40], [90, 100, 110]).astype(np.uint8)
    Image.fromarray(rgb).save(tmp_path / "p.png")
    call = ["segment", str(tmp_path / "p.png"), "-o", str(tmp_path / "m.png"), "--method", "walker"]
    assert main([*call, "--prior", str(tmp_path / "prior.npy")]) == 0
    mask = np.asarray(Image.open(tmp_path / "m.png").convert("L")) > 127
    assert (mask & inside).sum() / (mask | inside).sum() > 0.95


@pytest.mark.parametrize("command", ["segment", "segment-depth", "depth", "detect", "generate", "doctor"])
def test_every_command_looks_into_the_models_dir(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The weights lie there and nowhere else: the backend is no longer refused for want of them."""
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    picture, folder = str(ball(tmp_path / "b.png")), tmp_path / "models"
    name = {"depth": SMALL, "segment-depth": SMALL, "detect": "grounding-dino"}.get(command, "sam2.1-tiny")
    stage = {"depth": depth, "segment-depth": depth, "detect": detect}.get(command, segment)
    module = discover(stage.__name__, list(stage.__path__))[name]
    monkeypatch.setattr(module, "SPEC", replace(module.SPEC, requires=()))

    def reached(*args: object, **kwargs: object) -> None:
        assert None not in weights.locate(module.SPEC)
        raise BadInputError("the backend was reached")

    monkeypatch.setattr(module, {segment: "segment", depth: "estimate", detect: "detect"}[stage], reached)
    call = {
        "segment": ["segment", picture, "-o", "m.png", "--method", name],
        "segment-depth": ["segment", picture, "-o", "m.png", "--depth", name],
        "depth": ["depth", picture, "-o", "d.png", "--backend", name],
        "detect": ["detect", picture, "--text", "cup", "-o", "out", "--backend", name],
        "generate": ["generate", picture, "-o", "b.glb", "--segment", name],
        "doctor": ["doctor", "--json"],
    }[command]
    monkeypatch.chdir(tmp_path)
    for here in (False, True):
        if here:
            (folder / module.SPEC.folder).mkdir(parents=True)
            for file in module.SPEC.weights:
                (folder / module.SPEC.folder / file.path).touch()
        main([*call, "--models-dir", str(folder)])
        printed = capsys.readouterr()
        if command == "doctor":
            (row,) = [row for row in json.loads(printed.out) if row["name"] == f"segment {name}"]
            assert row["state"] == ("ok" if here else "note") and "500 MB at 1024" in row["value"]
            assert ("models fetch" in row["remedy"]) is not here
        else:
            assert ("the backend was reached" if here else "models fetch") in printed.err


def test_depth_to_npy_is_disparity_and_to_png_a_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The ball's middle is nearer than its rim, nothing is 0; the .npy goes straight into ``prompts``."""
    picture = str(ball(tmp_path / "b.png"))
    assert main(["depth", picture, "-o", str(tmp_path / "d.npy"), "--backend", "relief", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend"] == "relief"
    near = np.load(tmp_path / "d.npy")
    assert near.shape == (96, 96) and near[48, 48] > near[48, 20] > near[2, 2] == 0
    assert main(["depth", picture, "-o", str(tmp_path / "d.png"), "--backend", "relief"]) == 0
    grey = np.asarray(Image.open(tmp_path / "d.png").convert("L")).astype(int)
    assert grey[48, 48] > grey[48, 20] > grey[2, 2] == 0
    assert main(["prompts", str(tmp_path / "d.npy"), "--json"]) == 0


def test_detect_writes_one_crop_per_object_and_the_drawn_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Labels that are no file names are made safe; --most keeps the best."""
    boxes = (detect.Box(10, 10, 50, 50, "cup", 0.9), detect.Box(50, 50, 90, 90, "../tea spoon", 0.5))
    monkeypatch.setattr(detect, "detect", lambda *args, **kwargs: detect.Detection(boxes, "fake"))
    out = tmp_path / "found"
    call = ["detect", str(ball(tmp_path / "b.png")), "--text", "cup, spoon", "-o", str(out), "--json"]
    assert main([*call, "--padding", "0"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert sorted(p.name for p in out.iterdir()) == ["01_cup.png", "02_tea_spoon.png", "boxes.png"]
    assert Image.open(answer["objects"][0]["file"]).size == (40, 40)
    assert main([*call, "--most", "1"]) == 0
    assert len(json.loads(capsys.readouterr().out)["objects"]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["prompts", "absent.npy"], 2, "absent.npy"),
        (["prompts", "text.npy"], 2, "text.npy"),
        (["prompts", "flat.npy"], 2, "flat"),
        (["prompts", "flat.npy", "--percentile", "120"], 2, "percentile"),
        (["segment", "absent.png", "-o", "m.png"], 2, "absent.png"),
        (["segment", "b.png", "-o", "m.gif"], 2, "m.gif"),
        (["segment", "b.png", "-o", "m.png", "--method", "nonesuch"], 2, "nonesuch"),
        (["segment", "b.png", "-o", "m.png", "--depth", "relief"], 2, "relief"),
        (["segment", "b.png", "-o", "m.png", "--prior", "flat.npy"], 2, "prior"),
        (["depth", "b.png", "-o", "d.glb"], 2, "d.glb"),
        (["depth", "b.png", "-o", "d.png", "--backend", "nonesuch"], 2, "nonesuch"),
        (["depth", "b.png", "-o", "d.png", "--backend", "relief", "--tiled"], 2, "tiles"),
        (["detect", "b.png", "--text", " ", "-o", "out"], 2, "empty"),
        (["detect", "b.png", "--text", "cup", "-o", "out", "--most", "0"], 2, "--most"),
        (["detect", "b.png", "--text", "cup", "-o", "out", "--padding", "9"], 2, "--padding"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_written(
    arguments: list[str],
    code: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    ball(tmp_path / "b.png")
    np.save(tmp_path / "flat.npy", np.ones((96, 96)))
    (tmp_path / "text.npy").write_text("no array")
    before = sorted(p.name for p in tmp_path.iterdir())
    assert main(arguments) == code
    assert words in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_every_command_has_help() -> None:
    for name in ("prompts", "segment", "depth", "detect"):
        with pytest.raises(SystemExit) as stop:
            parser().parse_args([name, "--help"])
        assert stop.value.code == 0


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_what_is_written_can_be_read_by_others_as_the_umask_says(tmp_path: Path) -> None:
    """A mask, a disparity and a report are for whoever may read any other new file of that user."""
    write_text(tmp_path / "report.json", "{}")
    write_grey(tmp_path / "depth.npy", np.zeros((2, 2), np.float32))
    write_grey(tmp_path / "mask.png", np.zeros((2, 2), np.float32))
    (tmp_path / "plain").write_text("")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert len(modes) == 4 and set(modes.values()) == {modes["plain"]}
