"""``benchmarks.nano`` with several views: cameras that took the pictures, both methods in one table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from benchmarks import nano
from benchmarks._nano_subjects import RING, SIDE, analytic, around, real, scene_subject
from maquette.data import Camera, Mesh
from maquette.geometry.camera import PRESETS, project, resized
from maquette.geometry.raster import render_fragments
from training.scenes.native import compiler

needs_compiler = pytest.mark.skipif(compiler(False) is None, reason="g++ is not installed")
STEP = (
    "OFF\n8 12 0\n"
    + "".join(f"{x} {y} {z * (1 + y)}\n" for x in (0, 2) for y in (0, 1) for z in (0, 1))
    + ("3 0 1 3\n3 0 3 2\n3 4 6 7\n3 4 7 5\n3 0 4 5\n3 0 5 1\n3 2 3 7\n3 2 7 6\n3 0 2 6\n3 0 6 4\n3 1 5 7\n3 1 7 3\n")
)
"""A ramp that is longer at its top: no two of its sides look alike."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ramp.off").write_text(STEP)
    return tmp_path


def test_rings_look_from_the_sides_that_they_name() -> None:
    for count, names in RING.items():
        shots = around(1, count)
        assert [shot[0] for shot in shots] == list(names) and len(set(names)) == count
        assert [shot[1] for shot in shots] == [360 * i / count for i in range(count)]
        assert all(PRESETS[name][0] % 360 == azimuth for name, azimuth, _ in shots if name in PRESETS)
        assert all(0 <= elevation <= 15 for _, _, elevation in shots)
    assert {around(0, 4)[0][2], around(1, 4)[0][2]} == {5.0, 10.0}


def seen(truth: Mesh, camera: Camera) -> np.ndarray:
    return np.asarray(render_fragments(truth, resized(camera, SIDE, SIDE)).covered)


def test_the_cameras_are_those_that_saw_the_mesh(folder: Path) -> None:
    """The truth drawn by each view's camera is its mask, framed as ``prepare`` frames."""
    (subject,) = real(folder, 4)
    for view in subject.views:
        assert view.camera is not None
        assert nano.iou(seen(subject.truth, view.camera), view.mask > 0.5) > 0.98
        xy, depth = project(view.camera, subject.truth.vertices)
        assert float(depth.min()) > 0
        assert float(np.ptp(xy, axis=0).max()) == pytest.approx(0.85 * SIDE, rel=0.02)


def test_a_flat_sheet_has_no_picture_from_the_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sheet.off").write_text("OFF\n3 1 0\n0 0 0\n1 0 0\n0 1 0\n3 0 1 2\n")
    assert not list(real(tmp_path, 4))
    assert "sheet was left out" in capsys.readouterr().out
    assert len(list(real(tmp_path))) == 1


@needs_compiler
def test_the_cameras_are_those_that_saw_the_scene() -> None:
    cone = next(scene for name, scene in analytic() if name == "cone")
    subject = scene_subject("cone", "analytic", cone, around(0, 2))
    assert [view.name for view in subject.views] == ["front", "back"]
    for view in subject.views:
        assert view.camera is not None
        assert nano.iou(seen(subject.truth, view.camera), view.mask > 0.5) > 0.97


def test_both_methods_are_measured_on_the_same_views(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A front and a back of a ball: both come close to it, and the row holds all columns."""
    trimesh.creation.icosphere(3).export(tmp_path / "ball.ply")
    nano.main(["--meshes", str(tmp_path), "--views", "2", "--resolution", "32"])
    said = capsys.readouterr().out
    assert "2 views around with known cameras" in said
    for method in ("silhouette", "nano"):
        row = next(line for line in said.splitlines() if line.startswith("ball") and method in line).split()[2:]
        assert len(row) == len(nano.COLUMNS)
        chamfer, close, volume, given, sides, _ = map(float, row)
        assert chamfer < 0.1 and close > 0.4 and volume > 0.7 and given > 0.95 and sides > 0.8, row
