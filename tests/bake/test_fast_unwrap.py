"""The parts of the fast unwrap: charts, flattening, the checks that keep overlap out, the packer; and hard meshes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.bake import unwrap_with_map
from maquette.bake._fast.charts import Surface, adjacency, chart, cluster, connected
from maquette.bake._fast.checks import crossing, stretch, unfit, wound
from maquette.bake._fast.flatten import Seamed, flatten, projected, seamed, signed_areas
from maquette.bake._fast.packing import pack, shelves
from maquette.bake._fast.relax import faulty, mend
from maquette.data import Mesh
from maquette.errors import Cancelled, StageTimeoutError
from maquette.geometry.raster import count_uv
from maquette.progress import Progress, silent


def bumpy(level: int = 4, waves: float = 18.0) -> Mesh:
    solid = trimesh.creation.icosphere(level, 0.5)
    return Mesh(solid.vertices * (1 + 0.06 * np.sin(waves * solid.vertices).sum(axis=1, keepdims=True)), solid.faces)


def grid(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Plane coordinates [(R + 1) (C + 1), 2] and faces of a regular sheet."""
    y, x = np.mgrid[0 : rows + 1, 0 : columns + 1]
    index = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.concatenate([np.stack(t, axis=-1).reshape(-1, 3) for t in ((a, b, c), (a, c, d))])
    return np.stack([x, y], axis=-1).reshape(-1, 2).astype(float), faces


def one_chart(faces: np.ndarray) -> Seamed:
    return seamed(np.asarray(faces, np.int64), np.zeros(len(faces), np.int64))


# charts


def test_adjacency_counts_every_inner_edge_of_a_closed_surface_once() -> None:
    solid = trimesh.creation.torus(0.5, 0.2)
    pairs, _ = adjacency(np.asarray(solid.faces, np.int64))
    assert len(pairs) == len(solid.edges_unique)
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_faces_of_opposite_orientation_or_on_a_fin_are_no_neighbours() -> None:
    assert len(adjacency(np.array([[0, 1, 2], [0, 1, 3]]))[0]) == 0, "the edge runs the same way in both"
    assert len(adjacency(np.array([[0, 1, 2], [1, 0, 3]]))[0]) == 1
    assert len(adjacency(np.array([[0, 1, 2], [1, 0, 3], [0, 1, 4]]))[0]) == 0, "three faces on one edge"


def test_the_sides_of_a_cube_become_six_charts() -> None:
    solid = trimesh.creation.box().subdivide().subdivide().subdivide()
    surface = Surface.of(solid.vertices, solid.faces, smoothing=0)
    label = chart(surface, 0.02, silent())
    assert int(label.max()) + 1 == 6
    for side in range(6):
        assert np.ptp(solid.face_normals[label == side], axis=0).max() < 1e-6


@pytest.mark.parametrize("flatness", [0.02, 0.1])
def test_charts_are_connected_and_numbered_without_gaps(flatness: float) -> None:
    mesh = bumpy()
    surface = Surface.of(mesh.vertices, mesh.faces)
    label = chart(surface, flatness, silent())
    assert set(label) == set(range(int(label.max()) + 1))
    assert int(connected(surface, label).max()) == int(label.max())


def test_flatter_limits_give_more_charts_that_keep_them() -> None:
    mesh = bumpy()
    surface = Surface.of(mesh.vertices, mesh.faces)
    counts = []
    for flatness in (0.02, 0.1, 0.3):
        label = cluster(surface, flatness, silent())
        counts.append(int(label.max()) + 1)
        for index in range(counts[-1]):
            here = label == index
            total = (surface.normals[here] * surface.area[here, None]).sum(axis=0)
            assert 1 - np.linalg.norm(total) / surface.area[here].sum() <= flatness + 1e-9
    assert counts[0] > counts[1] > counts[2] >= 2


# flattening


def test_a_bent_sheet_of_paper_is_flattened_without_stretch() -> None:
    """A cylinder patch is developable: the answer is the sheet it was rolled from."""
    sheet, faces = grid(12, 16)
    angle = sheet[:, 0] / 16 * 1.6
    points = np.stack([np.sin(angle), sheet[:, 1] / 12, np.cos(angle)], axis=1)
    surface = Surface.of(points, faces)
    cut = one_chart(faces)
    before = stretch(surface, projected(surface, np.zeros(len(faces), np.int64), cut), cut)[0]
    flat = flatten(surface, np.zeros(len(faces), np.int64), cut, 30, silent())
    after = stretch(surface, flat, cut)[0]
    assert before > 1.01
    assert after < 1.0005
    assert (signed_areas(flat, cut.faces) > 0).all()
    np.testing.assert_allclose(signed_areas(flat, cut.faces), surface.area, rtol=0.03)


def test_a_folded_vertex_is_mended() -> None:
    sheet, faces = grid(8, 8)
    surface = Surface.of(np.column_stack([sheet, np.zeros(len(sheet))]), faces)
    cut = one_chart(faces)
    flat = (sheet[:, 0] + 1j * sheet[:, 1])[cut.source]
    flat = np.where(np.arange(len(flat)) == 40, flat + 2.3 + 0.4j, flat)
    if not faulty(surface, flat, cut).any():
        flat = -flat.conj()  # the grid runs clockwise
    assert faulty(surface, flat, cut).any()
    mended = mend(surface, flat, cut)
    assert faulty(surface, mended, cut).sum() == 0


# checks


def test_a_plain_sheet_passes_and_a_folded_one_does_not() -> None:
    sheet, faces = grid(4, 4)
    surface = Surface.of(np.column_stack([sheet, np.zeros(len(sheet))]), faces)
    cut = one_chart(faces)
    flat = (sheet[:, 0] + 1j * sheet[:, 1])[cut.source]
    flat = flat if signed_areas(flat, cut.faces).sum() > 0 else flat.conj()
    assert not unfit(surface, flat, cut).any()
    folded = flat.copy()
    folded[12] += 1.7
    assert unfit(surface, folded, cut).all()
    squashed = flat.real + 0.05j * flat.imag
    assert unfit(surface, squashed, cut).all()


def test_a_strip_bent_over_itself_is_found_although_no_face_is_turned_over() -> None:
    """A ring of 400 degrees: every face is fine, the ends lie on each other."""
    sheet, faces = grid(2, 60)
    angle = sheet[:, 0] / 60 * np.radians(400)
    flat = (3 + sheet[:, 1]) * np.exp(1j * angle)
    cut = one_chart(faces)
    flat = flat[cut.source]
    if signed_areas(flat, cut.faces).sum() < 0:
        flat = flat.conj()
    assert (signed_areas(flat, cut.faces) > 0).all()
    assert crossing(flat, cut).tolist() == [0]
    open_ring = (3 + sheet[:, 1]) * np.exp(1j * angle * 0.8)
    assert crossing(open_ring[cut.source], cut).tolist() == []


def test_faces_wound_twice_around_a_corner_are_found() -> None:
    turns = np.exp(1j * np.arange(12) / 12 * 4 * np.pi)
    flat = np.concatenate([[0], turns * (1 + np.arange(12) * 0.01)])
    faces = np.array([[0, 1 + k, 1 + (k + 1) % 12] for k in range(12)])
    cut = one_chart(faces)
    assert (signed_areas(flat[cut.source], cut.faces) > 0).all()
    assert wound(flat[cut.source], cut).tolist() == [0]


# packing


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(0, 3), st.integers(0, 10_000))
def test_packed_charts_keep_their_distance(count: int, gap: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    masks = [rng.random(tuple(rng.integers(1, 14, 2))) < rng.uniform(0.2, 1) for _ in range(count)]
    for mask in masks:
        mask[rng.integers(mask.shape[0]), rng.integers(mask.shape[1])] = True
    placed, side = pack(masks, gap, silent())
    check_packing(masks, placed, side, gap)


def check_packing(masks: list[np.ndarray], placed: list, side: int, gap: int) -> None:
    owner = np.full((side, side), -1)
    for index, (mask, place) in enumerate(zip(masks, placed, strict=True)):
        turned = np.rot90(mask, place.turns)
        part = owner[place.top : place.top + turned.shape[0], place.left : place.left + turned.shape[1]]
        assert part.shape == turned.shape, "inside the square"
        assert (part[turned] == -1).all(), "on free cells"
        part[turned] = index
    for dy in range(gap + 1):
        for dx in range(-gap, gap + 1):
            here = owner[: side - dy, max(0, -dx) : side - max(0, dx)]
            there = owner[dy:, max(0, dx) : side - max(0, -dx)]
            assert not ((here >= 0) & (there >= 0) & (here != there)).any(), f"charts within {dx}, {dy} cells"


def test_very_many_charts_go_into_blocks_and_still_keep_their_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    from maquette.bake._fast import packing

    monkeypatch.setattr(packing, "_SINGLE", 10)
    monkeypatch.setattr(packing, "_CHUNK", 9)
    rng = np.random.default_rng(0)
    masks = [np.ones(tuple(rng.integers(1, 9, 2)), bool) for _ in range(60)]
    placed, side = pack(masks, 1, silent())
    check_packing(masks, placed, side, 1)
    assert side**2 < 3.5 * sum(mask.size for mask in masks)


def test_rectangles_fill_most_of_the_square() -> None:
    rng = np.random.default_rng(1)
    masks = [np.ones(tuple(rng.integers(4, 40, 2)), bool) for _ in range(80)]
    _, side = pack(masks, 0, silent())
    assert sum(mask.size for mask in masks) / side**2 > 0.85


def test_shelves_do_not_overlap() -> None:
    rng = np.random.default_rng(2)
    shapes = rng.integers(1, 20, (50, 2))
    corners, (rows, columns) = shelves(shapes)
    taken = np.zeros((rows, columns), int)
    for (top, left), (high, wide) in zip(corners, shapes, strict=True):
        taken[top : top + high, left : left + wide] += 1
    assert taken.max() == 1
    assert taken.sum() == (shapes[:, 0] * shapes[:, 1]).sum()


# whole meshes


def overlap(mesh: Mesh, size: int = 2048) -> int:
    return int((count_uv(torch.tensor(mesh.uvs), torch.tensor(mesh.faces), size) > 1).sum())


@pytest.mark.parametrize("waves", [0.0, 18.0, 30.0])
def test_a_bumpy_ball_is_laid_out_without_overlap_and_nearly_isometric(waves: float) -> None:
    done = unwrap_with_map(bumpy(5, waves), size=1024, method="fast")
    assert overlap(done.mesh, 4096) == 0
    assert done.utilisation > 0.5
    assert done.charts < 450
    surface = Surface.of(done.mesh.vertices, done.mesh.faces)
    assert done.mesh.uvs is not None
    cut = one_chart(done.mesh.faces)
    flat = (done.mesh.uvs[:, 0] - 1j * done.mesh.uvs[:, 1]).astype(np.complex128)[cut.source]
    assert (signed_areas(flat, cut.faces)[surface.area > 1e-12] > 0).all(), "as a picture, no chart is mirrored"
    assert stretch(surface, flat, cut)[0] < 1.05


def hard_meshes() -> dict[str, Mesh]:
    rng = np.random.default_rng(0)
    soup = rng.uniform(0, 1, (60, 1, 3)) + 0.1 * rng.normal(size=(60, 3, 3))
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    width = np.linspace(-0.2, 0.2, 5)
    a, w = np.meshgrid(turns, width, indexing="ij")
    moebius = np.stack(
        [(1 + w * np.cos(a / 2)) * np.cos(a), (1 + w * np.cos(a / 2)) * np.sin(a), w * np.sin(a / 2)], axis=-1
    ).reshape(-1, 3)
    faces = []
    for i in range(40):
        for j in range(4):
            p, q = i * 5 + j, i * 5 + j + 1
            r, s = ((i + 1) * 5 + j, (i + 1) * 5 + j + 1) if i < 39 else (4 - j, 3 - j)
            faces += [[p, r, q], [q, r, s]]
    torus = trimesh.creation.torus(0.5, 0.01)
    spike = trimesh.creation.cone(0.01, 1.0)
    shells = trimesh.creation.icosphere(2)
    return {
        "soup": Mesh(soup.reshape(-1, 3), np.arange(180).reshape(-1, 3)),
        "moebius": Mesh(moebius, faces),
        "thin ring": Mesh(torus.vertices, torus.faces),
        "needle": Mesh(spike.vertices, spike.faces),
        "doubled": Mesh(shells.vertices, np.concatenate([shells.faces, shells.faces])),
        "two sided": Mesh(shells.vertices, np.concatenate([shells.faces, shells.faces[:, ::-1]])),
        "one face, two sides": Mesh(np.eye(3), [[0, 1, 2], [0, 2, 1]]),
        "one face": Mesh(np.eye(3), [[0, 1, 2]]),
        "flat": Mesh(np.column_stack([grid(9, 9)[0], np.zeros(100)]), grid(9, 9)[1]),
    }


@pytest.mark.parametrize("name", list(hard_meshes()))
def test_hard_meshes_come_back_whole_and_without_overlap(name: str) -> None:
    mesh = hard_meshes()[name]
    done = unwrap_with_map(mesh, size=512, method="fast")
    np.testing.assert_array_equal(done.mesh.vertices[done.mesh.faces], mesh.vertices[mesh.faces])
    assert overlap(done.mesh) == 0
    assert done.utilisation > 0.02


@settings(max_examples=25, deadline=None)
@given(st.integers(4, 30), st.integers(1, 60), st.integers(0, 10_000))
def test_random_faces_on_random_points_never_overlap(points: int, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    faces = rng.integers(0, points, (count, 3))
    faces = np.concatenate([faces, [[0, 1, 2]]])
    mesh = Mesh(rng.uniform(-1, 1, (points, 3)), faces)
    done = unwrap_with_map(mesh, size=256, method="fast")
    assert len(done.mesh.faces) == count + 1
    assert overlap(done.mesh, 1024) == 0


def test_cancel_and_time_limit_reach_the_fast_unwrap() -> None:
    def stop() -> None:
        raise Cancelled("stop")

    with pytest.raises(Cancelled):
        unwrap_with_map(bumpy(), method="fast", progress=Progress(check=stop))
    with pytest.raises(StageTimeoutError, match="limit of"):
        unwrap_with_map(bumpy(), method="fast", timeout=0.0)
