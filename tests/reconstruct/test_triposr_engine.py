"""The engine on a tiny model: whole passes, streaming, faults injected everywhere, frames, batches, bad weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from _triposr_tiny import TINY, disc_view, tiny_config, tiny_engine
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode

from maquette import memory
from maquette.errors import BadInputError, Cancelled, OutOfMemoryLadderError, WeightsError
from maquette.geometry.camera import orbit_camera
from maquette.geometry.extract import extract
from maquette.memory import MB, own
from maquette.progress import Progress, silent
from maquette.reconstruct import Settings, load, reconstruct
from maquette.reconstruct._triposr import engine as engines
from maquette.reconstruct._triposr.engine import (
    Asked,
    EncodePlan,
    Engine,
    encode_rungs,
    open_engine,
    random_engine,
    run_encode,
    run_surface,
    surface_rungs,
)
from maquette.reconstruct._triposr.frame import to_model, to_world
from maquette.reconstruct._triposr.surface import adaptive_level, surface

ASKED = Asked(24, 25.0, "cpu", torch.float32)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return tiny_engine()


def settings(engine: Engine, **changes: Any) -> Settings:
    options = {"engine": engine, **changes.pop("options", {})}
    return Settings(**{"resolution": 24, "threshold": 25.0, "options": options, **changes})


def edges_all_twice(faces: np.ndarray) -> bool:
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    return bool((np.unique(edges, axis=0, return_counts=True)[1] == 2).all())


def test_a_view_becomes_a_closed_colored_mesh_and_says_how(engine: Engine) -> None:
    """Closed although the surface reaches the border; the appearance gives the vertices' colours."""
    made = reconstruct([disc_view()], "triposr", settings(engine))
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
    first, second = (reconstruct([disc_view()], "triposr", settings(engine)).mesh for _ in range(2))
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


class Faults(TorchDispatchMode):
    """Raise torch's out-of-memory error at the n-th operation while ``small`` says that the rung is a large one."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.count = at, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        if self.count == self.at:
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory. Tried to allocate at operation {self.at}")
        return func(*args, **(kwargs or {}))


def pretend_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ladder believe that the CPU is a GPU, so that it has all its rungs."""
    monkeypatch.setattr(engines, "encode_rungs", lambda e, _d, dtype, n: _as_cpu(encode_rungs(e, "cuda", dtype, n)))
    monkeypatch.setattr(engines, "surface_rungs", lambda _d, dtype, r: _as_cpu(surface_rungs("cuda", dtype, r)))


def _as_cpu(rungs: list[Any]) -> list[Any]:
    return [replace(rung, plan=replace(rung.plan, device="cpu", dtype=torch.float32)) for rung in rungs]


def operations(work: Any) -> int:
    counter = Faults(-1)
    with counter:
        work()
    return counter.count


def test_out_of_memory_at_any_operation_of_the_transformer_is_survived(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it strikes, the next rung gives the same triplanes, and the weights are back on their shelf."""
    pretend_gpu(monkeypatch)
    images = torch.rand(1, 160, 160, 3)

    def work() -> Any:
        with own("cpu") as lease:
            return run_encode(engine, images, ASKED, lease, silent())

    want, total = work().value, operations(work)
    assert total > 100
    for at in range(1, total, max(1, total // 12)):
        with Faults(at):
            done = work()
        assert done.rung == "weights streamed from RAM", at
        assert "out of memory" in done.notes[0]
        torch.testing.assert_close(done.value, want, atol=1e-5, rtol=1e-5)


def test_out_of_memory_at_any_operation_of_the_surface_is_survived(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same mesh from smaller blocks."""
    pretend_gpu(monkeypatch)
    codes = load_file(TINY / "case_b_expected.safetensors")["scene_codes"][0]

    def work() -> Any:
        with own("cpu") as lease:
            return run_surface(engine, codes, ASKED, lease, silent(), lambda made, _field: made)

    want, total = work().value, operations(work)
    for at in range(1, total, max(1, total // 12)):
        with Faults(at):
            done = work()
        assert done.rung == "smaller blocks", at
        torch.testing.assert_close(done.value.vertices, want.vertices)
        torch.testing.assert_close(done.value.faces, want.faces)


def test_the_ladder_goes_down_in_the_promised_order(engine: Engine) -> None:
    """Smaller blocks, 512, 256, 128, CPU; one picture at a time, streamed, CPU; the needs fall."""
    names = [rung.name for rung in surface_rungs("cuda", torch.float16, 1024)]
    assert names == [
        "as asked",
        "smaller blocks",
        "resolution 512",
        "resolution 256",
        "resolution 128",
        "CPU, resolution 128",
    ]
    assert [rung.name for rung in surface_rungs("cuda", torch.float16, 96)] == ["as asked", "smaller blocks", "CPU"]
    rungs = encode_rungs(engine, "cuda", torch.float16, 4)
    assert [rung.name for rung in rungs] == ["as asked", "one picture at a time", "weights streamed from RAM", "CPU"]
    needs = [rung.need for rung in rungs[:-1]]
    assert needs == sorted(needs, reverse=True)


def test_memory_for_nothing_is_an_error_that_names_the_rungs(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every rung fails: the ladder's error, not torch's."""

    def never(*_: Any, **__: Any) -> None:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    pretend_gpu(monkeypatch)
    monkeypatch.setattr(engines, "encode", never)
    with pytest.raises(OutOfMemoryLadderError, match="streamed from RAM"), own("cpu") as lease:
        run_encode(engine, torch.rand(1, 160, 160, 3), ASKED, lease, silent())


def test_cancel_passes_from_anywhere(engine: Engine) -> None:
    """At the first, a middle and a late check."""
    calls: list[int] = []

    def run(stop_at: int) -> None:
        calls.clear()

        def check() -> None:
            calls.append(1)
            if len(calls) == stop_at:
                raise Cancelled("stop")

        reconstruct([disc_view()], "triposr", settings(engine), Progress(check=check))

    run(-1)
    total = len(calls)
    for stop_at in (1, total // 2, total - 1):
        with pytest.raises(Cancelled):
            run(stop_at)
    run(-1)  # nothing stays locked or lent


def test_nothing_above_the_threshold_gives_the_range_of_densities(engine: Engine) -> None:
    """The user can choose a better threshold from the message."""
    with pytest.raises(BadInputError, match=r"above the threshold 1e\+09; the volume holds densities from \d.* to \d"):
        reconstruct([disc_view()], "triposr", settings(engine, threshold=1e9))


@pytest.mark.parametrize("threshold", [0.0, -3.0, math.nan, "lots"])
def test_impossible_thresholds_are_refused_before_the_model_is_loaded(threshold: Any) -> None:
    """No waiting for a typing error."""
    with pytest.raises(BadInputError, match="threshold"):
        reconstruct([disc_view()], "triposr", Settings(threshold=threshold))


@pytest.mark.parametrize(("options", "word"), [({"enginee": 1}, "enginee"), ({"precision": "int4"}, "precision")])
def test_unknown_options_are_named(options: dict[str, Any], word: str) -> None:
    """A misspelt option is not ignored."""
    with pytest.raises(BadInputError, match=word):
        reconstruct([disc_view()], "triposr", Settings(options=options))


def test_the_adaptive_threshold_is_the_clamped_median() -> None:
    """Of the inside of the coarse lattice, between half and twice 25."""
    for median, want in ((0.01, 12.5), (30.0, 30.0), (1e4, 50.0)):
        coarse = torch.full((9, 9, 9), 1e6)
        coarse[1:-1, 1:-1, 1:-1] = median
        coarse[2, 2, 2] = 1e5
        assert math.exp(adaptive_level(coarse.log())) == pytest.approx(want, rel=1e-5)


def test_interpolating_the_log_is_nearer_to_the_true_surface(engine: Engine) -> None:
    """Same faces as the original's lattice; a tenth of its distance from the level."""
    codes = load_file(TINY / "case_b_expected.safetensors")["scene_codes"][0]
    field, radius = engine.field(codes), engine.config.radius
    ours = surface(field, engine.config, resolution=33, threshold=25.0, closed=False, progress=silent())
    box = {"lower": (-radius,) * 3, "upper": (radius,) * 3}
    vertices, faces, _ = extract(field.density, **box, resolution=33, level=25.0)
    assert torch.equal(ours.faces, faces)
    error, theirs = ((field.raw(v) - math.log(25.0)).abs().mean() for v in (ours.vertices, vertices))
    assert float(error) < 0.1 * float(theirs)


@pytest.mark.parametrize("case", ["b", "c"])
def test_what_coarse_to_fine_misses_is_specks(engine: Engine, case: str) -> None:
    """On noise-like scenes at most one face in five thousand, in loose specks; the rest is the dense surface."""
    codes = load_file(TINY / f"case_{case}_expected.safetensors")["scene_codes"][0]
    field, radius = engine.field(codes), engine.config.radius
    box: dict[str, Any] = {"lower": (-radius,) * 3, "upper": (radius,) * 3, "resolution": 65, "level": math.log(25.0)}
    _, dense, _ = extract(field.raw, **box, coarse=65)
    _, fast, _ = extract(field.raw, **box)
    assert 0 <= len(dense) - len(fast) <= 2e-4 * len(dense)


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
    made = reconstruct(views, "triposr", settings(engine))
    assert "'front' was used" in made.notes[0]
    assert [view.name for view in made.views] == ["right", "front", "back"]
    assert all(view.camera is not None for view in made.views)


def test_a_batch_gives_what_single_runs_give(engine: Engine) -> None:
    """reconstruct_each: one reconstruction per picture, in order."""
    views = [disc_view("front", 0.0, seed=1), disc_view("right", 90.0, seed=2)]
    both = load("triposr").reconstruct_each(views, settings(engine))
    for view, made in zip(views, both, strict=True):
        alone = load("triposr").reconstruct_each([view], settings(engine))[0]
        assert made.mesh.faces.shape == alone.mesh.faces.shape
        np.testing.assert_allclose(made.mesh.vertices, alone.mesh.vertices, atol=1e-4)


def test_a_budget_too_small_for_the_weights_starts_lower_on_the_ladder() -> None:
    """The report says what was left out."""
    engine, images = tiny_engine(), torch.rand(1, 160, 160, 3)
    rungs = encode_rungs(engine, "cuda", torch.float32, 1)
    assert rungs[0].need > rungs[1].need
    assert rungs[0].need < 20 * MB
    done = memory.climb(rungs[:2], lambda plan: plan, device="cpu", available=rungs[0].need - 1)
    assert done.value.streamed
    assert "left out" in done.notes[0]
    assert len(images) == 1


@contextmanager
def changed(tmp_path: Path, change: Any) -> Iterator[Path]:
    state = load_file(TINY / "weights.safetensors")
    change(state)
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    yield path


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("backbone.proj_in.bias"), "lacks 1 tensors"),
        (lambda s: s.update(extra=torch.zeros(1)), "unknown 1 tensors"),
        (lambda s: s.update({"backbone.proj_in.bias": torch.zeros(3)}), r"proj_in.bias: \(3,\) in place of \(64,\)"),
        (lambda s: s["backbone.proj_in.bias"].fill_(math.nan), "NaN"),
        (lambda s: s["decoder.layers.0.bias"].fill_(math.inf), "infinite"),
    ],
)
def test_weights_of_another_model_or_with_nan_are_refused(tmp_path: Path, change: Any, words: str) -> None:
    """Missing key, unknown key, other shape, NaN, infinity: each named."""
    with changed(tmp_path, change) as path, pytest.raises(WeightsError, match=words):
        open_engine(path, tiny_config(), torch.float32)


@pytest.mark.parametrize("suffix", [".ckpt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"PK\x03\x04truncated"])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    """Empty, an error page, a broken archive."""
    path = tmp_path / f"model{suffix}"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="model"):
        open_engine(path, tiny_config(), torch.float32)


def test_a_checkpoint_that_would_run_code_is_refused_and_a_plain_one_loads(tmp_path: Path) -> None:
    """weights_only: pickled code stays cold; a .ckpt of the same tensors equals the safetensors copy."""

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"weights": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(WeightsError):
        open_engine(tmp_path / "evil.ckpt", tiny_config(), torch.float32)
    assert not (tmp_path / "ran").exists()
    torch.save(load_file(TINY / "weights.safetensors"), tmp_path / "model.ckpt")
    images = torch.rand(1, 160, 160, 3)
    for dtype in (torch.float32, torch.float16):
        plan = EncodePlan("cpu", torch.float32, 1)
        loaded = open_engine(tmp_path / "model.ckpt", tiny_config(), dtype)
        assert torch.equal(loaded.encode(images, plan), tiny_engine(dtype).encode(images, plan))


def test_weights_that_give_nothing_finite_are_an_error() -> None:
    """After the wider type was tried too."""
    engine = random_engine(tiny_config(), torch.float32)
    engine.network.backbone.proj_out.weight.fill_(1e38)
    with pytest.raises(WeightsError, match="not finite"), own("cpu") as lease:
        run_encode(engine, torch.rand(1, 160, 160, 3), ASKED, lease, silent())


def test_thirty_pictures_in_a_row_leave_memory_flat(engine: Engine) -> None:
    """Tensors alive after the tenth and the thirtieth picture are the same."""
    import gc

    counts = []
    for index in range(30):
        reconstruct([disc_view(seed=index)], "triposr", settings(engine, resolution=12))
        if index in (9, 29):
            gc.collect()
            counts.append(sum(isinstance(item, torch.Tensor) for item in gc.get_objects()))
    assert counts[0] == counts[1]
