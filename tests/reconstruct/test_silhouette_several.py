"""Several views: the rounded hull keeps every silhouette, is round where it may be, and names a view that lies."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _silhouette_scenes import (
    SIZE,
    around,
    ball_sdf,
    box_sdf,
    cancelled_after,
    disc,
    photographed,
    silhouette_iou,
    solid_of,
    view,
)

from maquette.errors import BadViewsError, Cancelled
from maquette.geometry.camera import orbit_camera, preset_camera
from maquette.reconstruct import Settings, reconstruct

SMALL = Settings(resolution=48)
FOUR = (0, 90, 180, 270)


def two_legs(p):
    legs = np.stack([p[..., 0] - 0.25, p[..., 0] + 0.25])
    columns = [np.maximum(np.hypot(x, p[..., 2]) - 0.08, np.abs(p[..., 1] + 0.1) - 0.35) for x in legs]
    return np.minimum(np.min(columns, axis=0), box_sdf((0.4, 0.08, 0.2))(p - np.array([0, 0.3, 0])))


@pytest.mark.parametrize("sdf", [ball_sdf(0.42), box_sdf((0.3, 0.4, 0.2)), two_legs], ids=["ball", "box", "table"])
def test_silhouettes_stay(sdf):
    """From every input camera the silhouette IoU is at least .96, and the surface is one closed 2-manifold shell."""
    result = reconstruct(around(sdf, FOUR), "silhouette", Settings(resolution=96))
    found = [silhouette_iou(result.mesh, seen) for seen in result.views]
    assert np.mean(found) > 0.96, found
    assert solid_of(result.mesh).body_count == 1
    assert result.notes == ()


def test_ball_comes_out_round():
    """Four views of a ball give a ball, not a box: volume within 10 %, radii within 10 %."""
    result = reconstruct(around(ball_sdf(0.42), FOUR), "silhouette", SMALL)
    assert solid_of(result.mesh).volume == pytest.approx(np.pi / 6, rel=0.1)
    radii = np.linalg.norm(result.mesh.vertices, axis=1)
    assert radii.min() > 0.45 and radii.max() < 0.54


def test_more_views_come_closer():
    """An off-centre ball beside a box: four views leave less that is not there than two do."""

    def sdf(p):
        return np.minimum(ball_sdf(0.15, (0.3, 0.2, 0.25))(p), box_sdf((0.2, 0.3, 0.1))(p))

    def size(azimuths):
        result = reconstruct(around(sdf, azimuths), "silhouette", SMALL)
        zoom = np.linalg.norm(result.views[0].camera.position - result.views[1].camera.position)
        before = np.linalg.norm(orbit_camera(azimuths[0]).position - orbit_camera(azimuths[1]).position)
        return solid_of(result.mesh).volume * (before / zoom) ** 3

    assert size(FOUR) < size((0, 90))


def test_preset_names_give_the_cameras():
    """Views without cameras are placed by name: front, right, top agree on a brick."""
    sdf = box_sdf((0.45, 0.2, 0.3))
    views = [photographed(sdf, preset_camera(n, SIZE), n, known=False) for n in ("front", "right", "top")]
    result = reconstruct(views, "silhouette", SMALL)
    sides = np.ptp(result.mesh.vertices, axis=0)
    assert sides[0] == pytest.approx(1, abs=1e-5)
    assert sides[1] == pytest.approx(0.44, abs=0.1) and sides[2] == pytest.approx(0.67, abs=0.12)


def test_front_and_back_only():
    """No view from the side: the depth is that of an inflated solid, and a note says that it was guessed."""
    result = reconstruct(around(ball_sdf(0.42), (0, 180)), "silhouette", SMALL)
    solid = solid_of(result.mesh)
    assert solid.volume == pytest.approx(np.pi / 6, rel=0.06)
    assert any("one axis" in note for note in result.notes)


def test_a_contradicting_view_is_named():
    """Three views of a standing bar and one of a lying bar: the error names the lying one."""
    upright, lying = box_sdf((0.1, 0.45, 0.1)), box_sdf((0.45, 0.1, 0.45))
    views = around(upright, (0, 180, 270))
    views.insert(1, photographed(lying, orbit_camera(90, 0, SIZE), "liar"))
    with pytest.raises(BadViewsError, match="view 'liar' does not fit"):
        reconstruct(views, "silhouette", SMALL)


def test_views_that_do_not_overlap():
    """Two views whose cones do not meet at all: an error that names one of them."""
    views = [view(disc(0.2, 0.0, 0.7), "front"), view(disc(0.2, 0.0, -0.7), "right")]
    with pytest.raises(BadViewsError, match=r"'(front|right)'"):
        reconstruct(views, "silhouette", SMALL)


def test_slightly_wrong_view_gets_a_note():
    """One view shows an arm that no other view knows of: still a solid, and the doubtful view is mentioned."""
    body = box_sdf((0.2, 0.4, 0.2))
    views = around(body, (0, 90, 180), SIZE)
    arm = box_sdf((0.14, 0.14, 0.1))
    views[0] = photographed(
        lambda p: np.minimum(body(p), arm(p - np.array([0.3, 0.1, 0]))), orbit_camera(0, 0, SIZE), "armed"
    )
    result = reconstruct(views, "silhouette", SMALL)
    solid_of(result.mesh)
    assert any("'armed': the other views leave only" in note for note in result.notes)


def test_recentred_views_are_aligned():
    """Pictures shifted by some percent are moved back: silhouettes fit, the shift is said, the cameras follow."""
    views = around(two_legs, FOUR)
    views[1] = view(np.roll(views[1].mask, (7, 5), axis=(0, 1)), "90", views[1].camera)
    with torch.inference_mode():  # as inside ComfyUI
        result = reconstruct(views, "silhouette", Settings(resolution=64))
    assert any("moved by up to" in note for note in result.notes)
    found = [silhouette_iou(result.mesh, seen) for seen in result.views]
    assert min(found) > 0.93, found


def test_hull_of_a_moved_world():
    """Cameras that look at a point away from the origin work the same: the result is normalised with its cameras."""
    views = []
    for seen in around(ball_sdf(0.42), FOUR, 96):
        pose = seen.camera.cam_to_world.copy()
        pose[:3, 3] = 3 * pose[:3, 3] + [5, -2, 1]
        views.append(view(seen.mask, seen.name, type(seen.camera)(seen.camera.intrinsics, pose, 96, 96)))
    result = reconstruct(views, "silhouette", SMALL)
    assert min(silhouette_iou(result.mesh, seen) for seen in result.views) > 0.95


def test_cancel_in_the_middle():
    """Cancel reaches the looks along the rays and the extraction."""
    views = around(ball_sdf(0.42), FOUR, 96)
    for checks in (10, 60, 120):
        with pytest.raises(Cancelled):
            reconstruct(views, "silhouette", SMALL, cancelled_after(checks))
