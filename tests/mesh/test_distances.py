"""Distances are looked for near the places that moved only, and are those of a search over every face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import box, joined, sphere

from maquette.mesh.bvh import nearest_distances
from maquette.mesh.distances import distances, surface_samples
from maquette.mesh.parts import usable


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1e-4, 1.0, 1e3]), st.sampled_from([0.0, 50.0]))
def test_distances_are_those_of_a_search_over_all_faces(seed: int, scale: float, offset: float) -> None:
    """Small faces beside very long ones, near and far from the origin; some vertices moved a little, some far."""
    rng = np.random.default_rng(seed)
    plank = box(1.0, at=(0.0, 0.0, -0.6))
    mesh = joined(sphere(3), plank.replace(vertices=plank.vertices * np.array([8.0, 0.01, 1.0])))
    mesh = mesh.replace(vertices=(mesh.vertices + offset) * scale)
    moved = np.array(mesh.vertices)
    some = rng.integers(0, len(moved), 1 + seed % 40)
    moved[some] += scale * rng.normal(size=(len(some), 3)) * 10.0 ** rng.uniform(-4, 0, (len(some), 1))
    before, after = usable(mesh)[0], usable(mesh.replace(vertices=moved))[0]
    found = distances(before, after, 500)
    points, _ = surface_samples(after.points, after.faces, 500)
    far = nearest_distances(before.points, before.faces, points)
    far[far < 1e-6 * scale * (1 + offset)] = 0
    assert found["distance_mean"] == pytest.approx(far.mean(), rel=1e-6, abs=1e-6 * scale * (1 + offset))
    assert found["distance_max"] == pytest.approx(far.max(), rel=1e-9, abs=1e-6 * scale * (1 + offset))


def test_samples_are_the_same_with_areas_given() -> None:
    """Areas that are known need not be measured again."""
    surface = usable(sphere(3))[0]
    measured = surface_samples(surface.points, surface.faces, 300)
    given_areas = surface_samples(surface.points, surface.faces, 300, surface.measures.face_area)
    assert all(np.array_equal(one, two) for one, two in zip(measured, given_areas, strict=True))
