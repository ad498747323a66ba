"""clean, unwrap and bake from the command line: right files, right exit codes, nothing half-written."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from maquette.cli import main
from maquette.data import Mesh
from maquette.landing import WriteError
from maquette.mesh import certify, read_mesh, write_mesh
from maquette.mesh.color import sampled, to_encoded, to_linear


def ball(level: int = 4, bump: float = 0.0, shift: float = 0.0) -> Mesh:
    """A ball of radius 0.5, coloured by place, with bumps, moved along x."""
    solid = trimesh.creation.icosphere(level, 0.5)
    points = np.asarray(solid.vertices)
    waves = np.sin(24 * points).prod(axis=1, keepdims=True)
    colors = to_linear(np.clip(points + 0.5, 0, 1))
    return Mesh(points * (1 + bump * waves) + [shift, 0, 0], solid.faces, vertex_colors=colors)


def broken(folder: Path) -> Path:
    """A fine ball with a hole and a floater."""
    mesh = ball()
    crumb = trimesh.creation.icosphere(0, 0.01)
    points = np.concatenate([mesh.vertices, crumb.vertices + 0.7])
    whole = (mesh.faces != 500).all(axis=1)
    faces = np.concatenate([mesh.faces[whole], crumb.faces + len(mesh.vertices)])
    colors = np.concatenate([mesh.vertex_colors, np.zeros((len(crumb.vertices), 3))])  # type: ignore[list-item]
    return write_mesh(Mesh(points, faces, vertex_colors=colors), folder / "broken.ply")


def tree_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return dict(json.loads(data[20 : 20 + struct.unpack_from("<I", data, 12)[0]]))


def test_clean_meets_budget_gate_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One command: repaired, simplified, measured against the input, certified, and the file says so itself."""
    out, report = tmp_path / "deep" / "a.glb", tmp_path / "r.json"
    arguments = ["clean", str(broken(tmp_path)), "-o", str(out), "--faces", "1000", "--report", str(report), "--json"]
    arguments += ["--gate", "certified and faces <= 1020 and distance_p99 < 0.02 and floaters == 1"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["mesh"]["certified"] and abs(printed["mesh"]["faces"] - 1000) <= 20
    assert printed["clean"]["holes"] >= 1 and printed["clean"]["floaters"] == 1
    far = [printed["clean"][f"distance_{name}"] for name in ("mean", "p99", "max")]
    assert 0 < far[0] < far[1] <= far[2] < 0.1
    assert json.loads(report.read_text())["mesh"] == printed["mesh"]
    assert tree_of(out)["asset"]["extras"]["maquette"]["clean"] == printed["clean"]
    assert certify(read_mesh(out)).certified


def test_a_refused_mesh_is_not_written_but_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 4, no mesh, an older mesh untouched; the report says why."""
    out, report = tmp_path / "a.glb", tmp_path / "r.json"
    out.write_bytes(b"older")
    arguments = ["clean", str(broken(tmp_path)), "-o", str(out), "--report", str(report), "--gate", "faces < 10"]
    assert main(arguments) == 4
    assert out.read_bytes() == b"older"
    assert "faces < 10" in json.loads(report.read_text())["refused"]
    assert "faces = " in capsys.readouterr().err


def test_keep_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Level keep measures: the hole and the floater are still there."""
    source, out = broken(tmp_path), tmp_path / "a.ply"
    assert main(["clean", str(source), "-o", str(out), "--repair", "keep", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert not printed["mesh"]["certified"] and printed["clean"]["distance_max"] == 0
    assert len(read_mesh(out).faces) == len(read_mesh(source).faces)


def test_solid_and_inner_walls(tmp_path: Path) -> None:
    """A double wall becomes one shell, by sight or by solid."""
    outer = ball(3)
    both = Mesh(
        np.concatenate([outer.vertices, outer.vertices * 0.9]),
        np.concatenate([outer.faces, outer.faces[:, ::-1] + len(outer.vertices)]),
    )
    source = write_mesh(both, tmp_path / "double.ply")
    for number, option in enumerate((["--remove-inner"], ["--repair", "solid", "--resolution", "48"])):
        out = tmp_path / f"{number}.ply"
        assert main(["clean", str(source), "-o", str(out), *option, "--gate", "certified"]) == 0
        report = certify(read_mesh(out))
        assert report.components == 1 and report.volume == pytest.approx(np.pi / 6, rel=0.03)


@pytest.mark.parametrize("method", ["fast", "xatlas"])
def test_unwrap_writes_uvs(tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str) -> None:
    """UVs in the square, colours kept, the same surface."""
    source, out = write_mesh(ball(2), tmp_path / "a.ply"), tmp_path / "b.glb"
    arguments = ["unwrap", str(source), "-o", str(out), "--method", method, "--size", "256", "--json"]
    assert main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["charts"] >= 2 and printed["overlap"] < 0.01 and printed["utilisation"] > 0.3
    mesh = read_mesh(out)
    assert mesh.uvs is not None and mesh.uvs.min() >= 0 and mesh.uvs.max() <= 1 and mesh.vertex_colors is not None
    assert len(mesh.faces) == len(ball(2).faces)


def test_unwrap_says_that_a_texture_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its picture would be wrong on the new UVs."""
    low = write_mesh(ball(2), tmp_path / "a.ply")
    assert main(["bake", str(low), "-o", str(tmp_path / "b.glb"), "--size", "64"]) == 0
    assert main(["unwrap", str(tmp_path / "b.glb"), "-o", str(tmp_path / "c.glb"), "--size", "64"]) == 0
    assert "left out" in capsys.readouterr().out
    assert read_mesh(tmp_path / "c.glb").texture is None


def test_a_finer_mesh_gives_normals_occlusion_and_colours(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """High poly to low poly, off the origin and a hundred times larger: maps in the file, colours by place, OPAQUE."""

    def large(mesh: Mesh) -> Mesh:
        return mesh.replace(vertices=mesh.vertices * 100 + [500, 0, 0])

    low = write_mesh(large(ball(2)).replace(vertex_colors=None), tmp_path / "low.ply")
    high = write_mesh(large(ball(5, bump=0.03)), tmp_path / "high.ply")
    out = tmp_path / "a.glb"
    arguments = ["bake", str(low), "--from", str(high), "-o", str(out), "--size", "128", "--occlusion", "--json"]
    assert main([*arguments, "--report", str(tmp_path / "r.json")]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["coverage"]["appearance"] > 0.99 and printed["mesh"]["watertight"]
    assert 0.2 < printed["coverage"]["texels_per_unit"] < 2, "per unit of the file, not of the normal form"
    material = tree_of(out)["materials"][0]
    assert material["alphaMode"] == "OPAQUE" and {"normalTexture", "occlusionTexture"} <= material.keys()
    mesh = read_mesh(out)
    assert mesh.texture is not None and mesh.texture.normal is not None and mesh.uvs is not None
    assert mesh.bounds[1, 0] == pytest.approx(550, rel=1e-3)
    np.testing.assert_allclose(sampled(mesh.texture, mesh.uvs), (mesh.vertices - [500, 0, 0]) / 100 + 0.5, atol=0.06)
    assert np.ptp(mesh.texture.normal[..., 0]) > 0.05 and mesh.texture.normal[..., 2].mean() > 0.8
    assert main([*arguments, "--no-normal"]) == 0
    assert "normalTexture" not in tree_of(out)["materials"][0]


def test_photos_are_laid_over_a_mesh_of_any_size_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two pictures of a ball, off-centre in the frame: each half takes the colour of its picture."""
    low = write_mesh(Mesh(ball(3).vertices * 700 + [0, 300, 0], ball(3).faces), tmp_path / "low.ply")
    y, x = np.mgrid[0:120, 0:160]
    inside = (x - 60) ** 2 + (y - 64) ** 2 < 45**2
    for name, color in (("a_front", (200, 30, 30)), ("a_back", (30, 30, 200))):
        rgba = np.dstack([np.broadcast_to(np.uint8(color), (120, 160, 3)), np.uint8(inside * 255)])
        Image.fromarray(rgba, "RGBA").save(tmp_path / f"{name}.png")
    out = tmp_path / "a.glb"
    arguments = [
        "bake",
        str(low),
        "--from",
        str(tmp_path / "a_front.png"),
        str(tmp_path / "a_back.png"),
        "-o",
        str(out),
    ]
    assert main([*arguments, "--size", "128", "--json"]) == 0
    coverage = json.loads(capsys.readouterr().out)["coverage"]
    assert coverage["photos"] > 0.4
    density, low, high = (coverage[f"texels_per_unit{name}"] for name in ("", "_low", "_high"))
    assert 0.03 < low < density < high < 0.15, "in numbers that still say something of a large mesh"
    mesh = read_mesh(out)
    assert mesh.texture is not None and mesh.uvs is not None
    color, depth = sampled(mesh.texture, mesh.uvs), mesh.vertices[:, 2] / 350
    for seen, want in ((depth > 0.7, [200, 30, 30]), (depth < -0.7, [30, 30, 200])):
        error = np.abs(color[seen] - np.array(want) / 255).max(axis=1)
        assert np.quantile(error, 0.9) < 0.01 and error.max() < 0.1


def test_a_texture_is_baked_again_onto_new_uvs(tmp_path: Path) -> None:
    """Without --from the mesh's own look goes onto the new layout; vertex colours, which would multiply, go."""
    low = write_mesh(ball(3), tmp_path / "a.ply")
    for source, out in ((low, tmp_path / "b.glb"), (tmp_path / "b.glb", tmp_path / "c.glb")):
        assert main(["bake", str(source), "-o", str(out), "--size", "256"]) == 0
        mesh = read_mesh(out)
        assert mesh.texture is not None and mesh.uvs is not None and mesh.vertex_colors is None
        error = np.abs(sampled(mesh.texture, mesh.uvs) - mesh.vertices - 0.5).max(axis=1)
        assert np.quantile(error, 0.99) < 0.03, "all but vertices in tips of charts thinner than a texel"
    assert main(["bake", str(tmp_path / "c.glb"), "-o", str(out), "--method", "keep", "--size", "64"]) == 0


def test_webp_is_smaller_and_read_again(tmp_path: Path) -> None:
    """EXT_texture_webp with the picture intact; the base colour within the codec's loss."""
    low = write_mesh(ball(2), tmp_path / "a.ply")
    for name, more in (("p.glb", []), ("w.glb", ["--webp"])):
        assert main(["bake", str(low), "-o", str(tmp_path / name), "--size", "128", *more]) == 0
    assert (tmp_path / "w.glb").stat().st_size < (tmp_path / "p.glb").stat().st_size
    assert "EXT_texture_webp" in tree_of(tmp_path / "w.glb")["extensionsUsed"]
    plain, packed = (read_mesh(tmp_path / name).texture for name in ("p.glb", "w.glb"))
    assert plain is not None and packed is not None
    assert np.abs(plain.base_color - packed.base_color).mean() < 0.04


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["clean", "a.ply", "-o", "b.fbx"], 2, ".glb"),
        (["clean", "missing.ply", "-o", "b.glb"], 2, "missing.ply"),
        (["clean", "a.ply", "-o", "b.glb", "--faces", "2"], 2, "--faces"),
        (["clean", "a.ply", "-o", "b.glb", "--gate", "bogus > 1"], 2, "bogus"),
        (["clean", "missing.ply", "-o", "b.glb", "--gate", "faces > 1 or watertigth"], 2, "watertight, welded"),
        (["clean", "missing.ply", "-o", "b.glb", "--gate", "distance_p99 < len"], 2, "'len', which the report does"),
        (["clean", "missing.ply", "-o", "b.glb", "--gate", "faces < 'many'"], 2, "uses Constant"),
        (["certify", "missing.ply", "--gate", "watertigth"], 2, "watertigth"),
        (["clean", "a.ply", "-o", "b.glb", "--floaters", "7"], 2, "floaters"),
        (["clean", "missing.ply", "-o", "b.ply", "--webp"], 2, "GLB"),
        (["unwrap", "missing.ply", "-o", "b.obj", "--webp"], 2, "GLB"),
        (["bake", "missing.ply", "-o", "b.obj", "--draco", "--report", "r.json"], 2, "GLB"),
        (["clean", "missing.ply", "-o", "b.glb", "--gate", "faces <"], 2, "not an expression"),
        (["unwrap", "a.ply", "-o", "b.stl"], 2, ".obj"),
        (["unwrap", "a.ply", "-o", "b.glb", "--size", "9"], 2, "--size"),
        (["bake", "a.ply", "-o", "b.stl"], 2, ".glb"),
        (["bake", "a.ply", "-o", "b.glb", "--method", "keep"], 2, "none to keep"),
        (["bake", "a.ply", "-o", "b.glb", "--views", "front"], 2, "--from"),
        (["bake", "a.ply", "-o", "b.glb", "--no-normal"], 2, "--from"),
        (["bake", "a.ply", "-o", "b.glb", "--delight", "2"], 2, "--delight"),
        (["bake", "a.ply", "--from", "a.ply", "a.ply", "-o", "b.glb"], 2, "one mesh"),
        (["bake", "a.ply", "--from", "far.ply", "-o", "b.glb", "--size", "64"], 2, "does not lie"),
    ],
)
def test_what_cannot_work_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], code: int, says: str,
) -> None:  # fmt: skip
    """Exit code, the word that helps, and no output file."""
    monkeypatch.chdir(tmp_path)
    write_mesh(ball(2), tmp_path / "a.ply")
    write_mesh(ball(2, shift=3), tmp_path / "far.ply")
    assert main(arguments) == code
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ply", "far.ply"]


def test_no_report_without_its_mesh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that refuses the mesh leaves no report that says it was not refused."""
    source, report = write_mesh(ball(2), tmp_path / "a.ply"), tmp_path / "r.json"

    def full(*_args: object, **_more: object) -> Path:
        raise WriteError("no space left")

    monkeypatch.setattr("maquette.mesh.write_mesh", full)
    assert main(["clean", str(source), "-o", str(tmp_path / "b.glb"), "--report", str(report)]) != 0
    assert not report.exists()


def test_draco_needs_its_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With DracoPy: smaller, same faces, colours exact, vertices within a grid step. Without: exit code 3."""
    source, out = write_mesh(ball(4), tmp_path / "a.ply"), tmp_path / "b.glb"
    arguments = ["clean", str(source), "-o", str(out), "--draco"]
    old = int(importlib.metadata.version("trimesh").split(".")[0]) < 5  # the first that writes it
    if old or importlib.util.find_spec("DracoPy") is None:
        assert main(arguments) == 3
        remedy = "pip install --upgrade trimesh" if old else "pip install DracoPy"
        assert remedy in capsys.readouterr().err and not out.exists()
        return
    plain = write_mesh(read_mesh(source), tmp_path / "plain.glb")
    assert main(arguments) == 0
    assert out.stat().st_size < 0.8 * plain.stat().st_size
    one, two = read_mesh(plain), read_mesh(out)
    np.testing.assert_array_equal(one.faces, two.faces)
    np.testing.assert_allclose(one.vertices, two.vertices, atol=2.0**-14)
    np.testing.assert_allclose(to_encoded(one.vertex_colors), to_encoded(two.vertex_colors), atol=1e-6)  # type: ignore[arg-type]
