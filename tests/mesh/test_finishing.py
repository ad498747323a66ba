"""Finish: whatever is thrown at it comes out manifold, measured and within its budget, or as an error that says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import (
    box,
    edge_counts,
    grid,
    is_closed_manifold,
    joined,
    moebius,
    shuffled,
    soup,
    sphere,
    torus,
    turned,
    without_faces,
)

from maquette.data import Mesh
from maquette.errors import BadInputError, Cancelled, GateError
from maquette.gate import CLEAN_FIELDS, REPORT_FIELDS
from maquette.mesh import certify, clean, finish, simplify
from maquette.mesh.loops import triangulated
from maquette.progress import Progress

Damage = Callable[[Mesh, np.random.Generator], Mesh]


def floaters(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Sixty crumbs around it."""
    places = rng.uniform(-0.7, 0.7, (60, 3))
    return joined(mesh, *(box(0.01, at=(x, y, z)) for x, y, z in places.tolist()))


def bow_tie(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """A second body that shares one vertex, and a fin on an edge."""
    other = sphere(1, 0.1)
    start = len(mesh.vertices)
    vertices = np.concatenate([mesh.vertices, other.vertices + mesh.vertices[0] - other.vertices[0], [[0.9, 0.9, 0.9]]])
    faces = np.where(other.faces == 0, 0, other.faces + start)
    a, b, _ = mesh.faces[rng.integers(len(mesh.faces))]
    return Mesh(vertices, np.concatenate([mesh.faces, faces, [[a, b, len(vertices) - 1]]]))


def strip(mesh: Mesh, _rng: np.random.Generator) -> Mesh:
    """A Moebius strip round it."""
    return joined(mesh, Mesh(moebius(24).vertices * 2, moebius(24).faces))


def doubled(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """The same shell again, on the same places, some of it turned."""
    again = mesh.faces.copy()
    flip = rng.random(len(again)) < 0.3
    again[flip] = again[flip][:, ::-1]
    return joined(mesh, Mesh(mesh.vertices, again))


def not_finite(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """NaN and infinite vertices, and faces that point nowhere."""
    vertices, faces = mesh.vertices.copy(), mesh.faces.copy()
    vertices[rng.integers(0, len(vertices), 3)] = [np.nan, np.inf, 0]
    faces[rng.integers(0, len(faces), 2), 0] = len(vertices) + 7
    return Mesh(vertices, faces)


def needles(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Faces without area: repeated corners, and corners on one line."""
    some = rng.integers(0, len(mesh.faces), 8)
    vertices, faces = mesh.vertices.copy(), [mesh.faces]
    faces.append(mesh.faces[some][:, [0, 1, 1]])
    a, b, c = mesh.faces[rng.integers(len(mesh.faces))]
    vertices[c] = (vertices[a] + vertices[b]) / 2
    return Mesh(vertices, np.concatenate(faces))


def torn(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """Holes."""
    return without_faces(mesh, rng.random(len(mesh.faces)) < 0.05)


DAMAGES: tuple[Damage, ...] = (
    floaters, bow_tie, strip, doubled, not_finite, needles, torn, lambda mesh, _: soup(mesh),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(range(len(DAMAGES))), min_size=1, max_size=3), st.integers(0, 10**6))
def test_any_mix_of_damage_ends_manifold_and_measured(which: list[int], seed: int) -> None:
    """A ball or a ring with up to three kinds of damage on top of each other."""
    rng = np.random.default_rng(seed)
    mesh = sphere(2) if seed % 2 else torus(columns=20, rows=12)
    for index in sorted(which, key=lambda k: DAMAGES[k] is not_finite):  # the others read every corner
        mesh = DAMAGES[index](mesh, rng)
    done = finish(mesh)
    report, far = done.report, done.figures
    assert report.manifold and report.winding_consistent and report.degenerate_faces == 0, done.notes
    assert not report.duplicate_faces and report.faces >= 100, "the object itself is still there"
    assert 0 <= far["distance_p99"] <= far["distance_max"] < 2.5 and far["distance_mean"] <= far["distance_max"]
    assert max(edge_counts(done.mesh).values()) <= 2
    if DAMAGES.index(floaters) in which:
        assert report.components < 20, "crumbs are gone"


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.01, 1.0, 300.0]))
def test_turning_scaling_and_shuffling_change_no_verdict(seed: int, scale: float) -> None:
    """Metamorphic: the certificate and every count stay, lengths scale."""
    rng = np.random.default_rng(seed)
    mesh = torn(floaters(sphere(2), rng), rng)
    other = turned(shuffled(mesh, seed), seed)
    other = Mesh(other.vertices * scale, other.faces)
    one, two = finish(mesh), finish(other)
    for name in ("certified", "components", "boundary_edges", "non_manifold_edges", "watertight", "genus", "faces"):
        assert getattr(one.report, name) == getattr(two.report, name), name
    for name in ("holes", "floaters", "welded", "duplicate_faces"):
        assert one.figures[name] == two.figures[name], name
    assert two.report.volume == pytest.approx(one.report.volume * scale**3, rel=1e-3)
    assert two.figures["distance_max"] == pytest.approx(one.figures["distance_max"] * scale, rel=0.6), "sampled"


def test_the_budget_is_met_after_repair_and_measured_against_the_input() -> None:
    """Distances are those of the simplified mesh, not of the repaired one."""
    mesh = torn(sphere(4), np.random.default_rng(0))
    whole, small = finish(mesh), finish(mesh, faces=500)
    assert abs(small.report.faces - 500) <= 10 and small.report.certified
    assert small.figures["faces"] == small.report.faces
    assert small.figures["distance_mean"] > 2 * whole.figures["distance_mean"] > 0
    assert finish(mesh, faces=10**6).report.faces == whole.report.faces, "fewer than asked for is left alone"


def test_the_budget_also_holds_where_the_repair_makes_the_mesh_larger() -> None:
    """An open sheet of fewer faces than the budget is thickened to far more."""
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, 12), np.linspace(-0.5, 0.5, 12), indexing="ij")
    points = np.stack([x, y, 0.3 * (x**2 - y**2)], axis=-1).reshape(-1, 3)
    sheet = Mesh(points, grid(12, 12, False, False))
    assert len(sheet.faces) == 242
    options: dict[str, Any] = {"repair": "solid", "resolution": 48}
    assert len(finish(sheet, **options).mesh.faces) > 500, "the case is one"
    done = finish(sheet, faces=300, **options)
    assert abs(len(done.mesh.faces) - 300) <= 6 and done.report.certified
    assert done.figures["faces"] == len(done.mesh.faces) and done.figures["distance_max"] > 0


def test_the_gate_sees_certificate_and_changes() -> None:
    """Fields of both; the certificate goes first where both have a name; nonsense is an error of its own."""
    done = finish(torn(sphere(3), np.random.default_rng(0)))
    assert done.refusal("") is None and done.refusal("certified and holes > 0 and distance_p99 < 0.1") is None
    refused = done.refusal("holes == 0")
    assert isinstance(refused, GateError) and "holes = " in str(refused) and refused.exit_code == 4
    with pytest.raises(BadInputError, match="nonsense"):
        done.refusal("nonsense > 1")


def test_every_field_that_a_gate_may_name_is_known_beforehand() -> None:
    """What is checked before the work is what is there after it; a step that was not asked for has no value."""
    numbers = (bool, int, float, type(None))
    report = certify(sphere(2)).as_dict()
    assert set(REPORT_FIELDS) == {name for name, value in report.items() if isinstance(value, numbers)}
    messy = joined(torn(sphere(3), np.random.default_rng(0)), sphere(2, 0.2), sphere(1, 0.01, (2.0, 0.0, 0.0)))
    for options in ({"repair": "keep"}, {"remove_inner": True}, {"repair": "solid", "resolution": 24}):
        done = finish(messy, **options)
        known = {name for name, value in done.figures.items() if isinstance(value, numbers)}
        assert known <= {*CLEAN_FIELDS, *REPORT_FIELDS}
        assert isinstance(done.refusal("inner_faces > 1000000000 or certified and not certified"), GateError)


def test_keep_moves_nothing() -> None:
    """Level keep: the very mesh, at distance 0."""
    mesh = torn(sphere(2), np.random.default_rng(0))
    done = finish(mesh, repair="keep")
    assert done.mesh is mesh and done.figures["distance_max"] == 0 and not done.report.certified
    assert done.report.reasons[0] in str(done.refusal("certified")), "the gate says why"


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
    loops = [(rng.normal(size=(size, 3)), np.zeros((0, 2), np.int64)) for size in (5, 9, 20, 40)]
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


def test_cancel_ends_the_triangulation_of_a_single_long_loop() -> None:
    """One batch of one loop: Cancel is heard while its ears are cut and while the rest is weighed."""
    turn = np.linspace(0, 2 * np.pi, 3000, endpoint=False)
    loop = [(np.stack([np.cos(turn), np.sin(turn), 0.1 * np.sin(9 * turn)], axis=1), np.zeros((0, 2), np.int64))]
    steps: list[float] = []
    whole = Alarm()
    triangulated(loop, Progress(lambda share, _label: steps.append(share), whole))
    assert len(steps) == 1 and whole.asked > 100
    for after in (3, whole.asked - 20):  # of the ears, and of the rest
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


@pytest.mark.slow
def test_budgets_from_400k_down_to_1k() -> None:
    """One noisy reconstruction: within 2 %, certified, the same genus, no face looking inwards, at every budget."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, 270, dtype=np.float32)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    field = 0.75 - np.sqrt(x * x + y * y + z * z) + 0.05 * np.sin(9 * x) * np.sin(8 * y) * np.sin(7 * z)
    field += np.random.default_rng(0).normal(size=field.shape).astype(np.float32) * 0.001
    vertices, faces, _, _ = marching_cubes(field, 0.0)
    whole = finish(Mesh(vertices / 270 - 0.5, faces[:, ::-1]))
    assert whole.report.faces > 400_000 and whole.report.certified
    for target in (200_000, 50_000, 10_000, 1000):
        made = simplify(whole.mesh, target)
        report = certify(made, sampled_faces=0)
        assert abs(report.faces - target) <= 0.02 * target
        assert report.certified and report.genus == whole.report.genus and is_closed_manifold(made)
        corner = made.vertices[made.faces].astype(float)
        normal = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        inwards = np.einsum("fi,fi->f", normal, corner.mean(axis=1)) < 0
        assert inwards.mean() < 2e-4, target
