"""The engine on a tiny model: whole passes, streaming, frames, batches, Cancel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from _triposr_tiny import TINY, disc_view, tiny_engine, tiny_settings
from safetensors.torch import load_file

from maquette.errors import Cancelled
from maquette.geometry.camera import orbit_camera
from maquette.progress import Progress
from maquette.reconstruct import load, reconstruct
from maquette.reconstruct._triposr.engine import EncodePlan, Engine
from maquette.reconstruct._triposr.frame import to_model, to_world


def edges_all_twice(faces: np.ndarray) -> bool:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] == 2).all())


def test_a_view_becomes_a_closed_colored_mesh_and_says_how(engine: Engine) -> None:
    """Closed although the surface reaches the border; the appearance gives the vertices' colours."""
    made = reconstruct([disc_view()], "triposr", tiny_settings(engine))
    mesh = made.mesh
    assert edges_all_twice(mesh.faces)
    assert np.ptp(mesh.bounds, axis=0).max() == pytest.approx(1.0, abs=1e-5)
    points = torch.from_numpy(mesh.vertices.copy())
    srgb = made.appearance.sample(points, points).base_color.numpy()
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(linear, mesh.vertex_colors, atol=2e-4)
    assert made.figures["rung_triplanes"] == made.figures["rung_surface"] == "as asked"
    assert made.figures["threshold"] == 25.0
    assert any("cut off flat" in note for note in made.notes)


def test_the_same_input_gives_the_same_bytes(engine: Engine) -> None:
    """Deterministic on one device."""
    first, second = (reconstruct([disc_view()], "triposr", tiny_settings(engine)).mesh for _ in range(2))
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_streamed_and_half_stored_weights_compute_the_same(engine: Engine, streamed: bool, dtype: torch.dtype) -> None:
    """Streaming changes where weights lie, not a bit of the result; half storage costs rounding only."""
    images = torch.rand(2, 160, 160, 3, generator=torch.Generator().manual_seed(3))
    want = engine.encode(images, EncodePlan("cpu", torch.float32, 2))
    other = tiny_engine(dtype)
    got = other.encode(images, EncodePlan("cpu", torch.float32, 1, streamed))
    assert float((got - want).norm() / want.norm()) < (1e-6 if dtype == torch.float32 else 5e-3)
    resting = next(other.network.backbone.parameters())
    assert resting.dtype == dtype, "the weights are back on the shelf"


def test_weights_of_one_input_lie_side_by_side(engine: Engine) -> None:
    """Query, key and value are one product."""
    from maquette.reconstruct._triposr.packing import adjacent

    attention = engine.network.backbone.blocks[0].attn1
    assert adjacent([attention.to_q.weight, attention.to_k.weight, attention.to_v.weight]) is not None
    assert adjacent([attention.to_k.weight, attention.to_q.weight]) is None


def test_cancel_passes_from_anywhere(engine: Engine) -> None:
    """At the first, a middle and a late check."""
    calls: list[int] = []

    def run(stop_at: int) -> None:
        calls.clear()

        def check() -> None:
            calls.append(1)
            if len(calls) == stop_at:
                raise Cancelled("stop")

        reconstruct([disc_view()], "triposr", tiny_settings(engine), Progress(check=check))

    run(-1)
    total = len(calls)
    for stop_at in (1, total // 2, total - 1):
        with pytest.raises(Cancelled):
            run(stop_at)
    run(-1)  # nothing stays locked or lent


@pytest.mark.parametrize("azimuth", [0.0, 90.0, 180.0, 215.0])
def test_each_view_lies_where_its_camera_saw_it(engine: Engine, azimuth: float) -> None:
    """The model's front (+x) goes towards the camera, its y to the picture's right, z stays up."""
    camera = orbit_camera(azimuth)
    turn = to_world(camera)
    axes = turn / np.linalg.norm(turn, axis=1, keepdims=True)
    np.testing.assert_allclose(axes[0], camera.position / np.linalg.norm(camera.position), atol=1e-9)
    np.testing.assert_allclose(axes[1], camera.cam_to_world[:3, 0], atol=1e-9)
    np.testing.assert_allclose(axes[2], [0, 1, 0], atol=1e-9)
    np.testing.assert_allclose(turn @ to_model(camera), np.eye(3), atol=1e-9)


def test_a_top_view_is_laid_down() -> None:
    """What the model calls front looks up at the camera."""
    turn = to_world(orbit_camera(0.0, 90.0))
    np.testing.assert_allclose(turn[0] / np.linalg.norm(turn[0]), [0, 1, 0], atol=1e-9)


def test_the_orientation_agrees_with_the_demo_of_the_original() -> None:
    """Its viewer shows (-y, z, -x): the same object turned by half a turn about the vertical."""
    golden = load_file(TINY.parent / "misc" / "orientation.safetensors")
    turn = to_world(orbit_camera(0.0))
    ours = golden["vertices"].numpy() @ (turn / np.linalg.norm(turn[0]))
    np.testing.assert_allclose(ours * [-1, 1, -1], golden["vertices_gradio"].numpy(), atol=1e-6)


def test_several_views_use_the_frontmost_and_say_so(engine: Engine) -> None:
    """The others keep their cameras for photo projection."""
    views = [disc_view("right"), disc_view("front"), disc_view("back")]
    made = reconstruct(views, "triposr", tiny_settings(engine))
    assert "'front' was used" in made.notes[0]
    assert [view.name for view in made.views] == ["right", "front", "back"]
    assert all(view.camera is not None for view in made.views)


def test_a_batch_gives_what_single_runs_give(engine: Engine) -> None:
    """reconstruct_each: one reconstruction per picture, in order."""
    views = [disc_view("front", 0.0, seed=1), disc_view("right", 90.0, seed=2)]
    both = load("triposr").reconstruct_each(views, tiny_settings(engine))
    for view, made in zip(views, both, strict=True):
        alone = load("triposr").reconstruct_each([view], tiny_settings(engine))[0]
        assert made.mesh.faces.shape == alone.mesh.faces.shape
        np.testing.assert_allclose(made.mesh.vertices, alone.mesh.vertices, atol=1e-4)
