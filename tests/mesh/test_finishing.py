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
from maquette.errors import BadInputError, GateError
from maquette.gate import CLEAN_FIELDS, REPORT_FIELDS
from maquette.mesh import certify, finish, simplify

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
