"""One view: the inflated solid has the mask as its silhouette and is closed, rounded and as thick as it is wide."""

from __future__ import annotations

import numpy as np
import pytest
from _silhouette_scenes import SIZE, annulus, bar, cancelled_after, disc, silhouette_iou, soft, solid_of, view
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label

from maquette.errors import Cancelled
from maquette.geometry.camera import orbit_camera
from maquette.progress import silent
from maquette.reconstruct import Settings, reconstruct
from maquette.reconstruct._silhouette.inflated import inflated_mesh

PLAIN = Settings(resolution=48, options={"relief": 0.0})


def made(mask, settings_=PLAIN, camera=None):
    result = reconstruct([view(mask, camera=camera)], "silhouette", settings_)
    return result, solid_of(result.mesh)


def test_disc_becomes_a_sphere():
    """Volume within 3 % of a ball of the same longest side, Euler number 2, radii all within 3 %."""
    result, solid = made(disc(0.75))
    assert solid.euler_number == 2
    assert solid.volume == pytest.approx(np.pi / 6, rel=0.03)
    radii = np.linalg.norm(result.mesh.vertices, axis=1)
    assert radii.min() > 0.485 and radii.max() < 0.515


def test_annulus_keeps_its_hole():
    """The hole goes through: Euler number 0, and the tube's thickness is its width."""
    result, solid = made(annulus(0.8, 0.4))
    assert solid.euler_number == 0 and solid.body_count == 1
    width, depth = np.ptp(result.mesh.vertices, axis=0)[[0, 2]]
    assert depth == pytest.approx(0.25 * width, rel=0.12)


@pytest.mark.parametrize("half_width", [0.1, 0.25, 0.5])
def test_stripe_is_about_as_thick_as_wide(half_width):
    """A rod or slab's thickness lies between 0.85 and 1.25 of its width."""
    result, _ = made(bar(half_width))
    wide, _, thick = np.ptp(result.mesh.vertices, axis=0)
    assert 0.85 < thick / wide < 1.25


def test_thickness_is_bounded_by_the_local_width():
    """Beside a fat body a thin arm stays thin: nowhere thicker than 1.3 times the arm's width."""
    size = SIZE
    mask = disc(0.45, x0=-0.4)
    arm = bar(0.9, 0.06)
    mask = np.maximum(mask, np.where(np.arange(size)[None, :] > 0.45 * size, arm, 0))
    result, solid = made(mask)
    assert solid.body_count == 1
    vertices = result.mesh.vertices
    arm_part = vertices[vertices[:, 0] > 0.25]
    wide, thick = np.ptp(arm_part[:, 1]), np.ptp(arm_part[:, 2])
    assert thick < 1.3 * wide


def test_back_mirrors_the_front():
    """Without relief the solid lies evenly about its middle: seen from behind it has the same outline, mirrored."""
    mask = np.maximum(disc(0.4, 0.3, 0.2), bar(0.2, 0.7))
    mesh, _, _ = inflated_mesh(mask, orbit_camera(0, 0, SIZE), 64, "cpu", silent())
    assert silhouette_iou(mesh, view(mask[:, ::-1], "back", orbit_camera(180, 0, SIZE))) > 0.96


def test_silhouette_equals_the_mask():
    """Seen by the input's camera the IoU with the mask is at least .97, from a tilted camera too."""
    mask = np.maximum(np.maximum(disc(0.4, 0.2, 0.2), bar(0.15, 0.8)), disc(0.25, -0.4, -0.5))
    for camera in (None, orbit_camera(30, 20, SIZE), orbit_camera(0, 0, SIZE, field_of_view=70)):
        result, _ = made(mask, Settings(resolution=96), camera)
        assert silhouette_iou(result.mesh, result.views[0]) > 0.97


def test_no_terraces_from_a_hard_mask():
    """A mask of zeros and ones gives a smooth sphere: normals stay within a few degrees of the radial direction."""
    result, solid = made((disc(0.8) > 0.5).astype(np.float32))
    radial = result.mesh.vertices / np.linalg.norm(result.mesh.vertices, axis=1, keepdims=True)
    tilt = np.degrees(np.arccos(np.clip((solid.vertex_normals * radial).sum(axis=1), -1, 1)))
    assert np.percentile(tilt, 99) < 8 and np.median(tilt) < 2.5


def test_fine_grid_agrees_with_the_coarse_one():
    """Coarse-to-fine extraction above the dense limit gives the same solid."""
    _, coarse = made(annulus(0.8, 0.5))
    _, fine = made(annulus(0.8, 0.5), Settings(resolution=192, options={"relief": 0.0}))
    assert fine.volume == pytest.approx(coarse.volume, rel=0.03)
    assert fine.euler_number == coarse.euler_number == 0


def test_relief_stays_small_and_in_front():
    """Shading moves the front by a hundredth or two; the silhouette and the back stay."""
    mask = disc(0.75)
    seen = view(mask)
    stripes = np.broadcast_to((np.sin(np.arange(SIZE) / 2) * 0.3 + 0.5)[None, :, None], (SIZE, SIZE, 3))
    seen = type(seen)(stripes.astype(np.float32), mask)
    flat = reconstruct([seen], "silhouette", PLAIN).mesh
    bumpy = reconstruct([seen], "silhouette", Settings(resolution=48)).mesh
    solid_of(bumpy)
    front, back = ([m.vertices[side * m.vertices[:, 2] > 0.2] for m in (flat, bumpy)] for side in (1, -1))
    roughness = [[np.linalg.norm(part, axis=1).std() for part in pair] for pair in (front, back)]
    assert 0.0007 < roughness[0][1] - roughness[0][0] < 0.02
    assert abs(roughness[1][1] - roughness[1][0]) < 0.0005


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**31), st.floats(0.02, 0.12))
def test_random_blobs_are_solid(seed, scale):
    """Any blob with holes and islands gives closed 2-manifold shells, no more of them than the mask has parts."""
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=(96, 96)), 96 * scale)
    mask = soft(0.2 * noise / np.abs(noise).max(), 96)
    mask[0] = mask[-1] = 0
    result, solid = made(mask, Settings(resolution=40))
    assert 1 <= solid.body_count <= label(mask >= 0.5, np.ones((3, 3)))[1]
    assert np.ptp(result.mesh.vertices, axis=0).max() == pytest.approx(1, abs=1e-5)


def test_cancel_in_the_middle():
    """Whenever Cancel comes, its exception comes out, and the next run is fine."""
    for stop in (2, 4, 8):
        with pytest.raises(Cancelled):
            reconstruct([view(disc())], "silhouette", PLAIN, cancelled_after(stop))
    made(disc())
