"""TripoSR at full size on a GPU, random weights: memory contract, half precision, budgets, faults, thirty in a row."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from _triposr_tiny import disc_view, tiny_engine

from benchmarks.triposr import AnalyticField
from maquette.memory import MB
from maquette.progress import silent
from maquette.reconstruct import Settings, reconstruct
from maquette.reconstruct._triposr.config import Config
from maquette.reconstruct._triposr.engine import LARGE, EncodePlan, Engine, random_engine
from maquette.reconstruct._triposr.field import SceneField
from maquette.reconstruct._triposr.surface import surface
from maquette.reconstruct.triposr import SPEC

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
HALF = EncodePlan("cuda", torch.float16, 1)


class BumpyEngine(Engine):
    """Pays for the decoder, but the density is that of a bumpy ball: random weights give no object."""

    def field(self, codes: torch.Tensor, block: int = LARGE, *, kernel: bool = True) -> SceneField:
        """The analytic field of the benchmark."""
        return AnalyticField(codes, self.network.decoder, self.config, block=block, kernel=kernel)


@pytest.fixture(scope="module")
def engine() -> Engine:
    made = random_engine(Config(), torch.float16)
    return BumpyEngine(made.network, made.shelves, made.name)


def settings(engine: Engine, **changes: object) -> Settings:
    return Settings(**{"device": "cuda", "threshold": 25.0, "options": {"engine": engine}, **changes})


def test_half_precision_stays_near_float32(engine: Engine) -> None:
    """Scene codes within 2e-2 relative, on the GPU, without TF32."""
    images = torch.rand(1, 512, 512, 3, generator=torch.Generator().manual_seed(5))
    exact = engine.encode(images, EncodePlan("cuda", torch.float32, 1))
    for dtype, allowed in ((torch.float16, 5e-3), (torch.bfloat16, 2e-2)):
        got = engine.encode(images, EncodePlan("cuda", dtype, 1)).float()
        assert float((got - exact).norm() / exact.norm()) < allowed, dtype


def test_half_precision_keeps_the_topology_of_the_recorded_surface() -> None:
    """Kernel in half against the twin in float32 on the golden isosurface case."""
    from _triposr_tiny import TINY
    from safetensors.torch import load_file

    tiny = tiny_engine()
    codes = load_file(TINY / "case_a_expected.safetensors")["scene_codes"][0].cuda()
    meshes = []
    for given in (codes, codes.half()):
        field = tiny.field(given)
        meshes.append(surface(field, tiny.config, resolution=32, threshold=25.0, closed=False, progress=silent()))
    exact, half = meshes
    assert field.method == "fused kernel", field.why_no_kernel
    assert abs(len(exact.faces) - len(half.faces)) <= 2e-3 * len(exact.faces)


@pytest.mark.parametrize("resolution", sorted(SPEC.vram_mb))
def test_each_resolution_stays_under_its_stated_memory(engine: Engine, resolution: int) -> None:
    """The numbers in SPEC, which the doctor prints; everything is given back."""
    before = torch.cuda.memory_allocated()
    made = reconstruct([disc_view()], "triposr", settings(engine, resolution=resolution))
    assert made.figures["rung_surface"] == "as asked"
    assert made.figures["peak_gpu_mb"] <= SPEC.vram_mb[resolution]
    assert torch.cuda.memory_allocated() <= before + MB
    assert torch.cuda.memory_reserved() <= before + 32 * MB


@pytest.mark.parametrize(("budget", "rung"), [(1200, "as asked"), (400, "weights streamed from RAM"), (20, "CPU")])
def test_a_budget_is_kept_by_going_down_the_ladder(engine: Engine, budget: int, rung: str) -> None:
    """torch enforces the budget; the report names the rung."""
    made = reconstruct([disc_view()], "triposr", settings(engine, resolution=64, vram_budget_mb=budget))
    assert made.figures["rung_triplanes"] == rung
    assert made.figures["peak_gpu_mb"] <= budget


def test_streaming_computes_the_same(engine: Engine) -> None:
    """Bit for bit."""
    images = torch.rand(1, 512, 512, 3)
    resident = engine.encode(images, HALF)
    assert torch.equal(engine.encode(images, replace(HALF, streamed=True)), resident)


def test_thirty_pictures_in_a_row_leave_gpu_memory_flat(engine: Engine) -> None:
    """The peak of the last is the peak of the third."""
    peaks, kept = [], []
    for index in range(30):
        made = reconstruct([disc_view(seed=index)], "triposr", settings(engine, resolution=48))
        peaks.append(made.figures["peak_gpu_mb"])
        kept.append(torch.cuda.memory_allocated())
    assert max(peaks[3:]) <= peaks[2] * 1.1
    assert len(set(kept[1:])) == 1


def test_the_same_picture_gives_the_same_mesh(engine: Engine) -> None:
    """Deterministic on the GPU too."""
    first, second = (reconstruct([disc_view()], "triposr", settings(engine, resolution=96)).mesh for _ in range(2))
    assert first.vertices.tobytes() == second.vertices.tobytes()
    assert first.faces.tobytes() == second.faces.tobytes()
