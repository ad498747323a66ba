"""clean repairs what is broken, changes nothing else, counts what it did, and never empties a mesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from mesh_shapes import (
    box,
    edge_counts,
    is_closed_manifold,
    joined,
    shuffled,
    soup,
    sphere,
    torus,
    turned,
    volume,
    without_faces,
)

from maquette.data import Mesh, Texture
from maquette.errors import BadInputError, BadMeshError, Cancelled
from maquette.mesh import certify, clean, parts
from maquette.mesh.topology import face_groups
from maquette.native import extension
from maquette.progress import Progress


def test_a_sound_mesh_comes_back_as_it_is() -> None:
    """Nothing to repair: the very object, no notes."""
    mesh = torus()
    result = clean(mesh)
    assert result.mesh is mesh and result.notes == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_doubled_faces_are_found_by_their_edges(seed: int) -> None:
    """Where no edge has more than two faces, the faces on the same three vertices are those that share all edges."""
    rng = np.random.default_rng(seed)
    faces = np.array([rng.permutation(7)[:3] for _ in range(rng.integers(1, 5))])
    faces = np.concatenate([faces, rng.permuted(faces[: rng.integers(0, 3)], axis=1)])
    partner, crowded, _ = extension("topology").partners(faces)
    if not crowded:
        group, size = face_groups(faces)
        assert parts._doubled(partner).tolist() == (size[group] > 1).tolist()


def test_keep_changes_nothing_and_refuses_what_is_unusable() -> None:
    """Level keep hands back the object, broken or not, but not an empty one."""
    broken = without_faces(box(), np.arange(12) == 0)
    assert clean(broken, repair="keep").mesh is broken
    with pytest.raises(BadMeshError, match="empty"):
        clean(Mesh(np.zeros((0, 3)), np.zeros((0, 3))), repair="keep")


def test_a_soup_is_welded() -> None:
    """The triangles of an STL become a mesh with shared vertices, also when they are off by rounding."""
    mesh = soup(sphere())
    noise = np.random.default_rng(0).normal(size=mesh.vertices.shape) * 5e-8
    for given_mesh in (mesh, mesh.replace(vertices=mesh.vertices + noise)):
        made = clean(given_mesh).mesh
        assert len(made.vertices) == len(sphere().vertices) and is_closed_manifold(made)


def test_inside_out_and_mixed_faces_are_turned() -> None:
    """Any mixture of windings ends outward, with the volume unchanged."""
    mesh = torus()
    flip = np.random.default_rng(1).random(len(mesh.faces)) < 0.4
    mixed = mesh.replace(faces=np.where(flip[:, None], mesh.faces[:, ::-1], mesh.faces))
    for given_mesh in (mixed, mesh.replace(faces=mesh.faces[:, ::-1])):
        result = clean(given_mesh)
        assert is_closed_manifold(result.mesh)
        assert volume(result.mesh) == pytest.approx(volume(mesh), rel=1e-6)
        assert result.figures["turned_faces"] > 0


def test_a_cavity_stays_a_cavity() -> None:
    """A closed part inside another one is turned inwards, not outwards."""
    made = clean(joined(sphere(3), sphere(3, 0.3))).mesh
    assert volume(made) == pytest.approx(volume(sphere(3)) - volume(sphere(3, 0.3)), rel=1e-5)


def test_two_sided_faces_become_one() -> None:
    """A mesh whose every face stands there twice, once each way round, is not cancelled out."""
    mesh = sphere()
    doubled = mesh.replace(faces=np.concatenate([mesh.faces, mesh.faces[:, ::-1]]))
    made = clean(doubled).mesh
    assert len(made.faces) == len(mesh.faces) and is_closed_manifold(made) and volume(made) > 0


def test_a_fin_on_a_closed_surface_goes() -> None:
    """Two faces back to back on an edge of a closed mesh enclose nothing."""
    mesh = box()
    a, b = mesh.faces[0, 0], mesh.faces[0, 1]
    tip = len(mesh.vertices)
    fin = Mesh(np.concatenate([mesh.vertices, [[2, 2, 2]]]), [*mesh.faces.tolist(), [a, b, tip], [b, a, tip]])
    made = clean(fin).mesh
    assert len(made.faces) == 12 and volume(made) == pytest.approx(1.0)


def textured(mesh: Mesh) -> Mesh:
    """Every face a chart of its own: the worst case for seams."""
    apart = soup(mesh)
    uvs = np.random.default_rng(0).random((len(apart.vertices), 2))
    return apart.replace(uvs=uvs, texture=Texture(np.random.default_rng(1).random((8, 8, 3))))


def test_a_closed_textured_mesh_is_untouched() -> None:
    """Seams are not holes: nothing to repair, so the very mesh."""
    mesh = textured(sphere())
    assert clean(mesh).mesh is mesh


def test_uvs_of_kept_faces_survive_repair() -> None:
    """With a floater and a hole, each kept face has its own uvs still, and the patch one uv of its rim."""
    good = textured(sphere())
    floater = textured(box(0.02, at=(2.0, 0.0, 0.0)))
    both = joined(good, floater)
    uvs = np.concatenate([good.uvs, floater.uvs])  # type: ignore[list-item]
    mesh = Mesh(both.vertices, both.faces[3:], uvs=uvs, texture=good.texture)
    made = clean(mesh).mesh
    assert made.texture is mesh.texture and made.uvs is not None and certify(made).certified
    corner = {tuple(np.round((*v, *u), 5)) for v, u in zip(mesh.vertices, uvs, strict=True)}
    kept = sum(all(tuple(np.round((*made.vertices[i], *made.uvs[i]), 5)) in corner for i in f) for f in made.faces)
    assert kept >= len(good.faces) - 3


def test_touching_bodies_come_apart() -> None:
    """Two boxes on a common edge, and on a common vertex, become two sound bodies, almost where they were."""
    for at in ((1.0, 1.0, 0.0), (1.0, 1.0, 1.0)):
        pair = joined(box(), box(at=at))
        result = clean(pair)
        assert is_closed_manifold(result.mesh) and result.figures["parts"] == 2
        assert volume(result.mesh) == pytest.approx(2.0, abs=2e-3)
        assert result.figures["distance_max"] < 1e-3


def test_overlapping_bodies_are_united_with_their_colors() -> None:
    """Two boxes that pass through each other become one; red stays red, blue stays blue."""
    one, two = box(), turned(box(at=(0.4, 0.3, 0.2)), seed=1)
    pair = joined(one, two)
    colors = np.repeat([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], 8, axis=0)
    result = clean(pair.replace(vertex_colors=colors))
    report = certify(result.mesh)
    assert report.certified and report.self_intersections == 0 and result.figures["united_parts"] == 1
    assert 1.0 < report.volume < 2.0
    assert result.mesh.vertex_colors is not None
    assert set(np.round(result.mesh.vertex_colors[:, 0], 3)) >= {0.0, 1.0}


def test_inner_walls_go_by_visibility() -> None:
    """The inner wall of a hollow ball goes whether or not it is turned inwards; a torus loses nothing."""
    wall = sphere(4, 0.45)
    for inner in (wall, wall.replace(faces=wall.faces[:, ::-1])):
        result = clean(joined(sphere(4), inner), remove_inner=True)
        assert len(result.mesh.faces) == len(sphere(4).faces)
        assert volume(result.mesh) == pytest.approx(volume(sphere(4)), rel=1e-6)
    assert "inner_faces" in result.figures
    ring = torus()
    assert clean(ring, remove_inner=True).mesh is ring


def test_inner_walls_are_the_same_compiled_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict of rays does not depend on what is compiled (where nothing is, both runs are the twin's)."""
    family = extension("visibility")
    mesh = joined(sphere(3), sphere(3, 0.4))
    first = clean(mesh, remove_inner=True)
    monkeypatch.setattr(family, "NATIVE", False)
    second = clean(mesh, remove_inner=True)
    assert first.figures["inner_faces"] == second.figures["inner_faces"] == len(sphere(3).faces)
    assert np.array_equal(first.mesh.faces, second.mesh.faces)


def test_bad_faces_are_dropped_and_counted() -> None:
    """NaN vertices, indices out of range, repeated corners: each counted by its kind."""
    mesh = sphere()
    n = len(mesh.vertices)
    vertices = np.concatenate([mesh.vertices, [[np.nan, 0, 0], [np.inf, 0, 0]]])
    faces = np.concatenate([mesh.faces, [[0, 1, n], [n + 1, 1, 2], [0, 1, n + 7], [-1, 0, 1], [3, 3, 4]]])
    result = clean(Mesh(vertices, faces))
    assert certify(result.mesh).certified and len(result.mesh.faces) == len(mesh.faces)
    figures = result.figures
    assert (figures["non_finite_faces"], figures["out_of_range_faces"], figures["degenerate_faces"]) == (2, 2, 1)
    assert len(result.notes) == 2


def test_zero_area_faces_are_collapsed_or_flipped_not_cut_out() -> None:
    """A cap (three points on a line) and a needle in a closed mesh go without opening it."""
    mesh = box()
    a, b, c = mesh.faces[0]
    on_edge = (mesh.vertices[a] + mesh.vertices[b]) / 2
    m = len(mesh.vertices)
    capped = Mesh(
        np.concatenate([mesh.vertices, [on_edge]]), [[a, m, c], [m, b, c], [a, b, m], *mesh.faces[1:].tolist()]
    )
    assert certify(capped).degenerate_faces == 1
    made = clean(capped).mesh
    assert certify(made).certified and volume(made) == pytest.approx(1.0)


def test_nothing_usable_is_an_error_not_an_empty_mesh() -> None:
    """Empty, all NaN, all degenerate: BadMeshError that says which."""
    for mesh, word in (
        (Mesh(np.zeros((0, 3)), np.zeros((0, 3))), "empty or corrupt"),
        (Mesh(np.full((3, 3), np.nan), [[0, 1, 2]]), "NaN"),
        (Mesh(np.zeros((3, 3)), [[0, 1, 2]]), "area"),
        (Mesh(np.eye(3), [[0, 1, 5]]), "do not exist"),
    ):
        with pytest.raises(BadMeshError, match=word):
            clean(mesh)


def test_unknown_settings_are_refused() -> None:
    """The message lists what is possible."""
    with pytest.raises(BadInputError, match="keep, fix, solid"):
        clean(box(), repair="best")
    with pytest.raises(BadInputError, match="share"):
        clean(box(), floaters=5.0)


def test_cancel_reaches_clean() -> None:
    """The caller's exception comes through unchanged."""

    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        clean(sphere(), progress=Progress(check=stop))


def test_inputs_are_not_changed() -> None:
    """ComfyUI caches inputs: every array is the same afterwards."""
    mesh = joined(without_faces(sphere(), np.arange(1280) < 9), box(0.01, at=(2.0, 0.0, 0.0)))
    before = (mesh.vertices.copy(), mesh.faces.copy())
    clean(mesh)
    clean(mesh, repair="solid", resolution=24)
    assert np.array_equal(mesh.vertices, before[0]) and np.array_equal(mesh.faces, before[1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_random_soups_end_manifold(seed: int) -> None:
    """Whatever goes in: no edge has more than two faces afterwards, no directed edge twice, nothing is empty."""
    rng = np.random.default_rng(seed)
    points = rng.random((int(rng.integers(4, 14)), 3)).astype(np.float32)
    faces = rng.integers(0, len(points), (int(rng.integers(1, 40)), 3))
    mesh = Mesh(points, faces)
    try:
        made = clean(mesh).mesh
    except BadMeshError:
        assert (faces == np.roll(faces, 1, axis=1)).any(axis=1).all()
        return
    assert len(made.faces) > 0
    assert max(edge_counts(made).values()) == 1
    report = certify(made)
    assert report.non_manifold_edges == 0 and report.manifold and report.winding_consistent


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_clean_does_the_same_to_a_moved_mesh(seed: int, scale: float) -> None:
    """Rotation, scale and order do not change what is repaired."""
    rng = np.random.default_rng(7)
    mesh = without_faces(joined(sphere(3), torus(columns=20, rows=10)), rng.random(1280 + 400) < 0.03)
    moved = shuffled(turned(mesh, seed), seed)
    moved = moved.replace(vertices=moved.vertices * np.float32(scale))
    one, two = clean(mesh), clean(moved)
    for name in ("holes", "parts", "split_vertices", "floaters", "united_parts"):
        assert one.figures[name] == two.figures[name], name
    a, b = certify(one.mesh), certify(two.mesh)
    assert (a.certified, a.genus, a.components) == (b.certified, b.genus, b.components)
    assert b.volume == pytest.approx(a.volume * scale**3, rel=1e-2)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_cleaning_twice_changes_nothing_more(seed: int) -> None:
    """Idempotent: a cleaned mesh comes back as it is."""
    rng = np.random.default_rng(seed)
    mesh = without_faces(sphere(3), rng.random(1280) < 0.1)
    once = clean(mesh).mesh
    assert clean(once).mesh is once


@pytest.mark.parametrize("seed", range(3))
def test_touching_voxels_come_apart_everywhere(seed: int) -> None:
    """Cubes that share faces, edges and corners at random: manifold, also where a fan is symmetric about its vertex."""
    cells = np.argwhere(np.random.default_rng(seed).random((5, 5, 5)) < 0.4)
    cubes = joined(*(box(1.0, at=(float(x), float(y), float(z))) for x, y, z in cells))
    report = certify(clean(cubes, floaters=0.0).mesh)
    assert report.manifold and report.watertight and report.winding_consistent and report.degenerate_faces == 0
    assert report.volume == pytest.approx(len(cells), rel=0.01)


@pytest.mark.parametrize("seed", [6, 31, 108, 123])
def test_cutting_inner_walls_out_of_rubble_leaves_a_manifold(seed: int) -> None:
    """Marching cubes of pure noise: the cut leaves crumbs, and faces that hang by a vertex; neither stays open."""
    from skimage.measure import marching_cubes

    noise = np.random.default_rng(seed).normal(size=(14, 14, 14))
    vertices, faces, _, _ = marching_cubes(np.pad(noise, 1, constant_values=-3.0), 0.0)
    report = certify(clean(Mesh(vertices, faces), remove_inner=True).mesh)
    assert report.manifold and report.watertight and report.degenerate_faces == 0


@pytest.mark.parametrize("repair", ["fix", "solid"])
def test_a_sheet_that_goes_with_the_floaters_is_named(repair):
    """An open sheet beside a body has no volume to stay by: the report says how many and how large."""
    body = trimesh.creation.icosphere(subdivisions=3, radius=0.5)
    side = np.arange(6) / 5
    x, y = np.meshgrid(side, side, indexing="ij")
    points = np.stack([x + 1, y, 0.005 * np.sin(3 * x)], axis=-1).reshape(-1, 3)
    k = (np.arange(5)[:, None] * 6 + np.arange(5)).reshape(-1)
    sheet = np.concatenate([np.stack([k, k + 6, k + 7], 1), np.stack([k, k + 7, k + 1], 1)])
    crumb = trimesh.creation.icosphere(subdivisions=0, radius=0.01).apply_translation([0, 2, 0])
    parts = [(body.vertices, body.faces), (points, sheet), (crumb.vertices, crumb.faces)]
    first = np.cumsum([0, *(len(vertices) for vertices, _ in parts)])
    mesh = Mesh(
        np.concatenate([vertices for vertices, _ in parts]).astype(np.float32),
        np.concatenate([faces + start for (_, faces), start in zip(parts, first, strict=False)]).astype(np.int32),
    )
    result = clean(mesh, repair=repair, resolution=32)
    assert (result.figures["floaters"], result.figures["floater_sheets"]) == (2, 1)
    corner = points[sheet]
    area = np.linalg.norm(np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]), axis=1).sum() / 2
    assert result.figures["floater_sheet_area"] == pytest.approx(area, rel=1e-5)
    assert any("1 of the floaters are open sheets" in note for note in result.notes)
    kept = clean(mesh, repair=repair, resolution=32, floaters=0.0)
    assert kept.figures["floater_sheets"] == 0 and kept.mesh.bounds[1][0] > 1.9
