"""The built-in model as it ships: weights whole, outlines exact, never empty, the world's conventions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from maquette.data import View
from maquette.errors import BadInputError, WeightsError
from maquette.geometry.camera import orbit_camera
from maquette.geometry.raster import render_fragments
from maquette.reconstruct import Settings, load, names, reconstruct
from maquette.reconstruct._nano import weights

FAST = Settings(resolution=64)


def drawn(shape: str, size: int = 192) -> View:
    """A plain picture: disc, thin cross with a rod, or one pixel's width of a line."""
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    mask = {
        "disc": np.hypot(x, y) < 0.35,
        "ring": (np.hypot(x, y) < 0.4) & (np.hypot(x, y) > 0.3),
        "chair": ((np.abs(x) < 0.2) & (np.abs(y) < 0.04))
        | ((np.abs(np.abs(x) - 0.18) < 0.015) & (y > 0) & (y < 0.4))
        | ((np.abs(x + 0.18) < 0.02) & (y < 0) & (y > -0.4)),
        "line": (np.abs(x) < 0.51 / size) & (np.abs(y) < 0.4),
    }[shape]
    shade = (0.4 + 0.4 * np.clip(1 - 4 * (x**2 + y**2), 0, 1))[..., None] * [0.9, 0.6, 0.4]
    return View(shade.astype(np.float32), mask.astype(np.float32))


def outline_iou(made: object) -> float:
    view = made.views[0]  # type: ignore[attr-defined]
    seen = render_fragments(made.mesh, view.camera).covered.numpy()  # type: ignore[attr-defined]
    mask = view.mask > 0.5
    return float((seen & mask).sum() / (seen | mask).sum())


@pytest.fixture(scope="module")
def disc() -> object:
    return reconstruct([drawn("disc")], "nano", FAST)


def test_the_weights_are_whole_and_small() -> None:
    files = [weights.FOLDER / name for name in weights.HASHES]
    assert all(f.stat().st_size < 16_000_000 for f in files)
    assert sum(f.stat().st_size for f in files) < 48_000_000
    network = weights.load_network()
    assert all(torch.isfinite(p).all() for p in network.parameters())
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_a_damaged_or_missing_piece_is_named(tmp_path: Path) -> None:
    first, *rest = list(weights.HASHES)
    for name in rest:
        (tmp_path / name).symlink_to(weights.FOLDER / name)
    with pytest.raises(WeightsError, match=first):
        weights.load_network(tmp_path)
    data = bytearray((weights.FOLDER / first).read_bytes())
    data[-1] ^= 1
    (tmp_path / first).write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="damaged"):
        weights.load_network(tmp_path)


def test_it_is_the_default_and_listed_before_silhouette() -> None:
    assert load("auto").SPEC.name == "nano"
    assert names().index("nano") < names().index("silhouette")


@pytest.mark.parametrize("shape", ["disc", "ring", "chair"])
def test_the_outline_is_the_masks(shape: str) -> None:
    made = reconstruct([drawn(shape)], "nano", Settings(resolution=128))
    assert made.backend == "nano"
    assert outline_iou(made) > 0.97


def test_a_one_pixel_line_is_not_lost() -> None:
    made = reconstruct([drawn("line")], "nano", FAST)
    extent = np.ptp(made.mesh.vertices, axis=0)
    assert extent[1] == pytest.approx(1.0, abs=1e-4) and 0.005 < extent[0] < 0.1 and extent[2] > 0.005


def test_the_mesh_is_closed_outward_centred_and_of_size_one(disc: object) -> None:
    mesh = disc.mesh  # type: ignore[attr-defined]
    v, f = mesh.vertices.astype(np.float64), mesh.faces
    edges = np.concatenate([f[:, [0, 1]], f[:, [1, 2]], f[:, [2, 0]]])
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert set(map(tuple, edges.tolist())) == set(map(tuple, edges[:, ::-1].tolist()))
    assert float((v[f[:, 0]] * np.cross(v[f[:, 1]], v[f[:, 2]])).sum()) > 0
    assert np.ptp(v, axis=0).max() == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose((v.max(0) + v.min(0)) / 2, 0, atol=1e-4)


def test_confidence_is_a_share_and_falls_behind_the_picture(disc: object) -> None:
    mesh = disc.mesh  # type: ignore[attr-defined]
    assert mesh.confidence is not None and mesh.confidence.min() >= 0 and mesh.confidence.max() <= 1
    front, back = mesh.vertices[:, 2] > 0.05, mesh.vertices[:, 2] < -0.05
    assert mesh.confidence[front].mean() > mesh.confidence[back].mean()


def test_colours_come_from_the_photo_in_front_and_are_finite_everywhere(disc: object) -> None:
    mesh, view = disc.mesh, disc.views[0]  # type: ignore[attr-defined]
    points = torch.from_numpy(np.array(mesh.vertices))
    normals = torch.nn.functional.normalize(points, dim=1)
    sample = disc.appearance.sample(points, normals)  # type: ignore[attr-defined]
    assert torch.isfinite(sample.base_color).all() and sample.base_color.min() >= 0 and sample.base_color.max() <= 1
    facing = (points[:, 2] > 0.2) & (points[:, :2].norm(dim=1) < 0.2)
    assert float(sample.known[facing].mean()) > 0.9
    middle = view.rgb[96, 96]
    np.testing.assert_allclose(sample.base_color[facing].mean(0).numpy(), middle, atol=0.12)
    assert float(sample.known[points[:, 2] < -0.2].max()) < 0.1


def test_the_same_input_gives_the_same_mesh(disc: object) -> None:
    again = reconstruct([drawn("disc")], "nano", FAST)
    np.testing.assert_array_equal(again.mesh.vertices, disc.mesh.vertices)  # type: ignore[attr-defined]


def test_two_views_of_a_disc_make_one_solid_that_fills_both_masks() -> None:
    made = reconstruct([drawn("disc"), drawn("disc")], "nano", Settings(resolution=64, azimuths=(0.0, 90.0)))
    extent = np.ptp(made.mesh.vertices, axis=0)
    assert extent.min() > 0.85 and outline_iou(made) > 0.93


def test_options_are_checked() -> None:
    with pytest.raises(BadInputError, match="occupancy"):
        reconstruct([drawn("disc")], "nano", Settings(resolution=32, options={"occupancy": 2}))


def test_an_empty_answer_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No empty mesh, ever: whatever the network says, the outline can be inflated."""
    from maquette.reconstruct._nano import solid

    nothing = (np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32), 0)
    monkeypatch.setattr(solid, "surface", lambda *_: nothing)
    made = reconstruct([drawn("disc")], "nano", FAST)
    assert len(made.mesh.faces) > 100 and any("silhouette" in note for note in made.notes)


def test_a_camera_that_is_not_the_front_keeps_the_world_upright() -> None:
    """The solid stands where its camera looks: seen from that camera its outline is the mask."""
    view = drawn("chair")
    camera = orbit_camera(90, 0, 192)
    made = reconstruct([View(view.rgb, view.mask, camera)], "nano", FAST)
    assert outline_iou(made) > 0.95
