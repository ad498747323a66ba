"""The example pictures are what the scripts render, and the scenes are what they say they are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from examples.make_examples import eight_bit, make
from examples.profiles import Lathe, Wire
from examples.render import coverage, render
from examples.scenes import NAMES, PHOTOS, SETS, cameras, scene, sdf, surface_points
from examples.solids import around, blend, box, capsule, carve, polygon, smooth_path, sphere, torus, turned
from maquette.geometry.camera import PRESETS

HERE = Path(__file__).resolve().parent.parent.parent / "examples"
SINGLE = [name for name in NAMES if name not in SETS and name not in PHOTOS]


def files() -> list[Path]:
    return sorted([*HERE.glob("*.png"), *HERE.glob("*.jpg"), *HERE.glob("*/*.png")])


@pytest.mark.parametrize("path", files(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_committed_pictures_are_small_and_well_framed(path: Path) -> None:
    """Below 300 kB; the subject is inside of the frame and large."""
    assert path.stat().st_size < 300_000
    image = Image.open(path)
    assert image.size == (640, 640)
    if image.mode == "RGBA":
        alpha = np.asarray(image)[..., 3]
        rows, columns = np.nonzero(alpha > 127)
        assert min(rows.min(), columns.min(), 639 - rows.max(), 639 - columns.max()) >= 6, "cut off by the border"
        if path.parent == HERE:
            assert max(np.ptp(rows), np.ptp(columns)) > 0.7 * 640


def test_there_are_enough_of_them() -> None:
    """At least eight single pictures, two sets of four and one photo without alpha."""
    assert all((HERE / f"{name}.png").exists() for name in SINGLE)
    assert len(SINGLE) >= 8
    assert all((HERE / name / f"{view}.png").exists() for name in SETS for view in ("front", "right", "back", "left"))
    assert len(SETS) >= 2
    assert all(Image.open(HERE / f"{name}_on_table.jpg").mode == "RGB" for name in PHOTOS)


@pytest.mark.parametrize("name", ["cactus", pytest.param("rocket", marks=pytest.mark.slow)])
def test_rendering_again_gives_the_committed_picture(name: str) -> None:
    """A small rendering equals the committed one, reduced: neither scene nor renderer has drifted away from it."""
    (camera,) = cameras(name, 64).values()
    small = render(scene(name), camera)
    given = Image.open(HERE / f"{name}.png").convert("RGBa").resize((64, 64), Image.Resampling.BOX)
    committed = np.asarray(given, np.float32) / 255
    again = small.copy()
    again[..., :3] *= small[..., 3:]
    assert np.abs(again[..., 3] - committed[..., 3]).mean() < 0.006
    assert np.abs(again[..., :3] - committed[..., :3]).mean() < 0.012


def test_rendering_is_repeatable(tmp_path: Path) -> None:
    """Twice the same scene, twice the same bytes; a photo comes with its mask."""
    first, second = make("duck", tmp_path / "a", 32), make("duck", tmp_path / "b", 32)
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]
    mask = np.asarray(Image.open(first[1]))
    assert mask.shape == (32, 32)
    assert 0.1 < (mask > 127).mean() < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_objects_are_centred_with_longest_side_one(name: str) -> None:
    """The world frame of the pack: nothing sticks out of the unit cube, and it is filled in one direction."""
    axis = np.linspace(-0.56, 0.56, 57, dtype=np.float32)
    lattice = np.stack([a.ravel() for a in np.meshgrid(axis, axis, axis, indexing="ij")], axis=1)
    near = lattice[sdf(name)(lattice) < 0.005]
    low, high = near.min(axis=0), near.max(axis=0)
    assert (high - low).max() == pytest.approx(1.0, abs=0.05)
    assert np.abs((high + low) / 2).max() < 0.03
    assert low.min() > -0.53
    assert high.max() < 0.53


@pytest.mark.parametrize("name", NAMES)
def test_marching_steps_never_jump_over_the_surface(name: str) -> None:
    """|sdf| times the step share is no more than the way to any place of the other sign: rays miss nothing."""
    rng = np.random.default_rng(0)
    points = surface_points(name, 30)
    a = points[rng.integers(0, len(points), 3000)] + rng.normal(0, 0.06, (3000, 3)).astype(np.float32)
    b = a + rng.normal(0, 0.04, a.shape).astype(np.float32)
    da, db = sdf(name)(a), sdf(name)(b)
    crossed = (da > 0) & (db < 0)
    assert crossed.sum() > 30
    way = np.linalg.norm(a - b, axis=1)
    missed = (da * scene(name).step > way * 1.02 + 1e-3) & crossed
    assert missed.sum() <= 0.01 * crossed.sum()


@pytest.mark.parametrize("name", SETS)
def test_cameras_file_is_the_packs_own_convention(name: str) -> None:
    """cameras.json holds the cameras that the pictures were made with, in the directions of the presets."""
    content = json.loads((HERE / name / "cameras.json").read_text())
    for view, camera in cameras(name).items():
        stored = content["views"][view]
        np.testing.assert_allclose(stored["intrinsics"], camera.intrinsics, atol=1e-5)
        np.testing.assert_allclose(stored["cam_to_world"], camera.cam_to_world, atol=1e-8)
        azimuth = np.deg2rad(PRESETS[view][0])
        toward = camera.position / np.linalg.norm(camera.position)
        np.testing.assert_allclose(toward, [np.sin(azimuth), 0, np.cos(azimuth)], atol=1e-9)
        assert (HERE / name / stored["file"]).exists()


@pytest.mark.parametrize("name", SETS)
def test_the_true_shape_has_the_committed_outline(name: str) -> None:
    """Seen through cameras.json, the signed distance gives the very alpha of the pictures."""
    for view in ("front", "left"):
        alpha = np.asarray(Image.open(HERE / name / f"{view}.png"))[..., 3] / 255
        small = alpha.reshape(40, 16, 40, 16).mean(axis=(1, 3))
        seen = coverage(scene(name), cameras(name, 40)[view], grid=3)
        assert np.abs(seen - small).mean() < 0.01


def test_colours_under_full_transparency_are_black() -> None:
    """Files stay small, and nothing hides there."""
    rgba = np.ones((4, 4, 4), np.float32)
    rgba[:2, :, 3] = 0
    assert eight_bit(rgba)[:2].max() == 0
    assert eight_bit(rgba)[2:].min() == 255


def test_unknown_scene() -> None:
    """The error lists what there is."""
    with pytest.raises(KeyError, match="teapot"):
        scene("sofa")


points3 = st.integers(0, 2**31).map(lambda seed: np.random.default_rng(seed).uniform(-2, 2, (3, 64)).astype(np.float32))


@settings(max_examples=25, deadline=None)
@given(points3)
def test_exact_solids_are_distances(p: np.ndarray) -> None:
    """Moving by less than the distance never changes the sign, and the gradient has length one."""
    solids = [
        lambda q: sphere(q, (0.1, 0, 0), 0.7),
        lambda q: box(q, (0, 0.2, 0), (0.5, 0.3, 0.6), 0.05),
        lambda q: capsule(q, (-0.5, 0, 0), (0.5, 0.4, 0.1), 0.2),
        lambda q: torus(q, (0, 0, 0), 0.8, 0.2),
    ]
    for solid in solids:
        moves = np.random.default_rng(1).normal(size=p.shape).astype(np.float32)
        moves /= np.sqrt((moves**2).sum(axis=0))
        change = np.abs(solid(p + 0.01 * moves) - solid(p))
        assert change.max() < 0.0101


OUTLINE = np.array([(0, -0.5), (0.6, -0.5), (0.3, 0.1), (0.5, 0.6), (0, 0.6)])
TURNED = Lathe(OUTLINE)
ROD = Wire(np.array([(-0.8, 0.0), (0.0, 0.0), (0.8, 0.0)]), np.array([0.2, 0.2, 0.2]))


@settings(max_examples=20, deadline=None)
@given(points3)
def test_tables_agree_with_what_they_were_made_of(p: np.ndarray) -> None:
    """A turned outline and a bent rod give the distances of the plain formulae."""
    radial = np.stack([np.sqrt(p[0] ** 2 + p[2] ** 2), p[1]])
    plain, table = polygon(radial, OUTLINE), TURNED(p)
    near = np.abs(plain) < 0.1
    assert np.abs(table - plain)[near].max(initial=0) < 0.01
    assert (np.sign(table) == np.sign(plain))[np.abs(plain) > 0.01].all()
    assert (table <= plain + 0.01).all()
    rod = ROD(p)
    straight = capsule(p, (-0.8, 0, 0), (0.8, 0, 0), 0.2)
    assert np.abs(rod - straight)[np.abs(straight) < 0.03].max(initial=0) < 0.01
    assert (rod <= straight + 0.01).all()


@settings(max_examples=20, deadline=None)
@given(points3, st.floats(-180, 180), st.integers(0, 2))
def test_turning_is_a_rotation(p: np.ndarray, degrees: float, axis: int) -> None:
    """Lengths stay; turning back gives the points again; blends only add, carving only takes away."""
    q = turned(p, degrees, axis, (0.1, 0.2, 0.3))
    np.testing.assert_allclose(turned(q, -degrees, axis, (0.1, 0.2, 0.3)), p, atol=2e-5)
    a, b = sphere(p, (0, 0, 0), 0.6), sphere(p, (0.5, 0, 0), 0.5)
    assert (blend(0.1, a, b) <= np.minimum(a, b) + 1e-6).all()
    assert (carve(0.05, a, b) >= np.maximum(a, -b) - 1e-6).all()
    folded = around(p, 6)
    np.testing.assert_allclose((folded**2).sum(axis=0), (p**2).sum(axis=0), rtol=1e-4)
    assert (np.abs(np.arctan2(folded[0], folded[2])) <= np.pi / 6 + 1e-4).all()


def test_smooth_path_goes_through_its_nodes() -> None:
    """Every node is on the curve, open and closed."""
    nodes = np.array([(0, 0), (1, 0.5), (1.5, 2), (0.2, 1.4)])
    for closed in (False, True):
        curve = smooth_path(nodes, 5, closed=closed)
        gaps = np.linalg.norm(curve[:, None] - nodes[None], axis=2).min(axis=0)
        np.testing.assert_allclose(gaps, 0, atol=1e-12)
