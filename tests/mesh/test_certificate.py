"""certify tells the truth about shapes whose truth is known, and does not change its mind when they move."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import (
    box,
    is_closed_manifold,
    joined,
    moebius,
    shuffled,
    soup,
    sphere,
    torus,
    turned,
    volume,
    without_faces,
)

from maquette.data import Mesh
from maquette.mesh import certify

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("mesh", "genus", "euler"), [(box(), 0, 2), (sphere(), 0, 2), (torus(), 1, 0)], ids=["box", "sphere", "torus"]
)
def test_sound_shapes_are_certified(mesh: Mesh, genus: int, euler: int) -> None:
    """Closed shapes of known genus pass, with the volume that the divergence theorem gives."""
    report = certify(mesh)
    assert report.certified and report.reasons == ()
    assert (report.genus, report.euler, report.components) == (genus, euler, 1)
    assert report.volume == pytest.approx(volume(mesh), rel=1e-6)
    assert report.boundary_edges == report.non_manifold_edges == report.self_intersections == 0


def test_box_figures_are_exact() -> None:
    """Every figure of a cube of side 2 at a known place."""
    report = certify(box(2.0, at=(1.0, 0.0, 0.0)))
    assert report.volume == pytest.approx(8.0) and report.area == pytest.approx(24.0)
    assert report.bounds_min == (0.0, -1.0, -1.0) and report.bounds_max == (2.0, 1.0, 1.0)
    assert (report.vertices, report.faces) == (8, 12)


def test_texture_seams_are_no_holes() -> None:
    """A soup whose corners coincide is closed, as a slicer reading the STL sees it."""
    report = certify(soup(sphere()))
    assert report.certified and report.vertices == 3 * report.faces


BROKEN: dict[str, tuple[Mesh, str]] = {
    "hole": (without_faces(box(), np.arange(12) == 3), "holes"),
    "inside out": (box().replace(faces=box().faces[:, ::-1]), "inside out"),
    "one face turned": (
        Mesh(box().vertices, np.concatenate([box().faces[:1, ::-1], box().faces[1:]])),
        "disagree",
    ),
    "two parts": (joined(box(), box(at=(3.0, 0.0, 0.0))), "2 parts"),
    "edge contact": (joined(box(), box(at=(1.0, 1.0, 0.0))), "more than two faces"),
    "vertex contact": (joined(box(), box(at=(1.0, 1.0, 1.0))), "single vertices"),
    "moebius": (moebius(), "disagree"),
    "flat face": (Mesh(box().vertices, np.concatenate([box().faces, [[0, 1, 1]]])), "no area"),
    "double face": (Mesh(box().vertices, np.concatenate([box().faces, box().faces[:1]])), "twice"),
    "nan": (Mesh(np.concatenate([box().vertices, [[np.nan] * 3]]), box().faces), "NaN"),
    "out of range": (Mesh(box().vertices, np.concatenate([box().faces, [[0, 1, 99]]])), "do not exist"),
    "empty": (Mesh(np.zeros((0, 3)), np.zeros((0, 3))), "no faces"),
    "pillow": (Mesh(box().vertices[:3], [[0, 1, 2], [2, 1, 0]]), "flat"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_wrong_is_said(name: str) -> None:
    """Every defect is refused, with its name among the reasons."""
    mesh, word = BROKEN[name]
    report = certify(mesh)
    assert not report.certified
    assert any(word in reason for reason in report.reasons), report.reasons


def test_genus_is_none_where_it_has_no_meaning() -> None:
    """No genus for open or branching surfaces."""
    assert certify(BROKEN["hole"][0]).genus is None
    assert certify(BROKEN["edge contact"][0]).genus is None


def test_crossing_parts_are_counted() -> None:
    """Two boxes that overlap cross each other along a closed curve; the same boxes apart do not cross."""
    crossed = certify(joined(box(), turned(box(at=(0.4, 0.3, 0.2)), seed=1)))
    apart = certify(joined(box(), box(at=(2.0, 0.0, 0.0))))
    nested = certify(joined(box(), box(0.5)))
    assert crossed.self_intersections > 5
    assert apart.self_intersections == nested.self_intersections == 0


def test_a_fold_is_a_self_intersection() -> None:
    """A face folded flat onto its neighbour counts although they share an edge."""
    points = [[0, 0, 0], [1, 0, 0], [0.2, 1, 0], [0.3, 0.5, 0]]
    assert certify(Mesh(points, [[0, 1, 2], [1, 0, 3]])).self_intersections == 1
    points[3] = [0.3, -0.5, 0]
    assert certify(Mesh(points, [[0, 1, 2], [1, 0, 3]])).self_intersections == 0


def test_crossings_match_brute_force() -> None:
    """The tree search finds the very pairs that trying all pairs finds."""
    from maquette.mesh.crossing import _apart, crossing_pairs

    rng = np.random.default_rng(3)
    points = rng.random((240, 3))
    faces = np.arange(240).reshape(-1, 3)
    found = {tuple(sorted(p)) for p in crossing_pairs(points, faces, np.arange(80)).tolist()}
    one, two = np.triu_indices(80, 1)
    hit = _apart(points[faces[one]], points[faces[two]], 1e-7)
    assert found == set(zip(one[hit].tolist(), two[hit].tolist(), strict=True)) and len(found) > 100


SOUND = [sphere(2), torus(columns=16, rows=8), joined(box(), box(at=(1.0, 1.0, 0.0))), BROKEN["hole"][0]]
INVARIANT = ("components", "boundary_edges", "non_manifold_edges", "degenerate_faces", "duplicate_faces", "watertight")
INVARIANT += ("winding_consistent", "outward", "manifold", "euler", "genus", "self_intersections", "certified")


def facts(mesh: Mesh) -> dict[str, Any]:
    report = certify(mesh).as_dict()
    return {name: report[name] for name in INVARIANT}


@settings(max_examples=25, deadline=None)
@given(which=st.integers(0, len(SOUND) - 1), seed=st.integers(0, 10**6), scale=st.floats(1e-3, 1e3))
def test_moving_a_mesh_does_not_change_its_report(which: int, seed: int, scale: float) -> None:
    """Rotation, scale and the order of vertices and faces are not part of the truth."""
    mesh = SOUND[which]
    moved = shuffled(turned(mesh, seed), seed)
    moved = moved.replace(vertices=moved.vertices * np.float32(scale))
    assert facts(moved) == facts(mesh)
    assert certify(moved).area == pytest.approx(certify(mesh).area * scale**2, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(1, 40))
def test_random_soups_never_raise_and_never_lie(seed: int, vertices: int, faces: int) -> None:
    """Whatever the faces, certify answers, and certified means closed by the obvious oracle."""
    rng = np.random.default_rng(seed)
    points = rng.random((vertices, 3)).astype(np.float32)
    if seed % 3 == 0:
        points[rng.integers(vertices)] = np.nan
    mesh = Mesh(points, rng.integers(0, vertices + seed % 2, (faces, 3)))
    report = certify(mesh)
    assert report.certified == (not report.reasons)
    if report.certified:
        assert is_closed_manifold(mesh)


def test_the_json_follows_the_published_schema() -> None:
    """as_dict has exactly the fields of docs/report.schema.json, with the types it promises."""
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8"))
    kinds = {"integer": int, "number": (int, float), "boolean": bool, "array": list, "null": type(None)}
    for mesh in (box(), BROKEN["hole"][0], BROKEN["empty"][0]):
        given = json.loads(json.dumps(certify(mesh).as_dict()))
        assert set(given) == set(schema["properties"]) == set(schema["required"])
        for name, rule in schema["properties"].items():
            allowed = rule["type"] if isinstance(rule["type"], list) else [rule["type"]]
            assert any(type(given[name]) in (kinds[k] if isinstance(kinds[k], tuple) else (kinds[k],)) for k in allowed)
        text = (ROOT / "docs" / "report.md").read_text(encoding="utf-8")
        assert all(f"`{name}`" in text for name in given)
