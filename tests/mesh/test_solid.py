"""A mesh that no repair can join becomes one solid, and that solid is the object."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mesh_shapes import box, is_closed_manifold, joined, moebius, sphere, volume, without_faces
from scipy.spatial import cKDTree
from skimage.measure import marching_cubes

from maquette.data import Mesh
from maquette.mesh import certify, clean

OPENINGS = ((1.0, 0.2, 0.1), (-0.8, 0.5, 0.2), (0.1, -0.3, 1.0), (0.0, -1.0, -0.4))


def double_wall(size: int = 60) -> Mesh:
    """A hollow ball, its two walls joined round four openings: one closed surface of genus 3."""
    axis = np.linspace(-0.6, 0.6, size)
    where = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1)
    radius = np.linalg.norm(where, axis=-1)
    field = np.minimum(0.5 - radius, radius - 0.42)
    for way in OPENINGS:
        along = where @ (np.array(way) / np.linalg.norm(way))
        across = np.sqrt(np.maximum(radius**2 - along**2, 0.0))
        field = np.minimum(field, np.where(along > 0, across - 0.1, 1.0))
    vertices, faces, _, _ = marching_cubes(field, 0.0, spacing=(axis[1] - axis[0],) * 3)
    return Mesh(vertices - 0.6, faces[:, ::-1])


def in_pieces(mesh: Mesh, blocks: int = 5, crack: float = 0.05) -> Mesh:
    """Cut along a grid of blocks; each piece has its own rim, drawn a little into it, so that nothing can be welded."""
    middle = mesh.vertices[mesh.faces].mean(axis=1)
    block = np.floor((middle + 0.6) / 1.2 * blocks).astype(np.int64) @ np.array([blocks**2, blocks, 1])
    pair, index = np.unique(
        block.repeat(3) * len(mesh.vertices) + mesh.faces.reshape(-1).astype(np.int64), return_inverse=True
    )
    index, vertex = index.reshape(-1), pair % len(mesh.vertices)
    own = np.zeros((len(pair), 3))
    np.add.at(own, index, middle.repeat(3, axis=0))
    own /= np.bincount(index)[:, None]
    rim = np.bincount(vertex)[vertex] > 1
    points = mesh.vertices[vertex].astype(np.float64)
    points[rim] += crack * (own - points)[rim]
    return Mesh(points, index.reshape(-1, 3))


def spread(mesh: Mesh) -> Any:
    """Points all over the surface, by the obvious method."""
    weights = np.random.default_rng(0).dirichlet(np.ones(3), len(mesh.faces) * 8).reshape(-1, 8, 3)
    return np.einsum("fsk,fki->fsi", weights, mesh.vertices[mesh.faces]).reshape(-1, 3)


@pytest.fixture(scope="module")
def whole() -> Mesh:
    return double_wall()


def test_a_double_wall_in_pieces_becomes_the_object_again(whole: Mesh) -> None:
    """Cracked all over and torn through both walls: one closed shell with the object's own genus, and 99 of 100 points
    within half a cell, both ways."""
    torn, way = in_pieces(whole), np.array([1.0, 1.0, 1.0]) / 3**0.5
    torn = without_faces(torn, np.linalg.norm(np.cross(torn.vertices[torn.faces].mean(axis=1), way), axis=1) < 0.03)
    assert certify(torn, sampled_faces=0).components > 50
    result = clean(torn, repair="solid", resolution=56)
    report, cell = certify(result.mesh), result.figures["solid_cell"]
    assert report.certified, report.reasons
    assert is_closed_manifold(result.mesh)
    assert (report.components, report.euler, report.genus) == (1, -4, 3)
    assert result.figures["solid"] and any("pieces" in note for note in result.notes)
    assert result.figures["distance_p99"] <= 0.5 * cell
    for one, two in ((whole, result.mesh), (result.mesh, whole)):
        assert np.quantile(cKDTree(spread(two)).query(spread(one))[0], 0.99) <= 0.5 * cell


def test_pieces_wound_at_random_still_give_a_solid() -> None:
    """They enclose nothing together; so each counts as the sheet it is."""
    cracked = in_pieces(double_wall(32))
    turn = np.random.default_rng(0).random(125) < 0.5
    middle = cracked.vertices[cracked.faces].mean(axis=1)
    block = np.floor((middle + 0.6) / 1.2 * 5).astype(np.int64) @ np.array([25, 5, 1])
    faces = np.where(turn[block][:, None], cracked.faces[:, ::-1], cracked.faces)
    result = clean(cracked.replace(faces=faces), repair="solid", resolution=32)
    report = certify(result.mesh)
    assert report.watertight and report.manifold and report.outward, report.reasons
    assert result.figures["solid"] and not any("pieces" in note for note in result.notes)


SHEETS = {
    "quad": Mesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]]),
    "triangle": Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]),
    "moebius": moebius(),
}


@pytest.mark.parametrize("name", SHEETS)
def test_solid_makes_a_solid_of_anything_with_area(name: str) -> None:
    """Sheets get a thickness; fix leaves them open and says so."""
    left = clean(SHEETS[name])
    assert left.figures["open_sheets"] == 1 and any("repair=solid" in note for note in left.notes)
    result = clean(SHEETS[name], repair="solid", resolution=40)
    report = certify(result.mesh)
    assert report.certified, report.reasons
    assert result.figures["distance_max"] < 3 * result.figures["solid_cell"]
    assert report.genus == (1 if name == "moebius" else 0)


def test_solid_of_a_double_wall_is_one_shell() -> None:
    """A hollow ball becomes a full one without being extracted anew."""
    made = clean(joined(sphere(4), sphere(4, 0.45)), repair="solid").mesh
    assert certify(made).certified and volume(made) == pytest.approx(volume(sphere(4)), rel=1e-6)


def test_solid_keeps_sound_bodies_that_stand_apart() -> None:
    """Extraction would only lose detail."""
    mesh = joined(box(), box(at=(3.0, 0.0, 0.0)))
    assert np.array_equal(clean(mesh, repair="solid").mesh.vertices, mesh.vertices)


def test_solid_of_a_random_soup_is_manifold() -> None:
    """The last resort on rubble: closed and manifold."""
    rng = np.random.default_rng(5)
    made = clean(Mesh(rng.random((30, 3)), rng.integers(0, 30, (60, 3))), repair="solid", resolution=32).mesh
    report = certify(made)
    assert report.watertight and report.manifold and report.volume > 0
