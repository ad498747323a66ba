"""Holes are closed by patches that continue the surface, each triangulated with the least area; Cancel is heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import is_closed_manifold, sphere, torus, volume, without_faces
from scipy.spatial import cKDTree

from maquette.data import Mesh
from maquette.errors import Cancelled
from maquette.mesh import certify, clean
from maquette.mesh.loops import triangulated
from maquette.native import extension
from maquette.progress import Progress


def middles(mesh: Mesh) -> Any:
    return mesh.vertices[mesh.faces].mean(axis=1)


@pytest.mark.parametrize("seed", range(4))
def test_holes_are_closed(seed: int) -> None:
    """A sphere riddled with holes ends closed, in one part, with a volume close to the whole."""
    mesh = sphere(4)
    holes = without_faces(mesh, np.random.default_rng(seed).random(len(mesh.faces)) < 0.05)
    result = clean(holes)
    report = certify(result.mesh)
    assert report.certified and is_closed_manifold(result.mesh)
    assert report.volume == pytest.approx(volume(mesh), rel=0.01)
    assert result.figures["holes"] > 20 and result.figures["distance_mean"] < 1e-3


def test_a_larger_hole_follows_the_curvature() -> None:
    """A patch over a missing piece of a sphere or torus lies on the sphere or torus, not on the chord."""
    mesh = sphere(5)
    c = middles(mesh)
    made = clean(without_faces(mesh, (np.abs(c[:, 0]) < 0.1) & (np.abs(c[:, 1]) < 0.2) & (c[:, 2] > 0))).mesh
    radius = np.linalg.norm(made.vertices, axis=1)
    assert radius.min() > 0.497 and radius.max() < 0.503  # the chord would lie at 0.46
    ring = torus(columns=100, rows=50)
    c = middles(ring)
    made = clean(without_faces(ring, (c[:, 0] > 0.35) & (np.abs(c[:, 1]) < 0.08))).mesh
    tube = np.hypot(np.hypot(made.vertices[:, 0], made.vertices[:, 1]) - 0.4, made.vertices[:, 2])
    assert tube.min() > 0.11 and tube.max() < 0.128 and certify(made).genus == 1


def new_points(mesh: Mesh, made: Mesh) -> Any:
    """[N, 3] the vertices of ``made`` that ``mesh`` has not."""
    return made.vertices[cKDTree(mesh.vertices).query(made.vertices)[0] > 1e-9]


def test_a_hole_is_filled_among_others_as_it_would_be_alone() -> None:
    """Holes of several sizes share batches and passes, and no patch is another one for it."""
    mesh = sphere(5)
    c = middles(mesh)
    away = np.linalg.norm(c[:, None] - 0.5 * np.eye(3)[[0, 1, 2, 0, 1]] * [[1], [1], [1], [-1], [-1]], axis=2)
    cuts = away < [0.05, 0.06, 0.09, 0.12, 0.2]
    together = new_points(mesh, clean(without_faces(mesh, cuts.any(axis=1))).mesh)
    alone = [new_points(mesh, clean(without_faces(mesh, cut)).mesh) for cut in cuts.T]
    assert len(together) == sum(map(len, alone)) and min(map(len, alone)) > 0
    assert cKDTree(np.concatenate(alone)).query(together)[0].max() < 1e-6


def test_a_wide_flat_cut_is_closed_flat() -> None:
    """Half a sphere, cut through the middle, gets a floor, not a second dome."""
    mesh = sphere(4)
    made = clean(without_faces(mesh, middles(mesh)[:, 1] < 0)).mesh
    assert made.vertices[:, 1].min() > -0.04
    assert volume(made) == pytest.approx(volume(mesh) / 2, rel=0.05) and certify(made).certified


def test_filled_patches_carry_colors_and_know_nothing() -> None:
    """Colours of a patch come from its rim; its inner vertices have confidence 0, the others keep theirs."""
    mesh = sphere(5)
    colors = np.tile([0.2, 0.4, 0.6], (len(mesh.vertices), 1))
    mesh = mesh.replace(vertex_colors=colors, confidence=np.ones(len(mesh.vertices)))
    made = clean(without_faces(mesh, middles(mesh)[:, 1] > 0.4)).mesh
    assert made.vertex_colors is not None and np.allclose(made.vertex_colors, [0.2, 0.4, 0.6], atol=1e-6)
    assert made.confidence is not None and set(np.unique(made.confidence)) == {0.0, 1.0}


def brute_force(points: np.ndarray, taken: set[tuple[int, int]]) -> float:
    """The least area over all triangulations of a loop, by trying every one."""

    def area(a: int, b: int, c: int) -> float:
        return float(np.linalg.norm(np.cross(points[b] - points[a], points[c] - points[a])))

    def best(i: int, k: int) -> float:
        if k - i < 2:
            return 0.0
        if (i, k) in taken and (i, k) != (0, len(points) - 1):
            return np.inf
        return min(best(i, m) + best(m, k) + area(i, m, k) for m in range(i + 1, k))

    return best(0, len(points) - 1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_loops_of_many_lengths_get_the_least_area_each(seed: int) -> None:
    """All loops at once, against every triangulation of each; barred edges are not used."""
    rng = np.random.default_rng(seed)
    loops = []
    for size in rng.integers(3, 8, 5).tolist():
        taken = np.sort(rng.integers(0, size, (int(rng.integers(0, 3)), 2)), axis=1)
        taken = taken[taken[:, 1] - taken[:, 0] > 1].reshape(-1, 2)
        loops.append((rng.normal(size=(size, 3)), taken))
    for (points, taken), found in zip(loops, triangulated(loops), strict=True):
        barred = {(i, j) for i, j in taken.tolist()}
        least = brute_force(points, barred)
        if found is None:
            assert not np.isfinite(least)
            continue
        assert len(found) == len(points) - 2
        made = sum(float(np.linalg.norm(np.cross(points[b] - points[a], points[c] - points[a]))) for a, b, c in found)
        assert made == pytest.approx(least, rel=1e-9)


def test_cancel_ends_the_filling_of_holes_between_batches() -> None:
    """Rims of several lengths: after the first batch Cancel is heard, and no batch more is begun."""
    rng = np.random.default_rng(0)
    loops = [(rng.normal(size=(size, 3)), np.zeros((0, 2), np.int64)) for size in (5, 20, 40, 80)]
    begun: list[float] = []

    def check() -> None:
        if len(begun) == 2:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        triangulated(loops, Progress(lambda share, _label: begun.append(share), check))
    assert begun == [0.0, 0.25]


class Alarm:
    """Counts how often Cancel is asked for, and answers the ``after``th time."""

    def __init__(self, after: float = np.inf) -> None:
        self.asked, self.after = 0, after

    def __call__(self) -> None:
        self.asked += 1
        if self.asked >= self.after:
            raise Cancelled("stop")


@pytest.mark.parametrize("native", [True, False])
def test_cancel_ends_the_triangulation_of_a_single_long_loop(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch of one loop: Cancel is heard while its ears are cut, and while the rest is weighed (by the kernel in
    some milliseconds: there it is heard before)."""
    family = extension("patches")
    monkeypatch.setattr(family, "NATIVE", family.NATIVE and native)
    turn = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    loop = [(np.stack([np.cos(turn), np.sin(turn), 0.1 * np.sin(9 * turn)], axis=1), np.zeros((0, 2), np.int64))]
    steps: list[float] = []
    whole = Alarm()
    triangulated(loop, Progress(lambda share, _label: steps.append(share), whole))
    assert len(steps) == 1 and whole.asked > (3 if family.NATIVE else 100)
    for after in (3, whole.asked - (0 if family.NATIVE else 20)):  # of the ears, and of the rest
        alarm = Alarm(after)
        with pytest.raises(Cancelled):
            triangulated(loop, Progress(check=alarm))
        assert alarm.asked == after


def test_cancel_ends_the_bending_of_a_single_patch() -> None:
    """One large hole: Cancel is heard many times between one step of the progress and the next."""
    holed = without_faces(sphere(5), sphere(5).vertices[sphere(5).faces].mean(axis=1)[:, 2] > 0.3)
    asked: dict[str, int] = {}
    label = ["start"]

    def say(_share: float, step: str) -> None:
        label[0] = f"{step} {len(asked)}"

    def check() -> None:
        asked[label[0]] = asked.get(label[0], 0) + 1

    clean(holed, distance=False, progress=Progress(say, check))
    assert max(count for step, count in asked.items() if step.startswith("patches")) > 5
    alarm = Alarm(sum(asked.values()) - 12)
    with pytest.raises(Cancelled):
        clean(holed, distance=False, progress=Progress(check=alarm))
