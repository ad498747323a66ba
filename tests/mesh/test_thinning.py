"""Many collapses at a time harm nothing: closed, manifold, of the same genus and in the same parts, at every target."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import is_closed_manifold, joined, sphere, torus

from maquette.data import Mesh
from maquette.errors import Cancelled
from maquette.mesh import certify, clean, simplify
from maquette.mesh.distances import distances
from maquette.mesh.parts import usable
from maquette.mesh.surface import Surface
from maquette.mesh.thinning import thinned
from maquette.progress import Progress, silent


def corkscrew() -> Mesh:
    """Two balls on a thin wound wire: the library cuts the wire at a few hundred faces."""
    from skimage.measure import marching_cubes

    axis = np.linspace(-1, 1, 97)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    balls = np.minimum(*(np.sqrt((x - s) ** 2 + y**2 + z**2) - 0.35 for s in (-0.5, 0.5)))
    wire = np.hypot(y - 0.08 * np.sin(14 * x), z - 0.08 * np.cos(14 * x)) - 0.02
    vertices, faces, _, _ = marching_cubes(-np.minimum(balls, np.maximum(wire, np.abs(x) - 0.5)), 0.0)
    return clean(Mesh(vertices / 96 - 0.5, faces)).mesh


def as_mesh(surface: Surface) -> Mesh:
    used, index = np.unique(surface.faces, return_inverse=True)
    return Mesh(surface.points[used], index.reshape(-1, 3))


@pytest.mark.parametrize("faces", [2000, 500, 300])
def test_a_budget_does_not_part_what_a_wire_holds_together(faces: int) -> None:
    mesh = corkscrew()
    assert certify(mesh).certified
    made = simplify(mesh, faces)
    report = certify(made)
    assert report.certified and report.components == 1 and report.genus == 0
    assert abs(report.faces - faces) <= 0.02 * faces


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 1200))
def test_topology_is_kept_whatever_the_target(seed: int, target: int) -> None:
    """A ball and a torus with noise: Euler numbers, parts and closedness stay, down to the least that is possible."""
    rng = np.random.default_rng(seed)
    whole = joined(sphere(3), torus())
    noisy = Mesh(whole.vertices + rng.normal(scale=0.004, size=whole.vertices.shape), whole.faces)
    given = usable(noisy)[0]
    made = thinned(given, target, silent())
    report, before = certify(as_mesh(made)), certify(noisy)
    assert (report.euler, report.components, before.components) == (before.euler, 2, 2)
    assert report.manifold and report.watertight and report.winding_consistent and report.degenerate_faces == 0
    assert is_closed_manifold(as_mesh(made))
    assert len(made.faces) >= max(min(target, len(given.faces)) - 1, 4 + 14)  # a tetrahedron, a torus of 7 vertices


def test_it_stays_close_and_gives_the_same_each_time() -> None:
    given = usable(sphere(4))[0]
    one, two = thinned(given, 400, silent()), thinned(given, 400, silent())
    assert len(one.faces) == 400 and (one.faces == two.faces).all() and (one.points == two.points).all()
    assert distances(given, one)["distance_max"] < 0.02 * given.scale


def test_cancel_is_heard() -> None:
    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        thinned(usable(sphere(3))[0], 100, Progress(check=stop))
