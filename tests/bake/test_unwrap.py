"""Unwrapping: what comes back is the same surface, laid out without overlap, or an error; never an empty mesh."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from maquette.bake import METHODS, _unwrap, unwrap, unwrap_with_map
from maquette.data import Mesh
from maquette.errors import BadInputError, BadMeshError, Cancelled, StageTimeoutError, WorkerDiedError
from maquette.geometry.raster import count_uv
from maquette.progress import Progress


def ball(level: int = 3) -> Mesh:
    solid = trimesh.creation.icosphere(level, 0.5)
    colors = np.abs(solid.vertices)
    return Mesh(solid.vertices, solid.faces, vertex_colors=colors, confidence=colors[:, 0])


def bumpy() -> Mesh:
    """80,000 faces that keep xatlas busy for seconds."""
    mesh = ball(6)
    waves = 1 + 0.05 * np.sin(40 * mesh.vertices).sum(axis=1, keepdims=True)
    return Mesh(mesh.vertices * waves, mesh.faces)


def twice_covered(mesh: Mesh, size: int = 1024) -> float:
    count = count_uv(torch.tensor(mesh.uvs), torch.tensor(mesh.faces), size)
    return float((count > 1).sum() / (count > 0).sum())


@pytest.mark.parametrize("method", METHODS)
def test_the_surface_is_the_same_and_the_layout_does_not_overlap(method: str) -> None:
    mesh = ball()
    done = unwrap_with_map(mesh, size=512, method=method)
    out = done.mesh
    np.testing.assert_array_equal(out.vertices[out.faces], mesh.vertices[mesh.faces])
    np.testing.assert_array_equal(done.source[out.faces], mesh.faces)
    assert out.vertex_colors is not None
    assert mesh.vertex_colors is not None
    np.testing.assert_array_equal(out.vertex_colors, mesh.vertex_colors[done.source])
    np.testing.assert_allclose(out.vertex_normals, out.vertices * 2, atol=0.02)
    assert twice_covered(out) == 0
    assert 0.3 < done.utilisation < 1
    assert done.charts >= 1


def unshared(mesh: Mesh) -> Mesh:
    """As an STL holds it: three vertices per face, here each with a colour of its own."""
    corners = mesh.vertices[mesh.faces].reshape(-1, 3)
    colors = np.random.default_rng(0).random(corners.shape)
    return Mesh(corners, np.arange(len(corners)).reshape(-1, 3), vertex_colors=colors)


@pytest.mark.parametrize("method", METHODS)
def test_vertices_that_only_share_their_place_are_laid_out_as_one(method: str) -> None:
    shared, mesh = ball(), unshared(ball())
    done, whole = (unwrap_with_map(item, size=512, method=method) for item in (mesh, shared))
    assert done.charts == whole.charts
    assert done.utilisation == pytest.approx(whole.utilisation, rel=0.05)
    np.testing.assert_array_equal(done.source[done.mesh.faces], mesh.faces)
    assert done.mesh.vertex_colors is not None and mesh.vertex_colors is not None
    np.testing.assert_array_equal(done.mesh.vertex_colors, mesh.vertex_colors[done.source])
    assert twice_covered(done.mesh) == 0


def test_two_skins_on_each_other_keep_their_charts() -> None:
    """Outside and inside of a double-sided surface lie at the same places; each stays in one piece."""
    one = ball()
    both = Mesh(np.tile(one.vertices, (2, 1)), np.concatenate([one.faces, one.faces[:, ::-1] + len(one.vertices)]))
    alone, pair = unwrap_with_map(one, size=512), unwrap_with_map(both, size=512)
    assert pair.charts <= 2.5 * alone.charts


@pytest.mark.parametrize("method", METHODS)
def test_every_face_has_area_in_the_layout_in_proportion(method: str) -> None:
    out = unwrap(ball(), size=512, method=method)
    assert out.uvs is not None
    corners = out.uvs[out.faces].astype(np.float64)
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    flat = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])
    world = np.linalg.norm(
        np.cross(*(out.vertices[out.faces][:, k] - out.vertices[out.faces][:, 0] for k in (1, 2))), axis=1
    )
    ratio = flat / world
    assert ratio.min() > 0.3 * np.median(ratio)
    assert ratio.max() < 3 * np.median(ratio)


def test_a_crash_of_the_child_gets_a_second_chance_and_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """xatlas 0.0.11 really dies on a perfect icosphere of 81,920 faces; here the first child dies for sure."""
    tries = []
    real = _unwrap.run_child

    def flaky(script: Path, arrays: dict, *rest: object) -> dict:
        tries.append(arrays["vertices"])
        if len(tries) == 1:
            raise WorkerDiedError("unwrapping failed in its child process (exit -11): ")
        return real(script, arrays, *rest)

    monkeypatch.setattr(_unwrap, "run_child", flaky)
    done = unwrap_with_map(ball(2), size=256, method="xatlas")
    assert "crashed" in done.notes[0]
    np.testing.assert_array_equal(done.mesh.vertices[done.mesh.faces], ball(2).vertices[ball(2).faces])
    assert 0 < np.abs(tries[0] - tries[1]).max() < 2e-5


@pytest.mark.parametrize("method", METHODS)
def test_unwrapping_is_deterministic(method: str) -> None:
    first, second = unwrap(ball(2), method=method), unwrap(ball(2), method=method)
    assert first.uvs is not None
    np.testing.assert_array_equal(first.uvs, second.uvs)


@pytest.mark.parametrize("method", METHODS)
def test_non_manifold_soup_is_unwrapped_whole_never_emptied(method: str) -> None:
    """Mission bug 11: three faces on one edge made the original write an empty file."""
    solid = trimesh.creation.box()
    fins = np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]) + len(solid.vertices)
    points = np.array([[0, 0, 0], [1, 0, 0], [0.5, 1, 0], [0.5, -1, 0], [0.5, 0, 1]]) + 2
    mesh = Mesh(np.concatenate([solid.vertices, points]), np.concatenate([solid.faces, fins]))
    out = unwrap(mesh, size=256, method=method)
    assert len(out.faces) == len(mesh.faces)
    np.testing.assert_array_equal(out.vertices[out.faces], mesh.vertices[mesh.faces])
    assert twice_covered(out) < 0.01


@pytest.mark.parametrize("method", METHODS)
def test_degenerate_and_duplicate_faces_do_not_break_it(method: str) -> None:
    solid = trimesh.creation.icosphere(1)
    faces = np.concatenate([solid.faces, [[0, 0, 1], [2, 2, 2]]])
    out = unwrap(Mesh(solid.vertices, faces), size=256, method=method)
    assert len(out.faces) == len(faces)
    assert out.uvs is not None
    assert np.isfinite(out.uvs).all()


def test_a_mesh_of_any_scale_is_unwrapped() -> None:
    solid = trimesh.creation.icosphere(2)
    for scale in (1e-4, 1e4):
        assert 0.3 < unwrap_with_map(Mesh(solid.vertices * scale, solid.faces), size=256).utilisation < 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(BadInputError, match="no unwrap method 'magic'"):
        unwrap(ball(1), method="magic")
    with pytest.raises(BadInputError, match="texture size"):
        unwrap(ball(1), size=9000)
    with pytest.raises(BadMeshError):
        unwrap(Mesh(np.zeros((0, 3)), np.zeros((0, 3))))
    for method in METHODS:
        with pytest.raises(BadMeshError, match="zero area"):
            unwrap(Mesh(np.zeros((3, 3)), [[0, 1, 2]]), method=method)


def test_cancel_ends_the_child_at_once() -> None:
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise Cancelled("stop")

    before = children()
    with pytest.raises(Cancelled):
        unwrap(bumpy(), method="xatlas", progress=Progress(check=check))
    assert children() <= before


def test_the_time_limit_ends_the_child() -> None:
    before = children()
    with pytest.raises(StageTimeoutError, match="limit of"):
        unwrap(bumpy(), method="xatlas", timeout=0.2)
    assert children() <= before


def children() -> set[str]:
    """Command lines of running unwrap children, after a moment for the system to reap them."""
    if sys.platform != "linux":
        return set()
    time.sleep(0.05)
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return {line for line in listed.splitlines() if "_xatlas_child" in line}
