"""The command line: starts at once, says what is wrong with the right exit code, writes everything or nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from maquette.cli import main, parser
from maquette.commands.backends import _state
from maquette.commands.generate import front, settings_from
from maquette.errors import BadInputError, BadViewsError
from maquette.pipeline import GenerateSettings, view_names

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = {"torch", "scipy", "skimage", "trimesh", "xatlas", "PIL", "rich", "huggingface_hub", "requests"}


def disc(path: Path, size: int = 96) -> Path:
    """A shaded ball on a transparent ground."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = x**2 + y**2 < 0.64
    rgb = np.stack([0.5 + 0.4 * x, 0.5 - 0.4 * y, 0.6 + 0 * x], axis=-1)
    rgba = np.concatenate([rgb, inside[..., None]], axis=-1)
    Image.fromarray((rgba * 255).astype(np.uint8), "RGBA").save(path)
    return path


def test_help_imports_nothing_heavy() -> None:
    """``maquette --help`` stays instant because no heavy library is imported for it."""
    code = "import sys, maquette.cli as c; c.parser().format_help(); print(' '.join(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert not HEAVY & set(answer.stdout.split())


def test_one_picture_becomes_mesh_preview_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """generate writes three files that agree with what --json prints."""
    from maquette.mesh import certify, read_mesh

    out = tmp_path / "deep" / "ball.glb"
    arguments = ["generate", str(disc(tmp_path / "ball.png")), "-o", str(out), "--backend", "silhouette", "--json"]
    arguments += ["--resolution", "48", "--faces", "2000", "--texture", "256"]
    arguments += ["--preview", str(tmp_path / "p.png"), "--report", str(tmp_path / "r.json"), "--device", "cpu"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["mesh"]["certified"] is True
    assert abs(printed["mesh"]["faces"] - 2000) <= 40 or printed["mesh"]["faces"] < 2000
    assert json.loads((tmp_path / "r.json").read_text())["mesh"] == printed["mesh"]
    mesh = read_mesh(out)
    assert certify(mesh).watertight
    assert mesh.texture is not None
    assert Image.open(tmp_path / "p.png").size[0] > 300
    assert 0.2 < printed["figures"]["coverage"]["photos"] <= 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["generate", "absent.png", "-o", "x.glb"], 2, "absent.png"),
        (["generate", "IMG", "-o", "x.glb", "--resolution", "5"], 2, "--resolution"),
        (["generate", "IMG", "-o", "x.glb", "--backend", "nonesuch"], 2, "nonesuch"),
        (["generate", "IMG", "-o", "x.glb", "--segment", "nonesuch"], 2, "nonesuch"),
        (["generate", "IMG", "-o", "x.glb", "--views", "front,back"], 2, "2 directions"),
        (["generate", "IMG", "-o", "x.glb", "--azimuths", "north"], 2, "--azimuths"),
        (["generate", "IMG", "-o", "x.nope", "--texture", "0"], 2, "nope"),
        (["certify", "absent.glb"], 2, "absent.glb"),
        (["generate", "IMG", "-o", "x.glb", "--backend", "nonesuch", "--gate", "watertigth"], 2, "'watertigth'"),
        (["generate", "IMG", "-o", "x.glb", "--gate", "faces < 3"], 4, "faces"),
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
    """Exit 2 for bad input and 4 for the gate, with the offending value in the message, and no output file."""
    monkeypatch.chdir(tmp_path)
    picture = disc(tmp_path / "ball.png")
    small = ["--resolution", "32", "--texture", "128", "--backend", "silhouette"]
    given = [str(picture) if a == "IMG" else a for a in arguments]
    if given[0] == "generate":
        given += [option for option in small if option.startswith("--") and option not in given for option in
                  (option, small[small.index(option) + 1])]  # fmt: skip
    assert main(given) == code
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ball.png"]


def test_errors_are_json_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", str(tmp_path / "no.png"), "-o", str(tmp_path / "x.glb"), "--json"]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 2
    assert "no.png" in answer["message"]


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else True, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused_before_the_work(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    assert main(["generate", str(disc(tmp_path / "b.png")), "-o", str(locked / "x.glb")]) == 2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["-o", "a.xyz"], "a.xyz"),
        (["-o", "a.glb", "--preview", "a.txt"], "a.txt"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    more: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not after a minute of it, and not with a mesh but without the preview."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("maquette.pipeline.generate", lambda *_: pytest.fail("it began"))
    picture = disc(tmp_path / "b.png")
    assert main(["generate", str(picture), *more]) == 2
    assert words in capsys.readouterr().err and list(tmp_path.iterdir()) == [picture]


def test_an_output_below_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Holds for root too: a folder cannot be made below a file."""
    picture = disc(tmp_path / "b.png")
    assert main(["generate", str(picture), "-o", str(picture / "x.glb")]) == 2
    assert "choose another output" in capsys.readouterr().err


def test_backends_and_doctor_speak_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every backend says whether it can run, and which weights are not here; the doctor's verdict is its exit code."""
    for name in ("MAQUETTE_MODELS", "XDG_CACHE_HOME", "LOCALAPPDATA", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.setenv(name, str(tmp_path))
    assert main(["backends", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    ready = {(row["stage"], row["name"]) for row in rows if not row["missing"]}
    assert {("reconstruct", "silhouette"), ("segment", "alpha"), ("depth", "relief")} <= ready
    assert {row["name"] for row in rows if row["missing_weights"]} >= {"triposr"}
    assert not any("ready" in line and "fetch" in line for line in map(_state, rows))
    assert main(["doctor", "--json"]) == 0
    assert {"python", "torch", "numpy"} <= {finding["name"] for finding in json.loads(capsys.readouterr().out)}


def test_the_doctor_names_what_is_missing_and_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing library makes the environment unhealthy and comes with the line that installs it."""
    from maquette import doctor

    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no-such-distribution"))
    findings = doctor.examine()
    missing = [f for f in findings if f.state == "missing"]
    assert [f.name for f in missing] == ["no-such-distribution"]
    assert missing[0].remedy.endswith("-m pip install no-such-distribution")
    assert not doctor.healthy(findings)


def test_view_names_are_checked() -> None:
    """Directions come from presets, azimuths or order; anything ambiguous is refused."""
    assert view_names(3, GenerateSettings()) == ("front", "right", "back")
    assert view_names(2, GenerateSettings(azimuths=(0, 45.5))) == ("0", "45.5")
    for count, settings in [
        (5, GenerateSettings()),
        (2, GenerateSettings(views=("front", "front"))),
        (1, GenerateSettings(views=("front",), azimuths=(0,))),
        (2, GenerateSettings(views=("front", "behind"))),
    ]:
        with pytest.raises(BadViewsError):
            view_names(count, settings)
    with pytest.raises(BadInputError):
        view_names(0, GenerateSettings())


@pytest.mark.parametrize(
    ("words", "views"),
    [
        (["back.png", "in/robot_front.png"], ("back", "front")),
        (["a-Left.jpg", "a-top.jpg", "--views", "front,right"], ("front", "right")),
        (["back.png", "other.png"], ()),
        (["a_back.png", "b_back.png"], ()),
        (["back.png", "front.png", "--azimuths", "0,90"], ()),
        (["back.png"], ()),
    ],
)
def test_several_views_are_taken_as_their_files_are_called(words: list[str], views: tuple[str, ...]) -> None:
    """``fox/*.png`` comes in the order of the alphabet: taken as front, right, back, left it was a contradiction."""
    assert settings_from(parser().parse_args(["generate", *words, "-o", "x.glb"])).views == views
    assert front(views) == {("back", "front"): 1}.get(views, 0), "the picture beside the turntable"


def test_every_command_has_help() -> None:
    for name in ("generate", "certify", "doctor", "backends", "models"):
        with pytest.raises(SystemExit) as stop:
            parser().parse_args([name, "--help"])
        assert stop.value.code == 0
