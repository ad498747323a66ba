"""Several views through the built-in model: distances from outlines, no mask left unfilled, the photos come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.silhouette import fidelity, views_of, volume_iou
from maquette.data import Reconstruction, View
from maquette.geometry.camera import pixel_rays, preset_camera
from maquette.geometry.raster import render_fragments
from maquette.geometry.winding import winding_numbers
from maquette.progress import silent
from maquette.reconstruct import Settings, reconstruct
from maquette.reconstruct._nano import filling
from maquette.reconstruct._nano.calibrated import calibrated
from maquette.reconstruct._nano.filling import filled_up
from maquette.reconstruct._nano.fused import cones, smoothed
from maquette.reconstruct._nano.weights import load_network
from maquette.reconstruct.nano import _prepared

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SIDES = ("front", "right", "back", "left")
FAST = Settings(resolution=48, options={"flip": False})


def four(name: str) -> list[View]:
    """The example's views with the cameras that took them."""
    return views_of(name, [EXAMPLES / name / f"{side}.png" for side in SIDES], True)


@pytest.fixture(scope="module")
def car() -> Reconstruction:
    return reconstruct(four("car"), "nano", FAST)


@pytest.fixture(scope="module")
def found() -> list[tuple[Any, Any]]:
    network = load_network()
    return [_prepared(network, view, view.mask, FAST) for view in four("car")]


def outline_iou(made: Reconstruction, view: View) -> float:
    assert view.camera is not None
    seen, mask = render_fragments(made.mesh, view.camera).covered.numpy(), view.mask > 0.5
    return float((seen & mask).sum() / (seen | mask).sum())


def ellipsoid(
    half: tuple[float, float, float], size: int = 256, names: Sequence[str] = ("front", "back")
) -> list[View]:
    """A lit ellipsoid with these half axes from these sides, cameras known."""
    views = []
    for name in names:
        camera = preset_camera(name, size)
        eye, rays = (x.astype(np.float64) / half for x in pixel_rays(camera))
        a, b, c = (rays**2).sum(-1), (rays * eye).sum(-1), (eye**2).sum() - 1
        inside = b**2 > a * c
        hit = eye + rays * ((-b - np.sqrt(np.maximum(b**2 - a * c, 0))) / a)[..., None]
        normal = hit / half / np.linalg.norm(hit / half, axis=-1, keepdims=True)
        light = camera.cam_to_world[:3, :3] @ np.array([0.4, 0.6, 0.7])
        shade = 0.3 + 0.6 * (normal @ light).clip(0)[..., None] * [0.9, 0.6, 0.4]
        views.append(View(shade.astype(np.float32), inside.astype(np.float32), camera, name))
    return views


@pytest.mark.parametrize("half", [(0.25, 0.4, 0.25), pytest.param((0.4, 0.3, 0.3), marks=pytest.mark.slow)])
def test_a_front_and_a_back_are_put_together(half: tuple[float, float, float]) -> None:
    """Without a fallback: a closed solid that fills both outlines and has the volume and depth of the ellipsoid."""
    made = reconstruct(ellipsoid(half), "nano", FAST)
    assert made.backend == "nano"
    assert [note for note in made.notes if "one axis" in note]
    assert min(outline_iou(made, view) for view in made.views) > 0.96
    points, faces = made.mesh.vertices / made.figures["scale"] + made.figures["center"], made.mesh.faces
    a, b, c = (points[faces[:, k]].astype(np.float64) for k in range(3))
    assert (np.cross(a, b) * c).sum() / 6 == pytest.approx(4 / 3 * np.pi * np.prod(half), rel=0.2)
    assert np.ptp(points[:, 2]) == pytest.approx(2 * half[2], rel=0.2)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    assert set(np.unique(edges, axis=0, return_counts=True)[1]) == {2}


def test_four_views_of_a_ball_leave_nothing_of_it_out() -> None:
    """Each view alone takes it to be flatter; what it calls empty past the end of its guess counts little (was .89)."""
    made = reconstruct(ellipsoid((0.4, 0.4, 0.4), names=SIDES), "nano", FAST)
    mesh = made.mesh.replace(vertices=made.mesh.vertices / made.figures["scale"] + np.array(made.figures["center"]))
    line = np.linspace(-0.5, 0.5, 32, dtype=np.float32)
    points = np.stack(np.meshgrid(line, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    truth, found = (points**2).sum(1) < 0.4**2, winding_numbers(mesh, points) > 0.5
    assert (truth & found).sum() / (truth | found).sum() > 0.95


@pytest.mark.slow
def test_a_front_and_a_back_of_a_long_thing_leave_no_hole() -> None:
    """The car is three times as long as its front is wide: nothing is cut off, and all of it hangs together."""
    views = four("car")[::2]
    made = reconstruct(views, "nano", FAST)
    assert made.backend == "nano"
    assert min(outline_iou(made, view) for view in made.views) > 0.96
    assert volume_iou("car", made) > 0.5


def test_a_camera_on_the_same_axis_tells_no_distance(found: list[tuple[Any, Any]]) -> None:
    """The reliefs of a front and a back stay where they were put."""
    pair = found[::2]
    assert [place.zero for _, place in calibrated(pair)] == [place.zero for _, place in pair]


def test_four_views_are_fused_not_carved(car: Reconstruction) -> None:
    """The model's own reliefs are used; they fill every outline."""
    assert car.backend == "nano"
    assert not [note for note in car.notes if "silhouette" in note]
    assert min(outline_iou(car, view) for view in car.views) > 0.96


@pytest.mark.slow
def test_the_fused_solid_is_nearer_to_the_truth_than_the_hull(car: Reconstruction) -> None:
    """Volume in common with the scene that the pictures were rendered from."""
    hull = reconstruct(four("car"), "silhouette", Settings(resolution=48))
    assert volume_iou("car", car) > max(0.82, volume_iou("car", hull) + 0.05)


def test_the_photos_come_back(car: Reconstruction) -> None:
    """PSNR in each view of the photos on the fused solid; with distances guessed the front gave 14 dB."""
    psnr = {view.name: fidelity(car, view)[1] for view in car.views}
    assert psnr["front"] > 20, psnr
    assert min(psnr["right"], psnr["back"], psnr["left"]) > 23, psnr


def test_a_wrong_distance_is_found_from_the_other_outlines(found: list[tuple[Any, Any]]) -> None:
    """A view whose relief was put a quarter too far or a fifth too near comes to lie where it does anyway."""
    want = calibrated(found)[0][1].zero
    for factor in (0.8, 0.9, 1.15, 1.25):
        made, place = found[0]
        moved = [(made, replace(place, zero=place.zero * factor)), *found[1:]]
        assert calibrated(moved)[0][1].zero == pytest.approx(want, rel=0.01)


def test_the_relief_lies_within_the_other_cones(found: list[tuple[Any, Any]]) -> None:
    """Every first surface, moved along its ray where it stuck out."""
    together = calibrated(found)
    made, place = together[0]
    side = made.depth.shape[0]
    line = (np.arange(side) + 0.5) / side * 2 - 1
    v, u = np.meshgrid(line, line, indexing="ij")
    points = torch.from_numpy(np.stack([u, v, made.depth], axis=-1).reshape(-1, 3).astype(np.float32))
    inside = made.solid.rim(points) > 2 * made.cell
    world = torch.from_numpy(place.to_world(points[inside].numpy()).astype(np.float32))
    assert float((cones(together[1:], world) < -0.02).float().mean()) < 0.02


def test_rays_that_met_nothing_are_filled_and_nothing_sticks_out(found: list[tuple[Any, Any]]) -> None:
    """From a field that is empty everywhere: all masks are filled, no point outside a cone is inside."""
    line = torch.linspace(-0.6, 0.6, 49)
    points = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), -1)
    room = cones(found, points.view(-1, 3)).view(49, 49, 49)
    empty = torch.full_like(room, -0.05)
    full = empty.clone()
    filled_up(full, room, [line] * 3, found, silent())
    assert not bool(((full > 0) & (room <= 0)).any())
    for made, place in found:
        column = (place.to_frustum(points[full > 0])[:, :2] + 1) * 12
        hit = torch.zeros(24, 24, dtype=torch.bool)
        good = ((column >= 0) & (column < 24)).all(1)
        hit[column[good, 1].long(), column[good, 0].long()] = True
        middle = (torch.arange(24) + 0.5) / 12 - 1
        v, u = torch.meshgrid(middle, middle, indexing="ij")
        asked = made.solid.rim(torch.stack([u, v, u * 0], -1).view(-1, 3)).view(24, 24) > 0.12
        assert bool((hit | ~asked).all())


def test_slab_by_slab_is_what_the_whole_lattice_gives(
    found: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions, smoothing and filling, on a lattice with three different sides."""
    axes = [torch.linspace(-0.6, 0.6, count) for count in (25, 31, 28)]
    dense = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    room = cones(found, dense.view(-1, 3)).view(dense.shape[:3])
    made = []
    for size in (1, 3 * 31 * 28, dense.numel()):
        monkeypatch.setattr(filling, "SLAB", size)
        parts = list(filling.slabs(axes))
        assert torch.equal(torch.cat([points for _, points in parts]), dense.view(-1, 3))
        assert len(parts) == {1: 25, 3 * 31 * 28: 9}.get(size, 1)
        made.append(torch.full_like(room, -0.05))
        filled_up(made[-1], room, axes, found, silent())
    assert bool((made[0] > 0).any())
    assert torch.allclose(made[0], made[2], atol=1e-6) and torch.allclose(made[1], made[2], atol=1e-6)
    kernel = torch.tensor([0.25, 0.5, 0.25])
    cube = (kernel[:, None, None] * kernel[:, None] * kernel)[None, None]
    wide = torch.nn.functional.pad(room[None, None], (1,) * 6, mode="replicate")
    assert torch.allclose(smoothed(room), torch.nn.functional.conv3d(wide, cube)[0, 0], atol=1e-6)
