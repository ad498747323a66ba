"""Topology: the compiled operators equal the numpy twin bit for bit, and both equal what is obvious."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from compiled import compile_and_compare
from hypothesis import given, settings
from hypothesis import strategies as st

from maquette.native import extension

family = extension("topology")

COMPARE = "from test_topology import compare_all\ncompare_all(family)"


def soup(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random faces, crowded edges and repeated corners among them, on points of very different sizes."""
    rng = np.random.default_rng(seed)
    vertices = int(rng.integers(3, 3 + count))
    points = rng.normal(size=(vertices, 3)) * 10.0 ** rng.uniform(-3, 3, (vertices, 1))
    points[:: 1 + seed % 5] = points[0]
    points[1 :: 1 + seed % 3] *= -1
    return points, rng.integers(0, vertices, (count, 3))


def opposite(faces, partner) -> np.ndarray:
    """[3 F] half-edges that have a partner, which runs the other way."""
    corner = faces.reshape(-1)
    return (partner >= 0) & (corner[np.maximum(partner, 0)] != corner) if len(corner) else np.zeros(0, bool)


def results(module, points, faces) -> list:
    """Everything the family can tell of a mesh."""
    edges = module.edges(faces)
    first = edges[5][:-1][edges[1] >= 2]
    links = np.stack([edges[4][first], edges[4][first + 1]], axis=1)
    parts, labels = module.groups(links // 3, len(faces))
    whole = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    partner, crowded, same_way = module.partners(whole)
    fans = module.turns(np.where(opposite(whole, partner), partner, -1).astype(np.int32))
    out = [partner, crowded, same_way, *module.joined(partner), *fans]
    out += [*edges, parts, labels, *module.fans(faces, links), *module.measures(points, faces, labels, parts)]
    out += [module.flat(points, faces, limit) for limit in (0.0, 1e-6, 0.5)]
    spoiled = np.where(np.arange(len(points))[:, None] % 11 == 5, np.nan, points)
    for given_points in (points, spoiled, np.round(points), spoiled.astype(np.float32)):
        out += module.equal(given_points)
    return out


def compare_all(module, seeds=range(60)) -> None:
    """Kernels against twins on soups of one face to thousands, in every integer type and without any face."""
    for seed in seeds:
        points, faces = soup(seed, [1, 2, 5, 40, 700, 20_000][seed % 6])
        faces = faces.astype([np.int64, np.int32, np.uint32][seed % 3])[: None if seed % 7 else 0]
        assert module.method() == "native" and module.NATIVE
        ours = results(module, points, faces)
        native, module.NATIVE = module.NATIVE, False
        assert module.method() == "numpy"
        twin = results(module, points, faces)
        module.NATIVE = native
        for place, (one, two) in enumerate(zip(ours, twin, strict=True)):
            assert np.asarray(one).dtype == np.asarray(two).dtype, (seed, place)
            np.testing.assert_array_equal(one, two, err_msg=f"seed {seed}, result {place}")


@pytest.mark.slow
def test_compiled_equals_twin(tmp_path, monkeypatch):
    """Built from scratch in a copy of the tree and loaded in a fresh process: the same bits."""
    compile_and_compare("topology", COMPARE, tmp_path, monkeypatch)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
def test_compiled_here_equals_twin():
    """The library that lies in the tree, where there is one, gives the twin's bits."""
    compare_all(family, range(60, 84))


@pytest.fixture(params=["as it is", "twin"])
def either(request, monkeypatch):
    """The wrapper with what is compiled here (if anything), and with the twin."""
    if request.param == "twin":
        monkeypatch.setattr(family, "NATIVE", False)
    return family


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 60))
def test_edges_are_those_of_a_dictionary(seed, count):
    """Which half-edges lie on which pair of vertices, by hand."""
    faces = soup(seed, count)[1]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    ends, size, edge, forward, order, start = family.edges(faces)
    wanted: dict[tuple[int, int], list[int]] = {}
    for half, (tail, head) in enumerate(zip(faces.reshape(-1), np.roll(faces, -1, axis=1).reshape(-1), strict=True)):
        wanted.setdefault((min(tail, head), max(tail, head)), []).append(half)
        assert forward[half] == (tail < head)
    keys = sorted(wanted)
    assert ends.tolist() == [list(key) for key in keys] and size.tolist() == [len(wanted[key]) for key in keys]
    for number, key in enumerate(keys):
        assert order[start[number] : start[number + 1]].tolist() == wanted[key]
        assert (edge[wanted[key]] == number).all()


def test_groups_and_fans_by_hand(either):
    """Groups are numbered by their lowest member; two faces on an edge share two fans, a corner alone is one."""
    count, labels = either.groups(np.array([[4, 1], [3, 3], [5, 4]]), 6)
    assert count == 4 and labels.tolist() == [0, 1, 2, 3, 1, 1]
    faces = np.array([[0, 1, 2], [2, 1, 3]])
    count, fan = either.fans(faces, np.array([[1, 3]]))
    assert count == 4 and fan.tolist() == [0, 1, 2, 2, 1, 3]
    turned = np.array([[0, 1, 2], [1, 2, 3]])
    assert either.fans(turned, np.array([[1, 3]]))[1].tolist() == [0, 1, 2, 1, 2, 3]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31 - 1), st.integers(1, 60))
def test_partners_are_those_of_the_edges(seed, count):
    """One face at an edge, two, or more; parts and fans by partners are those by pairs."""
    faces = soup(seed, count)[1]
    faces = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    partner, crowded, same_way = family.partners(faces)
    _, size, edge, forward, order, start = family.edges(faces)
    two = [order[start[e] : start[e + 1]] for e in np.flatnonzero(size == 2)]
    assert crowded == (size > 2).any() and same_way == any(forward[a] == forward[b] for a, b in two)
    wanted = np.where(size[edge] == 1, -1, -2)
    for a, b in two:
        wanted[a], wanted[b] = b, a
    assert partner.tolist() == wanted.tolist()
    links = np.array(two, np.int64).reshape(-1, 2)
    assert family.joined(partner)[1].tolist() == family.groups(links // 3, len(faces))[1].tolist()
    links = links[forward[links[:, 0]] != forward[links[:, 1]]]
    kept = np.where(opposite(faces, partner), partner, -1).astype(np.int32)
    assert family.turns(kept)[1].tolist() == family.fans(faces, links)[1].tolist()


def test_many_faces_round_one_vertex(either):
    """A wheel of thousands of spokes round vertex 0, and a third face at one of them."""
    spokes = 5000
    ring = 1 + np.arange(spokes)
    wheel = np.stack([np.zeros(spokes, np.int64), ring, np.roll(ring, -1)], axis=1)
    partner, crowded, same_way = either.partners(wheel)
    assert not crowded and not same_way and (partner == -1).sum() == spokes
    assert either.turns(partner)[0] == spokes + 1 and either.joined(partner)[0] == 1
    partner, crowded, same_way = either.partners(np.append(wheel, [[0, 7, 9000], [0, 9001, 1]], axis=0))
    assert crowded and not same_way and (partner == -2).sum() == 6


def test_volume_and_area_of_boxes(either):
    """Two boxes, one inside out: the signed volumes and the areas, to rounding."""
    corner = np.array([[x, y, z] for x in (0.0, 1) for y in (0.0, 2) for z in (0.0, 3)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    box = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))])
    points, faces = np.concatenate([corner, corner * 0.5 + 9]), np.concatenate([box, box[:, ::-1] + 8])
    volumes, areas, vectors, each = either.measures(points, faces, np.repeat([0, 1], 12), 3)
    np.testing.assert_allclose(volumes, [6, -0.75, 0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(areas, [22, 5.5, 0], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(vectors, np.zeros((3, 3)), atol=1e-12)  # closed
    np.testing.assert_allclose(each, np.repeat([1, 0.25], 12) * np.tile(np.repeat([3, 1.5, 1], 4), 2), rtol=1e-12)
    sheet = either.measures(points, faces[:2], np.zeros(2, int), 1)
    np.testing.assert_allclose(sheet[2], [[-6, 0, 0]], rtol=1e-12)
    np.testing.assert_allclose(sheet[1], [6], rtol=1e-12)


def test_flat_faces_by_their_height(either):
    """The height over the longest side is what counts; a repeated corner always does."""
    points = np.array([[0.0, 0, 0], [4, 0, 0], [1, 0.25, 0], [2, 0, 0]])
    faces = np.array([[0, 1, 2], [0, 1, 3], [2, 2, 1]])
    assert either.flat(points, faces, 0.0).tolist() == [False, True, True]
    assert either.flat(points, faces, 0.2).tolist() == [False, True, True]
    assert either.flat(points, faces, 0.25).tolist() == [True, True, True]


def test_few_faces_with_large_numbers(either):
    """No memory by vertex number: three faces among billions of vertices."""
    faces = np.array([[5, 2**40, 7], [7, 2**40, 2**41], [0, 2**41, 1]])
    ends, size = either.edges(faces)[:2]
    assert len(ends) == 7 and size.max() == 2 and ends.max() == 2**41


def test_bad_input_is_refused(either):
    """Shapes, types and numbers that do not fit: one ValueError each."""
    points, faces = np.zeros((3, 3)), np.array([[0, 1, 2]])
    with pytest.raises(ValueError, match=r"faces are integers \[N, 3\], got \[1, 2\]"):
        either.edges(faces[:, :2])
    with pytest.raises(ValueError, match="faces are integers"):
        either.edges(points)
    with pytest.raises(ValueError, match="faces name -1 to 2"):
        either.edges(np.array([[0, -1, 2]]))
    with pytest.raises(ValueError, match="pairs name 0 to 9, which are not among the 5"):
        either.groups(np.array([[0, 9]]), 5)
    with pytest.raises(ValueError, match="links name 0 to 3"):
        either.fans(faces, np.array([[0, 3]]))
    with pytest.raises(ValueError, match="faces name 3 to 3"):
        either.flat(points, np.array([[3, 3, 3]]), 0.0)
    with pytest.raises(ValueError, match="labels name 2 to 2"):
        either.measures(points, faces, np.array([2]), 2)
    with pytest.raises(ValueError, match="one label per face is wanted, got 2 for 1"):
        either.measures(points, faces, np.array([0, 0]), 2)
    with pytest.raises(ValueError, match="float32 or float64"):
        either.equal(np.zeros((3, 3), np.int64))
    for wrong in (np.array([0, 1, 3], np.int32), np.zeros(3, np.int64), np.zeros(4, np.int32)):
        with pytest.raises(ValueError, match="partners are int32"):
            either.turns(wrong)


@pytest.mark.skipif(not family.NATIVE, reason="not compiled here")
@pytest.mark.parametrize("wrong", [-1, 2**31 - 1, 2**63 - 1, -(2**63)])
def test_the_kernel_refuses_vertices_that_it_cannot_count(wrong):
    """Also the last number that there is, of which there is no next one."""
    faces = torch.tensor([[0, 1, wrong]])
    for operator in (torch.ops.maquette.topology, torch.ops.maquette.topology_partners):
        with pytest.raises(RuntimeError, match="maquette::topology"):
            operator(faces)
