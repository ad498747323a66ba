"""Views of one object are registered, judged, and fused into one closed solid; a view that does not fit is named."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from maquette.data import Material, Mesh
from maquette.errors import BadInputError, BadMeshError, BadViewsError, Cancelled
from maquette.fuse import fuse, preset_rotation, preset_rotations, register
from maquette.fuse.blend import blend, transformed
from maquette.fuse.features import rotation_angle
from maquette.geometry.camera import preset_camera
from maquette.geometry.extract import extract
from maquette.progress import Progress

NAMES = ("front", "right", "back", "left")


@cache
def animal() -> Mesh:
    """A body, a head with an ear and two legs: nothing about it is symmetric."""

    def field(p: torch.Tensor) -> torch.Tensor:
        def ball(center, radius):
            return radius - (p - torch.tensor(center)).norm(dim=1)

        x, y, z = p.unbind(1)
        body = (1 - ((x / 0.42) ** 2 + (y / 0.22) ** 2 + (z / 0.24) ** 2).sqrt()) * 0.22
        legs = [
            0.05 - torch.maximum(((x - a) ** 2 + (z - b) ** 2).sqrt(), (y + 0.3).abs() - 0.13)
            for a, b in ((0.2, 0.12), (-0.22, -0.1))
        ]
        return torch.stack([body, ball([0.36, 0.2, 0.05], 0.14), ball([0.38, 0.33, 0.13], 0.06), *legs]).amax(dim=0)

    vertices, faces, _ = extract(field, lower=(-0.6,) * 3, upper=(0.6,) * 3, resolution=44)
    return normalized(Mesh(vertices.numpy(), faces.numpy()))


def normalized(mesh: Mesh) -> Mesh:
    low, high = mesh.bounds
    return mesh.replace(vertices=(mesh.vertices - (low + high) / 2) / (high - low).max())


def seen_from(mesh: Mesh, azimuth: float, seed: int, noise: float = 0.006) -> Mesh:
    """What a reconstruction from that side looks like: its own frame and size, the far half wavy, all of it noisy."""
    rng = np.random.default_rng(seed)
    turned = transformed(mesh, np.linalg.inv(preset_rotation(azimuth)))
    points = turned.vertices.astype(np.float64)
    waves = 2 * noise * np.sin(points @ rng.normal(size=(3, 3)) * 12 + rng.uniform(0, 6, 3))
    points = points + waves * (points[:, 2:] < 0) + rng.normal(size=points.shape) * 0.001
    return normalized(turned.replace(vertices=points))


@cache
def _four_views() -> tuple[Mesh, ...]:
    return tuple(seen_from(animal(), azimuth, seed) for seed, azimuth in enumerate((0, 90, 180, 270)))


def four_views() -> list[Mesh]:
    return list(_four_views())


def solid(mesh: Mesh) -> trimesh.Trimesh:
    out = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert out.is_watertight and out.is_winding_consistent and out.volume > 0
    return out


def distance_to(mesh: Mesh, truth: Mesh) -> float:
    """Mean distance of the mesh's vertices to the true surface."""
    from maquette.geometry.closest import ClosestSurface

    return float(ClosestSurface(truth).query(mesh.vertices[::5]).distance.mean())


def random_turn(seed: int) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    return out


def test_preset_rotation_matches_the_cameras():
    """A mesh's front turns to where the camera of that name stands, and its up to the camera's up."""
    for name in ("front", "right", "back", "left", "top", "bottom"):
        (turn,) = preset_rotations([name])
        pose = preset_camera(name).cam_to_world[:3, :3]
        assert np.allclose(turn[:3, :3], pose, atol=1e-12)
    assert preset_rotations(["my picture"]) == (None,)


def test_four_views_with_priors_become_one_clean_solid():
    """Noise is averaged out: the fused solid is nearer to the truth than any of its views."""
    views = four_views()
    result = fuse(views, names=NAMES, rotations=preset_rotations(NAMES), resolution=64)
    out = solid(result.mesh)
    assert out.body_count == 1 and result.notes == ()
    assert all(view.accepted and view.fitness > 0.95 and view.rmse < 0.012 for view in result.views)
    fused, *single = (
        distance_to(transformed(mesh, register(mesh, animal(), prior).transform), animal())
        for mesh, prior in zip((result.mesh, *views), (np.eye(4), *preset_rotations(NAMES)), strict=True)
    )
    assert fused < 0.7 * min(single)


@pytest.mark.parametrize("odd", [0, 1])
def test_one_bad_view_is_rejected_by_name(odd):
    """Another object in place of one view, be it the first, is left out and named."""
    views = four_views()
    box = trimesh.creation.box((0.3, 1.0, 0.6)).subdivide().subdivide()
    views[odd] = Mesh(box.vertices, box.faces)
    result = fuse(views, names=NAMES, rotations=preset_rotations(NAMES), resolution=40)
    assert [view.accepted for view in result.views] == [k != odd for k in range(4)]
    assert len(result.notes) == 1 and f"'{NAMES[odd]}'" in result.notes[0] and "left out" in result.notes[0]
    assert solid(result.mesh).body_count == 1
    assert distance_to(result.mesh, animal()) < 0.015


def test_a_wrongly_named_view_is_told_how_it_would_fit():
    """A back view called right is left out, and the note says that it fits when turned by 90 degrees."""
    views = four_views()
    views[1] = seen_from(animal(), 180, 7)
    result = fuse(views, names=NAMES, rotations=preset_rotations(NAMES), resolution=32)
    assert [view.accepted for view in result.views] == [True, False, True, True]
    assert any("'right'" in note and "turned by 9" in note for note in result.notes)


def test_a_named_direction_outweighs_lobes_that_nearly_meet():
    """A lumpy ball and its copy from the right agree on three quarters when turned by 24 degrees: no reason to turn."""
    ball = trimesh.creation.icosphere(subdivisions=4)
    angle = np.arctan2(ball.vertices[:, 0], ball.vertices[:, 2])
    wide = 0.5 * (1 + 0.09 * np.cos(3 * angle) + 0.05 * np.cos(2 * angle + 1.5))
    lumpy = Mesh(ball.vertices * np.column_stack([wide, np.full_like(wide, 0.5), wide]), ball.faces)
    fitted = register(transformed(lumpy, preset_rotation(90)), lumpy, np.eye(4))
    assert rotation_angle(fitted.transform, np.eye(4)) < 1


def test_a_photo_taken_askew_is_still_straightened():
    """Twenty degrees off the named direction: an object without symmetry is turned back to within two."""
    askew = preset_rotation(20)
    found = register(transformed(animal(), askew), animal(), np.eye(4))
    assert rotation_angle(found.transform, np.linalg.inv(askew)) < 2


@pytest.mark.parametrize("seed", range(3))
def test_global_registration_finds_any_pose(seed):
    """Without a prior a randomly turned, noisy, differently scaled copy is found to within two degrees."""
    turn = random_turn(seed)
    source = normalized(transformed(seen_from(animal(), 90, 1), turn))
    found = register(source, animal())
    truth = preset_rotation(90) @ np.linalg.inv(turn)
    assert rotation_angle(found.transform, truth) < 2
    assert found.fitness > 0.95 and not found.ambiguous


def test_views_without_priors_are_fused():
    """No names, no directions: the poses are searched and the solid is right, in the first view's frame."""
    views = [normalized(transformed(view, random_turn(k + 5))) for k, view in enumerate(four_views()[:3])]
    result = fuse(views, resolution=40)
    assert all(view.accepted for view in result.views)
    here = normalized(transformed(animal(), random_turn(5)))
    assert distance_to(normalized(result.mesh), here) < 0.015
    assert result.views[0].method == "reference" and np.allclose(result.views[0].transform, np.eye(4))


def test_a_prior_that_is_off_is_corrected():
    """Seven degrees and four percent off: the refinement brings it back."""
    off = np.eye(4)
    off[:3, :3] = Rotation.from_rotvec([0.08, -0.06, 0.07]).as_matrix() * 1.04
    off[:3, 3] = [0.03, -0.02, 0.03]
    found = register(transformed(seen_from(animal(), 90, 1, 0.002), off), animal(), preset_rotation(90))
    assert rotation_angle(found.transform, preset_rotation(90) @ np.linalg.inv(off)) < 1.0
    assert found.scale == pytest.approx(1 / 1.04, rel=0.02)


@pytest.mark.parametrize("shape", ["cylinder", "ball", "box"])
def test_a_symmetric_object_with_a_prior_stays_put(shape):
    """Noise must not turn a symmetric object about its axis."""
    made = {
        "cylinder": lambda: trimesh.creation.cylinder(0.3, 1.0, sections=64).subdivide().subdivide(),
        "ball": lambda: trimesh.creation.icosphere(4, 0.5),
        "box": lambda: trimesh.creation.box((1, 0.6, 0.6)).subdivide().subdivide().subdivide(),
    }[shape]()
    noisy = made.vertices + np.random.default_rng(1).normal(size=made.vertices.shape) * 0.003
    found = register(Mesh(noisy, made.faces), Mesh(made.vertices, made.faces), preset_rotation(90))
    assert rotation_angle(found.transform, preset_rotation(90)) < 0.5
    assert np.abs(found.transform[:3, 3]).max() < 0.01


def test_a_symmetric_object_without_a_prior_is_called_ambiguous():
    """A box fits in several poses, and the notes say so."""
    box = trimesh.creation.box((1, 0.6, 0.4)).subdivide().subdivide()
    mesh = Mesh(box.vertices, box.faces)
    result = fuse([mesh, mesh], names=["one", "two"], resolution=24)
    assert any("'two' fits in more than one pose" in note for note in result.notes)


def test_confidence_decides_where_views_disagree():
    """Two balls of different size, each sure on one side: the blend follows the surer one there."""
    ball = trimesh.creation.icosphere(3)
    right = np.where(ball.vertices[:, 0] > 0, 1.0, 0.0)
    small = Mesh(ball.vertices * 0.47, ball.faces, confidence=right)
    large = Mesh(ball.vertices * 0.5, ball.faces, confidence=1 - right)
    low, high = blend([small, large], resolution=40).bounds[:, 0]
    assert high == pytest.approx(0.47, abs=0.006) and low == pytest.approx(-0.5, abs=0.006)
    middle = blend([small.replace(confidence=None), large.replace(confidence=None)], resolution=40).bounds[1, 0]
    assert middle == pytest.approx(0.485, abs=0.006)


def test_union_keeps_what_only_one_view_has():
    """A handle that one of three views has is outvoted by default and kept by union."""
    ball = trimesh.creation.icosphere(3, 0.4)
    handle = trimesh.util.concatenate([ball, trimesh.creation.icosphere(3, 0.12).apply_translation((0.45, 0, 0))])
    meshes = [Mesh(m.vertices, m.faces) for m in (ball, ball, handle)]
    eyes = [np.eye(4)] * 3
    plain, union = (fuse(meshes, rotations=eyes, resolution=32, union=u).mesh.bounds[1, 0] for u in (False, True))
    assert plain < 0.45 and union > 0.55


def test_vertex_colours_travel():
    """Each side of the fused ball has the colour of the view's side."""
    ball = trimesh.creation.icosphere(3, 0.5)
    color = np.where(ball.vertices[:, :1] > 0, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    mesh = Mesh(ball.vertices, ball.faces, vertex_colors=color)
    out = fuse([mesh, mesh], rotations=[np.eye(4)] * 2, resolution=32).mesh
    right = out.vertices[:, 0] > 0.1
    assert out.vertex_colors is not None
    assert out.vertex_colors[right, 0].min() > 0.9 and out.vertex_colors[out.vertices[:, 0] < -0.1, 2].min() > 0.9


def test_materials_of_all_views_count():
    """A red and a blue ball without vertex colours: red where only the red one is, blue where only the blue one is."""
    ball = trimesh.creation.icosphere(3, radius=0.3)
    left, right = (
        Mesh(ball.vertices + np.array([x, 0, 0]), ball.faces, material=Material(color, metallic, 0.2, sided))
        for x, color, metallic, sided in ((-0.2, (0.8, 0, 0), 0.0, False), (0.2, (0, 0, 0.6), 1.0, True))
    )
    made = blend([left, right], resolution=32, union=True)
    assert made.material == Material((1.0, 1.0, 1.0), 0.5, 0.2, True)
    assert made.vertex_colors is not None
    for side, color in ((-1, (0.8, 0, 0)), (1, (0, 0, 0.6))):
        tip = made.vertex_colors[np.argmax(made.vertices[:, 0] * side)]
        assert tip == pytest.approx(color, abs=0.03)
    half = blend([left.replace(vertex_colors=np.full((len(left.vertices), 3), 0.5)), right], resolution=32, union=True)
    assert half.vertex_colors[np.argmin(half.vertices[:, 0])] == pytest.approx((0.4, 0, 0), abs=0.03)
    alike = blend([left, right.replace(material=left.material)], resolution=32, union=True)
    assert alike.material == left.material and alike.vertex_colors is None


def test_one_view_alone_is_made_solid():
    """A single mesh passes, and comes back closed even when it was not."""
    ball = trimesh.creation.icosphere(3, 0.5)
    result = fuse([Mesh(ball.vertices, ball.faces[3:])], resolution=24)
    assert solid(result.mesh).body_count == 1 and result.views[0].accepted


def test_an_inside_out_view_is_turned_and_named():
    """Faces that look inward are turned round, with a note; the solid is as large as ever."""
    ball = trimesh.creation.icosphere(3, 0.5)
    good = Mesh(ball.vertices, ball.faces)
    result = fuse([good, good.replace(faces=good.faces[:, ::-1])], rotations=[np.eye(4)] * 2, resolution=24)
    assert result.notes == ("view 'view 2' was inside out and was turned",)
    assert solid(result.mesh).volume == pytest.approx(ball.volume, rel=0.02)


def test_same_input_same_result():
    """Two runs give identical bytes."""
    one, two = (fuse(four_views()[:2], resolution=24) for _ in range(2))
    assert np.array_equal(one.mesh.vertices, two.mesh.vertices) and np.array_equal(one.mesh.faces, two.mesh.faces)
    assert all(np.array_equal(a, b) for a, b in zip(one.transforms, two.transforms, strict=True))


def test_cancel_passes_through():
    """Cancel during the search stops the fusion with the caller's exception."""
    calls = []

    def check() -> None:
        calls.append(1)
        if len(calls) > 5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fuse(four_views()[:2], resolution=32, progress=Progress(check=check))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"meshes": []}, BadViewsError, "nothing to fuse"),
        ({"names": ["one"]}, BadViewsError, "1 names"),
        ({"rotations": [None]}, BadViewsError, "1 rotations"),
        ({"rotations": [np.eye(3), None]}, BadInputError, "4, 4"),
        ({"rotations": [np.diag([1.0, 1, -1, 1]), None]}, BadInputError, "mirrors"),
        ({"meshes": [Mesh(np.zeros((0, 3)), np.zeros((0, 3)))], "names": ["left"]}, BadMeshError, "left: .*empty"),
        ({"meshes": [Mesh(np.eye(3)[[0, 0, 0]], [[0, 1, 2]])]}, BadMeshError, "no area"),
        ({"resolution": 4}, BadInputError, "resolution"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    """Each impossible call says what was wrong."""
    ball = trimesh.creation.icosphere(2, 0.5)
    mesh = Mesh(ball.vertices, ball.faces)
    with pytest.raises(error, match=words):
        fuse(**{"meshes": [mesh, mesh], "resolution": 16, **arguments})
